"""From pixels and carried labels to the numbers that keyframe policies decide on."""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np

from tempseg.kernels import borders, fields
from tempseg.motion import OUTSIDE, UNEXPLAINED_GRAY_LEVELS, residual
from tempseg.proposals import Anchor, Misfit
from tempseg.types import (
    VOID_8,
    VOID_16,
    BoolArray,
    FloatArray,
    LabelArray,
    MotionField,
    UInt8Array,
)

__all__ = [
    "at_borders",
    "border",
    "churn",
    "evened",
    "occluded",
    "outside",
    "scene_change",
    "step_error",
    "typical_residual",
    "unexplained",
]

BLOCK_PX = 16
"""Side of the blocks whose structure is compared."""

FLAT_GRAY_LEVELS = 2.0
"""Blocks with less contrast than this on both sides say nothing."""

KEPT_CORRELATION = 0.8
"""From this correlation on, a block shows the same under another light."""

LIGHT_WINDOW_PX = 33
"""Luma is compared less its mean over a window of this side, so that light does not count."""

BORDER_PX = 4
"""How far from a border between labels errors count, in pixels of the working grid."""

NOISE_GRAY_LEVELS = 1
"""What a camera's noise and the coding leave of an error where nothing moved."""

USUAL_ERROR = 0.14
"""Error of a step at borders that counts alike whatever the power it counts to."""

STEP, NEW, NEW_AT_BORDERS = 0.5, 0.1, 0.1
"""What the error of a step at borders counts for, the root of what is new as a share of the frame,
and what is new as a share of what lies near borders."""

LEAST_AREA = 0.002
"""Share of the frame that a class is taken to cover at least, so that specks do not rule."""

AGREED_PX, AGREED_SHARE = 1.0, 0.1
"""How far motion there and back may miss where both see the same: pixels, and a share of its
length."""


def scene_change(target: UInt8Array, source: UInt8Array, step: MotionField) -> float:
    """Return how little of the source's structure the target keeps, after motion; in [0, 1].

    One minus the normalised correlation of blocks, weighted by their contrast. Gain and offset
    cancel, so that fades, flashes and exposure changes stay low; only new content is high.
    """
    grid = _structure(target, source, step)
    correlation, contrast = grid[..., 0], grid[..., 1]
    weight = np.where(contrast < FLAT_GRAY_LEVELS, np.float32(0), contrast)
    total = float(weight.sum(dtype=np.float64))
    if total == 0.0:
        return 0.0
    kept = float((weight * np.maximum(correlation, 0)).sum(dtype=np.float64)) / total
    return min(max(1.0 - kept, 0.0), 1.0)


def typical_residual(error: UInt8Array) -> float:
    """Return the mean of a residual (h, w), in gray levels, without what lies outside."""
    out = int(np.count_nonzero(error == OUTSIDE))
    inside = error.size - out
    total = int(error.sum(dtype=np.int64)) - OUTSIDE * out
    return total / inside if inside else float(OUTSIDE)


def outside(error: UInt8Array) -> float:
    """Return the share of a residual (h, w) whose source lies outside the picture."""
    return int(np.count_nonzero(error == OUTSIDE)) / error.size


def unexplained(
    target: UInt8Array, source: UInt8Array, motion: MotionField, misfit: Misfit
) -> tuple[float, BoolArray]:
    """Return the share of the target that the carried source does not explain, and what is new.

    The share is in [0, 1]. New, (h, w), is what is not explained though the motion pulls it from
    inside the source's picture.

    A pixel counts where its blurred luma error is plain, unless the block around it keeps its
    structure: that is another light, not another thing.
    """
    plain = misfit.blurred >= UNEXPLAINED_GRAY_LEVELS
    grid = _structure(target, source, motion)
    relit = (grid[..., 0] >= KEPT_CORRELATION) | (grid[..., 1] < FLAT_GRAY_LEVELS)
    height, width = target.shape
    same = relit.repeat(BLOCK_PX, axis=0)[:height].repeat(BLOCK_PX, axis=1)[:, :width]
    beyond = misfit.residual == OUTSIDE
    new = plain & ~same & ~beyond
    lost = int(np.count_nonzero(new)) + int(np.count_nonzero(plain & beyond))
    return lost / target.size, new


