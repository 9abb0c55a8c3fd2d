"""Motion on the working grid: from frame to frame, and composed over many."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from tempseg.kernels import fields
from tempseg.protocols import FlowEstimator
from tempseg.types import FloatArray, Frame, MotionField, UInt8Array

__all__ = [
    "OUTSIDE",
    "UNEXPLAINED_GRAY_LEVELS",
    "Step",
    "Stepper",
    "compose",
    "estimated",
    "no_motion",
    "residual",
    "working_luma",
    "working_size",
]

OUTSIDE = fields.OUTSIDE

UNEXPLAINED_GRAY_LEVELS = 20
"""A pixel whose carried luma is this far off (blurred) counts as not explained."""

MOST_PX = 1e6
"""Longest motion that is taken: as far as any picture goes, and sums of many stay finite."""

MIN_SIDE_PX = 48
"""Flow estimators need some pixels to stand on; smaller pictures are enlarged."""


def working_size(frame_size: tuple[int, int], resolution_px: int) -> tuple[int, int]:
    """Return the height and width of the grid that motion is estimated on.

    The longer side is at most `resolution_px`; the aspect is the frame's, to a pixel.

    Examples
    --------
    >>> working_size((720, 1280), 256)
    (144, 256)
    >>> working_size((96, 160), 256)
    (96, 160)
    """
    height, width = frame_size
    scale = min(1.0, resolution_px / max(height, width))
    return max(MIN_SIDE_PX, round(height * scale)), max(MIN_SIDE_PX, round(width * scale))


def working_luma(luma: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Return luma (H, W) averaged down to the working grid (h, w)."""
    small = luma
    # Halving is nearly free, averaging by an odd ratio is not: the rest is under a half.
    while small.shape[0] >= 2 * size[0] and small.shape[1] >= 2 * size[1]:
        half = (small.shape[1] // 2, small.shape[0] // 2)
        small = np.asarray(cv2.resize(small, half, interpolation=cv2.INTER_AREA), np.uint8)
    if small.shape != size:
        rest = cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        small = np.asarray(rest, np.uint8)
    # Never the caller's own samples, which may change under those who remember them.
    return np.array(small, order="C") if small is luma else np.ascontiguousarray(small)


def no_motion(index: int, luma: UInt8Array) -> MotionField:
    """Return the motion of a frame with this working luma onto itself."""
    return MotionField(index, index, np.zeros((*luma.shape, 2), np.float32))


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
    flow: FloatArray = np.empty(step.flow.shape, np.float32)
    fields.compose(step.flow, motion.flow, flow)
    return MotionField(motion.source_index, step.target_index, flow)


def estimated(flow: FlowEstimator, target: UInt8Array, source: UInt8Array) -> FloatArray:
    """Return what an estimator finds, as compiled code that checks no bounds can take it.

    Raises
    ------
    ValueError
        When it is no pull field on the target's grid, finite and of `MOST_PX` at most.
    """
    found = np.ascontiguousarray(flow.estimate(target, source))
    if found.dtype != np.float32 or found.shape != (*target.shape, 2):
        raise ValueError(
            f"flow is {found.dtype} {found.shape}, expected float32 {(*target.shape, 2)}"
        )
    low, high = float(found.min()), float(found.max())
    # Not-a-number fails every comparison.
    if not (low >= -MOST_PX and high <= MOST_PX):
        finite = math.isfinite(low) and math.isfinite(high)
        told = f"goes from {low:.4g} to {high:.4g}" if finite else "holds nan or inf"
        raise ValueError(f"flow {told}, expected pixels, {MOST_PX:.0f} at most")
    return found


def residual(target: UInt8Array, source: UInt8Array, motion: MotionField) -> UInt8Array:
    """Return the luma error of the carried source a pixel, in gray levels.

    255 marks pixels whose source lies outside the picture.
    """
    out = np.empty(target.shape, np.uint8)
    fields.residual(target, source, motion.flow, out)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A frame and the motion between it and the frame before.

    Parameters
    ----------
    frame : Frame
    luma : ndarray, shape (h, w), uint8
        Its working luma.
    onto : MotionField or None
        Carries the frame before onto this one; none on a first frame, or where not asked for.
    back : MotionField or None
        Carries this frame onto the one before.
    scene_change : float
        Share of the structure that is lost at this frame, after motion and beyond what the frames
        around it lose; in [0, 1]. 0 until it is decided whether a shot begins.
    cut : bool
        Whether the frame begins a new shot.
    """

    frame: Frame
    luma: UInt8Array
    onto: MotionField | None = None
    back: MotionField | None = None
    scene_change: float = 0.0
    cut: bool = False


class Stepper:
    """Estimates the motion between neighbouring frames.

    Remembers the last frame and nothing else, so that a driver may let it work ahead.

    Parameters
    ----------
    flow : FlowEstimator
    resolution_px : int
        Longer side of the working grid.
    onto, back : bool
        Which motions are wanted.
    """

    def __init__(
        self, flow: FlowEstimator, *, resolution_px: int, onto: bool = True, back: bool = True
    ) -> None:
        self._flow = flow
        self._resolution_px = resolution_px
        self._onto = onto
        self._back = back
        self._last: Step | None = None

    def step(self, frame: Frame) -> Step:
        """Return the step from the last frame to this one.

        Raises
        ------
        ValueError
            When the frame's size differs from the one before, or its index is not above that.
        """
        last = self._last
        if last is not None and frame.index <= last.frame.index:
            raise ValueError(
                f"frame {frame.index} comes after frame {last.frame.index}, expected a rising index"
            )
        if last is not None and frame.size != last.frame.size:
            raise ValueError(
                f"frame {frame.index} is {frame.size}, the frames before are {last.frame.size}"
            )
        luma = working_luma(frame.luma, working_size(frame.size, self._resolution_px))
        onto = back = None
        if last is not None and self._onto:
            flow = estimated(self._flow, luma, last.luma)
            onto = MotionField(last.frame.index, frame.index, flow)
        if last is not None and self._back:
            flow = estimated(self._flow, last.luma, luma)
            back = MotionField(frame.index, last.frame.index, flow)
        self._last = Step(frame, luma, onto, back)
        return self._last

    def reset(self) -> None:
        """Forget the last frame."""
        self._last = None
