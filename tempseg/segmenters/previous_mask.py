"""The memory of models that take their own previous answer as a further channel."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from tempseg.types import VOID_8, VOID_16, FloatArray, Prediction

__all__ = ["PreviousMask"]


class PreviousMask:
    """Holds a model's last answer as the foreground probability on its input's grid.

    The mask is that of the last frame asked about, however long ago: between two keyframes
    nothing is known. It is zero at the start, and again when a frame does not come after the
    last one, as with a new source. A scene cut cannot be seen from here: the first answer after
    one starts from the mask before it, as it would with the model on every frame of a live video.

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
        self._mask: FloatArray = np.zeros(size, np.float32)
        self._index = -1

    def before(self, frame_index: int) -> FloatArray:
        """Return the foreground before a frame, shape (h, w), float32, in [0, 1]."""
        if frame_index > self._index:
            return self._mask
        return np.zeros(self._size, np.float32)

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
        self._mask, self._index = foreground, frame_index
