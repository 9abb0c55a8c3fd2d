"""Kernels on what borders between carried labels say: how well the picture agrees with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.kernels.carry import clamped
from tempseg.types import BoolArray, FloatArray, LabelArray, UInt8Array

__all__ = ["border_errors", "carried_labels"]

IntArray = NDArray[np.int64]


@inlined
def _cell_of(
    y: int,
    x: int,
    flow: FloatArray,
    frame: tuple[int, int],
    grid: tuple[int, int],
    placement: tuple[float, float, float, float],
) -> tuple[int, int]:
    """Return the cell of the model's grid that a pixel of the working grid is pulled from."""
    height, width, _ = flow.shape
    scale_x, offset_x, scale_y, offset_y = placement
    frame_y = (y + 0.5 + flow[y, x, 1]) * (frame[0] / height) - 0.5
    frame_x = (x + 0.5 + flow[y, x, 0]) * (frame[1] / width) - 0.5
    row = clamped(np.float32(frame_y * scale_y + offset_y + 0.5), grid[0])
    column = clamped(np.float32(frame_x * scale_x + offset_x + 0.5), grid[1])
    return int(row), int(column)


@kernel
def carried_labels(
    winners: LabelArray,
    flow: FloatArray,
    frame: tuple[int, int],
    placement: tuple[float, float, float, float],
    out: LabelArray,
) -> None:
    """Write the labels (h, w) of the working grid that `flow` pulls from a keyframe's `winners`.

    `placement` goes from pixels of the frame, whose size is `frame`, to the winners' grid.
    """
    grid = (winners.shape[0], winners.shape[1])
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            row, column = _cell_of(y, x, flow, frame, grid, placement)
            out[y, x] = winners[row, column]


@kernel
def border_errors(
    winners: LabelArray,
    clearance: UInt8Array,
    flow: FloatArray,
    frame: tuple[int, int],
    placement: tuple[float, float, float, float],
    reach: int,
    residual: UInt8Array,
    noise: int,
    new: BoolArray,
    errors: IntArray,
    areas: IntArray,
    near: IntArray,
) -> None:
    """Add up, a label, pixels of the working grid and the residual near its borders.

    A pixel lies near a border where the cell of the winners' grid that it is pulled from has a
    clearance of at most `reach`. Residuals count for what they exceed `noise` by; 255 (outside the
    picture) not at all. `errors` and `areas` hold an entry for each label and are added to; so are
    the two numbers of `near`: pixels near borders, and how many of these are `new`.
    """
    grid = (winners.shape[0], winners.shape[1])
    height, width = residual.shape
    for y in range(height):
        for x in range(width):
            row, column = _cell_of(y, x, flow, frame, grid, placement)
            label = winners[row, column]
            areas[label] += 1
            if clearance[row, column] > reach:
                continue
            near[0] += 1
            near[1] += new[y, x]
            error = int(residual[y, x])
            if noise < error < 255:
                errors[label] += error - noise
