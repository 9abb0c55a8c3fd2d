"""Slow twins of the counting kernels and of the metrics on them, written from their definitions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Pairs = list[tuple[int, int]]
"""(truth, label) of each pixel that is looked at."""


def pairs(labels: Labels, truth: Labels) -> Pairs:
    """Return every pixel's truth and label."""
    return [(int(truth[p]), int(labels[p])) for p in np.ndindex(truth.shape)]


def matrix(found: Iterable[tuple[int, int]], classes: int, void: int) -> NDArray[np.int64]:
    """Count pairs into places for each class, for void, and for any other id."""

    def place(label: int) -> int:
        if label == void:
            return classes
        return label if label < classes else classes + 1

    out = np.zeros((classes + 2, classes + 2), np.int64)
    for (row, column), count in Counter(found).items():
        out[place(row), place(column)] += count
    return out


def ious(found: Pairs, classes: int, void: int) -> list[float]:
    """Return intersection over union of each class where the truth is known."""
    known = [(truth, label) for truth, label in found if truth != void]
    out = []
    for c in range(classes):
        intersection = sum(truth == c and label == c for truth, label in known)
        union = sum(truth == c or label == c for truth, label in known)
        out.append(intersection / union if c != void and union else math.nan)
    return out


def mean(values: Iterable[float]) -> float:
    """Return the mean of what is not nan."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def carried_pairs(source: Labels, target: Labels, flow: NDArray[np.float32]) -> Pairs:
    """Return pairs of each pixel of the target and the nearest one that the flow points to."""
    height, width = target.shape
    out = []
    for y, x in np.ndindex(height, width):
        sx, sy = x + float(flow[y, x, 0]), y + float(flow[y, x, 1])
        if not (math.isfinite(sx) and math.isfinite(sy)):
            continue
        column, row = math.floor(sx + 0.5), math.floor(sy + 0.5)
        if 0 <= row < height and 0 <= column < width:
            out.append((int(target[y, x]), int(source[row, column])))
    return out


def nearest_other(truth: Labels, void: int) -> NDArray[np.float64]:
    """Return each pixel's distance to the nearest pixel of another class; inf without one."""
    out = np.full(truth.shape, math.inf)
    for y, x in np.ndindex(truth.shape):
        for row, column in np.ndindex(truth.shape):
            if truth[row, column] not in (void, truth[y, x]):
                out[y, x] = min(out[y, x], math.hypot(row - y, column - x))
    return out


def trimap_iou(
    labels: Sequence[Labels], truth: Sequence[Labels], distance: int, classes: int, void: int
) -> float:
    """Return the mean IoU of the pixels of all frames that lie near another class."""
    found: Pairs = []
    for ours, theirs in zip(labels, truth, strict=True):
        near = nearest_other(theirs, void) <= distance
        found += [(int(t), int(p)) for t, p in zip(theirs[near], ours[near], strict=True)]
    return mean(ious(found, classes, void))


def changes(previous: Labels, labels: Labels, void: int) -> tuple[int, int]:
    """Return how many pixels are known in both maps, and how many of them differ."""
    known = [(a, b) for a, b in pairs(labels, previous) if void not in (a, b)]
    return len(known), sum(a != b for a, b in known)


def static_changes(
    previous: Labels, labels: Labels, previous_truth: Labels, truth: Labels, void: int
) -> tuple[int, int]:
    """Return how many pixels keep a known truth, and how many of them change their label."""
    static = [p for p in np.ndindex(truth.shape) if previous_truth[p] == truth[p] != void]
    return len(static), sum(bool(previous[p] != labels[p]) for p in static)


def blinks(before: Labels, labels: Labels, after: Labels, void: int) -> tuple[int, int]:
    """Return how many pixels are known in three maps, and how many differ in the middle only."""
    pixels = [(before[p], labels[p], after[p]) for p in np.ndindex(labels.shape)]
    known = [pixel for pixel in pixels if void not in pixel]
    return len(known), sum(bool(a == c != b) for a, b, c in known)


def held(labels: Labels, truth: Labels, void: int) -> tuple[int, int, int]:
    """Return a window's pixels of constant truth, those of constant label, those held right."""
    steady = kept = right = 0
    for p in np.ndindex(truth.shape[1:]):
        seen, true = set(labels[:, *p].tolist()), set(truth[:, *p].tolist())
        if len(true) == 1 and void not in true:
            steady += 1
            kept += len(seen) == 1
            right += seen == true
    return steady, kept, right


def area_jitter(labels: Labels, classes: int, void: int) -> list[float]:
    """Return, a class, the mean change of its area by its mean area."""
    out = []
    for c in range(classes):
        areas = [float(np.mean((frame == c) & (frame != void))) for frame in labels]
        steps = []
        for before, after in pairwise(labels):
            known = (before != void) & (after != void)
            here, there = (before == c) & known, (after == c) & known
            steps.append(abs(float(np.mean(here)) - float(np.mean(there))))
        area = sum(areas) / len(areas)
        out.append(mean(steps) / area if area and steps else math.nan)
    return out
