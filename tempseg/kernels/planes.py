"""Kernels on planes seen in perspective: where their texture lies, and what each pixel shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import kernel
from tempseg.types import FloatArray

__all__ = ["plane_extents", "plane_window"]

FARTHEST = np.float32(1e-6)
"""Nearness, one over depth, from which on a plane counts as infinitely far or behind."""


@kernel
def plane_window(
    back: NDArray[np.float64],
    left: int,
    top: int,
    overlap: float,
    u: FloatArray,
    v: FloatArray,
    depth: FloatArray,
    covered: NDArray[np.bool_],
) -> None:
    """Write which spot of a plane each sample of a window (h, w) shows, and how far away it is.

    `back` takes (column, row, 1) to (u, v, 1) / depth; `left` and `top` are the window's first
    column and row. Covered is what lies before the camera with u and v from 0 to 1, and
    `overlap` beyond.
    """
    low, high = np.float32(-overlap), np.float32(1 + overlap)
    for y in range(u.shape[0]):
        row = float(top + y)
        u_row = np.float32(back[0, 1] * row + back[0, 2])
        v_row = np.float32(back[1, 1] * row + back[1, 2])
        near_row = np.float32(back[2, 1] * row + back[2, 2])
        for x in range(u.shape[1]):
            column = float(left + x)
            nearness = near_row + np.float32(back[2, 0] * column)
            away = np.float32(1) / max(nearness, FARTHEST)
            across = (u_row + np.float32(back[0, 0] * column)) * away
            down = (v_row + np.float32(back[1, 0] * column)) * away
            depth[y, x], u[y, x], v[y, x] = away, across, down
            inside = (across >= low) & (across <= high) & (down >= low) & (down <= high)
            covered[y, x] = inside & (nearness > FARTHEST)


@kernel
def plane_extents(
    owner: NDArray[np.int32], low: NDArray[np.int64], high: NDArray[np.int64]
) -> None:
    """Write the first and last column and row, (planes, 2), of what each plane owns.

    `owner` (H, W) is -1 where nothing is seen. `low` and `high` are left as they come for planes
    that own nothing.
    """
    for y in range(owner.shape[0]):
        for x in range(owner.shape[1]):
            plane = owner[y, x]
            if plane < 0:
                continue
            low[plane, 0], low[plane, 1] = min(low[plane, 0], x), min(low[plane, 1], y)
            high[plane, 0], high[plane, 1] = max(high[plane, 0], x), max(high[plane, 1], y)
