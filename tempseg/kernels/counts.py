"""Kernels that compare label maps pixel by pixel and count what they find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import FloatArray, LabelArray

__all__ = [
    "blinks",
    "changes",
    "confuse",
    "confuse_carried",
    "confuse_near",
    "held",
    "keep_equal",
    "nearest_other",
    "static_changes",
]

Places = NDArray[np.int32]
"""For each pixel of a row, where in a flat confusion matrix it counts; below 0: nowhere."""


@inlined
def _pair_places(
    labels: LabelArray, truth: LabelArray, classes: int, void: int, out: Places
) -> None:
    """Write the places of a row of pairs in a matrix of `classes + 2` rows and columns.

    Void takes the last but one of them, a label that is no class the last: so nothing is lost
    and nothing has to be checked before.
    """
    void_place, odd_place = np.int32(classes), np.int32(classes + 1)
    side, no_class = np.int32(classes + 2), np.int32(void)
    for x in range(out.shape[0]):
        true, label = np.int32(truth[x]), np.int32(labels[x])
        row = true if true < void_place else odd_place
        column = label if label < void_place else odd_place
        row = void_place if true == no_class else row
        column = void_place if label == no_class else column
        out[x] = row * side + column


@inlined
def _count_places(places: Places, out: NDArray[np.int64]) -> None:
    """Count a row of places: runs of equal ones at once, since labels lie in runs."""
    start = 0
    for x in range(1, places.shape[0]):
        if places[x] != places[start]:
            if places[start] >= 0:
                out[places[start]] += x - start
            start = x
    if places[start] >= 0:
        out[places[start]] += places.shape[0] - start


@kernel
def confuse(
    labels: LabelArray, truth: LabelArray, classes: int, void: int, out: NDArray[np.int64]
) -> None:
    """Add each pair of labels to a confusion matrix, truth in rows.

    Parameters
    ----------
    labels, truth : array, shape (H, W)
        Not empty.
    out : array, shape (classes + 2, classes + 2)
        The last row and column but one take void, the last take labels that are neither.
    """
    height, width = labels.shape
    flat = out.reshape(-1)
    places = np.empty(width, np.int32)
    for y in range(height):
        _pair_places(labels[y], truth[y], classes, void, places)
        _count_places(places, flat)


@kernel
def confuse_carried(
    source: LabelArray,
    target: LabelArray,
    flow: FloatArray,
    classes: int,
    void: int,
    out: NDArray[np.int64],
) -> None:
    """Add the pairs of `source(p + flow(p))`, the nearest pixel, and `target(p)`, in rows.

    Left out where the source lies outside the picture. `out` is as in `confuse`; `flow` is a
    pull field on the target's grid, (H, W, 2).
    """
    height, width = target.shape
    half = np.float32(0.5)
    flat = out.reshape(-1)
    carried = np.empty(width, source.dtype)
    inside = np.empty(width, np.bool_)
    places = np.empty(width, np.int32)
    for y in range(height):
        for x in range(width):
            sx = np.float32(x) + flow[y, x, 0] + half
            sy = np.float32(y) + flow[y, x, 1] + half
            # Asked of the float, so that nan and inf fall outside too.
            inside[x] = sx >= 0 and sy >= 0 and sx < width and sy < height
            carried[x] = source[np.uint32(sy), np.uint32(sx)] if inside[x] else 0
        _pair_places(carried, target[y], classes, void, places)
        for x in range(width):
            places[x] = places[x] if inside[x] else -1
        _count_places(places, flat)


@kernel
def nearest_other(truth: LabelArray, void: int, reach: int, out: NDArray[np.int32]) -> None:
    """Write the squared distance of each pixel to the nearest one of another class.

    `reach² + 1` where there is none within `reach`. Void is no class; what is written for void
    pixels means nothing.
    """
    height, width = truth.shape
    out[:] = reach * reach + 1
    half_widths = np.empty(2 * reach + 1, np.int64)
    for i in range(2 * reach + 1):
        half_widths[i] = int(np.sqrt(reach * reach - (i - reach) * (i - reach)))
    for y in range(height):
        above, below = truth[max(y - 1, 0)], truth[min(y + 1, height - 1)]
        for x in range(width):
            # The nearest pixel of another class always has a 4-neighbour of another label: the
            # one towards the pixel in question. So only such pixels write, each over a disk.
            label = truth[y, x]
            if label == void or (
                above[x] == label
                and below[x] == label
                and truth[y, max(x - 1, 0)] == label
                and truth[y, min(x + 1, width - 1)] == label
            ):
                continue
            for i in range(max(0, reach - y), min(2 * reach + 1, height - y + reach)):
                row = y + i - reach
                left = max(0, x - half_widths[i])
                right = min(width, x + half_widths[i] + 1)
                others, squared = truth[row, left:right], out[row, left:right]
                vertical = np.int32((i - reach) * (i - reach))
                for j in range(others.shape[0]):
                    dx = np.int32(left + j - x)
                    near = min(squared[j], vertical + dx * dx)
                    squared[j] = near if others[j] != label else squared[j]


@kernel
def confuse_near(
    labels: LabelArray,
    truth: LabelArray,
    squared: NDArray[np.int32],
    rings: NDArray[np.int32],
    classes: int,
    void: int,
    out: NDArray[np.int64],
) -> None:
    """Add each pair of labels to the confusion matrix of the ring it lies in.

    Ring i holds the pixels with a squared distance of at most `rings[i]` (rising) that no ring
    before it holds, one more ring the pixels beyond. `out` has a matrix as in `confuse` a ring.
    """
    height, width = labels.shape
    side = classes + 2
    flat = out.reshape(-1)
    places = np.empty(width, np.int32)
    for y in range(height):
        _pair_places(labels[y], truth[y], classes, void, places)
        for x in range(width):
            ring = 0
            while ring < rings.shape[0] and squared[y, x] > rings[ring]:
                ring += 1
            places[x] += ring * side * side
        _count_places(places, flat)


@kernel
def changes(previous: LabelArray, labels: LabelArray, void: int, out: NDArray[np.int64]) -> None:
    """Write (pixels void in neither map, those of them that differ)."""
    height, width = labels.shape
    valid, changed = 0, 0
    for y in range(height):
        a, b = previous[y], labels[y]
        row_valid, row_changed = np.int32(0), np.int32(0)
        for x in range(width):
            known = (a[x] != void) & (b[x] != void)
            row_valid += np.int32(known)
            row_changed += np.int32(known & (a[x] != b[x]))
        valid += int(row_valid)
        changed += int(row_changed)
    out[0] = valid
    out[1] = changed


@kernel
def static_changes(
    previous: LabelArray,
    labels: LabelArray,
    previous_truth: LabelArray,
    truth: LabelArray,
    void: int,
    out: NDArray[np.int64],
) -> None:
    """Write (pixels whose truth is the same and not void, those of them whose labels differ)."""
    height, width = labels.shape
    valid, changed = 0, 0
    for y in range(height):
        a, b, c, d = previous[y], labels[y], previous_truth[y], truth[y]
        row_valid, row_changed = np.int32(0), np.int32(0)
        for x in range(width):
            static = (c[x] == d[x]) & (d[x] != void)
            row_valid += np.int32(static)
            row_changed += np.int32(static & (a[x] != b[x]))
        valid += int(row_valid)
        changed += int(row_changed)
    out[0] = valid
    out[1] = changed


@kernel
def blinks(
    before: LabelArray, labels: LabelArray, after: LabelArray, void: int, out: NDArray[np.int64]
) -> None:
    """Write (pixels void in none of the maps, those where only the middle one differs)."""
    height, width = labels.shape
    valid, blinked = 0, 0
    for y in range(height):
        a, b, c = before[y], labels[y], after[y]
        row_valid, row_blinked = np.int32(0), np.int32(0)
        for x in range(width):
            known = (a[x] != void) & (b[x] != void) & (c[x] != void)
            row_valid += np.int32(known)
            row_blinked += np.int32(known & (a[x] == c[x]) & (a[x] != b[x]))
        valid += int(row_valid)
        blinked += int(row_blinked)
    out[0] = valid
    out[1] = blinked


@kernel
def keep_equal(first: LabelArray, later: LabelArray, out: NDArray[np.bool_]) -> None:
    """Clear the pixels of `out` at which two maps differ."""
    height, width = first.shape
    for y in range(height):
        a, b, kept = first[y], later[y], out[y]
        for x in range(width):
            kept[x] = kept[x] & (a[x] == b[x])


@kernel
def held(
    labels: LabelArray,
    truth: LabelArray,
    held_labels: NDArray[np.bool_],
    held_truth: NDArray[np.bool_],
    void: int,
    out: NDArray[np.int64],
) -> None:
    """Write how many pixels hold their truth, those that hold labels too, those held right.

    `labels` and `truth` are any frame of the window; void truth is left out.
    """
    height, width = labels.shape
    steady, kept, right = 0, 0, 0
    for y in range(height):
        a, b, labels_stay, truth_stays = labels[y], truth[y], held_labels[y], held_truth[y]
        row_steady, row_kept, row_right = np.int32(0), np.int32(0), np.int32(0)
        for x in range(width):
            stays = truth_stays[x] & (b[x] != void)
            row_steady += np.int32(stays)
            row_kept += np.int32(stays & labels_stay[x])
            row_right += np.int32(stays & labels_stay[x] & (a[x] == b[x]))
        steady += int(row_steady)
        kept += int(row_kept)
        right += int(row_right)
    out[0] = steady
    out[1] = kept
    out[2] = right
