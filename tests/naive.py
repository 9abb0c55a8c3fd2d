"""Slow twins of the kernels, written from their definitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating] | NDArray[np.integer]


def bilinear(grid: Array, x: float, y: float) -> NDArray[np.float64]:
    """Return the grid's value at a position, the border repeated outside."""
    height, width = grid.shape[:2]
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    values = grid.astype(np.float64)
    top = (1 - fx) * values[y0, x0] + fx * values[y0, x1]
    bottom = (1 - fx) * values[y1, x0] + fx * values[y1, x1]
    return (1 - fy) * top + fy * bottom


def compose(step: Array, motion: Array) -> NDArray[np.float64]:
    """Follow `step`, then `motion` from where it leads."""
    out = np.empty(step.shape)
    for y, x in np.ndindex(step.shape[:2]):
        dx, dy = step[y, x]
        out[y, x] = step[y, x] + bilinear(motion, x + dx, y + dy)
    return out


def residual(target: Array, source: Array, flow: Array) -> NDArray[np.float64]:
    """Return |target - carried source|, 254 at most, and 255 where the source is outside."""
    height, width = target.shape
    out = np.empty(target.shape)
    for y, x in np.ndindex(target.shape):
        sx, sy = x + float(flow[y, x, 0]), y + float(flow[y, x, 1])
        if not (-0.5 <= sx <= width - 0.5 and -0.5 <= sy <= height - 0.5):
            out[y, x] = 255
        else:
            out[y, x] = min(abs(float(target[y, x]) - float(bilinear(source, sx, sy))), 254)
    return out


def spread_motion(
    target: Array, source: Array, found: Array, stride: int, patch: int
) -> NDArray[np.float64]:
    """Return the mean motion of the patches that cover a pixel, weighed by how they fit it."""
    height, width = target.shape
    sums = np.zeros((height, width, 3))
    for i, j in np.ndindex(found.shape[:2]):
        dx, dy = map(float, found[i, j])
        last_row, last_column = i == found.shape[0] - 1, j == found.shape[1] - 1
        for y in range(i * stride, height if last_row else i * stride + patch):
            for x in range(j * stride, width if last_column else j * stride + patch):
                error = float(bilinear(source, x + dx, y + dy)) - float(target[y, x])
                sums[y, x] += np.array([dx, dy, 1.0]) / max(1.0, abs(error))
    return sums[..., :2] / sums[..., 2:]


