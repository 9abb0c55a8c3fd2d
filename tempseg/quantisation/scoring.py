"""How far a quantised model agrees with the original, and how long each takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.metrics import ConfusionMatrix
from tempseg.protocols import Segmenter
from tempseg.types import VOID_8, VOID_16, Frame, LabelArray, Prediction

__all__ = ["Agreement", "compared"]

Name = TypeVar("Name", bound=str)

LEAST_TIMED = 7
"""Runs of each model that its median is taken of, at least."""

_CHANCE_KAPPA = 0.1
_PLAINLY_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one model's labels compare with another's on the same frames.

    Parameters
    ----------
    ms : float
        Median of the second model's calls.
    pixel_agreement : float
    miou : float
    by_chance : bool
        Whether two models that knew nothing of each other would agree as well, given how often
        each names every class (Cohen's kappa under 0.1).
    """

    ms: float
    pixel_agreement: float
    miou: float
    by_chance: bool


def compared(
    original: Segmenter,
    others: Mapping[Name, Segmenter],
    frames: Sequence[Frame],
    *,
    advance: Callable[[], None] = lambda: None,
) -> tuple[float, dict[Name, Agreement | ModelError]]:
    """Return the original's milliseconds a frame, and how each other model compares with it.

    Models take turns on every frame, so that a load on the machine falls on all of them.

    Parameters
    ----------
    original : Segmenter
    others : mapping of name to Segmenter
        With the classes and the grid of the original.
    frames : sequence of Frame
    advance : callable
        Called once a frame.

    Returns
    -------
    float
    dict of name to Agreement or ModelError
        What a model failed with, where it did.

    Raises
    ------
    ModelError
        When the original fails on a frame.
    """
    timed = _Timed(original)
    running: dict[Name, _Timed] = {name: _Timed(other) for name, other in others.items()}
    found: dict[Name, Agreement | ModelError] = {}
    void = VOID_16 if original.info.label_bits == 16 else VOID_8
    confusions = {
        name: ConfusionMatrix(len(original.info.class_set.names), void=void) for name in others
    }
    # Once untimed: the first run of a model sets it up.
    for count in range(-1, max(LEAST_TIMED, len(frames))):
        frame = frames[count % len(frames)]
        labels = timed.label(frame, timed=count >= 0)
        for name, other in list(running.items()):
            try:
                answer = other.label(frame, timed=count >= 0)
            except ModelError as error:
                found[name] = error
                del running[name]
                continue
            if 0 <= count < len(frames):
                confusions[name].update(answer, labels)
        if count >= 0:
            advance()
    for name, other in running.items():
        found[name] = _agreement(confusions[name], other.ms)
    return timed.ms, found


class _Timed:
    """A segmenter with a stop watch."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._spent_ms: list[float] = []

    @property
    def ms(self) -> float:
        """The median of the timed calls."""
        return statistics.median(self._spent_ms)

    def label(self, frame: Frame, *, timed: bool = False) -> LabelArray:
        start = time.perf_counter()
        answer = self._segmenter.segment(frame)
        if timed:
            self._spent_ms.append((time.perf_counter() - start) * 1000)
        return labels_of(answer)


def labels_of(answer: Prediction) -> LabelArray:
    """Return the label of every cell of a prediction's own grid."""
    if answer.labels is not None:
        return answer.labels
    assert answer.scores is not None
    best: NDArray[np.intp] = answer.scores.argmax(axis=2)
    if answer.scores.shape[2] <= VOID_8:
        return best.astype(np.uint8)
    return best.astype(np.uint16)


def _agreement(confusion: ConfusionMatrix, ms: float) -> Agreement:
    scores, matrix = confusion.compute(), confusion.matrix.astype(np.float64)
    shares = matrix / max(matrix.sum(), 1.0)
    expected = float(shares.sum(axis=1) @ shares[:, :-1].sum(axis=0))
    agreed = scores.pixel_accuracy
    # Where nearly all is one class, chance agrees on nearly all, too.
    kappa = (agreed - expected) / (1 - expected) if expected < 1 else 1.0
    return Agreement(
        ms, agreed, scores.miou, by_chance=kappa < _CHANCE_KAPPA and agreed < _PLAINLY_ALIKE
    )
