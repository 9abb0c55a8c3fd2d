"""Kernels that carry keyframe answers to a frame: sample, blend and decide in one pass.

Arguments they share: `pulls` (n, rows, columns, 3) float32 holds, for each of n keyframes,
(dx, dy) in pixels of the working grid and a positive weight; `placement` is (scale_x, offset_x,
scale_y, offset_y) from frame pixels to the model's grid; `out` (H, W) takes the labels.

Wherever every cell that would be sampled holds the same label, that label wins whatever the
weights, so weights, votes and scores are read only near borders and where keyframes disagree.
"""

from __future__ import annotations

import numpy as np

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, LabelArray

__all__ = ["argmax", "carry_labels", "carry_scores"]


@kernel
def argmax(scores: FloatArray, out: LabelArray) -> None:
    """Write the class with the highest score a cell; the first of equals."""
    height, width, classes = scores.shape
    for y in range(height):
        for x in range(width):
            best = 0
            high = scores[y, x, 0]
            for c in range(1, classes):
                if scores[y, x, c] > high:
                    high = scores[y, x, c]
                    best = c
            out[y, x] = best


@inlined
def _blend_rows(pulls: FloatArray, y: int, height: int, out: FloatArray) -> None:
    """Write each pull field's values at frame row `y`, interpolated between working rows."""
    count, rows, columns, _ = pulls.shape
    position = min(max((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
    low = int(position)
    high = min(low + 1, rows - 1)
    share = np.float32(position - low)
    for i in range(count):
        for x in range(columns):
            for c in range(3):
                a = pulls[i, low, x, c]
                out[i, x, c] = a + share * (pulls[i, high, x, c] - a)


@inlined
def _between(row: FloatArray, i: int, c: int, low: int, share: np.float32) -> np.float32:
    high = min(low + 1, row.shape[1] - 1)
    value: np.float32 = row[i, low, c] + share * (row[i, high, c] - row[i, low, c])
    return value


@inlined
def _cell(position: float, size: int) -> tuple[int, int, np.float32]:
    """Return the two cells around a position, clamped to the grid, and the second's share."""
    clamped = min(max(position, 0.0), size - 1.0)
    low = int(clamped)
    return low, min(low + 1, size - 1), np.float32(clamped - low)


@kernel
def carry_labels(
    answers: tuple[LabelArray, ...],
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    out: LabelArray,
) -> None:
    """Write the label with most votes a frame pixel; `answers` are n label grids (h, w).

    A keyframe's weight is shared out among the four cells around the sampled place.
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    grid_h, grid_w = answers[0].shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = scale_x * width / columns, scale_y * height / rows
    row = np.empty((count, columns, 3), np.float32)
    labels = np.empty((count, 4), np.int64)
    shares = np.empty((count, 2), np.float32)
    candidates = np.empty(4 * count, np.int64)
    votes = np.empty(4 * count, np.float32)
    for y in range(height):
        _blend_rows(pulls, y, height, row)
        for x in range(width):
            low, _high, share = _cell((x + 0.5) * columns / width - 0.5, columns)
            alike = True
            for i in range(count):
                gx = x * scale_x + offset_x + _between(row, i, 0, low, share) * stretch_x
                gy = y * scale_y + offset_y + _between(row, i, 1, low, share) * stretch_y
                x0, x1, fx = _cell(gx, grid_w)
                y0, y1, fy = _cell(gy, grid_h)
                shares[i, 0] = fx
                shares[i, 1] = fy
                labels[i, 0] = answers[i][y0, x0]
                labels[i, 1] = answers[i][y0, x1]
                labels[i, 2] = answers[i][y1, x0]
                labels[i, 3] = answers[i][y1, x1]
                for corner in range(4):
                    alike = alike and labels[i, corner] == labels[0, 0]
            if alike:
                out[y, x] = labels[0, 0]
                continue
            found = 0
            for i in range(count):
                weight = _between(row, i, 2, low, share)
                for corner in range(4):
                    across = shares[i, 0] if corner % 2 == 1 else 1 - shares[i, 0]
                    down = shares[i, 1] if corner >= 2 else 1 - shares[i, 1]
                    place = 0
                    while place < found and candidates[place] != labels[i, corner]:
                        place += 1
                    if place == found:
                        candidates[found] = labels[i, corner]
                        votes[found] = 0
                        found += 1
                    votes[place] += weight * across * down
            best = 0
            for place in range(1, found):
                if votes[place] > votes[best]:
                    best = place
            out[y, x] = candidates[best]


@kernel
def carry_scores(
    answers: tuple[FloatArray, ...],
    winners: tuple[LabelArray, ...],
    pulls: FloatArray,
    placement: tuple[float, float, float, float],
    out: LabelArray,
) -> None:
    """Write the class with the highest blended score a frame pixel.

    `answers` are n grids of class scores (h, w, C), `winners` their argmax (h, w).
    """
    count, rows, columns, _ = pulls.shape
    height, width = out.shape
    grid_h, grid_w, classes = answers[0].shape
    scale_x, offset_x, scale_y, offset_y = placement
    stretch_x, stretch_y = scale_x * width / columns, scale_y * height / rows
    row = np.empty((count, columns, 3), np.float32)
    cells = np.empty((count, 4), np.int64)
    shares = np.empty((count, 2), np.float32)
    blended = np.empty(classes, np.float32)
    for y in range(height):
        _blend_rows(pulls, y, height, row)
        for x in range(width):
            low, _high, share = _cell((x + 0.5) * columns / width - 0.5, columns)
            first = np.int64(-1)
            alike = True
            for i in range(count):
                gx = x * scale_x + offset_x + _between(row, i, 0, low, share) * stretch_x
                gy = y * scale_y + offset_y + _between(row, i, 1, low, share) * stretch_y
                x0, x1, fx = _cell(gx, grid_w)
                y0, y1, fy = _cell(gy, grid_h)
                shares[i, 0] = fx
                shares[i, 1] = fy
                cells[i, 0] = y0
                cells[i, 1] = y1
                cells[i, 2] = x0
                cells[i, 3] = x1
                if i == 0:
                    first = np.int64(winners[i][y0, x0])
                alike = (
                    alike
                    and winners[i][y0, x0] == first
                    and winners[i][y0, x1] == first
                    and winners[i][y1, x0] == first
                    and winners[i][y1, x1] == first
                )
            if alike:
                out[y, x] = first
                continue
            blended[:] = 0
            for i in range(count):
                weight = _between(row, i, 2, low, share)
                top, bottom = weight * (1 - shares[i, 1]), weight * shares[i, 1]
                left, right = 1 - shares[i, 0], shares[i, 0]
                scores = answers[i]
                y0, y1, x0, x1 = cells[i, 0], cells[i, 1], cells[i, 2], cells[i, 3]
                for k in range(classes):
                    blended[k] += top * (left * scores[y0, x0, k] + right * scores[y0, x1, k])
                    blended[k] += bottom * (left * scores[y1, x0, k] + right * scores[y1, x1, k])
            best = 0
            for k in range(1, classes):
                if blended[k] > blended[best]:
                    best = k
            out[y, x] = best
