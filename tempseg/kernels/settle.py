"""Kernels that decide what keyframes agree on, whatever they weigh.

Arguments are as in `tempseg.kernels.carry`. Where every grid cell that would be read holds one
label, that label wins: `settle_cells` finds that out for the cells between four neighbouring nodes
of the working grid at once, `settle_pixels` for pixels of the others, `between` for those that it
passes over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.kernels.carry import clamped
from tempseg.types import FloatArray, LabelArray, UInt8Array

IntArray = NDArray[np.int64]

__all__ = ["between", "inner", "settle_cells", "settle_pixels"]


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
    # The outermost cells hold what lies beyond the nodes too: by so much on the model's grid.
    none = np.float32(0)
    beyond_x = max(np.float32(0.5 * (width / columns - 1) * scale_x), none)
    beyond_y = max(np.float32(0.5 * (height / rows - 1) * scale_y), none)
    # Of two rows of nodes, the one above a cell and the one below: place on the model's grid,
    # label there, distance to the next border.
    at_x = np.empty((count, 2, columns), np.float32)
    at_y = np.empty((count, 2, columns), np.float32)
    label = np.empty((count, 2, columns), np.int32)
    clear = np.empty((count, 2, columns), np.float32)
    half, margin = np.float32(0.5), np.float32(0.51)
    node_x, near = np.empty(columns, np.float32), np.empty(columns, np.int32)
    agreed = np.empty(columns, np.uint8)
    first_x = np.empty(columns, np.int64)
    for column in range(columns):
        node_x[column] = ((column + 0.5) * width / columns - 0.5) * scale_x + offset_x
        first_x[column] = _first_pixel(column, columns, width)
    for row in range(rows):
        under = row % 2
        node_y = np.float32(((row + 0.5) * height / rows - 0.5) * scale_y + offset_y)
        for i in range(count):
            pull, x_at, y_at = pulls[i, row], at_x[i, under], at_y[i, under]
            for column in range(columns):
                x_at[column] = clamped(node_x[column] + pull[column, 0] * stretch_x, grid_w)
                y_at[column] = clamped(node_y + pull[column, 1] * stretch_y, grid_h)
                near_y, near_x = np.int32(y_at[column] + half), np.int32(x_at[column] + half)
                near[column] = near_y * grid_w + near_x
            grid, clearance = answers[i].ravel(), clearances[i].ravel()
            own_label, own_clear = label[i, under], clear[i, under]
            for column in range(columns):
                place = np.uint64(near[column])
                own_label[column], own_clear[column] = grid[place], clearance[place]
        if row == 0:
            continue
        over = 1 - under
        y_first = _first_pixel(row - 1, rows, height)
        y_end = _first_pixel(row, rows, height)
        agreed[:] = 1
        rim_y = beyond_y if row in (1, rows - 1) else none
        for i in range(count):
            x_over, x_under = at_x[i, over], at_x[i, under]
            y_over, y_under = at_y[i, over], at_y[i, under]
            first, own, free = label[0, over], label[i, over], clear[i, over]
            for column in range(columns - 1):
                x, y = x_over[column], y_over[column]
                spread = max(abs(x_over[column + 1] - x), abs(x_under[column] - x))
                spread = max(spread, abs(x_under[column + 1] - x))
                spread = max(spread, abs(y_over[column + 1] - y))
                spread = max(spread, abs(y_under[column] - y))
                spread = max(spread, abs(y_under[column + 1] - y))
                outermost = column in (0, columns - 2)
                spread += max(rim_y, beyond_x if outermost else none)
                # A sample lies within the spread of the node, a cell it reads less than one
                # further, the node within a half of its own cell; and clearance c says that
                # all cells up to c away hold the label.
                agreed[column] &= (free[column] >= spread + margin) & (own[column] == first[column])
        for column in range(columns - 1):
            doubt[row - 1, column] = agreed[column] == 0
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
    apart: tuple[int, int],
    doubt: UInt8Array,
    out: LabelArray,
    rest: IntArray,
) -> int:
    """Within the cells in doubt, fill the pixels on whose label all keyframes agree.

    Only those in every `apart`-th row and column, 1 or 2, are looked at; `between` sees to the
    others. `answers`, `clearances` and `doubt` are as for `settle_cells`. The places of those that
    are not filled, `y * W + x`, are written to `rest` (H * W), rising; returns how many. `out`
    takes any label there.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    _, grid_h, grid_w = answers.shape
    scale_x, offset_x, scale_y, offset_y = placement
    step_y, step_x = apart
    stretch_x = np.float32(scale_x * width / columns)
    stretch_y = np.float32(scale_y * height / rows)
    half, last_x, last_y = np.float32(0.5), np.float32(grid_w - 1), np.float32(grid_h - 1)
    zero = np.float32(0)
    # Of each column of pixels that is looked at: its cell, how far in it, and where it lies on the
    # model's grid.
    looked_at = -(-width // step_x)
    cell, first = np.empty(looked_at, np.int64), np.empty(columns, np.int64)
    across, own_x = np.empty((2, looked_at), np.float32)
    for column in range(columns - 1):
        first[column] = -(-_first_pixel(column, columns, width) // step_x)
        first[column + 1] = -(-_first_pixel(column + 1, columns, width) // step_x)
        for n in range(first[column], first[column + 1]):
            cell[n] = column
            across[n] = _within(n * step_x, column, columns, width)
            own_x[n] = np.float32(n * step_x * scale_x)
    # Of each cell in a row of pixels: where its left edge lies on the grid, its right from there.
    left_x, left_y, more_x, more_y = np.empty((4, columns), np.float32)
    label, alike = np.empty(looked_at, out.dtype), np.empty(looked_at, np.uint8)
    at = np.empty(looked_at, np.int64)
    begins, ends = np.empty((2, columns), np.int64)
    found = 0
    for row in range(rows - 1):
        groups = _group(doubt[row], begins, ends)
        y_first = -(-_first_pixel(row, rows, height) // step_y) * step_y
        for y in range(y_first, _first_pixel(row + 1, rows, height), step_y):
            down = _within(y, row, rows, height)
            own_y = np.float32(y * scale_y + offset_y)
            for i in range(count):
                grid, clearance = answers[i].ravel(), clearances[i].ravel()
                top, low = pulls[i, row], pulls[i, row + 1]
                for group in range(groups):
                    for column in range(begins[group], ends[group]):
                        begin_x = _edge(top, low, column, 0, down) * stretch_x
                        begin_y = _edge(top, low, column, 1, down) * stretch_y
                        more_x[column] = _edge(top, low, column + 1, 0, down) * stretch_x - begin_x
                        more_y[column] = _edge(top, low, column + 1, 1, down) * stretch_y - begin_y
                        left_x[column] = begin_x + np.float32(offset_x)
                        left_y[column] = begin_y + own_y
                    begin, end = first[begins[group]], first[ends[group]]
                    for n in range(np.uint64(begin), np.uint64(end)):
                        k = np.uint64(cell[n])
                        gx = own_x[n] + left_x[k] + across[n] * more_x[k]
                        gy = left_y[k] + across[n] * more_y[k]
                        near_x = np.int32(min(max(gx, zero), last_x) + half)
                        near_y = np.int32(min(max(gy, zero), last_y) + half)
                        at[n] = near_y * grid_w + near_x
                    # The four cells around a place touch its nearest one.
                    if i == 0:
                        for n in range(np.uint64(begin), np.uint64(end)):
                            place = np.uint64(at[n])
                            label[n], alike[n] = grid[place], clearance[place] >= 1
                    else:
                        for n in range(np.uint64(begin), np.uint64(end)):
                            place = np.uint64(at[n])
                            alike[n] &= (clearance[place] >= 1) & (grid[place] == label[n])
            for group in range(groups):
                for n in range(first[begins[group]], first[ends[group]]):
                    # Without a branch, which would often be foreseen wrongly.
                    out[y, n * step_x] = label[n]
                    rest[found] = y * width + n * step_x
                    found += alike[n] == 0
    return found


@kernel
def between(doubt: UInt8Array, apart: tuple[int, int], labels: LabelArray, rest: IntArray) -> int:
    """Fill the pixels that `settle_pixels` passes over where those around them, all known, agree.

    The places where they do not are written to `rest`, rising; returns how many.
    """
    height, width = labels.shape
    rows, columns = doubt.shape[0] + 1, doubt.shape[1] + 1
    odd_y, odd_x = apart[0] - 1, apart[1] - 1
    last_y, last_x = (height - 1) & ~odd_y, (width - 1) & ~odd_x
    begins, ends = np.empty((2, columns), np.int64)
    found = 0
    for row in range(rows - 1):
        groups = _group(doubt[row], begins, ends)
        for y in range(_first_pixel(row, rows, height), _first_pixel(row + 1, rows, height)):
            above, own = labels[y & ~odd_y], labels[y]
            below = labels[min(y + (y & odd_y), last_y)]
            for group in range(groups):
                begin = _first_pixel(begins[group], columns, width)
                end = _first_pixel(ends[group], columns, width)
                for x in range(begin, end):
                    left, right = x & ~odd_x, min(x + (x & odd_x), last_x)
                    label = above[left]
                    alike = (above[right] == label) & (below[left] == label)
                    alike &= below[right] == label
                    # A pixel that was looked at is its own neighbour, and stays.
                    own[x] = label if alike else own[x]
                    rest[found] = y * width + x
                    found += not alike
    return found


@inlined
def _group(doubt: UInt8Array, begins: IntArray, ends: IntArray) -> int:
    """Write where groups of cells in doubt begin and end in a row; return how many there are.

    Their pixels are looked at together.
    """
    groups, column, columns = 0, 0, doubt.size
    while column < columns:
        begin = column
        while column < columns and doubt[column] != 0:
            column += 1
        if column > begin:
            begins[groups], ends[groups] = begin, column
            groups += 1
        column += 1
    return groups


@inlined
def _edge(top: FloatArray, low: FloatArray, column: int, c: int, down: np.float32) -> np.float32:
    """Return one pull field's value below a node, `down` towards the next."""
    return np.float32(top[column, c] + down * (low[column, c] - top[column, c]))


@inlined
def _within(pixel: int, node: int, nodes: int, pixels: int) -> np.float32:
    """Return where a pixel lies in the cell that begins at a node, in [0, 1]."""
    return np.float32(min(max((pixel + 0.5) * nodes / pixels - 0.5 - node, 0.0), 1.0))
