"""How much the area of each class changes from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tempseg.metrics.confusion import (
    check_alike,
    check_classes,
    check_void,
    count_pairs,
    mean_known,
)
from tempseg.types import LabelArray

__all__ = ["AreaJitter", "AreaJitterScores", "area_jitter"]


@dataclass(frozen=True, slots=True)
class AreaJitterScores:
    """Mean change of area between frames as a share of the mean area, at least 0.

    Parameters
    ----------
    area_jitter : float
        Mean over the classes that appear; nan where no pair was seen.
    per_class : tuple of float
        By class id; nan where a class never appears.
    """

    area_jitter: float
    per_class: tuple[float, ...]


class AreaJitter:
    """Per class, mean of `abs(A_t - A_{t-1})` over pairs by the mean of A over frames.

    Areas are shares of the frame, so that videos of any size add up. A pixel that is void in
    either map of a pair is left out of the difference, so that void that comes and goes is no
    jitter.

    Range from 0 on, 2 where a class shows in every other frame; lower is better. Source: tempseg's
    own.

    Parameters
    ----------
    classes : int
        Number of classes K; ids are 0 to K-1.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> jitter = AreaJitter(2)
    >>> jitter.update(np.uint8([[0, 0, 1, 1]]))
    >>> jitter.update(np.uint8([[0, 0, 0, 0]]), np.uint8([[0, 0, 1, 1]]))
    >>> [round(value, 3) for value in jitter.compute().per_class]
    [0.667, 2.0]
    """

    def __init__(self, classes: int, *, void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._frames, self._pairs = 0, 0
        self._areas = np.zeros(classes)
        self._differences = np.zeros(classes)

    def update(self, labels: LabelArray, previous: LabelArray | None = None) -> None:
        """Take one frame's labels, (H, W), and those before it.

        Parameters
        ----------
        labels : ndarray, shape (H, W), uint8 or uint16
        previous : ndarray, shape (H, W), uint8 or uint16, optional
            None for the first frame of a shot.

        Raises
        ------
        ValueError
            When they are no label maps of one size, or hold an id that is neither a class nor
            void.
        """
        before = labels if previous is None else previous
        pairs = count_pairs(labels, before, classes=self._classes, void=self._void)
        self._frames += 1
        self._areas += pairs[:, :-1].sum(axis=0) / labels.size
        if previous is not None:
            known = pairs[:-1, :-1]
            self._pairs += 1
            self._differences += np.abs(known.sum(axis=0) - known.sum(axis=1)) / labels.size

    def merge(self, other: AreaJitter) -> None:
        """Add the frames and pairs that another of the same settings has seen."""
        check_alike(classes=(self._classes, other._classes), void=(self._void, other._void))
        self._frames += other._frames
        self._pairs += other._pairs
        self._areas += other._areas
        self._differences += other._differences

    def compute(self) -> AreaJitterScores:
        """Return the jitter of what was seen."""
        per_class = np.full(self._classes, math.nan)
        if self._pairs:
            difference, area = self._differences / self._pairs, self._areas / self._frames
            np.divide(difference, area, out=per_class, where=area > 0)
        return AreaJitterScores(mean_known(per_class), tuple(per_class.tolist()))


def area_jitter(
    labels: Sequence[LabelArray] | LabelArray, *, classes: int, void: int | None = None
) -> AreaJitterScores:
    """Return how much the area of each class changes from frame to frame.

    Range from 0 on, lower is better. Formula and source as in `AreaJitter`.

    Parameters
    ----------
    labels : ndarray, shape (T, H, W), uint8 or uint16
        Neighbouring frames of one shot.
    classes, void
        As in `AreaJitter`.

    Examples
    --------
    >>> import numpy as np
    >>> area_jitter(np.uint8([[[0, 1]], [[0, 1]], [[0, 1]]]), classes=3)
    AreaJitterScores(area_jitter=0.0, per_class=(0.0, 0.0, nan))
    """
    jitter = AreaJitter(classes, void=void)
    previous: LabelArray | None = None
    for current in labels:
        jitter.update(current, previous)
        previous = current
    return jitter.compute()
