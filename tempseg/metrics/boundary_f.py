"""Boundary F: precision and recall of class outlines within a few pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import tubes
from tempseg.metrics.boundary_iou import class_numbers
from tempseg.metrics.confusion import check_alike, check_classes, check_void
from tempseg.types import LabelArray

__all__ = ["BoundaryF", "boundary_f", "check_tolerances", "outline_f"]


class BoundaryF:
    """Gathers the boundary F measure of classes at several tolerances, a frame at a time.

    A class's boundary pixels differ in it from their right, lower or lower right neighbour.
    Precision is the share of the labels' boundary pixels with one of the truth within the
    tolerance (a disk), recall the reverse, F their harmonic mean. Pixels that are void in the
    truth are in no class, in neither map. A frame where a class has no boundary on either side
    says nothing about it.

    `F = 2 P R / (P + R)`. Range [0, 1], higher is better. Source: Perazzi et al. 2016 (DAVIS) for
    the measure, Takikawa et al. 2019 (Gated-SCNN) for its use on classes.

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.
    tolerances : tuple of int
        Radii of the disk in pixels.
    void : int, optional
        The id that is no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> truth = np.zeros((30, 40), np.uint8)
    >>> truth[:, 20:] = 1
    >>> labels = np.roll(truth, 2, axis=1)
    >>> labels[:, :2] = 0
    >>> metric = BoundaryF(2)
    >>> metric.update(labels, truth)
    >>> metric.compute()
    {1: 0.0, 2: 1.0, 3: 1.0}
    """

    def __init__(
        self, classes: int, *, tolerances: tuple[int, ...] = (1, 2, 3), void: int | None = None
    ) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._tolerances = check_tolerances(tolerances)
        self._frames = np.zeros(classes, np.int64)
        self._sums = np.zeros((len(self._tolerances), classes))

    def update(self, labels: LabelArray, truth: LabelArray) -> None:
        """Take one frame.

        Parameters
        ----------
        labels, truth : ndarray, shape (H, W), uint8 or uint16

        Raises
        ------
        ValueError
            When the shapes differ, or a label is neither a class nor void.
        """
        numbers = class_numbers(labels, truth, classes=self._classes, void=self._void)
        values = outline_f(*numbers, areas=self._classes, tolerances=self._tolerances)
        known = ~np.isnan(values[0])
        self._frames += known
        self._sums[:, known] += values[:, known]

    def merge(self, other: BoundaryF) -> None:
        """Add what another one has gathered.

        Raises
        ------
        ValueError
            When its settings differ.
        """
        check_alike(
            classes=(self._classes, other._classes),
            tolerances=(self._tolerances, other._tolerances),
            void=(self._void, other._void),
        )
        self._frames += other._frames
        self._sums += other._sums

    def compute(self) -> dict[int, float]:
        """Return, a tolerance, the mean over frames, then over classes; nan without any."""
        known = self._frames > 0
        if not known.any():
            return dict.fromkeys(self._tolerances, float("nan"))
        means = (self._sums[:, known] / self._frames[known]).mean(axis=1)
        return dict(zip(self._tolerances, means.tolist(), strict=True))


def boundary_f(
    labels: LabelArray,
    truth: LabelArray,
    *,
    classes: int,
    tolerances: tuple[int, ...] = (1, 2, 3),
    void: int | None = None,
) -> dict[int, float]:
    """Return the boundary F measure of a sequence of label maps, a tolerance.

    Range [0, 1], higher is better. Formula and source as in `BoundaryF`.

    Parameters
    ----------
    labels, truth : ndarray, shape (T, H, W), uint8 or uint16
    classes : int
    tolerances : tuple of int
        In pixels.
    void : int, optional

    Raises
    ------
    ValueError
        When the shapes differ, or a label is neither a class nor void.

    Examples
    --------
    >>> truth = np.zeros((1, 4, 6), np.uint8)
    >>> truth[..., 3:] = 1
    >>> boundary_f(truth, truth, classes=2, tolerances=(1,))
    {1: 1.0}
    """
    metric = BoundaryF(classes, tolerances=tolerances, void=void)
    for frame, frame_truth in zip(labels, truth, strict=True):
        metric.update(frame, frame_truth)
    return metric.compute()


def outline_f(
    numbers: NDArray[np.uint16],
    truth: NDArray[np.uint16],
    *,
    areas: int,
    tolerances: Sequence[int],
) -> NDArray[np.float64]:
    """Return the boundary F measure of numbered areas, shape (tolerances, areas).

    0 where only one side has a boundary, nan where neither has.

    Parameters
    ----------
    numbers, truth : ndarray, shape (H, W), uint16
        1 to `areas`; 0 is no area.
    areas : int
    tolerances : sequence of int
        In pixels.

    Examples
    --------
    >>> truth = np.array([[0, 1, 1, 1, 1, 1]], np.uint16)
    >>> numbers = np.array([[0, 0, 0, 1, 1, 1]], np.uint16)
    >>> outline_f(numbers, truth, areas=1, tolerances=(1, 2)).tolist()
    [[0.0], [1.0]]
    """
    order = np.argsort(np.asarray(tolerances, np.int64), kind="stable")
    offsets, ranks = _disk(np.asarray(tolerances, np.int64)[order])
    edges, truth_edges = np.empty(numbers.shape, np.uint8), np.empty(numbers.shape, np.uint8)
    tubes.edges(numbers, edges)
    tubes.edges(truth, truth_edges)
    own, other = (np.zeros((areas + 1, len(order) + 1), np.int64) for _ in range(2))
    tubes.boundary_distances(numbers, truth, edges, truth_edges, offsets, ranks, own)
    tubes.boundary_distances(truth, numbers, truth_edges, edges, offsets, ranks, other)
    precision, recall = (_shares_within(counts[1:]) for counts in (own, other))
    there = own[1:].sum(axis=1) + other[1:].sum(axis=1) > 0
    values = np.empty((len(order), areas))
    values[order] = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    values[:, ~there] = np.nan
    return values


def _disk(radii: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the offsets (dy, dx) within the largest radius, nearest first, and which fits."""
    reach = int(radii.max(initial=0))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    square = y * y + x * x
    nearest = np.argsort(square, kind="stable")[: int((square <= reach * reach).sum())]
    offsets = np.stack([y[nearest], x[nearest]], axis=1).astype(np.int64)
    return offsets, np.searchsorted(radii * radii, square[nearest])


def _shares_within(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of boundary pixels that found a partner, (tolerances, areas)."""
    found = np.cumsum(counts[:, :-1], axis=1).T
    return np.asarray(found / np.maximum(counts.sum(axis=1), 1), np.float64)


def check_tolerances(tolerances: Sequence[int]) -> tuple[int, ...]:
    """Return the tolerances where there are some, all different and none below 0."""
    if not tolerances or min(tolerances) < 0 or len(set(tolerances)) < len(tolerances):
        raise ValueError(f"tolerances are {tuple(tolerances)}, expected different ones from 0 on")
    return tuple(tolerances)
