"""STQ: segmentation and tracking quality of every pixel of a video."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import fsum, sqrt

import numpy as np

from tempseg.metrics.confusion import (
    ConfusionMatrix,
    check_alike,
    check_classes,
    check_void,
    label_maps,
)
from tempseg.types import LabelArray

__all__ = [
    "SegmentationTrackingQuality",
    "StqScores",
    "Tube",
    "check_things",
    "segment_overlaps",
    "segmentation_tracking_quality",
]

Tube = tuple[int, int]
"""Class and id: the pixels of one thing through all frames of a video."""


@dataclass(frozen=True, slots=True)
class StqScores:
    """Segmentation and tracking quality.

    Parameters
    ----------
    stq : float
        Geometric mean of `aq` and `sq`.
    aq : float
        Association quality; nan where the truth shows no thing.
    sq : float
        Segmentation quality: mean IoU of the classes; nan where nothing was compared.
    """

    stq: float
    aq: float
    sq: float


@dataclass(slots=True)
class _Tubes:
    """Pixels of a video's true and predicted tubes, and of what they share."""

    truth: Counter[Tube] = field(default_factory=Counter)
    predicted: Counter[Tube] = field(default_factory=Counter)
    shared: Counter[tuple[Tube, Tube]] = field(default_factory=Counter)


