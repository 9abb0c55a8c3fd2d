"""Kernels that compare colours: how far frames differ, and votes of what looks alike.

Arguments they share: colours lie row by row, (h + 2 MARGIN, 3, w + 2 MARGIN), y, u and v, with
margins that repeat the border, so that a window's row is one slice: float32 on the working grid,
uint8 in the frame. `answer`, `flow`, `places`, `found`, `votes` and `counts` are as in
`tempseg.kernels.shares`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.kernels.shares import MARGIN, IntArray
from tempseg.types import FloatArray, LabelArray, UInt8Array

__all__ = [
    "BATCH",
    "FRAME_REACH",
    "FRAME_ROWS",
    "GRID_LANES",
    "GRID_REACH",
    "difference",
    "elect",
    "sharpen",
    "vote_frame",
    "vote_grid",
]

GRID_REACH, GRID_ROWS, GRID_LANES = 6, 13, 16
"""Cells that a match on the grid may lie away; its window, columns filled up to whole vectors."""

FRAME_REACH, FRAME_ROWS = 2, 5
"""The same for matches in the frame, in pixels; here each place is a lane."""

BATCH = 64
"""Places of the frame that are looked at together."""


@kernel
def difference(
    target: FloatArray, source: FloatArray, flow: FloatArray, where: UInt8Array, out: FloatArray
) -> None:
    """Write the distance of `target(p)` and `source(p + flow(p))` in colour, bilinear.

    `target` and `source` are colours of the grid; 255 where the source position is more than
    half a pixel outside the picture; cells where `where` (h, w) is 0 are left as they are.
    """
    height, width = out.shape
    zero, right, bottom = np.float32(0), np.float32(width - 1), np.float32(height - 1)
    half = np.float32(0.5)
    for y in range(height):
        own = target[y + MARGIN]
        for x in range(width):
            if where[y, x] == 0:
                continue
            sx = np.float32(x) + flow[y, x, 0]
            sy = np.float32(y) + flow[y, x, 1]
            px = min(max(sx, zero), right)
            py = min(max(sy, zero), bottom)
            if abs(px - sx) > half or abs(py - sy) > half:
                out[y, x] = 255
                continue
            x0, y0 = np.int32(px), np.int32(py)
            fx, fy = px - np.float32(x0), py - np.float32(y0)
            above, below = source[y0 + MARGIN], source[y0 + MARGIN + 1]
            i = x0 + MARGIN
            total = zero
            for c in range(3):
                top = above[c, i] + fx * (above[c, i + 1] - above[c, i])
                low = below[c, i] + fx * (below[c, i + 1] - below[c, i])
                error = own[c, x + MARGIN] - (top + fy * (low - top))
                total += error * error
            out[y, x] = np.sqrt(total)


@inlined
def _eight(samples: UInt8Array, at: int) -> np.uint64:
    """Return eight samples from a place on, the first one lowest; compiled to a single load."""
    i = np.uint64(at)
    low = (
        np.uint64(samples[i])
        | (np.uint64(samples[i + np.uint64(1)]) << np.uint64(8))
        | (np.uint64(samples[i + np.uint64(2)]) << np.uint64(16))
        | (np.uint64(samples[i + np.uint64(3)]) << np.uint64(24))
    )
    high = (
        (np.uint64(samples[i + np.uint64(4)]) << np.uint64(32))
        | (np.uint64(samples[i + np.uint64(5)]) << np.uint64(40))
        | (np.uint64(samples[i + np.uint64(6)]) << np.uint64(48))
        | (np.uint64(samples[i + np.uint64(7)]) << np.uint64(56))
    )
    return np.uint64(low | high)


@inlined
def _take_row(
    samples: UInt8Array,
    begins: IntArray,
    offset: int,
    spacing: int,
    eights: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> None:
    """Write samples of a row, `spacing` apart, from `offset` behind each of `begins` on.

    `out` (m, BATCH) takes one place a column; `eights` (BATCH,) is room to work in.
    """
    for column in range(out.shape[0]):
        at = column * spacing
        if column == 0 or at // 8 != (at - spacing) // 8:
            for n in range(BATCH):
                eights[n] = _eight(samples, begins[n] + offset + at // 8 * 8)
        shift, to = np.uint64(8 * (at % 8)), out[column]
        for n in range(BATCH):
            to[n] = np.int32((eights[n] >> shift) & np.uint64(255))


@inlined
def _floor(value: np.float32) -> int:
    """Return a number rounded down; plain arithmetic, where `np.floor` is a call."""
    whole = int(value)
    return whole - 1 if whole > value else whole


@inlined
def _weigh_matches(
    target: FloatArray,
    source: FloatArray,
    x: int,
    y: int,
    left: int,
    top: int,
    scale: np.float32,
    falloff: FloatArray,
    out: FloatArray,
) -> None:
    """Write how well the 3×3 patch around (x, y) fits around each cell of a window of the grid.

    `(1 - msd / 8 S)^8`, 0 from `msd = 8 S` on, times `falloff`; `scale` is 1 / (8 S · 27).
    Of the chroma, which varies slowly, the patch's middle stands for all nine samples.
    The power is within 0.04 of exp(-msd / S), and plain arithmetic that whole vectors take.
    The window, from (left, top) on, lies flat in `falloff` and `out`.
    """
    one, zero, nine = np.float32(1), np.float32(0), np.float32(9)
    above, own, below = target[y - 1], target[y], target[y + 1]
    a0, a1, a2 = above[0, x - 1], above[0, x], above[0, x + 1]
    b0, b1, b2 = own[0, x - 1], own[0, x], own[0, x + 1]
    c0, c1, c2 = below[0, x - 1], below[0, x], below[0, x + 1]
    own_u, own_v = own[1, x], own[2, x]
    # Unsigned, because indices that could be negative do not let a loop become vector code; and
    # a loop of few lanes becomes it only where it holds as much as this: else it is unrolled.
    before, here, after = np.uint64(left - 1), np.uint64(left), np.uint64(left + 1)
    for row in range(GRID_ROWS):
        upper, middle, lower = source[top + row - 1, 0], source[top + row], source[top + row + 1, 0]
        line, u, v = middle[0], middle[1], middle[2]
        at = np.uint64(row * GRID_LANES)
        for lane in range(np.uint64(GRID_LANES)):
            i, j, k = before + lane, here + lane, after + lane
            d0, d1, d2 = a0 - upper[i], a1 - upper[j], a2 - upper[k]
            d = d0 * d0 + d1 * d1 + d2 * d2
            d0, d1, d2 = b0 - line[i], b1 - line[j], b2 - line[k]
            d += d0 * d0 + d1 * d1 + d2 * d2
            d0, d1, d2 = c0 - lower[i], c1 - lower[j], c2 - lower[k]
            d += d0 * d0 + d1 * d1 + d2 * d2
            d0, d1 = own_u - u[j], own_v - v[j]
            d += nine * (d0 * d0)
            d += nine * (d1 * d1)
            near = one - d * scale
            near = near if near > zero else zero
            near *= near
            near *= near
            out[at + lane] = near * near * falloff[at + lane]


@inlined
def _total(sums: FloatArray) -> np.float32:
    """Return the sum of lanes, always added up in the same order."""
    total = np.float32(0)
    for lane in range(sums.size):
        total += sums[lane]
    return total


@kernel
def vote_grid(
    target: FloatArray,
    source: FloatArray,
    answer: FloatArray,
    flow: FloatArray,
    scale: float,
    falloff: FloatArray,
    weight: float,
    places: IntArray,
    found: FloatArray,
    votes: FloatArray,
    counts: IntArray,
) -> None:
    """Add a source's votes at some cells of the grid: its answer where its colours match.

    `target` and `source` are colours of the grid, `answer` is the source's. Around the place that
    the flow points to, each cell up to `GRID_REACH` away votes with its weight (see
    `_weigh_matches`); `falloff` (2 GRID_REACH + 1, GRID_LANES) is 0 beyond the window.
    """
    height, width, _ = flow.shape
    half, one, zero = np.float32(0.5), np.float32(1), np.float32(0)
    per_msd, strength = np.float32(scale), np.float32(weight)
    matches = np.empty(GRID_ROWS * GRID_LANES, np.float32)
    fall = falloff.reshape(falloff.size)
    sums, other_sums = np.empty(GRID_LANES, np.float32), np.empty(GRID_LANES, np.float32)
    lanes = np.uint64(GRID_LANES)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        left = _floor(np.float32(x) + flow[y, x, 0] + half)
        top = _floor(np.float32(y) + flow[y, x, 1] + half)
        left = min(max(left, 0), width - 1) + MARGIN - GRID_REACH
        top = min(max(top, 0), height - 1) + MARGIN - GRID_REACH
        _weigh_matches(target, source, x + MARGIN, y + MARGIN, left, top, per_msd, fall, matches)
        # Two labels at once: there are mostly two.
        for which in range(0, counts[n], 2):
            label, other = found[n, which], found[n, which]
            if which + 1 < counts[n]:
                other = found[n, which + 1]
            sums[:], other_sums[:] = zero, zero
            begin = np.uint64(left)
            for row in range(GRID_ROWS):
                shares_of = answer[top + row]
                first, second, share = shares_of[0], shares_of[1], shares_of[2]
                at = np.uint64(row * GRID_LANES)
                for lane in range(lanes):
                    j = begin + lane
                    rest = one - share[j]
                    part = rest if second[j] == label else zero
                    part = share[j] if first[j] == label else part
                    sums[lane] += matches[at + lane] * part
                    part = rest if second[j] == other else zero
                    part = share[j] if first[j] == other else part
                    other_sums[lane] += matches[at + lane] * part
            votes[n, which] += strength * _total(sums)
            if which + 1 < counts[n]:
                votes[n, which + 1] += strength * _total(other_sums)


@kernel
def vote_frame(
    target: UInt8Array,
    source: UInt8Array,
    answer: LabelArray,
    flow: FloatArray,
    scale: float,
    falloff: FloatArray,
    weight: float,
    places: IntArray,
    labels: LabelArray,
    second: LabelArray,
    votes: FloatArray,
) -> None:
    """Add a source's votes for the first and second label of some pixels of the frame.

    As `vote_grid`, with colours and `answer` (one label a pixel) of the frame's size, margins
    included, and `votes` (n, 2). `places` rise.
    """
    height, width = labels.shape
    rows, columns, _ = flow.shape
    half, one, zero, nine = np.float32(0.5), np.float32(1), np.float32(0), np.int32(9)
    per_msd, strength = np.float32(scale), np.float32(weight)
    stretch_x, stretch_y = np.float32(width / columns), np.float32(height / rows)
    left_node, right_node = np.empty(width, np.int64), np.empty(width, np.int64)
    across = np.empty(width, np.float32)
    for x in range(width):
        node = min(max((np.float32(x) + half) / stretch_x - half, zero), np.float32(columns - 1))
        left_node[x], right_node[x] = int(node), min(int(node) + 1, columns - 1)
        across[x] = node - np.float32(int(node))
    pitch = source.shape[2]
    side = FRAME_ROWS + 2
    samples, own_samples, names_of = source.ravel(), target.ravel(), answer.ravel()
    # Whole numbers: samples are, so that errors are exact in whatever order they are added up.
    luma = np.empty((side, side, BATCH), np.int32)
    u, v = np.empty((2, FRAME_ROWS, FRAME_ROWS, BATCH), np.int32)
    own = np.empty((3, 3, BATCH), np.int32)
    own_u, own_v = np.empty((2, 1, BATCH), np.int32)
    names = np.empty((FRAME_ROWS, FRAME_ROWS, BATCH), answer.dtype)
    first, other = np.zeros(BATCH, labels.dtype), np.zeros(BATCH, labels.dtype)
    begins, own_begins, name_begins = np.zeros((3, BATCH), np.int64)
    eights, error = np.empty(BATCH, np.uint64), np.empty(BATCH, np.int32)
    of_first, of_other, in_first, in_other = np.empty((4, BATCH), np.float32)
    y, row_end = 0, 0
    y0, y1, fy = 0, 0, zero
    for start in range(0, places.size, BATCH):
        count = min(BATCH, places.size - start)
        for n in range(count):
            place = places[start + n]
            if place >= row_end:
                y = place // width
                row_end = (y + 1) * width
                node = (np.float32(y) + half) / stretch_y - half
                node = min(max(node, zero), np.float32(rows - 1))
                y0, y1 = int(node), min(int(node) + 1, rows - 1)
                fy = node - np.float32(y0)
            x = place - (row_end - width)
            x0, x1, fx = left_node[x], right_node[x], across[x]
            above = flow[y0, x0, 0] + fx * (flow[y0, x1, 0] - flow[y0, x0, 0])
            below = flow[y1, x0, 0] + fx * (flow[y1, x1, 0] - flow[y1, x0, 0])
            left = _floor(np.float32(x) + (above + fy * (below - above)) * stretch_x + half)
            above = flow[y0, x0, 1] + fx * (flow[y0, x1, 1] - flow[y0, x0, 1])
            below = flow[y1, x0, 1] + fx * (flow[y1, x1, 1] - flow[y1, x0, 1])
            top = _floor(np.float32(y) + (above + fy * (below - above)) * stretch_y + half)
            left = min(max(left, 0), width - 1) + MARGIN - FRAME_REACH - 1
            top = min(max(top, 0), height - 1) + MARGIN - FRAME_REACH - 1
            begins[n] = top * 3 * pitch + left
            name_begins[n] = (top + 1) * pitch + left + 1
            own_begins[n] = (y + MARGIN - 1) * 3 * pitch + x + MARGIN - 1
            first[n], other[n] = labels[y, x], second[y, x]
        for row in range(side):
            _take_row(samples, begins, row * 3 * pitch, 1, eights, luma[row])
        for row in range(FRAME_ROWS):
            at = (row + 1) * 3 * pitch + 1
            _take_row(samples, begins, at + pitch, 1, eights, u[row])
            _take_row(samples, begins, at + 2 * pitch, 1, eights, v[row])
            for column in range(FRAME_ROWS):
                line, at = names[row, column], row * pitch + column
                for n in range(BATCH):
                    line[n] = names_of[np.uint64(name_begins[n] + at)]
        for row in range(3):
            _take_row(own_samples, own_begins, row * 3 * pitch, 1, eights, own[row])
        _take_row(own_samples, own_begins, 4 * pitch + 1, 1, eights, own_u)
        _take_row(own_samples, own_begins, 5 * pitch + 1, 1, eights, own_v)
        in_first[:], in_other[:] = zero, zero
        for column in range(FRAME_ROWS):
            of_first[:], of_other[:] = zero, zero
            for row in range(FRAME_ROWS):
                a, b, c, d = own_u[0], u[row, column], own_v[0], v[row, column]
                for n in range(BATCH):
                    d0, d1 = a[n] - b[n], c[n] - d[n]
                    error[n] = nine * (d0 * d0 + d1 * d1)
                for under in range(3):
                    line, here = luma[row + under], own[under]
                    a, b, c = here[0], here[1], here[2]
                    d, e, f = line[column], line[column + 1], line[column + 2]
                    for n in range(BATCH):
                        d0, d1, d2 = a[n] - d[n], b[n] - e[n], c[n] - f[n]
                        error[n] += d0 * d0 + d1 * d1 + d2 * d2
                fall, named = falloff[row, column], names[row, column]
                for n in range(BATCH):
                    near = one - np.float32(error[n]) * per_msd
                    near = near if near > zero else zero
                    near *= near
                    near *= near
                    near = near * near * fall
                    of_first[n] += near if named[n] == first[n] else zero
                    of_other[n] += near if named[n] == other[n] else zero
            for n in range(BATCH):
                in_first[n] += of_first[n]
                in_other[n] += of_other[n]
        for n in range(count):
            votes[start + n, 0] += strength * in_first[n]
            votes[start + n, 1] += strength * in_other[n]


@kernel
def elect(
    places: IntArray, votes: FloatArray, labels: LabelArray, second: LabelArray, share: FloatArray
) -> None:
    """Write the outcome of votes (n, 2): the label with more of them first, and its share."""
    width = labels.shape[1]
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        part = votes[n, 0] / (votes[n, 0] + votes[n, 1])
        if votes[n, 1] > votes[n, 0]:
            labels[y, x], second[y, x] = second[y, x], labels[y, x]
            part = 1 - part
        share[y, x] = part


@kernel
def sharpen(
    colours: UInt8Array,
    scale: float,
    falloff: FloatArray,
    spacing: int,
    sure: float,
    places: IntArray,
    labels: LabelArray,
    second: LabelArray,
    share: FloatArray,
    out: LabelArray,
) -> None:
    """Write, for some pixels of the frame, the label that neighbours of their colour have.

    Joint bilateral: of a square of pixels `spacing` apart, each votes with its shares, its
    likeness in colour (as in `_weigh_matches`, of single pixels) and `falloff` (m, m). A pixel that
    is `sure` keeps its label. `places` rise; `out` (n,) takes the labels.
    """
    height, width = labels.shape
    side, pitch = falloff.shape[0], colours.shape[2]
    rim = side // 2 * spacing
    one, zero = np.float32(1), np.float32(0)
    least, per_square = np.float32(sure), np.float32(scale)
    samples, firsts, seconds = colours.ravel(), labels.ravel(), second.ravel()
    shares_of = share.ravel()
    which, begins = np.zeros((2, BATCH), np.int64)
    # Of each row and column of the square: where it lies, and 1 where that is in the frame.
    at_row, at_column = np.zeros((2, side, BATCH), np.int64)
    in_row, in_column = np.zeros((2, side, BATCH), np.float32)
    first, other = np.zeros(BATCH, labels.dtype), np.zeros(BATCH, labels.dtype)
    near_first, near_other = np.empty(BATCH, labels.dtype), np.empty(BATCH, labels.dtype)
    eights, like = np.empty(BATCH, np.uint64), np.empty(BATCH, np.float32)
    own, near = np.empty((3, 1, BATCH), np.int32), np.empty((3, side, BATCH), np.int32)
    part, for_first, for_other = np.empty((3, BATCH), np.float32)
    y, row_end = 0, 0
    n = 0
    while n < places.size:
        count = 0
        while n < places.size and count < BATCH:
            place = places[n]
            out[n] = firsts[place]
            if shares_of[place] < least:
                if place >= row_end:
                    y = place // width
                    row_end = (y + 1) * width
                x = place - (row_end - width)
                which[count], first[count], other[count] = n, firsts[place], seconds[place]
                begins[count] = (y + MARGIN - rim) * 3 * pitch + x + MARGIN - rim
                for k in range(side):
                    near_x, near_y = x - rim + k * spacing, y - rim + k * spacing
                    at_column[k, count] = min(max(near_x, 0), width - 1)
                    at_row[k, count] = min(max(near_y, 0), height - 1) * width
                    in_column[k, count] = one if near_x >= 0 and near_x < width else zero
                    in_row[k, count] = one if near_y >= 0 and near_y < height else zero
                count += 1
            n += 1
        for c in range(3):
            _take_row(samples, begins, (3 * rim + c) * pitch + rim, 1, eights, own[c])
        for_first[:], for_other[:] = zero, zero
        for row in range(side):
            for c in range(3):
                at = (3 * row * spacing + c) * pitch
                _take_row(samples, begins, at, spacing, eights, near[c])
            begin, inside = at_row[row], in_row[row]
            for column in range(side):
                step, within = at_column[column], in_column[column]
                for i in range(BATCH):
                    at = np.uint64(begin[i] + step[i])
                    near_first[i], near_other[i] = firsts[at], seconds[at]
                    part[i] = shares_of[at]
                fall = falloff[row, column]
                a, b, c = own[0, 0], own[1, 0], own[2, 0]
                d, e, f = near[0, column], near[1, column], near[2, column]
                for i in range(BATCH):
                    d0, d1, d2 = a[i] - d[i], b[i] - e[i], c[i] - f[i]
                    match = one - np.float32(d0 * d0 + d1 * d1 + d2 * d2) * per_square
                    match = match if match > zero else zero
                    match *= match
                    match *= match
                    like[i] = match * (match * fall) * (inside[i] * within[i])
                for i in range(BATCH):
                    minor = one - part[i]
                    less = minor if near_other[i] == first[i] else zero
                    for_first[i] += like[i] * (part[i] if near_first[i] == first[i] else less)
                    less = minor if near_other[i] == other[i] else zero
                    for_other[i] += like[i] * (part[i] if near_first[i] == other[i] else less)
        for i in range(count):
            if for_other[i] > for_first[i]:
                out[which[i]] = other[i]
