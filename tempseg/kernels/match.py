"""Kernels that compare colours: how far frames differ, and votes of what looks alike.

Arguments they share: colours lie row by row, (h + 2 MARGIN, 3, w + 2 MARGIN), y, u and v, with
margins that repeat the border, so that a window's row is one slice: float32 on the working grid,
uint8 in the frame. `answer`, `flow`, `places`, `found`, `votes` and `counts` are as in
`tempseg.kernels.shares`.
"""

from __future__ import annotations

import numpy as np

from tempseg.kernels._jit import inlined, kernel
from tempseg.kernels.shares import MARGIN, IntArray
from tempseg.types import FloatArray, LabelArray, UInt8Array

__all__ = [
    "FRAME_LANES",
    "FRAME_REACH",
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

FRAME_REACH, FRAME_ROWS, FRAME_LANES = 2, 5, 8
"""The same for matches in the frame, in pixels."""


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
def _weigh_matches(
    target: FloatArray | UInt8Array,
    source: FloatArray | UInt8Array,
    x: int,
    y: int,
    left: int,
    top: int,
    rows: int,
    lanes: int,
    scale: np.float32,
    falloff: FloatArray,
    window: FloatArray,
    out: FloatArray,
) -> None:
    """Write how well the 3×3 patch around (x, y) fits around each place of a window.

    `(1 - msd / 8 S)^8`, 0 from `msd = 8 S` on, times `falloff`; `scale` is 1 / (8 S · 27).
    Of the chroma, which varies slowly, the patch's middle stands for all nine samples.
    The power is within 0.04 of exp(-msd / S), and plain arithmetic that whole vectors take.
    The window (`rows`, `lanes`) lies flat in `out`; `window` holds the source's samples of it,
    with the patches' rim.
    """
    one, zero, nine = np.float32(1), np.float32(0), np.float32(9)
    for row in range(rows + 2):
        _take(source[top - 1 + row, 0], left - 1, lanes, window, row * lanes)
    line = target[y - 1, 0, x - 1 : x + 2]
    a0, a1, a2 = np.float32(line[0]), np.float32(line[1]), np.float32(line[2])
    line = target[y, 0, x - 1 : x + 2]
    b0, b1, b2 = np.float32(line[0]), np.float32(line[1]), np.float32(line[2])
    line = target[y + 1, 0, x - 1 : x + 2]
    c0, c1, c2 = np.float32(line[0]), np.float32(line[1]), np.float32(line[2])
    for i in range(rows * lanes):
        d0, d1, d2 = a0 - window[i], a1 - window[i + 1], a2 - window[i + 2]
        d = d0 * d0 + d1 * d1 + d2 * d2
        j = i + lanes
        d0, d1, d2 = b0 - window[j], b1 - window[j + 1], b2 - window[j + 2]
        d += d0 * d0 + d1 * d1 + d2 * d2
        j = i + 2 * lanes
        d0, d1, d2 = c0 - window[j], c1 - window[j + 1], c2 - window[j + 2]
        out[i] = d + (d0 * d0 + d1 * d1 + d2 * d2)
    for c in range(1, 3):
        for row in range(rows):
            _take(source[top + row, c], left, lanes, window, row * lanes)
        own = np.float32(target[y, c, x])
        for i in range(rows * lanes):
            d = own - window[i]
            out[i] += nine * (d * d)
    for i in range(rows * lanes):
        near = one - out[i] * scale
        near = near if near > zero else zero
        near *= near
        near *= near
        out[i] = near * near * falloff[i]


@inlined
def _take(line: FloatArray | LabelArray, begin: int, lanes: int, out: FloatArray, at: int) -> None:
    """Copy `lanes` samples of a row; unsigned indices spare the test for negative ones."""
    source, to = np.uint64(begin), np.uint64(at)
    for i in range(np.uint64(lanes)):
        out[to + i] = np.float32(line[source + i])


@inlined
def _dot(
    matches: FloatArray, parts: FloatArray, rows: int, lanes: int, sums: FloatArray
) -> np.float32:
    """Return the sum of products of two windows; always added up in the same order."""
    for i in range(lanes):
        sums[i] = matches[i] * parts[i]
    for row in range(1, rows):
        at = np.uint64(row * lanes)
        for i in range(np.uint64(lanes)):
            sums[i] += matches[at + i] * parts[at + i]
    total = np.float32(0)
    for i in range(lanes):
        total += sums[i]
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
    window = np.zeros((GRID_ROWS + 3) * GRID_LANES, np.float32)
    first, second = np.empty_like(matches), np.empty_like(matches)
    share, parts = np.empty_like(matches), np.empty_like(matches)
    sums = np.empty(GRID_LANES, np.float32)
    fall = falloff.reshape(falloff.size)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        left = int(np.floor(np.float32(x) + flow[y, x, 0] + half))
        top = int(np.floor(np.float32(y) + flow[y, x, 1] + half))
        left = min(max(left, 0), width - 1) + MARGIN - GRID_REACH
        top = min(max(top, 0), height - 1) + MARGIN - GRID_REACH
        _weigh_matches(
            target,
            source,
            x + MARGIN,
            y + MARGIN,
            left,
            top,
            GRID_ROWS,
            GRID_LANES,
            per_msd,
            fall,
            window,
            matches,
        )
        for row in range(GRID_ROWS):
            at = row * GRID_LANES
            _take(answer[top + row, 0], left, GRID_LANES, first, at)
            _take(answer[top + row, 1], left, GRID_LANES, second, at)
            _take(answer[top + row, 2], left, GRID_LANES, share, at)
        for k in range(counts[n]):
            label = found[n, k]
            for i in range(GRID_ROWS * GRID_LANES):
                part = one - share[i] if second[i] == label else zero
                parts[i] = share[i] if first[i] == label else part
            votes[n, k] += strength * _dot(matches, parts, GRID_ROWS, GRID_LANES, sums)


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
    included, and `votes` (n, 2).
    """
    height, width = labels.shape
    rows, columns, _ = flow.shape
    half, one, zero = np.float32(0.5), np.float32(1), np.float32(0)
    per_msd, strength = np.float32(scale), np.float32(weight)
    stretch_x, stretch_y = np.float32(width / columns), np.float32(height / rows)
    matches = np.empty(FRAME_ROWS * FRAME_LANES, np.float32)
    window = np.zeros((FRAME_ROWS + 3) * FRAME_LANES, np.float32)
    names, parts = np.empty_like(matches), np.empty_like(matches)
    sums = np.empty(FRAME_LANES, np.float32)
    fall = falloff.reshape(falloff.size)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        node_x = min(max((np.float32(x) + half) / stretch_x - half, zero), np.float32(columns - 1))
        node_y = min(max((np.float32(y) + half) / stretch_y - half, zero), np.float32(rows - 1))
        x0, y0 = int(node_x), int(node_y)
        x1, y1 = min(x0 + 1, columns - 1), min(y0 + 1, rows - 1)
        fx, fy = node_x - np.float32(x0), node_y - np.float32(y0)
        above = flow[y0, x0, 0] + fx * (flow[y0, x1, 0] - flow[y0, x0, 0])
        below = flow[y1, x0, 0] + fx * (flow[y1, x1, 0] - flow[y1, x0, 0])
        left = int(np.floor(np.float32(x) + (above + fy * (below - above)) * stretch_x + half))
        above = flow[y0, x0, 1] + fx * (flow[y0, x1, 1] - flow[y0, x0, 1])
        below = flow[y1, x0, 1] + fx * (flow[y1, x1, 1] - flow[y1, x0, 1])
        top = int(np.floor(np.float32(y) + (above + fy * (below - above)) * stretch_y + half))
        left = min(max(left, 0), width - 1) + MARGIN - FRAME_REACH
        top = min(max(top, 0), height - 1) + MARGIN - FRAME_REACH
        _weigh_matches(
            target,
            source,
            x + MARGIN,
            y + MARGIN,
            left,
            top,
            FRAME_ROWS,
            FRAME_LANES,
            per_msd,
            fall,
            window,
            matches,
        )
        for row in range(FRAME_ROWS):
            _take(answer[top + row], left, FRAME_LANES, names, row * FRAME_LANES)
        for k in range(2):
            label = np.float32(labels[y, x] if k == 0 else second[y, x])
            for i in range(FRAME_ROWS * FRAME_LANES):
                parts[i] = one if names[i] == label else zero
            votes[n, k] += strength * _dot(matches, parts, FRAME_ROWS, FRAME_LANES, sums)


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
    likeness in colour (as in `_weigh_matches`, of single pixels) and `falloff` (m, m). A pixel
    that is `sure` keeps its label. `out` (n,) takes the labels.
    """
    height, width = labels.shape
    reach = falloff.shape[0] // 2
    one, zero = np.float32(1), np.float32(0)
    least, per_square = np.float32(sure), np.float32(scale)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        first, other = labels[y, x], second[y, x]
        out[n] = first
        if share[y, x] >= least:
            continue
        own = colours[y + MARGIN, :, x + MARGIN]
        own_y, own_u, own_v = np.float32(own[0]), np.float32(own[1]), np.float32(own[2])
        for_first, for_second = zero, zero
        for row in range(2 * reach + 1):
            near_y = y + (row - reach) * spacing
            if near_y < 0 or near_y >= height:
                continue
            line, names, others = colours[near_y + MARGIN], labels[near_y], second[near_y]
            parts, fall = share[near_y], falloff[row]
            for column in range(2 * reach + 1):
                near_x = x + (column - reach) * spacing
                if near_x < 0 or near_x >= width:
                    continue
                d0 = own_y - np.float32(line[0, near_x + MARGIN])
                d1 = own_u - np.float32(line[1, near_x + MARGIN])
                d2 = own_v - np.float32(line[2, near_x + MARGIN])
                match = one - (d0 * d0 + d1 * d1 + d2 * d2) * per_square
                if match <= zero:
                    continue
                match *= match
                match *= match
                match *= match * fall[column]
                part = parts[near_x]
                if names[near_x] == first:
                    for_first += match * part
                    if part < one and others[near_x] == other:
                        for_second += match * (one - part)
                elif names[near_x] == other:
                    for_second += match * part
                    if part < one and others[near_x] == first:
                        for_first += match * (one - part)
                elif part < one and others[near_x] == first:
                    for_first += match * (one - part)
                elif part < one and others[near_x] == other:
                    for_second += match * (one - part)
        if for_second > for_first:
            out[n] = other
