"""Kernels of dense inverse search: patches found again in another picture, and spread to pixels.

Arguments they share: `target` and `source` (h + 2 MARGIN, w + 2 MARGIN) float32 are the pictures in
gray levels, with margins that repeat the border; `found` (rows, columns, 2) float32 holds how far
each patch pulls from, (dx, dy) in pixels: that in row i and column j has its upper left pixel at
(i * stride, j * stride).

Errors are summed up as whole numbers, in FINE parts of a gray level: exact in any order, and so in
vectors, and the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray

Int16Array = NDArray[np.int16]

__all__ = ["MARGIN", "PATCH", "search", "spread"]

PATCH = 8
"""Pixels a side: a vector of float32."""

MARGIN = 8
"""A patch may leave the picture but for its last row or column."""

FINE = np.float32(16)
"""Parts of a gray level: the squares of a patch stay below 2**31."""

CLOSE_PX = np.float32(0.01)
"""A step as short ends the descent."""

SHARE = np.float32(1 / (PATCH * PATCH))

SAME_GRAY_LEVELS = np.float32(1)
"""Errors up to this one weigh alike."""


@kernel
def search(
    target: FloatArray,
    source: FloatArray,
    slopes_x: Int16Array,
    slopes_y: Int16Array,
    coarse: FloatArray,
    stride: int,
    steps: int,
    found: FloatArray,
) -> None:
    """Write where in `source` each patch of `target` is found.

    Each begins at what `coarse` (., ., 2) says of its centre, a field of the same picture at any
    size, with (dx, dy) in pixels of its own; goes on from a neighbour's place, or from no motion,
    where that fits better; and descends by Gauss and Newton, `steps` times at most. This is done
    twice, from the upper left and from the lower right. The means of both patches are left out of
    the error, so that a change of light is no motion. `slopes_x`, `slopes_y` (h, w) are the
    target's derivatives, of Sobel's filter.
    """
    height, width = slopes_x.shape
    rows, columns, _ = found.shape
    line = source.shape[1]
    here, there = target.ravel(), source.ravel()
    slope_x, slope_y = slopes_x.ravel(), slopes_y.ravel()
    solved = np.empty((rows, columns, 5), np.float32)
    for i in range(rows):
        for j in range(columns):
            y, x = i * stride, j * stride
            _begin(coarse, y, x, height, width, found[i, j])
            _solve(slope_x, slope_y, y * width + x, width, solved[i, j])
    for turn in range(2):
        ahead = 1 if turn == 0 else -1
        for row in range(rows):
            i = row if turn == 0 else rows - 1 - row
            for column in range(columns):
                j = column if turn == 0 else columns - 1 - column
                y, x = i * stride, j * stride
                own = (y + MARGIN) * line + x + MARGIN
                slope = y * width + x
                mean_x, mean_y = solved[i, j, 3], solved[i, j, 4]
                # Its own place, the neighbour's beside and above (below), and where it stands.
                start_x, start_y = found[i, j, 0], found[i, j, 1]
                best = np.float32(np.inf)
                total, along_x, along_y = np.int32(0), np.int32(0), np.int32(0)
                for candidate in range(4 if turn == 0 else 3):
                    dx, dy = found[i, j, 0], found[i, j, 1]
                    if candidate == 1 and 0 <= j - ahead < columns:
                        dx, dy = found[i, j - ahead, 0], found[i, j - ahead, 1]
                    elif candidate == 2 and 0 <= i - ahead < rows:
                        dx, dy = found[i - ahead, j, 0], found[i - ahead, j, 1]
                    elif candidate == 3:
                        dx, dy = np.float32(0), np.float32(0)
                    if candidate > 0 and dx == start_x and dy == start_y:
                        continue
                    top, down = _placed(y, dy, height)
                    left, across = _placed(x, dx, width)
                    at = top * line + left
                    sums = _errors(
                        there, at, here, own, line, down, across, slope_x, slope_y, slope, width
                    )
                    error = _spread_of(sums[0], sums[1])
                    if error < best:
                        best, start_x, start_y = error, dx, dy
                        total, along_x, along_y = sums[0], sums[2], sums[3]
                at_x, at_y = start_x, start_y
                for step in range(steps):
                    slope_sum_x = (np.float32(along_x) - np.float32(total) * mean_x) / FINE
                    slope_sum_y = (np.float32(along_y) - np.float32(total) * mean_y) / FINE
                    dx = solved[i, j, 0] * slope_sum_x + solved[i, j, 1] * slope_sum_y
                    dy = solved[i, j, 1] * slope_sum_x + solved[i, j, 2] * slope_sum_y
                    at_x, at_y = at_x - dx, at_y - dy
                    if best < 0 or step == steps - 1 or abs(dx) + abs(dy) < CLOSE_PX:
                        break
                    top, down = _placed(y, at_y, height)
                    left, across = _placed(x, at_x, width)
                    at = top * line + left
                    total, squares, along_x, along_y = _errors(
                        there, at, here, own, line, down, across, slope_x, slope_y, slope, width
                    )
                    error = _spread_of(total, squares)
                    # One step more, to the other side of the least error, is the last.
                    best = error if error < best else np.float32(-1)
                away_x, away_y = at_x - start_x, at_y - start_y
                if away_x * away_x + away_y * away_y > PATCH * PATCH:
                    at_x, at_y = start_x, start_y
                found[i, j, 0], found[i, j, 1] = at_x, at_y


@inlined
def _begin(coarse: FloatArray, y: int, x: int, height: int, width: int, out: FloatArray) -> None:
    """Write what a coarser field says of the centre of the patch at (y, x)."""
    rows, columns, _ = coarse.shape
    half, zero = np.float32(0.5), np.float32(0)
    scale_y, scale_x = np.float32(rows / height), np.float32(columns / width)
    middle = np.float32((PATCH + 1) / 2)
    at_y = min(max((np.float32(y) + middle) * scale_y - half, zero), np.float32(rows - 1))
    at_x = min(max((np.float32(x) + middle) * scale_x - half, zero), np.float32(columns - 1))
    y0, x0 = int(at_y), int(at_x)
    y1, x1 = min(y0 + 1, rows - 1), min(x0 + 1, columns - 1)
    down, across = at_y - np.float32(y0), at_x - np.float32(x0)
    for c in range(2):
        near = coarse[y0, x0, c] + across * (coarse[y0, x1, c] - coarse[y0, x0, c])
        far = coarse[y1, x0, c] + across * (coarse[y1, x1, c] - coarse[y1, x0, c])
        out[c] = (near + down * (far - near)) / (scale_x if c == 0 else scale_y)


@inlined
def _solve(
    slopes_x: Int16Array, slopes_y: Int16Array, at: int, width: int, out: FloatArray
) -> None:
    """Write the inverse (3 values) of a patch's structure tensor, and the means of its slopes."""
    xx, xy, yy = np.int32(0), np.int32(0), np.int32(0)
    sum_x, sum_y = np.int32(0), np.int32(0)
    for c in range(PATCH):
        start = np.uint64(at + c)
        for r in range(PATCH):
            k = start + np.uint64(r * width)
            x, y = np.int32(slopes_x[k]), np.int32(slopes_y[k])
            sum_x, sum_y = np.int32(sum_x + x), np.int32(sum_y + y)
            xx, xy = np.int32(xx + np.int32(x * x)), np.int32(xy + np.int32(x * y))
            yy = np.int32(yy + np.int32(y * y))
    mean_x, mean_y = np.float32(sum_x) * SHARE, np.float32(sum_y) * SHARE
    a = np.float32(xx) - np.float32(sum_x) * mean_x
    b = np.float32(xy) - np.float32(sum_x) * mean_y
    d = np.float32(yy) - np.float32(sum_y) * mean_y
    determinant = max(a * d - b * b, np.float32(1e-3))
    out[0], out[1], out[2] = d / determinant, -b / determinant, a / determinant
    out[3], out[4] = mean_x, mean_y


