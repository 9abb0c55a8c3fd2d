"""What a quantisation made, and how it compares with the original."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Kind", "ModelFigures", "Quantisation", "Refusal"]

Kind = Literal["float16", "int8", "int8-weights"]


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """A model's size, speed and agreement with the original on the held-out frames.

    Parameters
    ----------
    kind : str
        `original`, or how it is quantised.
    path : Path
    bytes : int
        On the disk, all files of it.
    ms : float
        Median milliseconds of one frame, from its pixels to class scores or labels.
    pixel_agreement : float
        Share of the cells of the model's grid with the original's label, in [0, 1].
    miou : float
        Mean IoU of its labels against the original's, over the classes that either sees.
    """

    kind: str
    path: Path
    bytes: int
    ms: float
    pixel_agreement: float = 1.0
    miou: float = 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A kind that could not be made, or came out wrong and was not kept; and why."""

    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Quantisation:
    """What a quantisation made.

    Parameters
    ----------
    original : ModelFigures
    models : tuple of ModelFigures
        One a file that was made, in the order asked for.
    refused : tuple of Refusal
    calibration_frames, held_out_frames : tuple of int
        Which frames of the video the ranges were taken of, and which the figures; none is in both.
    threads : int
        That each model ran with.
    assumptions : tuple of str
        What was assumed about the model because nothing said it.
    """

    original: ModelFigures
    models: tuple[ModelFigures, ...]
    refused: tuple[Refusal, ...]
    calibration_frames: tuple[int, ...]
    held_out_frames: tuple[int, ...]
    threads: int
    assumptions: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return all of it as JSON takes it."""
        tree = asdict(self)
        for model in (tree["original"], *tree["models"]):
            model["path"] = str(model["path"])
        return tree
