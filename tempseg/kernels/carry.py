"""Kernels that carry keyframe answers to a frame: sample, blend and decide.

Arguments they share: `pulls` (n, rows, columns, 3) float32 holds, for each of n keyframes,
(dx, dy) in pixels of the working grid and a positive weight; `placement` is (scale_x, offset_x,
scale_y, offset_y) from frame pixels to the model's grid; `out` (H, W) takes the labels.

Where every grid cell that would be read holds one label, that label wins whatever the weights.
`settle_cells` finds that out for the cells between four neighbouring nodes of the working grid at
once, `settle_pixels` for the pixels of the others. What is left, along borders and where keyframes
disagree, is sampled and decided by `vote` or `blend`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, LabelArray, UInt8Array

IntArray = NDArray[np.int64]

__all__ = [
    "FAINT",
    "between",
    "blend",
    "even",
    "inner",
    "pack",
    "settle_cells",
    "settle_pixels",
    "vote",
]

FAINT = 0.05
"""Share of the heaviest keyframe's weight below which another changes nothing worth its time."""


@kernel
def pack(scores: FloatArray, out: UInt8Array, winners: LabelArray) -> None:
    """Write scores in [0, 1] as 0..255, and the class with the highest score a cell.

    A quarter of the memory, of which keyframes hold most: they are kept while they may be used.
    `scores` and `out` are (h, w, C), `winners` (h, w); the first of equals wins.
    """
    height, width, classes = scores.shape
    full, half = np.float32(255), np.float32(0.5)
    for y in range(height):
        for x in range(width):
            best = 0
            high = scores[y, x, 0]
            for c in range(classes):
                score = scores[y, x, c]
                if score > high:
                    high = score
                    best = c
                out[y, x, c] = np.uint8(score * full + half)
            winners[y, x] = best


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
def settle_cells(
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
        Takes 1 for a cell that is not filled, else 0.
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


@kernel
def settle_pixels(
    answers: LabelArray,
    clearances: UInt8Array,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    doubt: UInt8Array,
    out: LabelArray,
    rest: IntArray,
) -> int:
    """Within the cells in doubt, fill the pixels on whose label all keyframes agree.

    `answers`, `clearances` and `doubt` are as for `settle_cells`. The places of the others,
    `y * W + x`, are written to `rest` (H * W); returns how many.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    _, grid_h, grid_w = answers.shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x = np.float32(scale_x * width / columns)
    stretch_y = np.float32(scale_y * height / rows)
    half = np.float32(0.5)
    # A cell is at most this large; the ones along the border reach out to it.
    room = (2 * (height // rows + 2)) * (2 * (width // columns + 2))
    label = np.empty(room, out.dtype)
    alike = np.empty(room, np.bool_)
    across = np.empty(width, np.float32)
    for column in range(columns - 1):
        for x in range(
            _first_pixel(column, columns, width), _first_pixel(column + 1, columns, width)
        ):
            across[x] = _within(x, column, columns, width)
    found = 0
    for row in range(rows - 1):
        y_first = _first_pixel(row, rows, height)
        y_end = _first_pixel(row + 1, rows, height)
        for column in range(columns - 1):
            if doubt[row, column] == 0:
                continue
            x_first = _first_pixel(column, columns, width)
            x_end = _first_pixel(column + 1, columns, width)
            for i in range(count):
                grid, clearance = answers[i], clearances[i]
                k = 0
                for y in range(y_first, y_end):
                    down = _within(y, row, rows, height)
                    left_x = _edge(pulls, i, row, column, 0, down) * stretch_x
                    left_y = _edge(pulls, i, row, column, 1, down) * stretch_y
                    more_x = _edge(pulls, i, row, column + 1, 0, down) * stretch_x - left_x
                    more_y = _edge(pulls, i, row, column + 1, 1, down) * stretch_y - left_y
                    left_x += np.float32(offset_x)
                    left_y += np.float32(y * scale_y + offset_y)
                    for x in range(x_first, x_end):
                        gx = np.float32(x * scale_x) + left_x + across[x] * more_x
                        gy = left_y + across[x] * more_y
                        near_x = int(_clamped(gx, grid_w) + half)
                        near_y = int(_clamped(gy, grid_h) + half)
                        # The four cells around a place touch its nearest one.
                        known = clearance[near_y, near_x] >= 1
                        if i == 0:
                            label[k] = grid[near_y, near_x]
                            alike[k] = known
                        else:
                            alike[k] &= known and grid[near_y, near_x] == label[k]
                        k += 1
            k = 0
            for y in range(y_first, y_end):
                for x in range(x_first, x_end):
                    if alike[k]:
                        out[y, x] = label[k]
                    else:
                        rest[found] = y * width + x
                        found += 1
                    k += 1
    return found


@inlined
def _edge(pulls: FloatArray, i: int, row: int, column: int, c: int, down: np.float32) -> np.float32:
    """Return one pull field's value below a node, `down` towards the next."""
    top = pulls[i, row, column, c]
    return np.float32(top + down * (pulls[i, row + 1, column, c] - top))


@inlined
def _within(pixel: int, node: int, nodes: int, pixels: int) -> np.float32:
    """Return where a pixel lies in the cell that begins at a node, in [0, 1]."""
    return np.float32(min(max((pixel + 0.5) * nodes / pixels - 0.5 - node, 0.0), 1.0))


@inlined
def _cell(
    place: int, nodes: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int, np.float32, np.float32]:
    """Return where a place `y * W + x` lies: y, x, its cell's node, and how far in the cell."""
    rows, columns = nodes
    height, width = size
    y, x = place // width, place % width
    at_y = np.float32((y + 0.5) * (rows / height) - 0.5)
    at_x = np.float32((x + 0.5) * (columns / width) - 0.5)
    zero, one = np.float32(0), np.float32(1)
    row = min(max(int(at_y), 0), rows - 2)
    column = min(max(int(at_x), 0), columns - 2)
    down = min(max(at_y - np.float32(row), zero), one)
    across = min(max(at_x - np.float32(column), zero), one)
    return y, x, row, column, down, across


@inlined
def _pulled(
    top: FloatArray, low: FloatArray, column: int, c: int, down: np.float32, across: np.float32
) -> np.float32:
    """Return a pull field's value within a cell, from the rows of nodes above and below."""
    left = top[column, c] + down * (low[column, c] - top[column, c])
    right = top[column + 1, c] + down * (low[column + 1, c] - top[column + 1, c])
    return np.float32(left + across * (right - left))


@inlined
def _landing(
    pull: FloatArray,
    cell: tuple[int, int, int, int, np.float32, np.float32],
    size: tuple[int, int],
    grid: tuple[int, int],
    placement: tuple[float, float, float, float],
) -> tuple[int, int, np.float32, np.float32, np.float32]:
    """Return where a frame pixel lands on the model's grid, and the keyframe's weight there.

    As row and column of the upper left of the four cells around the place, the place's distance
    down and right of it, and the weight.
    """
    rows, columns, _ = pull.shape
    height, width = size
    scale_x, offset_x, scale_y, offset_y = placement
    y, x, row, column, down, across = cell
    top, low = pull[row], pull[row + 1]
    dx = _pulled(top, low, column, 0, down, across)
    dy = _pulled(top, low, column, 1, down, across)
    weight = _pulled(top, low, column, 2, down, across)
    stretch_x, stretch_y = np.float32(width / columns), np.float32(height / rows)
    gx = _clamped(np.float32((x + dx * stretch_x) * scale_x + offset_x), grid[1])
    gy = _clamped(np.float32((y + dy * stretch_y) * scale_y + offset_y), grid[0])
    y0, x0 = int(gy), int(gx)
    return y0, x0, np.float32(gy - y0), np.float32(gx - x0), weight


@kernel
def even(rest: IntArray, width: int, out: IntArray) -> int:
    """Write the places of `rest` in even rows and columns; return how many."""
    found = 0
    for place in rest:
        if (place // width) % 2 == 0 and (place % width) % 2 == 0:
            out[found] = place
            found += 1
    return found


@kernel
def between(rest: IntArray, labels: LabelArray, out: IntArray) -> int:
    """Fill the places of `rest` whose neighbours in even rows and columns, all known, agree.

    The places where they do not are written to `out`; returns how many.
    """
    height, width = labels.shape
    found = 0
    for place in rest:
        y, x = place // width, place % width
        top, left = y - y % 2, x - x % 2
        if top == y and left == x:
            continue
        low = top + 2 if y > top and top + 2 < height else top
        right = left + 2 if x > left and left + 2 < width else left
        label = labels[top, left]
        if (
            labels[top, right] == label
            and labels[low, left] == label
            and labels[low, right] == label
        ):
            labels[y, x] = label
        else:
            out[found] = place
            found += 1
    return found


@kernel
def vote(
    answers: LabelArray,
    favour: FloatArray,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    rest: IntArray,
    out: LabelArray,
) -> None:
    """Write the label with most votes at the pixels in `rest` (places `y * W + x`).

    `answers` are n label grids, (n, h, w); `favour` is what a vote for a label counts, (n, L). A
    keyframe's weight is shared out among the four grid cells around the sampled place; of equals
    the label met first wins.
    """
    count, rows, columns, _ = pulls.shape
    _, grid_h, grid_w = answers.shape
    candidates = np.empty(4 * count, out.dtype)
    votes = np.empty(4 * count, np.float32)
    corners = np.empty(4, out.dtype)
    parts = np.empty(4, np.float32)
    one = np.float32(1)
    for place in rest:
        found = 0
        cell = _cell(place, (rows, columns), out.shape)
        for i in range(count):
            y0, x0, fy, fx, weight = _landing(
                pulls[i], cell, out.shape, (grid_h, grid_w), placement
            )
            above, below = answers[i, y0], answers[i, min(y0 + 1, grid_h - 1)]
            x1 = min(x0 + 1, grid_w - 1)
            corners[0], corners[1], corners[2], corners[3] = (
                above[x0],
                above[x1],
                below[x0],
                below[x1],
            )
            parts[0], parts[1] = weight * (one - fy) * (one - fx), weight * (one - fy) * fx
            parts[2], parts[3] = weight * fy * (one - fx), weight * fy * fx
            for corner in range(4):
                label = corners[corner]
                part = parts[corner] * favour[i, label]
                which = 0
                while which < found and candidates[which] != label:
                    which += 1
                if which == found:
                    candidates[found] = label
                    votes[found] = 0
                    found += 1
                votes[which] += part
        best = 0
        for which in range(1, found):
            if votes[which] > votes[best]:
                best = which
        out[cell[0], cell[1]] = candidates[best]


@kernel
def blend(
    answers: tuple[UInt8Array, ...],
    winners: LabelArray,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    rest: IntArray,
    out: LabelArray,
) -> None:
    """Write the class with the highest blended score at the pixels in `rest` (`y * W + x`).

    `answers` are n grids of packed class scores (h, w, C), `winners` (n, h, w) the class with the
    highest of each cell. Keyframes that weigh less than `FAINT` of the heaviest are left out, and
    so are classes that win in none of the cells read. Of equals the class met first wins.
    """
    count, rows, columns, _ = pulls.shape
    _, grid_h, grid_w = winners.shape
    at_y, at_x = np.empty(count, np.int64), np.empty(count, np.int64)
    under, right = np.empty(count, np.float32), np.empty(count, np.float32)
    weights = np.empty(count, np.float32)
    candidates = np.empty(4 * count, np.int64)
    sums = np.empty(4 * count, np.float32)
    corners = np.empty(4, np.int64)
    one, faint = np.float32(1), np.float32(FAINT)
    for place in rest:
        cell = _cell(place, (rows, columns), out.shape)
        heaviest = np.float32(0)
        for i in range(count):
            y0, x0, fy, fx, weight = _landing(
                pulls[i], cell, out.shape, (grid_h, grid_w), placement
            )
            at_y[i], at_x[i], under[i], right[i], weights[i] = y0, x0, fy, fx, weight
            heaviest = max(heaviest, weight)
        found = 0
        for i in range(count):
            if weights[i] < faint * heaviest:
                continue
            y0, x0 = at_y[i], at_x[i]
            above, below = winners[i, y0], winners[i, min(y0 + 1, grid_h - 1)]
            x1 = min(x0 + 1, grid_w - 1)
            corners[0], corners[1] = above[x0], above[x1]
            corners[2], corners[3] = below[x0], below[x1]
            for corner in range(4):
                which = 0
                while which < found and candidates[which] != corners[corner]:
                    which += 1
                if which == found:
                    candidates[found] = corners[corner]
                    sums[found] = 0
                    found += 1
        best = 0
        if found > 1:
            for i in range(count):
                if weights[i] < faint * heaviest:
                    continue
                scores = answers[i]
                y0, x0 = at_y[i], at_x[i]
                y1, x1 = min(y0 + 1, grid_h - 1), min(x0 + 1, grid_w - 1)
                a, b, c, d = scores[y0, x0], scores[y0, x1], scores[y1, x0], scores[y1, x1]
                low, top = weights[i] * under[i], weights[i] * (one - under[i])
                fx, gx = right[i], one - right[i]
                for which in range(found):
                    k = candidates[which]
                    sums[which] += top * (gx * a[k] + fx * b[k]) + low * (gx * c[k] + fx * d[k])
            for which in range(1, found):
                if sums[which] > sums[best]:
                    best = which
        out[cell[0], cell[1]] = candidates[best]
