"""How far training is: its stages, the rate that follows from them, and the file to go on from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np

from street_training.material import MaterialError

__all__ = ["Position", "Stage", "rate_at", "restored", "saved"]

WARM_UP_STEPS = 300


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of training with one peak of the rate.

    Parameters
    ----------
    name : str
    minutes : float or None
        How long it may take; the rate reaches zero then, however fast the machine is.
    steps : int or None
        How many steps instead; then the same seeds give the same batches at the same rates.
    peak : float
        Learning rate after the warm-up.
    everything : bool
        Learn also from what was held out.
    """

    name: str
    minutes: float | None
    steps: int | None
    peak: float
    everything: bool

    def share(self, position: Position) -> float:
        """Return how much of the stage is over, 0 to 1."""
        if self.minutes is not None:
            return min(1.0, position.elapsed_s / (60 * self.minutes)) if self.minutes else 1.0
        return min(1.0, position.stage_step / self.steps) if self.steps else 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where training stands.

    Parameters
    ----------
    stage : int
        Index of the stage.
    stage_step : int
        Steps done in it.
    step : int
        Steps done in all.
    elapsed_s : float
        Spent in the stage, over all sittings.
    """

    stage: int = 0
    stage_step: int = 0
    step: int = 0
    elapsed_s: float = 0.0


def rate_at(stage: Stage, position: Position) -> float:
    """Return the learning rate: a short straight rise, then half a cosine down to zero."""
    rise = min(1.0, (position.stage_step + 1) / WARM_UP_STEPS)
    return stage.peak * rise * 0.5 * (1 + cos(pi * stage.share(position)))


def saved(path: Path, variables: list[keras.Variable], position: Position) -> None:
    """Write all variables and the position; the file before stays until this one is whole."""
    part = path.with_name(path.name + ".part.npz")
    arrays = {f"v{index:04}": value.value.numpy() for index, value in enumerate(variables)}
    np.savez(part, position=json.dumps(asdict(position)), **arrays)
    part.replace(path)


def restored(path: Path, variables: list[keras.Variable]) -> Position:
    """Fill the variables from a checkpoint and return its position.

    Raises
    ------
    MaterialError
        When there is none, or it belongs to another network.
    """
    if not path.is_file():
        raise MaterialError(f"{path}: no checkpoint to go on from; start without --resume")
    try:
        with path.open("rb") as file, np.load(file) as kept:
            position = Position(**json.loads(str(kept["position"])))
            arrays = [kept[name] for name in sorted(kept.files) if name != "position"]
    except (BadZipFile, EOFError, ValueError, KeyError, TypeError) as error:
        raise MaterialError(f"{path}: is no whole checkpoint ({error}); start anew") from error
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise MaterialError(f"{path}: is of another network; name another --work")
    for array, variable in zip(arrays, variables, strict=True):
        variable.assign(array)
    return position
