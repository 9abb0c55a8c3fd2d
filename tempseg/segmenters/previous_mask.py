"""The memory of models that take their own previous answer as a further channel."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from tempseg.types import VOID_8, VOID_16, FloatArray, Prediction

__all__ = ["PreviousMask"]

MOST_KEPT = 64
"""Masks kept at most, should frames be asked about ever further back."""


class PreviousMask:
    """Holds a model's last answers as the foreground probability on its input's grid.

    The mask before a frame is that of the last frame before it that was asked about, however long
    ago: between two keyframes nothing is known. It is zero where there is none. Frames may be
    asked about in hindsight: a keyframe's mask is kept until the next but one has come.

    Parameters
    ----------
    size : (int, int)
        Height and width of the model's input.

    Examples
    --------
    >>> PreviousMask((2, 3)).before(0).sum().item()
    0.0
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._masks: dict[int, FloatArray] = {}

    def before(self, frame_index: int) -> FloatArray:
        """Return the foreground before a frame, shape (h, w), float32, in [0, 1]."""
        last = max((index for index in self._masks if index < frame_index), default=None)
        return np.zeros(self._size, np.float32) if last is None else self._masks[last]

    def keep(self, answer: Prediction, frame_index: int) -> None:
        """Take the answer for a frame: all classes but the first are foreground."""
        foreground: FloatArray
        if answer.scores is not None:
            foreground = 1 - answer.scores[..., 0]
        else:
            assert answer.labels is not None
            known = (answer.labels != VOID_8) & (answer.labels != VOID_16)
            foreground = ((answer.labels != 0) & known).astype(np.float32)
        if foreground.shape != self._size:
            foreground = cast(FloatArray, cv2.resize(foreground, self._size[::-1]))
        latest = max(self._masks, default=frame_index)
        if frame_index > latest:
            # What is asked about in hindsight lies between the last two.
            self._masks = {latest: self._masks[latest]}
        self._masks[frame_index] = foreground
        if len(self._masks) > MOST_KEPT:
            del self._masks[min(self._masks)]
