"""Kernels that carry keyframe answers to a frame: sample, blend and decide.

Arguments they share: `pulls` (n, rows, columns, 3) float32 holds, for each of n keyframes,
(dx, dy) in pixels of the working grid and a positive weight; `placement` is (scale_x, offset_x,
scale_y, offset_y) from frame pixels to the model's grid; `out` (H, W) takes the labels.

`rest` are the places `y * W + x` that `tempseg.kernels.settle` leaves: along borders, and where
keyframes disagree. They are sampled and decided by `vote` or `blend`.
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
    "clamped",
    "even",
    "pack",
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


BATCH = 64
"""Pixels that are decided together, each a lane of vector code."""


@inlined
def clamped(position: np.float32, size: int) -> np.float32:
    """Return a position within a grid's side."""
    return min(max(position, np.float32(0)), np.float32(size - 1))


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
    gx = clamped(np.float32((x + dx * stretch_x) * scale_x + offset_x), grid[1])
    gy = clamped(np.float32((y + dy * stretch_y) * scale_y + offset_y), grid[0])
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
    rows_of: IntArray,
    evidence: FloatArray,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    rest: IntArray,
    out: LabelArray,
) -> None:
    """Write the label that votes speak for most at the pixels in `rest`.

    `answers` are n label grids, (n, h, w). A keyframe's weight is shared out among the four grid
    cells around the sampled place. Of the labels voted for, the one wins for which
    `evidence[rows_of[label], rows_of[vote]]`, added up over the votes, is highest; labels that
    share a row say least for one another. With an empty `evidence` (0, 0) the label with most
    votes wins. Of equals the label met first wins.
    """
    if evidence.size == 0:
        _vote_plainly(answers, pulls, placement, rest, out)
        return
    count, rows, columns, _ = pulls.shape
    _, grid_h, grid_w = answers.shape
    candidates = np.empty(4 * count, out.dtype)
    votes = np.empty(4 * count, np.float32)
    corners = np.empty(4, out.dtype)
    parts = np.empty(4, np.float32)
    one = np.float32(1)
    least = evidence.min()
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
                which = 0
                while which < found and candidates[which] != label:
                    which += 1
                if which == found:
                    candidates[found] = label
                    votes[found] = 0
                    found += 1
                votes[which] += parts[corner]
        best = 0
        if found > 1:
            highest = np.float32(-np.inf)
            for which in range(found):
                line = evidence[rows_of[candidates[which]]]
                total = np.float32(0)
                for other in range(found):
                    column = rows_of[candidates[other]]
                    stranger = other != which and column == rows_of[candidates[which]]
                    total += votes[other] * (least if stranger else line[column])
                if total > highest:
                    highest = total
                    best = which
        out[cell[0], cell[1]] = candidates[best]


