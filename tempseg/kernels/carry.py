"""Kernels that carry keyframe answers to a frame: sample, blend and decide.

Arguments they share: `pulls` (n, rows, columns, 3) float32 holds, for each of n keyframes,
(dx, dy) in pixels of the working grid and a positive weight; `placement` is (scale_x, offset_x,
scale_y, offset_y) from frame pixels to the model's grid; `out` (H, W) takes the labels.

The work is done in two passes over the cells between four neighbouring nodes of the working
grid. `settle` fills the cells where every sample of every keyframe holds one label: that label
wins whatever the weights. Only the rest, near borders and where keyframes disagree, is sampled
pixel by pixel (`vote`, `blend`).
"""

from __future__ import annotations

import numpy as np

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, LabelArray, UInt8Array

__all__ = ["argmax", "blend", "inner", "settle", "vote"]


@kernel
def argmax(scores: FloatArray, out: LabelArray) -> None:
    """Write the class with the highest score a cell; the first of equals."""
    height, width, classes = scores.shape
    for y in range(height):
        for x in range(width):
            best = 0
            high = scores[y, x, 0]
            for c in range(1, classes):
                if scores[y, x, c] > high:
                    high = scores[y, x, c]
                    best = c
            out[y, x] = best


@kernel
def inner(labels: LabelArray, out: UInt8Array) -> None:
    """Write 1 where a cell's four neighbours hold its own label, else 0."""
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            out[y, x] = (
                labels[max(y - 1, 0), x] == label
                and labels[min(y + 1, height - 1), x] == label
                and labels[y, max(x - 1, 0)] == label
                and labels[y, min(x + 1, width - 1)] == label
            )


@inlined
def _first_pixel(node: int, nodes: int, pixels: int) -> int:
    """Return the first pixel of the cell that begins at a node; the border belongs to cells."""
    if node <= 0:
        return 0
    if node >= nodes - 1:
        return pixels
    return min(max(int(np.ceil((node + 0.5) * pixels / nodes - 0.5)), 0), pixels)


@inlined
def _clamped(position: float, size: int) -> float:
    return min(max(position, 0.0), size - 1.0)


@kernel
def settle(
    answers: tuple[LabelArray, ...],
    clearances: tuple[FloatArray, ...],
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
) -> None:
    """Fill the cells on whose label all keyframes agree; mark the others in `doubt`.

    Parameters
    ----------
    answers : n arrays, shape (h, w)
        Labels on the model's grid.
    clearances : n arrays, shape (h, w), float32
        Chebyshev distance of each grid cell to the nearest one that is not `inner`.
    doubt : array, shape (rows - 1, columns - 1)
        Takes 1 for a cell left to `vote` or `blend`, else 0.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    grid_h, grid_w = answers[0].shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = scale_x * width / columns, scale_y * height / rows
    # Places on the model's grid of two rows of nodes: the one above a cell, the one below.
    at_x = np.empty((count, 2, columns), np.float32)
    at_y = np.empty((count, 2, columns), np.float32)
    for row in range(rows):
        below = row % 2
        node_y = ((row + 0.5) * height / rows - 0.5) * scale_y + offset_y
        for i in range(count):
            for column in range(columns):
                node_x = ((column + 0.5) * width / columns - 0.5) * scale_x + offset_x
                at_x[i, below, column] = _clamped(
                    node_x + pulls[i, row, column, 0] * stretch_x, grid_w
                )
                at_y[i, below, column] = _clamped(
                    node_y + pulls[i, row, column, 1] * stretch_y, grid_h
                )
        if row == 0:
            continue
        above = 1 - below
        y0 = _first_pixel(row - 1, rows, height)
        y1 = _first_pixel(row, rows, height)
        for column in range(columns - 1):
            agreed = True
            label = answers[0][int(at_y[0, above, column]), int(at_x[0, above, column])]
            for i in range(count):
                x = at_x[i, above, column]
                y = at_y[i, above, column]
                spread = max(
                    max(
                        abs(at_x[i, above, column + 1] - x),
                        abs(at_x[i, below, column] - x),
                        abs(at_x[i, below, column + 1] - x),
                    ),
                    max(
                        abs(at_y[i, above, column + 1] - y),
                        abs(at_y[i, below, column] - y),
                        abs(at_y[i, below, column + 1] - y),
                    ),
                )
                # All samples lie within the spread of the node, their four neighbours within
                # one more, the node within one of its own cell.
                if (
                    clearances[i][int(y), int(x)] < spread + 3
                    or answers[i][int(y), int(x)] != label
                ):
                    agreed = False
                    break
            doubt[row - 1, column] = not agreed
            if agreed:
                x0 = _first_pixel(column, columns, width)
                x1 = _first_pixel(column + 1, columns, width)
                for y_out in range(y0, y1):
                    for x_out in range(x0, x1):
                        out[y_out, x_out] = label


@inlined
def _pulled(pulls: FloatArray, i: int, row: int, column: int, y: float, x: float, c: int) -> float:
    """Return a pull field's value at (y, x) within a cell, both in [0, 1]."""
    top = pulls[i, row, column, c] + x * (pulls[i, row, column + 1, c] - pulls[i, row, column, c])
    low = pulls[i, row + 1, column, c] + x * (
        pulls[i, row + 1, column + 1, c] - pulls[i, row + 1, column, c]
    )
    value: float = top + y * (low - top)
    return value