def _structure(target: UInt8Array, source: UInt8Array, motion: MotionField) -> FloatArray:
    height, width = target.shape
    grid = np.empty((-(-height // BLOCK_PX), -(-width // BLOCK_PX), 2), np.float32)
    fields.structure(target, source, motion.flow, BLOCK_PX, grid)
    return grid


def occluded(onto: MotionField, back: MotionField) -> float:
    """Return the share of a frame where the motion onto it and the motion back disagree."""
    return fields.disagreement(onto.flow, back.flow, AGREED_PX, AGREED_SHARE)


def evened(luma: UInt8Array) -> UInt8Array:
    """Return luma less its mean around each pixel, about middle gray: the same in any light."""
    mean = cv2.blur(luma, (LIGHT_WINDOW_PX, LIGHT_WINDOW_PX))
    return np.asarray(cv2.addWeighted(luma, 1.0, mean, -1.0, 128.0), np.uint8)


def step_error(target: UInt8Array, source: UInt8Array, step: MotionField) -> UInt8Array:
    """Return the residual of one step between two frames whose luma is evened."""
    return residual(target, source, step)


def border(
    anchor: Anchor,
    motion: MotionField,
    error: UInt8Array,
    new: BoolArray,
    *,
    power: float,
    frame_size: tuple[int, int],
) -> float:
    """Return what a frame adds to the doubt about carried labels; see `Evidence.border`.

    Parameters
    ----------
    anchor : Anchor
        The keyframe whose labels are carried.
    motion : MotionField
        From the keyframe to the frame.
    error : ndarray, shape (h, w), uint8
        Residual of the step to the frame.
    new : ndarray, shape (h, w), bool
        What the keyframe does not explain though it was in sight.
    power : float
        Of the step's error that counts.
    frame_size : (int, int)
        The frame's height and width.
    """
    step, new_there = at_borders(anchor, motion, error, new, frame_size)
    wrong = USUAL_ERROR * math.pow(step / USUAL_ERROR, power)
    share = int(np.count_nonzero(new)) / new.size
    return STEP * wrong + NEW * math.sqrt(share) + NEW_AT_BORDERS * new_there


def at_borders(
    anchor: Anchor,
    motion: MotionField,
    error: UInt8Array,
    new: BoolArray,
    frame_size: tuple[int, int],
) -> tuple[float, float]:
    """Return how far a step goes wrong near the borders of carried labels, and what is new there.

    The first is the square root of the error's share of full white and of a class's area, averaged
    over the classes; the second a share of the pixels near borders, in [0, 1].
    """
    labels = int(anchor.winners.max()) + 1
    errors, areas = np.zeros(labels, np.int64), np.zeros(labels, np.int64)
    near = np.zeros(2, np.int64)
    reach = max(round(BORDER_PX * anchor.winners.shape[1] / error.shape[1]), 1)
    placed = anchor.placement
    borders.border_errors(
        anchor.winners,
        anchor.clearance,
        motion.flow,
        frame_size,
        (placed.scale_x, placed.offset_x, placed.scale_y, placed.offset_y),
        min(reach, 254),
        error,
        NOISE_GRAY_LEVELS,
        new,
        errors,
        areas,
        near,
    )
    there = np.flatnonzero(areas)
    there = there[there != (VOID_8 if anchor.winners.dtype == np.uint8 else VOID_16)]
    if not there.size:
        return 0.0, 0.0
    shares = errors[there] / np.maximum(areas[there], LEAST_AREA * error.size)
    return float(np.sqrt(shares.mean() / 255)), int(near[1]) / max(int(near[0]), 1)


def churn(before: Anchor, motion: MotionField, after: Anchor, frame_size: tuple[int, int]) -> float:
    """Return 1 - mIoU of one keyframe's answer carried to another and that one's own."""
    carried = _on_grid(before, motion.flow, frame_size)
    fresh = _on_grid(after, np.zeros_like(motion.flow), frame_size)
    void = VOID_8 if fresh.dtype == np.uint8 else VOID_16
    ious = []
    for label in np.union1d(carried, fresh):
        if label == void:
            continue
        one, other = carried == label, fresh == label
        union = int(np.count_nonzero(one | other))
        if union >= LEAST_AREA * fresh.size:
            ious.append(int(np.count_nonzero(one & other)) / union)
    return 1.0 - sum(ious) / len(ious) if ious else 0.0


def _on_grid(anchor: Anchor, flow: FloatArray, frame_size: tuple[int, int]) -> LabelArray:
    placed = anchor.placement
    out = cast(LabelArray, np.empty(flow.shape[:2], anchor.winners.dtype))
    borders.carried_labels(
        anchor.winners,
        flow,
        frame_size,
        (placed.scale_x, placed.offset_x, placed.scale_y, placed.offset_y),
        out,
    )
    return out
