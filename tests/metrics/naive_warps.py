"""Slow twins of the measures that follow motion, written from their definitions."""

from __future__ import annotations

import math

import numpy as np


def bilinear(field, y, x):
    height, width = field.shape[:2]
    x, y = min(max(x, 0.0), width - 1), min(max(y, 0.0), height - 1)
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = field[y0, x0] * (1 - fx) + field[y0, x1] * fx
    return top * (1 - fy) + (field[y1, x0] * (1 - fx) + field[y1, x1] * fx) * fy


def occlusion(forward, backward):
    """Return where the flows disagree, and by how much the rule is passed or missed."""
    height, width, _ = forward.shape
    excess = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            there = forward[y, x].astype(float)
            back = bilinear(backward.astype(float), y + there[1], x + there[0])
            gone = ((back + there) ** 2).sum()
            excess[y, x] = gone - 0.01 * ((back**2).sum() + (there**2).sum()) - 0.5
    return excess


def motion_boundaries(forward):
    height, width, _ = forward.shape
    excess = np.empty((height, width))
    field = forward.astype(float)
    for y in range(height):
        for x in range(width):
            own = field[y, x]
            across = field[y, min(x + 1, width - 1)] - own
            down = field[min(y + 1, height - 1), x] - own
            steep = (across**2).sum() + (down**2).sum()
            excess[y, x] = steep - 0.01 * (own**2).sum() - 0.002
    return excess


def compared_pairs(labels, following, forward, occluded, void):
    """Return (label, carried label) of every pixel that is compared."""
    height, width = labels.shape
    pairs = []
    for y in range(height):
        for x in range(width):
            sx = math.floor(x + forward[y, x, 0] + np.float32(0.5))
            sy = math.floor(y + forward[y, x, 1] + np.float32(0.5))
            if occluded[y, x] or not (0 <= sx < width and 0 <= sy < height):
                continue
            if labels[y, x] != void and following[sy, sx] != void:
                pairs.append((int(labels[y, x]), int(following[sy, sx])))
    return pairs


def miou(pairs, classes):
    ious = []
    for c in range(classes):
        union = sum(1 for a, b in pairs if c in (a, b))
        if union:
            ious.append(sum(1 for a, b in pairs if a == b == c) / union)
    return float(np.mean(ious)) if ious else math.nan


def outline(mask):
    """Return the pixels that differ from their right, lower or lower right neighbour."""
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            below, right = min(y + 1, height - 1), min(x + 1, width - 1)
            near = (mask[y, right], mask[below, x], mask[below, right])
            if any(value != mask[y, x] for value in near):
                found.append((y, x))
    return found


def jitter(labels, following, forward, occluded, classes, void, reach):
    """Return the mean over classes of the mean distance between outlines, of one pair."""
    height, width = labels.shape
    carried, compared = labels.copy(), np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(width):
            sx = math.floor(x + forward[y, x, 0] + np.float32(0.5))
            sy = math.floor(y + forward[y, x, 1] + np.float32(0.5))
            inside = 0 <= sx < width and 0 <= sy < height
            if occluded[y, x] or not inside or void in (labels[y, x], following[sy, sx]):
                continue
            carried[y, x], compared[y, x] = following[sy, sx], True
    means = []
    for c in range(classes):
        sides = [outline(ids == c) for ids in (labels, carried)]
        counted = [[p for p in side if compared[p]] for side in sides]
        if not all(counted):
            continue
        distances = []
        for own, other in ((counted[0], sides[1]), (counted[1], sides[0])):
            for y, x in own:
                nearest = min(math.hypot(y - v, x - u) for v, u in other)
                distances.append(min(nearest, reach))
        means.append(np.mean(distances))
    return float(np.mean(means)) if means else math.nan
