"""How far apart frames are, counted by what changes between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tempseg.types import UInt8Array

__all__ = ["ChangeClock"]

CHANGED_GRAY_LEVELS = 8
"""Error from one frame to the next, from which a pixel has changed in more than place."""

STILL = 0.002
"""Share of the picture that changes at every frame, as far as the clock goes: it never stops."""


class ChangeClock:
    """Goes on with every frame of a shot, by as much of the picture as motion does not explain.

    An answer grows old by what happens, not by time: where a street lies empty for a while until
    someone enters, frames before that are as near to the keyframe before as its neighbours.
    """

    def __init__(self) -> None:
        # Whole pixels: differences do not depend on what came before.
        self._ticks: dict[int, int] = {}
        self._now = 0

    def tick(self, index: int, error: UInt8Array | None) -> None:
        """Go on to a frame.

        Parameters
        ----------
        index : int
            The frame's.
        error : ndarray, shape (h, w), uint8, or None
            Luma error of the step from the frame before, after motion, in gray levels; none on a
            first frame.
        """
        if error is not None:
            changed = int(np.count_nonzero(error > CHANGED_GRAY_LEVELS))
            self._now += changed + max(round(STILL * error.size), 1)
        self._ticks[index] = self._now

    def forget(self, before: int) -> None:
        """Forget the frames before this one."""
        self._ticks = {index: tick for index, tick in self._ticks.items() if index >= before}

    def distances(self, index: int, keyframes: Sequence[int]) -> list[float]:
        """Return how many frames after frame `index` each keyframe is; below zero: before.

        The frames between the nearest keyframes on either side are shared out by what changes in
        them, and those beyond by the same measure. With keyframes on one side alone, plain frames.

        Examples
        --------
        >>> clock = ChangeClock()
        >>> nothing, something = np.zeros((10, 100), np.uint8), np.full((10, 100), 9, np.uint8)
        >>> for frame, error in enumerate([None, nothing, nothing, nothing, something]):
        ...     clock.tick(frame, error)
        >>> [round(distance, 2) for distance in clock.distances(2, [0, 4])]
        [-0.02, 3.98]
        """
        plain = [float(keyframe - index) for keyframe in keyframes]
        before = max((k for k in keyframes if k < index), default=None)
        after = min((k for k in keyframes if k > index), default=None)
        if before is None or after is None:
            return plain
        scale = (after - before) / (self._ticks[after] - self._ticks[before])
        return [(self._ticks[k] - self._ticks[index]) * scale for k in keyframes]
