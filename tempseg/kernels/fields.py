"""Kernels on the working grid: composing motion, photometric error, structural agreement."""

from __future__ import annotations

import numpy as np

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, UInt8Array

__all__ = ["OUTSIDE", "compose", "pull_weights", "residual", "structure"]

OUTSIDE = 255
"""Residual of a pixel whose source lies outside the picture."""


@inlined
def _corner(position: float, last: int) -> tuple[int, int, np.float32]:
    """Return the two neighbours of a position, clamped to [0, last], and the second's share."""
    clamped = min(max(position, 0.0), float(last))
    low = int(clamped)
    high = min(low + 1, last)
    return low, high, np.float32(clamped - low)


@kernel
def compose(step: FloatArray, motion: FloatArray, out: FloatArray) -> None:
    """Write `step(p) + motion(p + step(p))`: two pull fields as one.

    `step` pulls the frame between onto the target; `motion` pulls the source onto the frame
    between. All are (h, w, 2); positions beyond the border take the border's motion.
    """
    height, width, _ = step.shape
    for y in range(height):
        for x in range(width):
            dx = step[y, x, 0]
            dy = step[y, x, 1]
            x0, x1, fx = _corner(x + dx, width - 1)
            y0, y1, fy = _corner(y + dy, height - 1)
            for c in range(2):
                top = motion[y0, x0, c] + fx * (motion[y0, x1, c] - motion[y0, x0, c])
                bottom = motion[y1, x0, c] + fx * (motion[y1, x1, c] - motion[y1, x0, c])
                out[y, x, c] = (dx if c == 0 else dy) + top + fy * (bottom - top)


@kernel
def residual(target: UInt8Array, source: UInt8Array, flow: FloatArray, out: UInt8Array) -> None:
    """Write the absolute difference of `target(p)` and `source(p + flow(p))`, bilinear.

    255 where the source position is more than half a pixel outside the picture.
    """
    height, width = target.shape
    for y in range(height):
        for x in range(width):
            sx = x + flow[y, x, 0]
            sy = y + flow[y, x, 1]
            if sx < -0.5 or sy < -0.5 or sx > width - 0.5 or sy > height - 0.5:
                out[y, x] = OUTSIDE
                continue
            x0, x1, fx = _corner(sx, width - 1)
            y0, y1, fy = _corner(sy, height - 1)
            top = np.float32(source[y0, x0]) + fx * (
                np.float32(source[y0, x1]) - np.float32(source[y0, x0])
            )
            bottom = np.float32(source[y1, x0]) + fx * (
                np.float32(source[y1, x1]) - np.float32(source[y1, x0])
            )
            value = top + fy * (bottom - top)
            out[y, x] = np.uint8(abs(np.float32(target[y, x]) - value) + np.float32(0.5))


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
    levels. Samples from outside the picture are left out. `out` is (rows, columns, 2).
    """
    height, width = target.shape
    rows, columns, _ = out.shape
    for row in range(rows):
        for column in range(columns):
            count = 0
            sum_t = 0.0
            sum_s = 0.0
            sum_tt = 0.0
            sum_ss = 0.0
            sum_ts = 0.0
            for y in range(row * block, min((row + 1) * block, height)):
                for x in range(column * block, min((column + 1) * block, width)):
                    sx = int(np.floor(x + flow[y, x, 0] + 0.5))
                    sy = int(np.floor(y + flow[y, x, 1] + 0.5))
                    if sx < 0 or sy < 0 or sx >= width or sy >= height:
                        continue
                    t = float(target[y, x])
                    s = float(source[sy, sx])
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
            var_t = max(sum_tt / count - (sum_t / count) ** 2, 0.0)
            var_s = max(sum_ss / count - (sum_s / count) ** 2, 0.0)
            covariance = sum_ts / count - sum_t * sum_s / count / count
            out[row, column, 1] = np.sqrt(max(var_t, var_s))
            if var_t > 0.0 and var_s > 0.0:
                out[row, column, 0] = covariance / np.sqrt(var_t * var_s)