def structure(target: Array, source: Array, flow: Array, block: int) -> NDArray[np.float64]:
    """Return (correlation, contrast) of each block of target and carried source."""
    height, width = target.shape
    rows, columns = -(-height // block), -(-width // block)
    out = np.zeros((rows, columns, 2))
    for row, column in np.ndindex(rows, columns):
        pairs = []
        for y in range(row * block, min((row + 1) * block, height), 2):
            for x in range(column * block, min((column + 1) * block, width), 2):
                sx = int(np.floor(x + float(flow[y, x, 0]) + 0.5))
                sy = int(np.floor(y + float(flow[y, x, 1]) + 0.5))
                if 0 <= sx < width and 0 <= sy < height:
                    pairs.append((float(target[y, x]), float(source[sy, sx])))
        if len(pairs) < 2:
            continue
        t, s = np.array(pairs).T
        out[row, column, 1] = max(t.std(), s.std())
        if t.std() > 0 and s.std() > 0:
            out[row, column, 0] = np.corrcoef(t, s)[0, 1]
    return out


def shares(
    answers: Sequence[Array],
    pulls: Array,
    placement: tuple[float, ...],
    x: int,
    y: int,
    size: tuple[int, int],
) -> list[tuple[int, int, int, float]]:
    """Return (keyframe, grid row, grid column, weight) of all that a frame pixel is made of."""
    height, width = size
    _, rows, columns, _ = pulls.shape
    scale_x, offset_x, scale_y, offset_y = placement
    parts = []
    for i, answer in enumerate(answers):
        dx, dy, weight = bilinear(
            pulls[i], (x + 0.5) * columns / width - 0.5, (y + 0.5) * rows / height - 0.5
        )
        source_x, source_y = x + dx * width / columns, y + dy * height / rows
        gx = min(max(source_x * scale_x + offset_x, 0.0), answer.shape[1] - 1.0)
        gy = min(max(source_y * scale_y + offset_y, 0.0), answer.shape[0] - 1.0)
        for row in (int(gy), int(gy) + 1):
            for column in (int(gx), int(gx) + 1):
                share = (1 - abs(gy - row)) * (1 - abs(gx - column)) * weight
                if share > 0:
                    parts.append((i, row, column, float(share)))
    return parts


def label_votes(
    answers: Sequence[Array],
    pulls: Array,
    placement: tuple[float, ...],
    size: tuple[int, int],
) -> list[list[dict[int, float]]]:
    """Return the votes that every label gets at every frame pixel."""
    height, width = size
    out = []
    for y in range(height):
        line = []
        for x in range(width):
            votes: dict[int, float] = {}
            for i, row, column, share in shares(answers, pulls, placement, x, y, size):
                label = int(answers[i][row, column])
                votes[label] = votes.get(label, 0.0) + share
            line.append(votes)
        out.append(line)
    return out


def blended_scores(
    answers: Sequence[Array],
    winners: Sequence[Array],
    pulls: Array,
    placement: tuple[float, ...],
    size: tuple[int, int],
    faint: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the blended class scores of every frame pixel, and which classes win in a cell read.

    Keyframes that weigh less than `faint` of the heaviest are left out.
    """
    out = np.zeros((*size, answers[0].shape[2]))
    wins = np.zeros(out.shape, np.bool_)
    for y, x in np.ndindex(size):
        parts = shares(answers, pulls, placement, x, y, size)
        weights = [sum(part[3] for part in parts if part[0] == i) for i in range(len(answers))]
        for i, row, column, share in parts:
            if weights[i] >= faint * max(weights):
                out[y, x] += share * answers[i][row, column]
                wins[y, x, winners[i][row, column]] = True
    return out, wins


def paint(
    planes: Sequence[Array],
    labels: Array,
    colours: Array,
    alphas: Array,
    outline: int,
    reach: int,
) -> list[NDArray[np.float64]]:
    """Return 4:2:0 planes with every label's colour mixed in."""
    height, width = labels.shape
    tint = np.zeros((height, width), np.int64)
    alpha = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        own = int(labels[y, x])
        near = [
            int(labels[y, min(x + reach, width - 1)]),
            int(labels[min(y + reach, height - 1), x]),
        ]
        others = [label for label in near if label != own]
        tint[y, x], alpha[y, x] = own, alphas[own]
        if others:
            if alphas[own] > 0:
                alpha[y, x] = outline
            elif alphas[others[0]] > 0:
                tint[y, x], alpha[y, x] = others[0], outline
    alpha /= 256
    out = [planes[0] * (1 - alpha) + colours[tint, 0] * alpha]
    for channel in (1, 2):
        a, c = alpha[::2, ::2], colours[tint[::2, ::2], channel]
        out.append(planes[channel] * (1 - a) + c * a)
    return out


def cell_areas(labels: Array, size: tuple[int, int]) -> list[list[dict[int, float]]]:
    """Return how much of each grid cell each label covers, in pixels."""
    height, width = labels.shape
    rows, columns = size
    out = []
    for row in range(rows):
        line = []
        for column in range(columns):
            areas: dict[int, float] = {}
            for y, x in np.ndindex(height, width):
                tall = min(y + 1, (row + 1) * height / rows) - max(y, row * height / rows)
                wide = min(x + 1, (column + 1) * width / columns) - max(x, column * width / columns)
                if tall > 0 and wide > 0:
                    label = int(labels[y, x])
                    areas[label] = areas.get(label, 0.0) + tall * wide
            line.append(areas)
        out.append(line)
    return out


def share_of(answer: Array, label: float) -> NDArray[np.float64]:
    """Return a label's share of each cell of a soft answer (h, 3, w), as (h, w)."""
    first, second, share = (answer[:, c].astype(np.float64) for c in range(3))
    return np.where(first == label, share, np.where(second == label, 1 - share, 0.0))


def patch_match(
    target: Array, source: Array, at: tuple[int, int], where: tuple[int, int], variance: float
) -> float:
    """Return how well 3×3 patches of luma, and chroma amid them, fit; borders repeated."""
    rim = ((20, 20), (20, 20), (0, 0))
    one = np.pad(target.astype(np.float64), rim, "edge")
    other = np.pad(source.astype(np.float64), rim, "edge")
    (y, x), (sy, sx) = at, where
    here = one[y + 19 : y + 22, x + 19 : x + 22]
    there = other[sy + 19 : sy + 22, sx + 19 : sx + 22]
    error = (here - there) ** 2
    error[..., 1:] = error[1, 1, 1:]
    return max(1 - float(np.mean(error)) / (8 * variance), 0.0) ** 8


def matching_votes(
    target: Array,
    source: Array,
    parts: Array,
    at: tuple[int, int],
    where: tuple[int, int],
    *,
    reach: int,
    sigma: float,
    variance: float,
) -> float:
    """Return the votes for a label that has `parts` (h, w) of the source's places."""
    height, width = parts.shape
    total = 0.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            y, x = where[0] + dy, where[1] + dx
            near = np.exp(-(dy * dy + dx * dx) / (2 * sigma**2))
            part = float(parts[min(max(y, 0), height - 1), min(max(x, 0), width - 1)])
            total += near * part * patch_match(target, source, at, (y, x), variance)
    return float(total)


def _pulled(winners: Array, flow: Array, frame, placement, y: int, x: int) -> tuple[int, int]:
    """Return the cell of a model's grid that a pixel of the working grid comes from."""
    height, width = flow.shape[:2]
    scale_x, offset_x, scale_y, offset_y = placement
    frame_x = (x + 0.5 + float(flow[y, x, 0])) * frame[1] / width - 0.5
    frame_y = (y + 0.5 + float(flow[y, x, 1])) * frame[0] / height - 0.5
    column = int(np.floor(frame_x * scale_x + offset_x + 0.5))
    row = int(np.floor(frame_y * scale_y + offset_y + 0.5))
    return min(max(row, 0), winners.shape[0] - 1), min(max(column, 0), winners.shape[1] - 1)


def carried_labels(winners: Array, flow: Array, frame, placement) -> Array:
    """Return the labels that each pixel of the working grid pulls from a keyframe."""
    out = np.empty(flow.shape[:2], winners.dtype)
    for y, x in np.ndindex(out.shape):
        out[y, x] = winners[_pulled(winners, flow, frame, placement, y, x)]
    return out


def border_errors(winners, clearance, flow, frame, placement, reach, residual, noise, new, labels):
    """Return, a label, the error beyond noise near its borders, and its pixels; and what is new.

    That is the number of pixels near borders, and of those among them that are new.
    """
    errors, areas = np.zeros(labels, np.int64), np.zeros(labels, np.int64)
    near = []
    for y, x in np.ndindex(residual.shape):
        cell = _pulled(winners, flow, frame, placement, y, x)
        areas[winners[cell]] += 1
        if clearance[cell] <= reach:
            near.append(bool(new[y, x]))
        if clearance[cell] <= reach and residual[y, x] < 255:
            errors[winners[cell]] += max(int(residual[y, x]) - noise, 0)
    return errors, areas, np.array([len(near), sum(near)])
