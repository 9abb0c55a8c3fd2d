"""Kernels on soft labels: the two labels with the largest shares of each cell.

Arguments they share: `answer` (h + 2 MARGIN, 3, w + 2 MARGIN) float32 holds, on the working grid,
the two labels with most votes of a cell and the share of the first of both: two labels are
enough, and compare as fast as numbers. The margins repeat the border, so that windows need no
test. `flow` (h, w, 2) pulls a source onto the target, in cells. `places` are `y * width + x`,
without margins. `found` and `votes` (n, CANDIDATES) float32 hold the labels met at n places and
their votes, `counts` (n,) how many; labels met after these get none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, LabelArray, UInt8Array

IntArray = NDArray[np.int64]

__all__ = [
    "CANDIDATES",
    "MARGIN",
    "agree",
    "enlarge",
    "nominate",
    "rank",
    "sample",
    "settled",
    "shrink",
]

MARGIN = 12
"""Cells around an array: the widest window, a patch, and what whole vectors read beyond it."""

CANDIDATES = 8

UNKNOWN = np.float32(-1)


@kernel
def shrink(labels: LabelArray, out: FloatArray) -> None:
    """Write the two labels that cover most of each grid cell, and the share of the first.

    `labels` (H, W), `out` (h, 3, w), both without margins. Pixels count by the area they share
    with the cell.
    """
    height, width = labels.shape
    rows, _, columns = out.shape
    found = np.empty(CANDIDATES, np.float32)
    area = np.empty(CANDIDATES, np.float32)
    begins, ends = np.empty(columns, np.int64), np.empty(columns, np.int64)
    for column in range(columns):
        begins[column] = column * width // columns
        ends[column] = -(-(column + 1) * width // columns)
    for row in range(rows):
        begin_y, end_y = row * height // rows, -(-(row + 1) * height // rows)
        line = out[row]
        for column in range(columns):
            begin, end = begins[column], ends[column]
            label = labels[begin_y, begin]
            alike = True
            for y in range(begin_y, end_y):
                pixels = labels[y, begin:end]
                for x in range(end - begin):
                    alike &= pixels[x] == label
            if alike:
                line[0, column], line[1, column], line[2, column] = label, label, 1
                continue
            count = 0
            for y in range(begin_y, end_y):
                tall = _overlap(y, row, height, rows)
                for x in range(begin, end):
                    part = tall * _overlap(x, column, width, columns)
                    count = _count(found, area, count, np.float32(labels[y, x]), np.float32(part))
            _write_two(found, area, count, line, column)


@inlined
def _overlap(pixel: int, cell: int, pixels: int, cells: int) -> float:
    """Return how much of a pixel lies in a cell, along one side."""
    return min(pixel + 1.0, (cell + 1) * pixels / cells) - max(pixel * 1.0, cell * pixels / cells)


@inlined
def _count(
    found: FloatArray, votes: FloatArray, count: int, label: np.float32, vote: np.float32
) -> int:
    """Add a vote for a label; return how many labels there are now."""
    which = 0
    while which < count and found[which] != label:
        which += 1
    if which < count:
        votes[which] += vote
    elif which < CANDIDATES:
        found[which] = label
        votes[which] = vote
        count += 1
    return count


@inlined
def _write_two(
    found: FloatArray, votes: FloatArray, count: int, row: FloatArray, x: int
) -> np.float32:
    """Write the two labels with most votes and the share of the first; return that of all."""
    total = votes[0]
    best = 0
    for which in range(1, count):
        total += votes[which]
        if votes[which] > votes[best]:
            best = which
    second = -1
    for which in range(count):
        if which != best and (second < 0 or votes[which] > votes[second]):
            second = which
    row[0, x] = found[best]
    row[1, x] = found[best]
    row[2, x] = 1
    if second >= 0 and votes[second] > 0:
        row[1, x] = found[second]
        row[2, x] = votes[best] / (votes[best] + votes[second])
    return np.float32(votes[best] / total)


@kernel
def settled(answer: FloatArray, out: FloatArray) -> None:
    """Write the label of each cell that a bilinear sample from it on can only give, else -1.

    `answer` with margins, `out` (h, w): all of the cell and its three neighbours to the right and
    below are one label's.
    """
    height, width = out.shape
    for y in range(height):
        top, low = answer[y + MARGIN], answer[y + MARGIN + 1]
        for x in range(width):
            i = x + MARGIN
            label = top[0, i]
            same = top[0, i + 1] == label and low[0, i] == label and low[0, i + 1] == label
            whole = top[2, i] + top[2, i + 1] + low[2, i] + low[2, i + 1] == 4
            out[y, x] = label if same and whole else UNKNOWN


@kernel
def agree(known: FloatArray, flow: FloatArray, out: FloatArray) -> None:
    """Keep the labels in `out` (h, w) that a source gives too, make the others -1.

    `known` (h, w) is the source's `settled`. Cells of `out` that hold less than -1 take the
    source's label.
    """
    height, width = out.shape
    zero, right, bottom = np.float32(0), np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        for x in range(width):
            px = min(max(np.float32(x) + flow[y, x, 0], zero), right)
            py = min(max(np.float32(y) + flow[y, x, 1], zero), bottom)
            label = known[np.int32(py), np.int32(px)]
            if out[y, x] < UNKNOWN:
                out[y, x] = label
            elif out[y, x] != label:
                out[y, x] = UNKNOWN


@kernel
def sample(
    answer: FloatArray,
    known: FloatArray,
    flow: FloatArray,
    weights: FloatArray,
    places: IntArray,
    found: FloatArray,
    votes: FloatArray,
    counts: IntArray,
) -> None:
    """Add a source's bilinear votes at some cells of the grid.

    `known` (h, w) is the source's `settled`, `weights` (n,) its weight at each place.
    """
    height, width, _ = flow.shape
    zero, right, bottom = np.float32(0), np.float32(width - 1), np.float32(height - 1)
    one = np.float32(1)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        px = min(max(np.float32(x) + flow[y, x, 0], zero), right)
        py = min(max(np.float32(y) + flow[y, x, 1], zero), bottom)
        x0, y0 = np.int32(px), np.int32(py)
        fx, fy = px - np.float32(x0), py - np.float32(y0)
        names, ballot, count = found[n], votes[n], counts[n]
        if known[y0, x0] >= zero:
            counts[n] = _count(names, ballot, count, known[y0, x0], weights[n])
            continue
        for corner in range(4):
            under, beside = corner // 2, corner % 2
            row = answer[y0 + MARGIN + under]
            i = x0 + MARGIN + beside
            part = weights[n] * (fy if under else one - fy) * (fx if beside else one - fx)
            count = _count(names, ballot, count, row[0, i], part * row[2, i])
            if row[2, i] < 1:
                count = _count(names, ballot, count, row[1, i], part * (one - row[2, i]))
        counts[n] = count


@kernel
def rank(
    places: IntArray,
    found: FloatArray,
    votes: FloatArray,
    counts: IntArray,
    sure: float,
    answer: FloatArray,
    doubt: UInt8Array,
) -> None:
    """Write the two labels with most votes into `answer`, and where no label is sure.

    `doubt` (h, w) takes 1 where the first label has a share of less than `sure` of all votes.
    """
    width = doubt.shape[1]
    least = np.float32(sure)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        share = _write_two(found[n], votes[n], counts[n], answer[y + MARGIN], x + MARGIN)
        doubt[y, x] = share < least


@kernel
def nominate(
    answer: FloatArray,
    doubt: UInt8Array,
    reach: int,
    prior: float,
    places: IntArray,
    found: FloatArray,
    votes: FloatArray,
    counts: IntArray,
) -> None:
    """Write the labels that cells in doubt up to `reach` away are between, for a vote on them.

    Each starts with its share of the cell itself, times `prior`.
    """
    height, width = doubt.shape
    weight, one, zero = np.float32(prior), np.float32(1), np.float32(0)
    for n in range(places.size):
        y = places[n] // width
        x = places[n] - y * width
        names, ballot, count = found[n], votes[n], 0
        own = answer[y + MARGIN, :, x + MARGIN]
        count = _count(names, ballot, count, own[0], weight * own[2])
        if own[2] < 1:
            count = _count(names, ballot, count, own[1], weight * (one - own[2]))
        one_name, other = own[0], own[1]
        for near_y in range(max(y - reach, 0), min(y + reach + 1, height)):
            row, open_ = answer[near_y + MARGIN], doubt[near_y]
            for near_x in range(max(x - reach, 0), min(x + reach + 1, width)):
                if open_[near_x] == 0:
                    continue
                first, second = row[0, near_x + MARGIN], row[1, near_x + MARGIN]
                # Two labels are nearly always all there are.
                if (first != one_name and first != other) or (
                    second != one_name and second != other
                ):
                    count = _count(names, ballot, count, first, zero)
                    count = _count(names, ballot, count, second, zero)
                    other = names[1]
        counts[n] = count


@kernel
def enlarge(
    answer: FloatArray,
    sure: float,
    labels: LabelArray,
    second: LabelArray,
    share: FloatArray,
    rest: IntArray,
) -> int:
    """Bring the grid's answer to the frame, bilinear; return how many pixels are in doubt.

    `labels`, `second` and `share` (H, W) take the two labels with most votes and the share of the
    first of both; `second` is written only where `share` is below 1. `rest` (H * W) takes the
    places where the first label's share of all votes is less than `sure`.
    """
    height, width = labels.shape
    rows, columns = answer.shape[0] - 2 * MARGIN, answer.shape[2] - 2 * MARGIN
    least, half, one = np.float32(sure), np.float32(0.5), np.float32(1)
    start = np.empty(columns + 1, np.int64)
    across = np.empty(width, np.float32)
    x = 0
    for column in range(columns):
        start[column] = x
        while x < width:
            place = min(max((x + 0.5) * columns / width - 0.5, 0.0), columns - 1.0)
            if int(place) > column:
                break
            across[x] = np.float32(place - column)
            x += 1
    start[columns] = width
    # Of each cell between four nodes: how many labels there are (CANDIDATES for more than two),
    # which, and the share of the first at the four.
    kind = np.empty(columns, np.int64)
    names = np.empty((columns, 2), np.float32)
    corners = np.empty((columns, 4), np.float32)
    # Of cells with more than two: how many, which, in the order they are met, the share of each.
    counts = np.empty(columns, np.int64)
    many = np.empty((columns, CANDIDATES), np.float32)
    parts = np.empty((columns, CANDIDATES, 4), np.float32)
    votes = np.empty(CANDIDATES, np.float32)
    two = np.empty((3, 1), np.float32)
    seen = -1
    left_over = 0
    for y in range(height):
        place = min(max((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
        row = int(place)
        fy = np.float32(place - row)
        above, below = answer[row + MARGIN], answer[row + MARGIN + 1]
        if row != seen:
            seen = row
            _look_at_cells(above, below, kind, names, corners, counts, many, parts)
        out, other, part = labels[y], second[y], share[y]
        column = 0
        while column < columns:
            begin = column
            column += 1
            if kind[begin] == 1:
                while (
                    column < columns and kind[column] == 1 and names[column, 0] == names[begin, 0]
                ):
                    column += 1
                out[start[begin] : start[column]] = int(names[begin, 0])
                part[start[begin] : start[column]] = one
            elif kind[begin] == 2:
                name, name_2 = int(names[begin, 0]), int(names[begin, 1])
                near = corners[begin, 0] + fy * (corners[begin, 2] - corners[begin, 0])
                far = corners[begin, 1] + fy * (corners[begin, 3] - corners[begin, 1])
                for x in range(start[begin], start[column]):
                    value = near + across[x] * (far - near)
                    flip = value < half
                    out[x] = name_2 if flip else name
                    other[x] = name if flip else name_2
                    value = one - value if flip else value
                    part[x] = value
                    if value < least:
                        rest[left_over] = y * width + x
                        left_over += 1
            else:
                count = counts[begin]
                for x in range(start[begin], start[column]):
                    fx = across[x]
                    w0, w1 = (one - fy) * (one - fx), (one - fy) * fx
                    w2, w3 = fy * (one - fx), fy * fx
                    for which in range(count):
                        at = parts[begin, which]
                        votes[which] = w0 * at[0] + w1 * at[1] + w2 * at[2] + w3 * at[3]
                    of_all = _write_two(many[begin], votes, count, two, 0)
                    out[x], other[x], part[x] = int(two[0, 0]), int(two[1, 0]), two[2, 0]
                    if of_all < least:
                        rest[left_over] = y * width + x
                        left_over += 1
    return left_over


@inlined
def _look_at_cells(
    above: FloatArray,
    below: FloatArray,
    kind: IntArray,
    names: FloatArray,
    corners: FloatArray,
    counts: IntArray,
    many: FloatArray,
    parts: FloatArray,
) -> None:
    """Fill a row of cells in `enlarge`."""
    for column in range(kind.size):
        one_name = above[0, column + MARGIN]
        other = one_name
        found = 1
        for corner in range(4):
            line = below if corner // 2 else above
            i = column + MARGIN + corner % 2
            for rank_ in range(2):
                name = line[rank_, i]
                if name != one_name and name != other:
                    found = 2 if found == 1 else CANDIDATES
                    other = name
        kind[column] = found
        names[column, 0], names[column, 1] = one_name, other
        for corner in range(4):
            line = below if corner // 2 else above
            i = column + MARGIN + corner % 2
            value = line[2, i] if line[0, i] == one_name else 1 - line[2, i]
            corners[column, corner] = value
    for column in range(kind.size):
        if kind[column] <= 2:
            continue
        many[column, 0] = above[0, column + MARGIN]
        parts[column] = 0
        found = 1
        for corner in range(4):
            line = below if corner // 2 else above
            i = column + MARGIN + corner % 2
            # What a cell holds none of is no candidate.
            for rank_ in range(2 if line[2, i] < 1 else 1):
                which = 0
                while which < found and many[column, which] != line[rank_, i]:
                    which += 1
                if which == found:
                    many[column, which] = line[rank_, i]
                    found += 1
                parts[column, which, corner] = 1 - line[2, i] if rank_ else line[2, i]
        counts[column] = found
