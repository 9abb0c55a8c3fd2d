"""Kernels of the measures that follow motion: what is hidden, and what a warp gets wrong.

`forward` maps a pixel of a frame to its place in the next one, `backward` a pixel of the next one
to its place in the frame; both are (H, W, 2), (dx, dy) in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import BoolArray, FloatArray, LabelArray, UInt8Array

__all__ = ["carry_labels", "motion_boundaries", "occlusion", "square_error"]


@inlined
def _corner(
    y: int, x: int, dy: np.float32, dx: np.float32, height: int, width: int
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32, np.float32, np.float32]:
    """Return the four pixels around a place, clamped to the picture, and its share of them.

    Rows, columns, and the place's distance down and right of the first; motion is a finite number.
    """
    px = min(max(np.float32(x) + dx, np.float32(0)), np.float32(width - 1))
    py = min(max(np.float32(y) + dy, np.float32(0)), np.float32(height - 1))
    # Unsigned, because indices that could be negative are slower.
    x0, y0 = np.uint32(px), np.uint32(py)
    return (
        y0,
        min(np.uint32(y0 + np.uint32(1)), np.uint32(height - 1)),
        x0,
        min(np.uint32(x0 + np.uint32(1)), np.uint32(width - 1)),
        np.float32(py - np.float32(y0)),
        np.float32(px - np.float32(x0)),
    )


@kernel
def occlusion(forward: FloatArray, backward: FloatArray, out: BoolArray) -> None:
    """Write where the two flows disagree: a pixel that does not come back is hidden.

    `|W(bw) + fw|² > 0.01 (|W(bw)|² + |fw|²) + 0.5`; W samples bilinearly with a clamped border.
    So is one whose motion is unknown: nan, infinite or beyond 1e9 px.
    """
    height, width = out.shape
    share, floor, unknown = np.float32(0.01), np.float32(0.5), np.float32(1e9)
    for y in range(height):
        for x in range(width):
            dx, dy = forward[y, x, 0], forward[y, x, 1]
            out[y, x] = True
            # Asked this way round, so that nan is unknown too.
            if not (abs(dx) < unknown and abs(dy) < unknown):
                continue
            y0, y1, x0, x1, fy, fx = _corner(y, x, dy, dx, height, width)
            top = backward[y0, x0, 0] + fx * (backward[y0, x1, 0] - backward[y0, x0, 0])
            low = backward[y1, x0, 0] + fx * (backward[y1, x1, 0] - backward[y1, x0, 0])
            bx = top + fy * (low - top)
            top = backward[y0, x0, 1] + fx * (backward[y0, x1, 1] - backward[y0, x0, 1])
            low = backward[y1, x0, 1] + fx * (backward[y1, x1, 1] - backward[y1, x0, 1])
            by = top + fy * (low - top)
            if not (abs(bx) < unknown and abs(by) < unknown):
                continue
            gone = (bx + dx) * (bx + dx) + (by + dy) * (by + dy)
            length = bx * bx + by * by + dx * dx + dy * dy
            out[y, x] = gone > share * length + floor


@kernel
def motion_boundaries(forward: FloatArray, out: BoolArray) -> None:
    """Write where motion jumps: `|∇u|² + |∇v|² > 0.01 |fw|² + 0.002`, one-sided differences."""
    height, width = out.shape
    share, floor = np.float32(0.01), np.float32(0.002)
    for y in range(height):
        below = min(y + 1, height - 1)
        for x in range(width):
            right = min(x + 1, width - 1)
            steep, length = np.float32(0), np.float32(0)
            for c in range(2):
                value = forward[y, x, c]
                across = forward[y, right, c] - value
                down = forward[below, x, c] - value
                steep += across * across + down * down
                length += value * value
            out[y, x] = steep > share * length + floor


@kernel
def carry_labels(
    labels: LabelArray,
    following: LabelArray,
    forward: FloatArray,
    occluded: BoolArray,
    void: int,
    out: LabelArray,
    compared: UInt8Array,
) -> None:
    """Write the next frame's labels brought back, the nearest pixel.

    Where a pixel is hidden, leaves the picture or is void in either map, `compared` is 0 and
    `out` holds the frame's own label.
    """
    height, width = labels.shape
    half = np.float32(0.5)
    for y in range(height):
        for x in range(width):
            own = labels[y, x]
            sx = np.float32(x) + forward[y, x, 0] + half
            sy = np.float32(y) + forward[y, x, 1] + half
            out[y, x] = own
            compared[y, x] = 0
            inside = sx >= 0 and sy >= 0 and sx < width and sy < height
            if occluded[y, x] or own == void or not inside:
                continue
            carried = following[np.uint32(sy), np.uint32(sx)]
            if carried != void:
                out[y, x] = carried
                compared[y, x] = 1


@kernel
def square_error(
    image: UInt8Array,
    following: UInt8Array,
    forward: FloatArray,
    hidden: BoolArray,
    out: NDArray[np.float64],
) -> None:
    """Write the sum of square colour differences to the next image brought back, and how many.

    Images are (H, W, 3) in 0..255; sampled bilinearly with a clamped border. `out` takes the sum
    in squared gray levels and the number of values.
    """
    height, width, channels = image.shape
    total, count = 0.0, 0
    for y in range(height):
        for x in range(width):
            if hidden[y, x]:
                continue
            y0, y1, x0, x1, fy, fx = _corner(
                y, x, forward[y, x, 1], forward[y, x, 0], height, width
            )
            for c in range(channels):
                a, b = np.float32(following[y0, x0, c]), np.float32(following[y0, x1, c])
                d, e = np.float32(following[y1, x0, c]), np.float32(following[y1, x1, c])
                top, low = a + fx * (b - a), d + fx * (e - d)
                error = np.float64(top + fy * (low - top)) - np.float64(image[y, x, c])
                total += error * error
            count += channels
    out[0] = total
    out[1] = count
