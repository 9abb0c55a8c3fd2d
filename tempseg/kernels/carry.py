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
    "SCORE_TOLERANCE",
    "blend",
    "clamped",
    "pack",
    "vote",
]

FAINT = 0.05
"""Share of the heaviest keyframe's weight below which another changes nothing worth its time."""

SCORE_TOLERANCE = 1e-3
"""How far scores may lie beyond 0 and 1: their bytes are those of 0 and 1."""


@kernel
def pack(scores: FloatArray, out: UInt8Array, winners: LabelArray) -> bool:
    """Write scores in [0, 1] as 0..255, and the class with the highest score a cell.

    A quarter of the memory, of which keyframes hold most: they are kept while they may be used.
    `scores` and `out` are (h, w, C), `winners` (h, w); the first of equals wins.

    Return whether all scores are in [0, 1], but for `SCORE_TOLERANCE`; where some are not, what is
    written means nothing.
    """
    height, width, classes = scores.shape
    full, half = np.float32(255), np.float32(0.5)
    least, most = np.float32(-SCORE_TOLERANCE), np.float32(1 + SCORE_TOLERANCE)
    for y in range(height):
        # In a loop of its own, which becomes vector code.
        row = scores[y].ravel()
        within = True
        for k in range(row.size):
            within &= (row[k] >= least) & (row[k] <= most)
        if not within:
            return False
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
    return True


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
    grid = (answers.shape[1], answers.shape[2])
    one, zero = np.float32(1), np.float32(0)
    labels_out = out.ravel()
    node_of, across_of = _columns_of(out.shape[1], columns)
    node, where = np.zeros(BATCH, np.int64), np.zeros((2, BATCH), np.float64)
    within = np.zeros((2, BATCH), np.float32)
    pulled = np.empty((7, BATCH), np.float32)
    cell, shares = np.empty((4, BATCH), np.int64), np.empty((3, BATCH), np.float32)
    labels = np.empty((4 * count, BATCH), out.dtype)
    parts = np.empty((4 * count, BATCH), np.float32)
    votes, most = np.empty((2, BATCH), np.float32)
    best = np.empty(BATCH, out.dtype)
    for start in range(0, rest.size, BATCH):
        here = min(BATCH, rest.size - start)
        places = rest[start : start + here]
        _find_nodes(places, out.shape, rows, columns, node_of, across_of, where, within, node)
        for i in range(count):
            _land(pulls[i], where, within, node, out.shape, grid, placement, pulled, cell, shares)
            down, across, weight = shares[0], shares[1], shares[2]
            a, b, c, d = parts[4 * i], parts[4 * i + 1], parts[4 * i + 2], parts[4 * i + 3]
            for n in range(BATCH):
                fy, fx = down[n], across[n]
                a[n], b[n] = weight[n] * (one - fy) * (one - fx), weight[n] * (one - fy) * fx
                c[n], d[n] = weight[n] * fy * (one - fx), weight[n] * fy * fx
            answer, wide = answers[i].ravel(), grid[1]
            top, left, below, beside = cell[0], cell[1], cell[2], cell[3]
            for n in range(BATCH):
                top[n], below[n] = top[n] * wide + left[n], below[n] * wide + left[n]
                beside[n] -= left[n]
            e, f, g, h = labels[4 * i], labels[4 * i + 1], labels[4 * i + 2], labels[4 * i + 3]
            for n in range(BATCH):
                upper, lower, more = np.uint64(top[n]), np.uint64(below[n]), np.uint64(beside[n])
                e[n], f[n] = answer[upper], answer[upper + more]
                g[n], h[n] = answer[lower], answer[lower + more]
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
def _find_nodes(
    places: IntArray,
    size: tuple[int, int],
    rows: int,
    columns: int,
    node_of: IntArray,
    across_of: FloatArray,
    where: NDArray[np.float64],
    within: FloatArray,
    node: IntArray,
) -> None:
    """Write where places `y * W + x` lie: y and x, and how far below and right of which node."""
    height, width = size
    y, row, begin, end, down = 0, 0, 0, 0, np.float32(0)
    for n in range(places.size):
        if places[n] < begin or places[n] >= end:
            y = places[n] // width
            begin, end = y * width, (y + 1) * width
            row, down = _node(y, height, rows)
        x = places[n] - begin
        where[0, n], where[1, n], within[0, n], within[1, n] = y, x, down, across_of[x]
        node[n] = (row * columns + node_of[x]) * 3


