"""From pixels to the numbers that keyframe policies decide on."""

from __future__ import annotations

import numpy as np

from tempseg.kernels import fields
from tempseg.motion import OUTSIDE, UNEXPLAINED_GRAY_LEVELS
from tempseg.types import Evidence, MotionField, UInt8Array

__all__ = ["observe", "scene_change"]

BLOCK_PX = 16
"""Side of the blocks whose structure is compared."""

FLAT_GRAY_LEVELS = 2.0
"""Blocks with less contrast than this on both sides say nothing."""


def scene_change(target: UInt8Array, source: UInt8Array, step: MotionField) -> float:
    """Return how little of the source's structure the target keeps, after motion; in [0, 1].

    One minus the normalised correlation of blocks, weighted by their contrast. Gain and offset
    cancel, so that fades, flashes and exposure changes stay low; only new content is high.
    """
    height, width = target.shape
    grid = np.empty((-(-height // BLOCK_PX), -(-width // BLOCK_PX), 2), np.float32)
    fields.structure(target, source, step.flow, BLOCK_PX, grid)
    correlation, contrast = grid[..., 0], grid[..., 1]
    weight = np.where(contrast < FLAT_GRAY_LEVELS, np.float32(0), contrast)
    total = float(weight.sum(dtype=np.float64))
    if total == 0.0:
        return 0.0
    kept = float((weight * np.maximum(correlation, 0)).sum(dtype=np.float64)) / total
    return min(max(1.0 - kept, 0.0), 1.0)


def observe(*, age: int, change: float, residual: UInt8Array, blurred: UInt8Array) -> Evidence:
    """Return the evidence on a frame.

    Parameters
    ----------
    age : int
        Frames since the anchor.
    change : float
        The frame's `scene_change`.
    residual, blurred : ndarray, shape (h, w), uint8
        Luma error of the carried anchor, 255 where its source lies outside; the same, blurred.
    """
    pixels = residual.size
    outside = int(np.count_nonzero(residual == OUTSIDE))
    inside = pixels - outside
    total = int(residual.sum(dtype=np.int64)) - OUTSIDE * outside
    return Evidence(
        age=age,
        scene_change=change,
        residual=total / inside if inside else float(OUTSIDE),
        outside=outside / pixels,
        drift=int(np.count_nonzero(blurred >= UNEXPLAINED_GRAY_LEVELS)) / pixels,
    )