@inlined
def _placed(start: int, motion: np.float32, size: int) -> tuple[int, np.float32]:
    """Return where a patch lies along one side of a picture with margins, and the rest."""
    at = np.float32(start) + motion
    at = min(max(at, np.float32(1 - PATCH)), np.float32(size - 1)) + np.float32(MARGIN)
    before = int(at)
    return before, at - np.float32(before)


@inlined
def _errors(
    source: FloatArray,
    at: int,
    target: FloatArray,
    own: int,
    line: int,
    down: np.float32,
    across: np.float32,
    slopes_x: Int16Array,
    slopes_y: Int16Array,
    slope: int,
    width: int,
) -> tuple[np.int32, np.int32, np.int32, np.int32]:
    """Return sums over a patch: its errors, their squares, and their products with both slopes.

    `at`, `own` and `slope` say where its first pixel lies in each array.
    """
    right, below = np.float32(1) - across, np.float32(1) - down
    total, squares = np.int32(0), np.int32(0)
    along_x, along_y = np.int32(0), np.int32(0)
    for c in range(PATCH):
        first, mine, grade = np.uint64(at + c), np.uint64(own + c), np.uint64(slope + c)
        upper = source[first] * right + source[first + np.uint64(1)] * across
        for r in range(PATCH):
            next_row = first + np.uint64((r + 1) * line)
            lower = source[next_row] * right + source[next_row + np.uint64(1)] * across
            error = upper * below + lower * down - target[mine + np.uint64(r * line)]
            fine = np.int32(error * FINE)
            k = grade + np.uint64(r * width)
            total, squares = np.int32(total + fine), np.int32(squares + np.int32(fine * fine))
            along_x = np.int32(along_x + np.int32(fine * np.int32(slopes_x[k])))
            along_y = np.int32(along_y + np.int32(fine * np.int32(slopes_y[k])))
            upper = lower
    return total, squares, along_x, along_y