@inlined
def _land(
    pull: FloatArray,
    where: NDArray[np.float64],
    within: FloatArray,
    node: IntArray,
    size: tuple[int, int],
    grid: tuple[int, int],
    placement: tuple[float, float, float, float],
    pulled: FloatArray,
    cell: IntArray,
    shares: FloatArray,
) -> None:
    """Write where frame pixels land on the model's grid, BATCH of them.

    `where`, `within` and `node` are of `_find_nodes`. `cell` takes the row and column of the upper
    left and of the lower right of the four cells around; `shares` the distance below and right of
    the first, and the keyframe's weight. `pulled` is room to work in.
    """
    height, width = size
    rows, columns, _ = pull.shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = np.float32(width / columns), np.float32(height / rows)
    zero, right, bottom = np.float32(0), np.float32(grid[1] - 1), np.float32(grid[0] - 1)
    values = pull.ravel()
    at_y, at_x, down, across = where[0], where[1], within[0], within[1]
    for c in range(3):
        for corner in range(4):
            step, to = (corner // 2 * columns + corner % 2) * 3 + c, pulled[corner]
            for n in range(BATCH):
                to[n] = values[np.uint64(node[n] + step)]
        a, b, d, e, to = pulled[0], pulled[1], pulled[2], pulled[3], pulled[4 + c]
        for n in range(BATCH):
            near = a[n] + down[n] * (d[n] - a[n])
            far = b[n] + down[n] * (e[n] - b[n])
            to[n] = near + across[n] * (far - near)
    dx, dy, weight = pulled[4], pulled[5], shares[2]
    top, left, below, beside = cell[0], cell[1], cell[2], cell[3]
    fy, fx = shares[0], shares[1]
    weight[:] = pulled[6]
    for n in range(BATCH):
        gx = np.float32((at_x[n] + dx[n] * stretch_x) * scale_x + offset_x)
        gy = np.float32((at_y[n] + dy[n] * stretch_y) * scale_y + offset_y)
        gx, gy = min(max(gx, zero), right), min(max(gy, zero), bottom)
        x, y = np.int32(gx), np.int32(gy)
        fx[n], fy[n] = gx - np.float32(x), gy - np.float32(y)
        top[n], left[n] = y, x
        below[n], beside[n] = min(y + 1, grid[0] - 1), min(x + 1, grid[1] - 1)


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

    `answers` are n grids of packed class scores (h, w, C), and more that do not count; `winners`
    (n, h, w) the class with the highest of each cell. Keyframes that weigh less than `FAINT` of
    the heaviest are left out, and so are classes that win in none of the cells read. Of equals the
    class met first wins.
    """
    count, rows, columns, _ = pulls.shape
    grid = (winners.shape[1], winners.shape[2])
    labels_out = out.ravel()
    node_of, across_of = _columns_of(out.shape[1], columns)
    node, where = np.zeros(BATCH, np.int64), np.zeros((2, BATCH), np.float64)
    within = np.zeros((2, BATCH), np.float32)
    pulled = np.empty((7, BATCH), np.float32)
    cells, shares = np.empty((count, 4, BATCH), np.int64), np.empty((count, 3, BATCH), np.float32)
    candidates = np.empty(4 * count, np.int64)
    sums = np.empty(4 * count, np.float32)
    corners = np.empty(4, np.int64)
    one, faint = np.float32(1), np.float32(FAINT)
    for start in range(0, rest.size, BATCH):
        here = min(BATCH, rest.size - start)
        places = rest[start : start + here]
        _find_nodes(places, out.shape, rows, columns, node_of, across_of, where, within, node)
        for i in range(count):
            _land(
                pulls[i],
                where,
                within,
                node,
                out.shape,
                grid,
                placement,
                pulled,
                cells[i],
                shares[i],
            )
        for n in range(here):
            heaviest = np.float32(0)
            for i in range(count):
                heaviest = max(heaviest, shares[i, 2, n])
            found = 0
            for i in range(count):
                if shares[i, 2, n] < faint * heaviest:
                    continue
                above, below = winners[i, cells[i, 0, n]], winners[i, cells[i, 2, n]]
                left, right = cells[i, 1, n], cells[i, 3, n]
                corners[0], corners[1] = above[left], above[right]
                corners[2], corners[3] = below[left], below[right]
                for corner in range(4):
                    name = corners[corner]
                    which = 0
                    while which < found and candidates[which] != name:
                        which += 1
                    if which == found:
                        candidates[found] = name
                        sums[found] = 0
                        found += 1
            best = 0
            if found > 1:
                for i in range(count):
                    weight = shares[i, 2, n]
                    if weight < faint * heaviest:
                        continue
                    scores = answers[i]
                    y0, x0, y1, x1 = cells[i, 0, n], cells[i, 1, n], cells[i, 2, n], cells[i, 3, n]
                    a, b, c, d = scores[y0, x0], scores[y0, x1], scores[y1, x0], scores[y1, x1]
                    low, top = weight * shares[i, 0, n], weight * (one - shares[i, 0, n])
                    fx, gx = shares[i, 1, n], one - shares[i, 1, n]
                    for which in range(found):
                        k = candidates[which]
                        sums[which] += top * (gx * a[k] + fx * b[k]) + low * (gx * c[k] + fx * d[k])
                for which in range(1, found):
                    if sums[which] > sums[best]:
                        best = which
            labels_out[rest[start + n]] = candidates[best]
