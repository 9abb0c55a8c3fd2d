"""Boundary jitter: how far outlines move that motion should have left in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import tubes, warps
from tempseg.metrics.confusion import check_alike, check_classes, check_void, label_maps, mean_known
from tempseg.metrics.temporal_consistency import check_field
from tempseg.types import FloatArray, LabelArray

__all__ = ["BoundaryJitter", "boundary_jitter"]

REACH_PX = 8
"""Distances beyond this count as this: an outline that has no counterpart has no distance."""


class BoundaryJitter:
    """Gathers the distance between outlines and those of the next frame, brought back.

    A class's outline pixels differ in it from their right, lower or lower right neighbour. Their
    distance is that to the nearest outline pixel of the class on the other side, at most 8 px;
    both directions count. Left out are pixels that are occluded, leave the picture or are void on
    either side, and pairs where a class has an outline on one side only. Mean over all outline
    pixels of a class, then over classes. Lower is steadier.

    `Σ min(8, dist(p, other outline)) / Σ 1` over the outline pixels p of both. Range 0 to 8 px,
    lower is better. Source: tempseg's own.

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.
    void : int, optional
        The id that is no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> labels = np.zeros((6, 8), np.uint8)
    >>> labels[:, 4:] = 1
    >>> following = np.zeros((6, 8), np.uint8)
    >>> following[:, 5:] = 1
    >>> metric = BoundaryJitter(2)
    >>> metric.update(labels, following, np.zeros((6, 8, 2), np.float32))
    >>> metric.compute()
    1.0
    """

    def __init__(self, classes: int, *, void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._offsets, self._ranks, self._distances = _disk()
        # Outline pixels of a class by distance; whole numbers, so that parts add up exactly.
        self._found = np.zeros((classes, len(self._distances)), np.int64)

    def update(
        self,
        labels: LabelArray,
        following: LabelArray,
        forward: FloatArray,
        occluded: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take a frame and the next one; arguments as in `TemporalConsistency.update`.

        Raises
        ------
        ValueError
            When the shapes differ, or a label is neither a class nor void.
        """
        labels, following = label_maps(labels=labels, following=following)
        check_field("forward", forward, labels.shape)
        hidden = np.zeros(labels.shape, np.bool_) if occluded is None else occluded
        if hidden.shape != labels.shape:
            raise ValueError(f"occluded is {hidden.shape}, expected {labels.shape}")
        carried = np.empty(labels.shape, np.promote_types(labels.dtype, following.dtype))
        compared = np.empty(labels.shape, np.uint8)
        warps.carry_labels(labels, following, forward, hidden, self._void, carried, compared)
        sides = [self._numbered(ids) for ids in (labels, carried)]
        outlines = [np.empty(labels.shape, np.uint8) for _ in sides]
        for numbers, outline in zip(sides, outlines, strict=True):
            tubes.edges(numbers, outline)
        found = np.zeros((2, self._classes + 1, len(self._distances)), np.int64)
        for one, other, counted in ((0, 1, found[0]), (1, 0, found[1])):
            tubes.boundary_distances(
                sides[one],
                sides[other],
                outlines[one] & compared,
                outlines[other],
                self._offsets,
                self._ranks,
                counted,
            )
        both = (found[0, 1:].sum(axis=1) > 0) & (found[1, 1:].sum(axis=1) > 0)
        self._found[both] += found[:, 1:].sum(axis=0)[both]

    def merge(self, other: BoundaryJitter) -> None:
        """Add other pairs.

        Raises
        ------
        ValueError
            When the other's settings differ.
        """
        check_alike(classes=(self._classes, other._classes), void=(self._void, other._void))
        self._found += other._found

    def compute(self) -> float:
        """Return the mean distance in pixels; nan where no outline was compared."""
        totals = self._found.sum(axis=1)
        known = totals > 0
        return mean_known((self._found[known] @ self._distances / totals[known]).tolist())

    def _numbered(self, labels: LabelArray) -> NDArray[np.uint16]:
        """Return class + 1 a pixel, 0 for void."""
        void = labels == self._void
        odd = ~void & (labels >= self._classes)
        if odd.any():
            raise ValueError(
                f"label {labels[odd].min()} is no class: expected 0 to {self._classes - 1} "
                f"or void ({self._void})"
            )
        return np.where(void, 0, labels.astype(np.uint16) + 1).astype(np.uint16)


def boundary_jitter(
    labels: LabelArray,
    flow: FloatArray,
    *,
    classes: int,
    occluded: NDArray[np.bool_] | None = None,
    void: int | None = None,
) -> float:
    """Return the boundary jitter of a sequence of label maps in pixels; lower is steadier.

    Range 0 to 8 px, lower is better. Formula and source as in `BoundaryJitter`.

    Parameters
    ----------
    labels : ndarray, shape (T, H, W), uint8 or uint16
    flow : ndarray, shape (T-1, H, W, 2), float32
        (dx, dy) in pixels, from each frame to the next.
    classes, void
        As in `BoundaryJitter`.
    occluded : ndarray, shape (T-1, H, W), bool, optional

    Examples
    --------
    >>> still = np.zeros((2, 4, 4), np.uint8)
    >>> still[:, 2:] = 1
    >>> boundary_jitter(still, np.zeros((1, 4, 4, 2), np.float32), classes=2)
    0.0
    """
    if len(flow) != len(labels) - 1:
        raise ValueError(f"flow has {len(flow)} fields, expected {len(labels) - 1}")
    metric = BoundaryJitter(classes, void=void)
    for i, field in enumerate(flow):
        metric.update(labels[i], labels[i + 1], field, None if occluded is None else occluded[i])
    return metric.compute()


def _disk() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the places within reach, nearest first, the rank of each distance, the distances."""
    side = np.arange(-REACH_PX, REACH_PX + 1)
    places = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    squares = (places**2).sum(axis=1)
    inside = squares <= REACH_PX**2
    places, squares = places[inside], squares[inside]
    order = np.argsort(squares, kind="stable")
    distinct, ranks = np.unique(squares[order], return_inverse=True)
    distances = np.append(np.sqrt(distinct), REACH_PX)
    return places[order].astype(np.int64), ranks.astype(np.int64), distances
