"""Kernels on the working grid: composing motion, photometric error, structural agreement."""

from __future__ import annotations

import numpy as np

from tempseg.kernels._jit import kernel
from tempseg.types import FloatArray, UInt8Array

__all__ = ["OUTSIDE", "compose", "disagreement", "pull_weights", "residual", "structure"]

OUTSIDE = 255
"""Residual of a pixel whose source lies outside the picture."""


@kernel
def compose(step: FloatArray, motion: FloatArray, out: FloatArray) -> None:
    """Write `step(p) + motion(p + step(p))`: two pull fields as one.

    `step` pulls the frame between onto the target; `motion` pulls the source onto the frame
    between. All are (h, w, 2); positions beyond the border take the border's motion.
    """
    height, width, _ = step.shape
    zero, right, bottom = np.float32(0), np.float32(width - 1), np.float32(height - 1)
    # Flat, and by unsigned places: others might be negative, which vector code must not meet.
    first, second, both = step.ravel(), motion.ravel(), out.ravel()
    for y in range(height):
        for x in range(width):
            k = np.uint64(2 * (y * width + x))
            dx, dy = first[k], first[k + np.uint64(1)]
            px = min(max(np.float32(np.int32(x)) + dx, zero), right)
            py = min(max(np.float32(y) + dy, zero), bottom)
            x0, y0 = np.int32(px), np.int32(py)
            fx, fy = px - np.float32(x0), py - np.float32(y0)
            beside = np.uint64(2 if x0 < width - 1 else 0)
            below = np.uint64(2 * width if y0 < height - 1 else 0)
            at = np.uint64(2 * (y0 * width + x0))
            top = second[at] + fx * (second[at + beside] - second[at])
            low = second[at + below] + fx * (second[at + below + beside] - second[at + below])
            both[k] = dx + (top + fy * (low - top))
            at += np.uint64(1)
            top = second[at] + fx * (second[at + beside] - second[at])
            low = second[at + below] + fx * (second[at + below + beside] - second[at + below])
            both[k + np.uint64(1)] = dy + (top + fy * (low - top))


@kernel
def disagreement(there: FloatArray, back: FloatArray, floor: float, share: float) -> float:
    """Return the share of pixels that motion there and back does not bring home.

    Those that miss by more than `floor` pixels and a `share` of how far they went, along the
    longer side. Both (h, w, 2), as for `compose`; every other pixel of every other row is looked
    at.
    """
    height, width, _ = there.shape
    zero, right, bottom = np.float32(0), np.float32(width - 1), np.float32(height - 1)
    least, part = np.float32(floor), np.float32(share)
    missed, looked_at = 0, 0
    for y in range(0, height, 2):
        for x in range(0, width, 2):
            dx, dy = there[y, x, 0], there[y, x, 1]
            px = min(max(np.float32(x) + dx, zero), right)
            py = min(max(np.float32(y) + dy, zero), bottom)
            x0, y0 = np.uint32(px), np.uint32(py)
            x1 = min(x0 + np.uint32(1), np.uint32(width - 1))
            y1 = min(y0 + np.uint32(1), np.uint32(height - 1))
            fx, fy = px - np.float32(x0), py - np.float32(y0)
            top = back[y0, x0, 0] + fx * (back[y0, x1, 0] - back[y0, x0, 0])
            low = back[y1, x0, 0] + fx * (back[y1, x1, 0] - back[y1, x0, 0])
            miss_x = dx + (top + fy * (low - top))
            top = back[y0, x0, 1] + fx * (back[y0, x1, 1] - back[y0, x0, 1])
            low = back[y1, x0, 1] + fx * (back[y1, x1, 1] - back[y1, x0, 1])
            miss_y = dy + (top + fy * (low - top))
            missed += max(abs(miss_x), abs(miss_y)) > least + part * max(abs(dx), abs(dy))
            looked_at += 1
    return missed / looked_at


