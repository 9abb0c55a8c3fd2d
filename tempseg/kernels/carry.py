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
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, LabelArray, UInt8Array

IntArray = NDArray[np.int64]

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
    """Write 1 where a cell's eight neighbours hold its own label, else 0."""
    height, width = labels.shape
    for y in range(height):
        above, own, below = labels[max(y - 1, 0)], labels[y], labels[min(y + 1, height - 1)]
        for x in range(width):
            label, left, right = own[x], max(x - 1, 0), min(x + 1, width - 1)
            out[y, x] = (
                (above[left] == label)
                & (above[x] == label)
                & (above[right] == label)
                & (own[left] == label)
                & (own[right] == label)
                & (below[left] == label)
                & (below[x] == label)
                & (below[right] == label)
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
def _clamped(position: np.float32, size: int) -> np.float32:
    return min(max(position, np.float32(0)), np.float32(size - 1))


@kernel
def settle(
    answers: LabelArray,
    clearances: UInt8Array,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
) -> None:
    """Fill the cells on whose label all keyframes agree; mark the others in `doubt`.

    Parameters
    ----------
    answers : array, shape (n, h, w)
        Labels on the model's grid.
    clearances : array, shape (n, h, w)
        Chebyshev distance of each grid cell to the nearest one that is not `inner`, 255 at most.
    doubt : array, shape (rows - 1, columns - 1)
        Takes 1 for a cell left to `vote` or `blend`, else 0.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    _, grid_h, grid_w = answers.shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x = np.float32(scale_x * width / columns)
    stretch_y = np.float32(scale_y * height / rows)
    # Of two rows of nodes, the one above a cell and the one below: place on the model's grid,
    # label there, distance to the next border.
    at_x = np.empty((count, 2, columns), np.float32)
    at_y = np.empty((count, 2, columns), np.float32)
    label = np.empty((count, 2, columns), np.int32)
    clear = np.empty((count, 2, columns), np.float32)
    half, margin = np.float32(0.5), np.float32(0.51)
    first_x = np.empty(columns, np.int64)
    for column in range(columns):
        first_x[column] = _first_pixel(column, columns, width)
    for row in range(rows):
        under = row % 2
        node_y = np.float32(((row + 0.5) * height / rows - 0.5) * scale_y + offset_y)
        for i in range(count):
            for column in range(columns):
                node_x = np.float32(((column + 0.5) * width / columns - 0.5) * scale_x + offset_x)
                x = _clamped(node_x + pulls[i, row, column, 0] * stretch_x, grid_w)
                y = _clamped(node_y + pulls[i, row, column, 1] * stretch_y, grid_h)
                at_x[i, under, column] = x
                at_y[i, under, column] = y
                near_x, near_y = int(x + half), int(y + half)
                label[i, under, column] = answers[i, near_y, near_x]
                clear[i, under, column] = clearances[i, near_y, near_x]
        if row == 0:
            continue
        over = 1 - under
        y_first = _first_pixel(row - 1, rows, height)
        y_end = _first_pixel(row, rows, height)
        for column in range(columns - 1):
            agreed = True
            for i in range(count):
                x, y = at_x[i, over, column], at_y[i, over, column]
                spread = abs(at_x[i, over, column + 1] - x)
                spread = max(spread, abs(at_x[i, under, column] - x))
                spread = max(spread, abs(at_x[i, under, column + 1] - x))
                spread = max(spread, abs(at_y[i, over, column + 1] - y))
                spread = max(spread, abs(at_y[i, under, column] - y))
                spread = max(spread, abs(at_y[i, under, column + 1] - y))
                # A sample lies within the spread of the node, a cell it reads less than one
                # further, the node within a half of its own cell; and clearance c says that
                # all cells up to c away hold the label.
                agreed = agreed and clear[i, over, column] >= spread + margin
                agreed = agreed and label[i, over, column] == label[0, over, column]
            doubt[row - 1, column] = not agreed
        # Neighbouring cells of one label are filled together.
        column = 0
        while column < columns - 1:
            start = column
            column += 1
            if doubt[row - 1, start]:
                continue
            filled = label[0, over, start]
            while (
                column < columns - 1
                and not doubt[row - 1, column]
                and label[0, over, column] == filled
            ):
                column += 1
            for y_out in range(y_first, y_end):
                out[y_out, first_x[start] : first_x[column]] = filled


@inlined
def _pull_edges(
    pulls: FloatArray, row: int, column: int, down: np.float32, out: FloatArray
) -> None:
    """Write the pull fields' values on the left and right edge of a cell, `down` from its top."""
    for i in range(pulls.shape[0]):
        for c in range(3):
            for side in range(2):
                top = pulls[i, row, column + side, c]
                out[i, c, side] = top + down * (pulls[i, row + 1, column + side, c] - top)


@inlined
def _pulled(edges: FloatArray, i: int, c: int, across: np.float32) -> np.float32:
    return np.float32(edges[i, c, 0] + across * (edges[i, c, 1] - edges[i, c, 0]))


@inlined
def _within(pixel: int, node: int, nodes: int, pixels: int) -> np.float32:
    """Return where a pixel lies in the cell that begins at a node, in [0, 1]."""
    return np.float32(min(max((pixel + 0.5) * nodes / pixels - 0.5 - node, 0.0), 1.0))


@inlined
def _sample(
    labels: LabelArray, x: np.float32, y: np.float32, i: int, corners: IntArray, at: FloatArray
) -> bool:
    """Note the four cells around a place: labels, shares; tell whether all are keyframe 0's."""
    _, height, width = labels.shape
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    at[i, 0] = x
    at[i, 1] = y
    corners[i, 0] = labels[i, y0, x0]
    corners[i, 1] = labels[i, y0, x1]
    corners[i, 2] = labels[i, y1, x0]
    corners[i, 3] = labels[i, y1, x1]
    first = corners[0, 0]
    return bool(
        corners[i, 0] == first
        and corners[i, 1] == first
        and corners[i, 2] == first
        and corners[i, 3] == first
    )


@inlined
def _elected(corners: IntArray, parts: FloatArray, candidates: IntArray, votes: FloatArray) -> int:
    """Return the label with the largest sum of parts; of equals the one met first."""
    # Nearly always there are two labels, which needs no list of candidates.
    one, other = corners[0, 0], np.int64(-1)
    for_one, for_other = np.float32(0), np.float32(0)
    more = False
    for i in range(corners.shape[0]):
        for corner in range(4):
            label = corners[i, corner]
            if label == one:
                for_one += parts[i, corner]
            elif other < 0 or label == other:
                other = label
                for_other += parts[i, corner]
            else:
                more = True
    winner = one if for_one >= for_other else other
    if more:
        found = 0
        for i in range(corners.shape[0]):
            for corner in range(4):
                place = 0
                while place < found and candidates[place] != corners[i, corner]:
                    place += 1
                if place == found:
                    candidates[found] = corners[i, corner]
                    votes[found] = 0
                    found += 1
                votes[place] += parts[i, corner]
        best = 0
        for place in range(1, found):
            if votes[place] > votes[best]:
                best = place
        winner = candidates[best]
    return int(winner)


@kernel
def vote(
    answers: LabelArray,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
) -> None:
    """Write the label with most votes at the pixels of cells in doubt.

    `answers` are n label grids, (n, h, w). A keyframe's weight is shared out among the four grid
    cells around the sampled place.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    _, grid_h, grid_w = answers.shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x = np.float32(scale_x * width / columns)
    stretch_y = np.float32(scale_y * height / rows)
    edges = np.empty((count, 3, 2), np.float32)
    corners = np.empty((count, 4), np.int64)
    at = np.empty((count, 2), np.float32)
    candidates = np.empty(4 * count, np.int64)
    votes = np.empty(4 * count, np.float32)
    parts = np.empty((count, 4), np.float32)
    for row in range(rows - 1):
        y_first = _first_pixel(row, rows, height)
        y_end = _first_pixel(row + 1, rows, height)
        for column in range(columns - 1):
            if doubt[row, column] == 0:
                continue
            x_first = _first_pixel(column, columns, width)
            x_end = _first_pixel(column + 1, columns, width)
            for y in range(y_first, y_end):
                _pull_edges(pulls, row, column, _within(y, row, rows, height), edges)
                own_y = np.float32(y * scale_y + offset_y)
                for x in range(x_first, x_end):
                    across = _within(x, column, columns, width)
                    own_x = np.float32(x * scale_x + offset_x)
                    alike = True
                    for i in range(count):
                        dx, dy = _pulled(edges, i, 0, across), _pulled(edges, i, 1, across)
                        gx = _clamped(own_x + dx * stretch_x, grid_w)
                        gy = _clamped(own_y + dy * stretch_y, grid_h)
                        alike = _sample(answers, gx, gy, i, corners, at) and alike
                    if alike:
                        out[y, x] = corners[0, 0]
                        continue
                    for i in range(count):
                        weight = _pulled(edges, i, 2, across)
                        fx, fy = at[i, 0] - int(at[i, 0]), at[i, 1] - int(at[i, 1])
                        parts[i, 0] = weight * (1 - fx) * (1 - fy)
                        parts[i, 1] = weight * fx * (1 - fy)
                        parts[i, 2] = weight * (1 - fx) * fy
                        parts[i, 3] = weight * fx * fy
                    out[y, x] = _elected(corners, parts, candidates, votes)


@kernel
def blend(
    answers: tuple[FloatArray, ...],
    winners: LabelArray,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
) -> None:
    """Write the class with the highest blended score at the pixels of cells in doubt.

    `answers` are n grids of class scores (h, w, C), `winners` their argmax, (n, h, w).
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    grid_h, grid_w, classes = answers[0].shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x = np.float32(scale_x * width / columns)
    stretch_y = np.float32(scale_y * height / rows)
    edges = np.empty((count, 3, 2), np.float32)
    corners = np.empty((count, 4), np.int64)
    at = np.empty((count, 2), np.float32)
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
                _pull_edges(pulls, row, column, _within(y, row, rows, height), edges)
                own_y = np.float32(y * scale_y + offset_y)
                for x in range(x_first, x_end):
                    across = _within(x, column, columns, width)
                    own_x = np.float32(x * scale_x + offset_x)
                    alike = True
                    for i in range(count):
                        dx, dy = _pulled(edges, i, 0, across), _pulled(edges, i, 1, across)
                        gx = _clamped(own_x + dx * stretch_x, grid_w)
                        gy = _clamped(own_y + dy * stretch_y, grid_h)
                        alike = _sample(winners, gx, gy, i, corners, at) and alike
                    if alike:
                        out[y, x] = corners[0, 0]
                        continue
                    blended[:] = 0
                    for i in range(count):
                        weight = _pulled(edges, i, 2, across)
                        x0, y0 = int(at[i, 0]), int(at[i, 1])
                        x1, y1 = min(x0 + 1, grid_w - 1), min(y0 + 1, grid_h - 1)
                        fx, fy = at[i, 0] - x0, at[i, 1] - y0
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
