"""Motion on the working grid: its size, its luma, and the composing of pull fields."""

from __future__ import annotations

import cv2
import numpy as np

from tempseg.kernels import fields
from tempseg.types import FloatArray, MotionField, UInt8Array

__all__ = ["OUTSIDE", "compose", "no_motion", "residual", "working_luma", "working_size"]

OUTSIDE = fields.OUTSIDE

MIN_SIDE_PX = 48
"""Flow estimators need some pixels to stand on; smaller pictures are enlarged."""


def working_size(frame_size: tuple[int, int], resolution_px: int) -> tuple[int, int]:
    """Return the height and width of the grid that motion is estimated on.

    The longer side is at most `resolution_px`; the aspect is the frame's, to a pixel.

    Examples
    --------
    >>> working_size((720, 1280), 432)
    (243, 432)
    >>> working_size((96, 160), 432)
    (96, 160)
    """
    height, width = frame_size
    scale = min(1.0, resolution_px / max(height, width))
    return max(MIN_SIDE_PX, round(height * scale)), max(MIN_SIDE_PX, round(width * scale))


def working_luma(luma: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Return luma (H, W) averaged down to the working grid (h, w)."""
    if luma.shape == size:
        return np.ascontiguousarray(luma)
    return cv2.resize(luma, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(
        np.uint8, copy=False
    )


def no_motion(index: int, size: tuple[int, int]) -> MotionField:
    """Return the motion of a frame onto itself."""
    return MotionField(index, index, np.zeros((*size, 2), np.float32))


def compose(step: MotionField, motion: MotionField) -> MotionField:
    """Return the motion source → target from source → between (`motion`) and between → target.

    Raises
    ------
    ValueError
        When `motion` does not land where `step` starts.
    """
    if motion.target_index != step.source_index:
        raise ValueError(
            f"motion lands on frame {motion.target_index}, the step starts at {step.source_index}"
        )
    flow: FloatArray = np.empty_like(step.flow)
    fields.compose(step.flow, motion.flow, flow)
    return MotionField(motion.source_index, step.target_index, flow)


def residual(target: UInt8Array, source: UInt8Array, motion: MotionField) -> UInt8Array:
    """Return the luma error of the carried source a pixel, in gray levels.

    255 marks pixels whose source lies outside the picture.
    """
    out = np.empty_like(target)
    fields.residual(target, source, motion.flow, out)
    return out
