"""Boundary IoU: how well the outlines of classes agree, whatever the size of the areas."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.metrics.confusion import (
    check_alike,
    check_classes,
    check_compat,
    check_void,
    count_pairs,
    label_maps,
    mean_known,
)
from tempseg.types import VOID_16, LabelArray

__all__ = [
    "BoundaryIou",
    "BoundaryIouCompat",
    "BoundaryIouScores",
    "boundary_iou",
    "class_numbers",
    "mask_boundary_iou",
]

BoundaryIouCompat = Literal["coco"]

_BAND = 0.02
"""Depth of the boundary as a share of the picture's diagonal."""


@dataclass(frozen=True, slots=True)
class BoundaryIouScores:
    """How well outlines agree.

    Parameters
    ----------
    boundary_iou : float
        Mean over classes; nan where nothing was compared.
    per_class : tuple of float
        Mean over the frames that show the class, in the truth or in the labels; nan where none
        does.
    """

    boundary_iou: float
    per_class: tuple[float, ...]


class BoundaryIou:
    """Gathers the boundary IoU of classes (Cheng et al. 2021), a frame at a time.

    The boundary of a class is what `max(1, round(0.02 * diagonal))` erosions by 3×3 pixels take
    off it; beyond the frame's border nothing is in the class. Pixels that are void in the truth
    are in no class, in neither map.

    `|B(S) ∩ B(G)| / |B(S) ∪ B(G)|`, B the boundary. Range [0, 1], higher is better. Source: Cheng
    et al. 2021, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation".

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.
    void : int, optional
        The id that is no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> truth = np.zeros((40, 60), np.uint8)
    >>> truth[10:30, 10:30] = 1
    >>> metric = BoundaryIou(2)
    >>> metric.update(truth, truth)
    >>> metric.compute().boundary_iou
    1.0
    """

    def __init__(self, classes: int, *, void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._frames = np.zeros(classes, np.int64)
        self._boundary = np.zeros(classes)
        self._smaller = np.zeros(classes)

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
        boundary, mask, shown = _ious(*numbers, self._classes)
        self._frames += shown
        self._boundary += boundary
        self._smaller += np.minimum(boundary, mask)

    def merge(self, other: BoundaryIou) -> None:
        """Add what another one has gathered.

        Raises
        ------
        ValueError
            When its settings differ.
        """
        check_alike(classes=(self._classes, other._classes), void=(self._void, other._void))
        self._frames += other._frames
        self._boundary += other._boundary
        self._smaller += other._smaller

    def compute(self, *, compat: BoundaryIouCompat | None = None) -> BoundaryIouScores:
        """Return the scores of all frames so far.

        Parameters
        ----------
        compat : {"coco"}, optional
            Takes the smaller of boundary IoU and mask IoU, a frame and class.
        """
        check_compat(compat, get_args(BoundaryIouCompat))
        sums = self._smaller if compat == "coco" else self._boundary
        means = np.full(self._classes, np.nan)
        np.divide(sums, self._frames, out=means, where=self._frames > 0)
        per_class = tuple(means.tolist())
        return BoundaryIouScores(mean_known(per_class), per_class)


def boundary_iou(
    labels: LabelArray,
    truth: LabelArray,
    *,
    classes: int,
    void: int | None = None,
    compat: BoundaryIouCompat | None = None,
) -> BoundaryIouScores:
    """Return the boundary IoU of a sequence of label maps.

    Range [0, 1], higher is better. Formula and source as in `BoundaryIou`.

    Parameters
    ----------
    labels, truth : ndarray, shape (T, H, W), uint8 or uint16
    classes : int
    void : int, optional
    compat : {"coco"}, optional
        As of `BoundaryIou.compute`.

    Raises
    ------
    ValueError
        When the shapes differ, or a label is neither a class nor void.

    Examples
    --------
    >>> truth = np.uint8([[[0, 0, 0, 1], [0, 0, 0, 1]]])
    >>> labels = np.uint8([[[0, 0, 1, 1], [0, 0, 1, 1]]])
    >>> boundary_iou(labels, truth, classes=2).per_class
    (0.6666666666666666, 0.5)
    """
    metric = BoundaryIou(classes, void=void)
    for frame, frame_truth in zip(labels, truth, strict=True):
        metric.update(frame, frame_truth)
    return metric.compute(compat=compat)


def mask_boundary_iou(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], *, compat: BoundaryIouCompat | None = None
) -> float:
    """Return the boundary IoU of two masks; 0 where both are empty.

    Range [0, 1], higher is better. Formula and source as in `BoundaryIou`.

    Parameters
    ----------
    mask, truth : ndarray, shape (H, W), bool
    compat : {"coco"}, optional
        As of `BoundaryIou.compute`.

    Raises
    ------
    ValueError
        When the shapes differ.

    Examples
    --------
    >>> truth = np.ones((2, 4), bool)
    >>> mask_boundary_iou(truth & (np.arange(4) < 2), truth)
    0.5
    """
    check_compat(compat, get_args(BoundaryIouCompat))
    if mask.shape != truth.shape or mask.ndim != 2:
        raise ValueError(f"mask is {mask.shape} and truth {truth.shape}, expected one size (H, W)")
    boundary, whole, _ = _ious(mask.astype(np.uint16), truth.astype(np.uint16), 1)
    return float(min(boundary[0], whole[0]) if compat == "coco" else boundary[0])