class SegmentationTrackingQuality:
    """Gathers STQ (Weber et al. 2021, STEP), a frame at a time; keeps only counts a tube.

    A tube is what carries one class and one id in a video. `aq` is the mean over true tubes g of
    `1/|g| Σ_p TPA(p, g)² / (|p| + |g| - TPA(p, g))` over the predicted tubes p, of whatever
    class. True things with id 0 are crowds, whose pixels belong to no tube, true or predicted.
    Pixels predicted where the truth is void still enlarge their tube.

    `STQ = sqrt(AQ SQ)`. Range [0, 1], higher is better. Source: Weber et al. 2021, "STEP:
    Segmenting and Tracking Every Pixel".

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.
    things : frozenset of int
        The classes whose ids tell one from another.
    void : int, optional
        The id that is no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> labels = np.array([[0, 1, 1, 1, 1]], np.uint8)
    >>> truth_ids = np.array([[0, 7, 7, 7, 7]], np.uint16)
    >>> ids = np.array([[0, 1, 1, 2, 2]], np.uint16)
    >>> metric = SegmentationTrackingQuality(2, things=frozenset({1}))
    >>> metric.update(labels, ids, labels, truth_ids)
    >>> metric.compute().aq
    0.5
    """

    def __init__(self, classes: int, *, things: frozenset[int], void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._things = check_things(things, classes)
        self._confusion = ConfusionMatrix(classes, void=void)
        self._videos: dict[str, _Tubes] = {}

    def update(
        self,
        labels: LabelArray,
        ids: LabelArray,
        truth: LabelArray,
        truth_ids: LabelArray,
        *,
        video: str = "",
    ) -> None:
        """Take one frame of a video.

        Parameters
        ----------
        labels, truth : ndarray, shape (H, W), uint8 or uint16
            Classes.
        ids, truth_ids : ndarray, shape (H, W), uint8 or uint16
            Which thing of its class a pixel shows; the same number through the whole video.
            What they hold off the things does not matter.
        video : str
            Which video the frame belongs to; ids mean nothing beyond it.

        Raises
        ------
        ValueError
            When the shapes differ, or a label is neither a class nor void.
        """
        overlaps = segment_overlaps(
            labels, ids, truth, truth_ids,
            classes=self._classes, things=self._things, void=self._void,
        )  # fmt: skip
        self._confusion.update(labels, truth)
        tubes = self._videos.setdefault(video, _Tubes())
        for (found, true), pixels in overlaps.items():
            if true[0] in self._things and true[1] == 0:
                continue
            if true[0] in self._things:
                tubes.truth[true] += pixels
            if found[0] in self._things:
                tubes.predicted[found] += pixels
                if true[0] in self._things:
                    tubes.shared[found, true] += pixels

    def merge(self, other: SegmentationTrackingQuality) -> None:
        """Add other videos, or further frames of the same ones.

        Raises
        ------
        ValueError
            When the other's settings differ.
        """
        check_alike(
            classes=(self._classes, other._classes),
            things=(self._things, other._things),
            void=(self._void, other._void),
        )
        self._confusion.merge(other._confusion)
        for name, tubes in other._videos.items():
            own = self._videos.setdefault(name, _Tubes())
            own.truth.update(tubes.truth)
            own.predicted.update(tubes.predicted)
            own.shared.update(tubes.shared)

    def compute(self) -> StqScores:
        """Return the scores over the tubes and pixels of all videos so far."""
        terms: list[float] = []
        count = 0
        for tubes in self._videos.values():
            count += len(tubes.truth)
            for (found, true), pixels in tubes.shared.items():
                union = tubes.predicted[found] + tubes.truth[true] - pixels
                terms.append(pixels * pixels / (union * tubes.truth[true]))
        # An exact sum: it must not depend on the order in which parts were merged.
        aq = fsum(terms) / count if count else float("nan")
        sq = self._confusion.compute().miou
        return StqScores(sqrt(aq * sq), aq, sq)


def segmentation_tracking_quality(
    labels: LabelArray,
    ids: LabelArray,
    truth: LabelArray,
    truth_ids: LabelArray,
    *,
    classes: int,
    things: frozenset[int],
    void: int | None = None,
) -> StqScores:
    """Return the STQ of one video.

    Range [0, 1], higher is better. Formula and source as in `SegmentationTrackingQuality`.

    Parameters
    ----------
    labels, ids, truth, truth_ids : ndarray, shape (T, H, W), uint8 or uint16
        As of `SegmentationTrackingQuality.update`.
    classes : int
    things : frozenset of int
    void : int, optional

    Raises
    ------
    ValueError
        When the shapes differ, or a label is neither a class nor void.

    Examples
    --------
    >>> truth = np.array([[[0, 1, 1]], [[0, 1, 1]]], np.uint8)
    >>> ids = truth.astype(np.uint16)
    >>> segmentation_tracking_quality(truth, ids, truth, ids, classes=2, things=frozenset({1}))
    StqScores(stq=1.0, aq=1.0, sq=1.0)
    """
    metric = SegmentationTrackingQuality(classes, things=things, void=void)
    for frame in zip(labels, ids, truth, truth_ids, strict=True):
        metric.update(*frame)
    return metric.compute()


def segment_overlaps(
    labels: LabelArray,
    ids: LabelArray,
    truth: LabelArray,
    truth_ids: LabelArray,
    *,
    classes: int,
    things: frozenset[int],
    void: int,
) -> Counter[tuple[Tube, Tube]]:
    """Return the pixels that each predicted segment shares with each true one.

    A segment is a (class, id); off the things the id is 0, and (-1, 0) is void.

    Parameters
    ----------
    labels, ids, truth, truth_ids : ndarray, shape (H, W), uint8 or uint16
    classes : int
    things : frozenset of int
    void : int

    Raises
    ------
    ValueError
        When the shapes differ, or a label is neither a class nor void.

    Examples
    --------
    >>> labels, truth = np.array([[0, 1, 1]], np.uint8), np.array([[0, 0, 255]], np.uint8)
    >>> ids = np.array([[4, 5, 5]], np.uint16)
    >>> overlaps = segment_overlaps(
    ...     labels, ids, truth, ids, classes=2, things=frozenset({1}), void=255
    ... )
    >>> sorted(overlaps.items())
    [(((0, 0), (0, 0)), 1), (((1, 5), (-1, 0)), 1), (((1, 5), (0, 0)), 1)]
    """
    maps = label_maps(labels=labels, ids=ids, truth=truth, truth_ids=truth_ids)
    overlaps: Counter[tuple[Tube, Tube]] = Counter()
    for key, pixels in zip(*_packed_counts(maps), strict=True):
        label, number, true, true_number = (key >> shift & 0xFFFF for shift in (48, 32, 16, 0))
        for value in (label, true):
            if value >= classes and value != void:
                raise ValueError(
                    f"label {value} is no class: expected 0 to {classes - 1} "
                    f"({classes} classes) or {void} for void"
                )
        found = _segment(label, number, things, void)
        overlaps[found, _segment(true, true_number, things, void)] += pixels
    return overlaps


def check_things(things: frozenset[int], classes: int) -> frozenset[int]:
    """Return the classes of things where each is a class."""
    if not all(0 <= thing < classes for thing in things):
        raise ValueError(f"things are {sorted(things)}, expected classes from 0 to {classes - 1}")
    return frozenset(things)


def _segment(label: int, number: int, things: frozenset[int], void: int) -> Tube:
    if label == void:
        return -1, 0
    return label, number if label in things else 0


def _packed_counts(maps: tuple[LabelArray, ...]) -> tuple[list[int], list[int]]:
    """Return the distinct pixels of four maps, 16 bits each, first map highest, and their count."""
    flat = [each.ravel() for each in maps]
    # Maps lie in runs: only where one begins is there anything to sort.
    begins = np.zeros(flat[0].size, np.bool_)
    begins[:1] = True
    for values in flat:
        begins[1:] |= values[1:] != values[:-1]
    starts = np.flatnonzero(begins)
    packed = np.zeros(starts.size, np.uint64)
    for values in flat:
        packed = packed << np.uint64(16) | values[starts]
    keys, inverse = np.unique(packed, return_inverse=True)
    pixels = np.zeros(keys.size, np.int64)
    np.add.at(pixels, inverse, np.diff(starts, append=flat[0].size))
    return keys.tolist(), pixels.tolist()