@inlined
def _spread_of(total: np.int32, squares: np.int32) -> np.float32:
    """Return the sum of squared errors less that of their mean."""
    whole = np.float32(total)
    return np.float32(squares) - whole * whole * SHARE


@kernel
def spread(
    target: FloatArray, source: FloatArray, found: FloatArray, stride: int, out: FloatArray
) -> None:
    """Write the motion of every pixel, `out` (h, w, 2): the mean of the patches that cover it.

    Each weighs one over its error at the pixel in gray levels. The last patches of a row or column
    also cover what is left to the border.
    """
    height, width, _ = out.shape
    rows, columns, _ = found.shape
    line = source.shape[1]
    here, there = target.ravel(), source.ravel()
    sums = np.zeros((3, height * width), np.float32)
    sum_x, sum_y, sum_weight = sums[0], sums[1], sums[2]
    weights = np.empty(PATCH * PATCH, np.float32)
    zero, one = np.float32(0), np.float32(1)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    reach = np.float32(PATCH - 1)
    for i in range(rows):
        y = i * stride
        high = PATCH if i < rows - 1 else height - y
        for j in range(columns):
            x = j * stride
            wide = PATCH if j < columns - 1 else width - x
            dx, dy = found[i, j, 0], found[i, j, 1]
            at_x, at_y = np.float32(x) + dx, np.float32(y) + dy
            inside = (
                at_x >= zero and at_y >= zero and at_x + reach < right and at_y + reach < bottom
            )
            if inside and high == PATCH and wide == PATCH:
                left, top = int(at_x), int(at_y)
                _weigh(
                    there,
                    (top + MARGIN) * line + left + MARGIN,
                    here,
                    (y + MARGIN) * line + x + MARGIN,
                    line,
                    at_y - np.float32(top),
                    at_x - np.float32(left),
                    weights,
                )
                _add(weights, dx, sum_x, y * width + x, width)
                _add(weights, dy, sum_y, y * width + x, width)
                _add(weights, one, sum_weight, y * width + x, width)
                continue
            for r in range(high):
                at = min(max(np.float32(r) + at_y, zero), bottom)
                top = int(at)
                down = at - np.float32(top)
                for c in range(wide):
                    at = min(max(np.float32(c) + at_x, zero), right)
                    left = int(at)
                    across = at - np.float32(left)
                    k = (top + MARGIN) * line + left + MARGIN
                    upper = there[k] * (one - across) + there[k + 1] * across
                    lower = there[k + line] * (one - across) + there[k + line + 1] * across
                    error = upper * (one - down) + lower * down
                    error -= here[(y + r + MARGIN) * line + x + c + MARGIN]
                    weight = one / max(SAME_GRAY_LEVELS, abs(error))
                    k = (y + r) * width + x + c
                    sum_x[k] += weight * dx
                    sum_y[k] += weight * dy
                    sum_weight[k] += weight
    flow = out.ravel()
    for k in range(height * width):
        flow[2 * k] = sum_x[k] / sum_weight[k]
        flow[2 * k + 1] = sum_y[k] / sum_weight[k]


@inlined
def _weigh(
    source: FloatArray,
    at: int,
    target: FloatArray,
    own: int,
    line: int,
    down: np.float32,
    across: np.float32,
    out: FloatArray,
) -> None:
    """Write one over the error of each pixel of a patch that lies within the picture."""
    right, below = np.float32(1) - across, np.float32(1) - down
    for c in range(PATCH):
        first, mine = np.uint64(at + c), np.uint64(own + c)
        upper = source[first] * right + source[first + np.uint64(1)] * across
        for r in range(PATCH):
            next_row = first + np.uint64((r + 1) * line)
            lower = source[next_row] * right + source[next_row + np.uint64(1)] * across
            error = upper * below + lower * down - target[mine + np.uint64(r * line)]
            out[np.uint64(r * PATCH + c)] = np.float32(1) / max(SAME_GRAY_LEVELS, abs(error))
            upper = lower


@inlined
def _add(weights: FloatArray, factor: np.float32, sums: FloatArray, at: int, width: int) -> None:
    """Add a patch's weights, times a factor, to the pixels that it covers."""
    for c in range(PATCH):
        first = np.uint64(at + c)
        for r in range(PATCH):
            sums[first + np.uint64(r * width)] += weights[np.uint64(r * PATCH + c)] * factor
