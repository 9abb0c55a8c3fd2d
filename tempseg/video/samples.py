"""An FFmpeg plane's samples as an array."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

__all__ = ["sample_rows"]

_Sample = TypeVar("_Sample", np.uint8, np.uint16)


def sample_rows(
    plane: VideoPlane, dtype: type[_Sample], *, padded: bool = False
) -> NDArray[_Sample]:
    """Return the samples of a plane where they lie, shape (H, W).

    The array keeps the plane alive and the plane its frame. Rows are as far apart as FFmpeg
    laid them; `padded` also shows what lies between. Planes stored bottom row first are copied.

    Parameters
    ----------
    plane : av.video.plane.VideoPlane
    dtype : type
        `uint8` or `uint16`, in the machine's byte order.
    """
    stride = plane.line_size
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    if stride < 0:
        rows = np.ascontiguousarray(rows[::-1])
    return rows if padded else rows[:, : plane.width]
