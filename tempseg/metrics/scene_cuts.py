"""F1 of scene cuts."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from tempseg.metrics.boundary_f import check_tolerances
from tempseg.metrics.confusion import check_alike

__all__ = ["SceneCuts", "cut_f1"]


class SceneCuts:
    """Counts detected scene cuts that are true, a video at a time.

    Cuts are matched one to one in order of time: each detected one takes the earliest true cut
    within the tolerance that is still free. No other way of matching finds more.

    `F1 = 2 matched / (detected + true)`. Range [0, 1], higher is better. Source: the F
    measure of information retrieval.

    Parameters
    ----------
    tolerances : tuple of int
        Frames that a detected cut may be off.

    Examples
    --------
    >>> metric = SceneCuts()
    >>> metric.update([30, 77, 300], [30, 76, 137])
    >>> metric.compute()[0], metric.compute()[1]
    (0.3333333333333333, 0.6666666666666666)
    """

    def __init__(self, *, tolerances: tuple[int, ...] = (0, 1, 2)) -> None:
        self._tolerances = check_tolerances(tolerances)
        self._matched = np.zeros(len(self._tolerances), np.int64)
        self._cuts = 0

    def update(self, detected: Sequence[int], truth: Sequence[int]) -> None:
        """Take one video: the numbers of frames that begin a shot, in any order."""
        ours, theirs = sorted(detected), sorted(truth)
        self._matched += [_matches(ours, theirs, reach) for reach in self._tolerances]
        self._cuts += len(ours) + len(theirs)

    def merge(self, other: SceneCuts) -> None:
        """Add the videos that another one has counted.

        Raises
        ------
        ValueError
            When its tolerances differ.
        """
        check_alike(tolerances=(self._tolerances, other._tolerances))
        self._matched += other._matched
        self._cuts += other._cuts

    def compute(self) -> dict[int, float]:
        """Return F1 over all videos, a tolerance; nan where there was no cut on either side."""
        return {
            reach: 2 * matched / self._cuts if self._cuts else nan
            for reach, matched in zip(self._tolerances, self._matched.tolist(), strict=True)
        }


def cut_f1(detected: Sequence[int], truth: Sequence[int], *, tolerance: int = 1) -> float:
    """Return the F1 of the scene cuts of one video; nan without any.

    Range [0, 1], higher is better. Formula and source as in `SceneCuts`.

    Parameters
    ----------
    detected, truth : sequence of int
        Numbers of frames that begin a shot.
    tolerance : int
        Frames that a detected cut may be off.

    Examples
    --------
    >>> cut_f1([30, 77], [30, 76, 137], tolerance=1)
    0.8
    """
    metric = SceneCuts(tolerances=(tolerance,))
    metric.update(detected, truth)
    return metric.compute()[tolerance]


def _matches(detected: list[int], truth: list[int], reach: int) -> int:
    """Return how many of two rising lists can be matched."""
    matched, place = 0, 0
    for cut in detected:
        while place < len(truth) and truth[place] < cut - reach:
            place += 1
        if place < len(truth) and truth[place] <= cut + reach:
            matched += 1
            place += 1
    return matched