@inlined
def _within(pixel: int, node: int, nodes: int, pixels: int) -> float:
    """Return where a pixel lies in the cell that begins at a node, in [0, 1]."""
    return min(max((pixel + 0.5) * nodes / pixels - 0.5 - node, 0.0), 1.0)


@kernel
def vote(
    answers: tuple[LabelArray, ...],
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
) -> None:
    """Write the label with most votes at the pixels of cells in doubt.

    `answers` are n label grids (h, w). A keyframe's weight is shared out among the four grid
    cells around the sampled place.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    grid_h, grid_w = answers[0].shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = scale_x * width / columns, scale_y * height / rows
    candidates = np.empty(4 * count, np.int64)
    votes = np.empty(4 * count, np.float64)
    for row in range(rows - 1):
        y_first = _first_pixel(row, rows, height)
        y_end = _first_pixel(row + 1, rows, height)
        for column in range(columns - 1):
            if doubt[row, column] == 0:
                continue
            x_first = _first_pixel(column, columns, width)
            x_end = _first_pixel(column + 1, columns, width)
            for y in range(y_first, y_end):
                down = _within(y, row, rows, height)
                for x in range(x_first, x_end):
                    across = _within(x, column, columns, width)
                    found = 0
                    for i in range(count):
                        dx = _pulled(pulls, i, row, column, down, across, 0)
                        dy = _pulled(pulls, i, row, column, down, across, 1)
                        weight = _pulled(pulls, i, row, column, down, across, 2)
                        gx = _clamped(x * scale_x + offset_x + dx * stretch_x, grid_w)
                        gy = _clamped(y * scale_y + offset_y + dy * stretch_y, grid_h)
                        x0, y0 = int(gx), int(gy)
                        for corner in range(4):
                            right, under = corner % 2, corner // 2
                            part_x = gx - x0 if right else 1 - (gx - x0)
                            part_y = gy - y0 if under else 1 - (gy - y0)
                            label = np.int64(
                                answers[i][min(y0 + under, grid_h - 1), min(x0 + right, grid_w - 1)]
                            )
                            place = 0
                            while place < found and candidates[place] != label:
                                place += 1
                            if place == found:
                                candidates[found] = label
                                votes[found] = 0.0
                                found += 1
                            votes[place] += weight * part_x * part_y
                    best = 0
                    for place in range(1, found):
                        if votes[place] > votes[best]:
                            best = place
                    out[y, x] = candidates[best]


@kernel
def blend(
    answers: tuple[FloatArray, ...],
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
) -> None:
    """Write the class with the highest blended score at the pixels of cells in doubt.

    `answers` are n grids of class scores (h, w, C).
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    grid_h, grid_w, classes = answers[0].shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = scale_x * width / columns, scale_y * height / rows
    blended = np.empty(classes, np.float32)
    for row in range(rows - 1):
        y_first = _first_pixel(row, rows, height)
        y_end = _first_pixel(row + 1, rows, height)
        for column in range(columns - 1):
            if doubt[row, column] == 0:
                continue
            x_first = _first_pixel(column, columns, width)
            x_end = _first_pixel(column + 1, columns, width)
            for y in range(y_first, y_end):
                down = _within(y, row, rows, height)
                for x in range(x_first, x_end):
                    across = _within(x, column, columns, width)
                    blended[:] = 0
                    for i in range(count):
                        dx = _pulled(pulls, i, row, column, down, across, 0)
                        dy = _pulled(pulls, i, row, column, down, across, 1)
                        weight = _pulled(pulls, i, row, column, down, across, 2)
                        gx = _clamped(x * scale_x + offset_x + dx * stretch_x, grid_w)
                        gy = _clamped(y * scale_y + offset_y + dy * stretch_y, grid_h)
                        x0, y0 = int(gx), int(gy)
                        x1, y1 = min(x0 + 1, grid_w - 1), min(y0 + 1, grid_h - 1)
                        fx, fy = gx - x0, gy - y0
                        a = np.float32(weight * (1 - fx) * (1 - fy))
                        b = np.float32(weight * fx * (1 - fy))
                        c = np.float32(weight * (1 - fx) * fy)
                        d = np.float32(weight * fx * fy)
                        scores = answers[i]
                        for k in range(classes):
                            blended[k] += (
                                a * scores[y0, x0, k]
                                + b * scores[y0, x1, k]
                                + c * scores[y1, x0, k]
                                + d * scores[y1, x1, k]
                            )
                    best = 0
                    for k in range(1, classes):
                        if blended[k] > blended[best]:
                            best = k
                    out[y, x] = best