@kernel
def residual(target: UInt8Array, source: UInt8Array, flow: FloatArray, out: UInt8Array) -> None:
    """Write the absolute difference of `target(p)` and `source(p + flow(p))`, bilinear.

    254 at most; 255 where the source position is more than half a pixel outside the picture.
    """
    height, width = target.shape
    zero, right, bottom = np.float32(0), np.float32(width - 1), np.float32(height - 1)
    half, outside = np.float32(0.5), np.float32(OUTSIDE)
    # Black against white is an error, not the mark.
    most = np.float32(OUTSIDE - 1)
    # A row and a column more, so that the pixels below and beside need no test.
    line = width + 1
    samples = np.empty((height + 1) * line, np.float32)
    for y in range(height + 1):
        row = source[min(y, height - 1)]
        for x in range(width):
            samples[y * line + x] = row[x]
        samples[y * line + width] = row[width - 1]
    here, pull, error = target.ravel(), flow.ravel(), out.ravel()
    for y in range(height):
        for x in range(width):
            k = np.uint64(y * width + x)
            sx = np.float32(np.int32(x)) + pull[np.uint64(2) * k]
            sy = np.float32(y) + pull[np.uint64(2) * k + np.uint64(1)]
            px = min(max(sx, zero), right)
            py = min(max(sy, zero), bottom)
            x0, y0 = np.int32(px), np.int32(py)
            fx, fy = px - np.float32(x0), py - np.float32(y0)
            at = np.uint64(y0 * line + x0)
            below = at + np.uint64(line)
            top = samples[at] + fx * (samples[at + np.uint64(1)] - samples[at])
            low = samples[below] + fx * (samples[below + np.uint64(1)] - samples[below])
            rest = abs(np.float32(here[k]) - (top + fy * (low - top))) + half
            far = (abs(px - sx) > half) | (abs(py - sy) > half)
            error[k] = np.uint8(outside if far else min(rest, most))


@kernel
def pull_weights(
    flow: FloatArray, blurred: UInt8Array, by_residual: FloatArray, factor: float, out: FloatArray
) -> None:
    """Write (dx, dy, weight) a pixel; weight = `by_residual[blurred residual] * factor`."""
    height, width, _ = flow.shape
    scale = np.float32(factor)
    for y in range(height):
        for x in range(width):
            out[y, x, 0] = flow[y, x, 0]
            out[y, x, 1] = flow[y, x, 1]
            out[y, x, 2] = by_residual[blurred[y, x]] * scale


@kernel
def structure(
    target: UInt8Array, source: UInt8Array, flow: FloatArray, block: int, out: FloatArray
) -> None:
    """Write, a block, (correlation, contrast) of target and carried source.

    Correlation is the normalised one, so that gain and offset (fades, flashes) do not matter;
    0 where either side is flat. Contrast is the larger standard deviation of the two in gray
    levels. Every other pixel of every other row is looked at; samples from outside the picture
    are left out. `out` is (rows, columns, 2).
    """
    height, width = target.shape
    rows, columns, _ = out.shape
    for row in range(rows):
        for column in range(columns):
            count = 0
            sum_t, sum_s, sum_tt, sum_ss, sum_ts = 0, 0, 0, 0, 0
            for y in range(row * block, min((row + 1) * block, height), 2):
                for x in range(column * block, min((column + 1) * block, width), 2):
                    sx = np.int32(np.floor(np.float32(x) + flow[y, x, 0] + np.float32(0.5)))
                    sy = np.int32(np.floor(np.float32(y) + flow[y, x, 1] + np.float32(0.5)))
                    if sx < 0 or sy < 0 or sx >= width or sy >= height:
                        continue
                    t = int(target[y, x])
                    s = int(source[sy, sx])
                    count += 1
                    sum_t += t
                    sum_s += s
                    sum_tt += t * t
                    sum_ss += s * s
                    sum_ts += t * s
            out[row, column, 0] = 0.0
            out[row, column, 1] = 0.0
            if count < 2:
                continue
            # Whole numbers up to here: exact, whatever the order of the sums.
            var_t = count * sum_tt - sum_t * sum_t
            var_s = count * sum_ss - sum_s * sum_s
            out[row, column, 1] = np.sqrt(max(var_t, var_s)) / count
            if var_t > 0 and var_s > 0:
                covariance = count * sum_ts - sum_t * sum_s
                out[row, column, 0] = covariance / np.sqrt(float(var_t) * float(var_s))