def class_numbers(
    labels: LabelArray, truth: LabelArray, *, classes: int, void: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return labels and truth as numbers of areas: 1 + class, and 0 where there is no class.

    Void in the truth empties the pixel in both.

    Parameters
    ----------
    labels, truth : ndarray, shape (H, W), uint8 or uint16
    classes : int
    void : int

    Raises
    ------
    ValueError
        When the shapes differ, or a label is neither a class nor void.

    Examples
    --------
    >>> labels, truth = np.array([[0, 1, 255]], np.uint8), np.array([[0, 255, 1]], np.uint8)
    >>> numbers, truth_numbers = class_numbers(labels, truth, classes=2, void=255)
    >>> numbers.tolist(), truth_numbers.tolist()
    ([[1, 0, 0]], [[1, 0, 2]])
    """
    numbers, truth_numbers = (
        _numbered(ids, classes, void) for ids in label_maps(labels=labels, truth=truth)
    )
    numbers[truth_numbers == 0] = 0
    return numbers, truth_numbers


def _numbered(ids: LabelArray, classes: int, void: int) -> NDArray[np.uint16]:
    highest = int(np.iinfo(ids.dtype).max)
    unknown = classes + 1
    table = np.full(highest + 1, unknown, np.uint16)
    table[:classes] = np.arange(1, min(unknown, len(table) + 1))
    if void <= highest:
        table[void] = 0
    numbers = table[ids]
    if numbers.max() == unknown:
        raise ValueError(
            f"label {ids[numbers == unknown][0]} is no class: expected 0 to {classes - 1} "
            f"({classes} classes) or {void} for void"
        )
    return numbers


def _ious(
    numbers: NDArray[np.uint16], truth: NDArray[np.uint16], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the boundary IoU and the IoU of areas 1 to count, and which of them are there."""
    steps = max(1, round(_BAND * hypot(*numbers.shape)))
    common, boundaries = _shared(_boundaries(numbers, steps), _boundaries(truth, steps), count)
    overlap, areas = _shared(numbers, truth, count)
    return common / np.maximum(boundaries, 1), overlap / np.maximum(areas, 1), areas > 0


def _shared(
    numbers: NDArray[np.uint16], truth: NDArray[np.uint16], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels of intersection and union of areas 1 to count."""
    pairs = count_pairs(numbers, truth, classes=count + 1, void=VOID_16)
    overlap = np.diagonal(pairs)[1:-1]
    return overlap, (pairs.sum(axis=0) + pairs.sum(axis=1))[1:-1] - overlap


def _boundaries(numbers: NDArray[np.uint16], steps: int) -> NDArray[np.uint16]:
    """Return the numbers where erosion takes the pixel off its area, else 0."""
    boundaries = numbers.copy()
    inner = np.s_[steps:-steps, steps:-steps]
    if boundaries[inner].size:
        # One window for all areas: what survives is where it holds a single number.
        window = np.ones((2 * steps + 1, 2 * steps + 1), np.uint8)
        kept = cv2.erode(numbers, window) == cv2.dilate(numbers, window)
        boundaries[inner][kept[inner]] = 0
    return boundaries