@kernel
def _vote_plainly(
    answers: LabelArray,
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    rest: IntArray,
    out: LabelArray,
) -> None:
    """Write the label with most votes at the pixels in `rest`, as `vote` without evidence."""
    count, rows, columns, _ = pulls.shape
    _, grid_h, grid_w = answers.shape
    height, width = out.shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = np.float32(width / columns), np.float32(height / rows)
    one, zero = np.float32(1), np.float32(0)
    right, bottom = np.float32(grid_w - 1), np.float32(grid_h - 1)
    labels_out = out.ravel()
    node_of, across_of = _columns_of(width, columns)
    at_x, at_y = np.zeros((2, BATCH), np.float64)
    node, place, step_x, step_y = np.zeros((4, BATCH), np.int64)
    across, down = np.zeros((2, BATCH), np.float32)
    around = np.empty((12, BATCH), np.float32)
    pulled = np.empty((3, BATCH), np.float32)
    under, beside = np.empty((2, BATCH), np.float32)
    labels = np.empty((4 * count, BATCH), out.dtype)
    parts = np.empty((4 * count, BATCH), np.float32)
    votes, most = np.empty((2, BATCH), np.float32)
    best = np.empty(BATCH, out.dtype)
    y, row, row_begin, row_end, fy = 0, 0, 0, 0, zero
    for start in range(0, rest.size, BATCH):
        here = min(BATCH, rest.size - start)
        for n in range(here):
            if rest[start + n] < row_begin or rest[start + n] >= row_end:
                y = rest[start + n] // width
                row_begin, row_end = y * width, (y + 1) * width
                row, fy = _node(y, height, rows)
            x = rest[start + n] - row_begin
            at_x[n], at_y[n] = x, y
            node[n] = (row * columns + node_of[x]) * 3
            across[n], down[n] = across_of[x], fy
        for i in range(count):
            pull, answer = pulls[i].ravel(), answers[i].ravel()
            for c in range(3):
                for corner in range(4):
                    step, to = (corner // 2 * columns + corner % 2) * 3 + c, around[4 * c + corner]
                    for n in range(BATCH):
                        to[n] = pull[np.uint64(node[n] + step)]
                a, b, d, e = (
                    around[4 * c],
                    around[4 * c + 1],
                    around[4 * c + 2],
                    around[4 * c + 3],
                )
                to = pulled[c]
                for n in range(BATCH):
                    left = a[n] + down[n] * (d[n] - a[n])
                    far = b[n] + down[n] * (e[n] - b[n])
                    to[n] = left + across[n] * (far - left)
            dx, dy, weight = pulled[0], pulled[1], pulled[2]
            for n in range(BATCH):
                gx = np.float32((at_x[n] + dx[n] * stretch_x) * scale_x + offset_x)
                gy = np.float32((at_y[n] + dy[n] * stretch_y) * scale_y + offset_y)
                gx, gy = min(max(gx, zero), right), min(max(gy, zero), bottom)
                x0, y0 = np.int32(gx), np.int32(gy)
                beside[n], under[n] = gx - np.float32(x0), gy - np.float32(y0)
                place[n] = y0 * grid_w + x0
                step_x[n] = 1 if x0 < grid_w - 1 else 0
                step_y[n] = grid_w if y0 < grid_h - 1 else 0
            a, b, d, e = parts[4 * i], parts[4 * i + 1], parts[4 * i + 2], parts[4 * i + 3]
            for n in range(BATCH):
                fx, fy_ = beside[n], under[n]
                a[n], b[n] = weight[n] * (one - fy_) * (one - fx), weight[n] * (one - fy_) * fx
                d[n], e[n] = weight[n] * fy_ * (one - fx), weight[n] * fy_ * fx
            a, b, d, e = labels[4 * i], labels[4 * i + 1], labels[4 * i + 2], labels[4 * i + 3]
            for n in range(BATCH):
                at, below = np.uint64(place[n]), np.uint64(place[n] + step_y[n])
                more = np.uint64(step_x[n])
                a[n], b[n] = answer[at], answer[at + more]
                d[n], e[n] = answer[below], answer[below + more]
        most[:] = -one
        for which in range(4 * count):
            votes[:] = zero
            mine = labels[which]
            for other in range(4 * count):
                theirs, part = labels[other], parts[other]
                for n in range(BATCH):
                    votes[n] += part[n] if theirs[n] == mine[n] else zero
            for n in range(BATCH):
                best[n] = mine[n] if votes[n] > most[n] else best[n]
                most[n] = max(most[n], votes[n])
        for n in range(here):
            labels_out[rest[start + n]] = best[n]


@inlined
def _node(pixel: int, pixels: int, nodes: int) -> tuple[int, np.float32]:
    """Return the node before a pixel and how far it lies from there to the next, along one side."""
    at = np.float32((pixel + 0.5) * (nodes / pixels) - 0.5)
    node = min(max(int(at), 0), nodes - 2)
    return node, min(max(at - np.float32(node), np.float32(0)), np.float32(1))


@inlined
def _columns_of(width: int, columns: int) -> tuple[IntArray, FloatArray]:
    """Return `_node` of each column of pixels."""
    node_of, across_of = np.empty(width, np.int64), np.empty(width, np.float32)
    for x in range(width):
        node_of[x], across_of[x] = _node(x, width, columns)
    return node_of, across_of


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
