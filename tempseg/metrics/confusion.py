"""Accuracy from one confusion matrix over all frames; the counting that other metrics share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import counts
from tempseg.types import VOID_8, VOID_16, LabelArray

__all__ = [
    "MAX_CLASSES",
    "ConfusionCompat",
    "ConfusionMatrix",
    "ConfusionScores",
    "check_alike",
    "check_classes",
    "check_compat",
    "check_void",
    "class_ious",
    "count_pairs",
    "known_classes",
    "label_maps",
    "mean_iou",
    "mean_known",
]

ConfusionCompat = Literal["semseg", "vspw"]

MAX_CLASSES = 4096
"""More classes than this make a matrix that is larger than any label set in use needs."""


@dataclass(frozen=True, slots=True)
class ConfusionScores:
    """Accuracies of one confusion matrix, each in [0, 1]; nan where nothing was compared.

    Parameters
    ----------
    miou : float
        Mean over classes of TP / (TP + FP + FN).
    pixel_accuracy : float
        Share of the pixels of known truth that are right.
    class_accuracy : float
        Mean over the classes of the truth of the share that is right.
    fw_iou : float
        IoU of the classes weighted by their share of the truth.
    iou_per_class : tuple of float
        IoU by class id; nan where a class is in neither labels nor truth.
    """

    miou: float
    pixel_accuracy: float
    class_accuracy: float
    fw_iou: float
    iou_per_class: tuple[float, ...]


class ConfusionMatrix:
    """Counts every pair of truth and label, over all frames and videos.

    Void truth is left out; a void label on known truth is a miss.

    `IoU = TP / (TP + FP + FN)`; the other scores are defined in `ConfusionScores`. Range [0, 1],
    higher is better. Source: Long, Shelhamer and Darrell 2015 (FCN).

    Parameters
    ----------
    classes : int
        Number of classes K; ids are 0 to K-1.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> confusion = ConfusionMatrix(2)
    >>> confusion.update(np.uint8([[0, 0], [1, 1]]), np.uint8([[0, 1], [1, 255]]))
    >>> confusion.matrix
    array([[1, 0, 0],
           [1, 1, 0]])
    >>> confusion.compute().miou
    0.5
    """

    def __init__(self, classes: int, *, void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._matrix = np.zeros((classes, classes + 1), np.int64)

    @property
    def matrix(self) -> NDArray[np.int64]:
        """The counts, shape (K, K + 1): truth in rows, void labels in the last column."""
        return self._matrix.copy()

    def update(self, labels: LabelArray, truth: LabelArray) -> None:
        """Take one frame's labels and its truth, each (H, W).

        Raises
        ------
        ValueError
            When they are no label maps of one size, or hold an id that is neither a class nor
            void.
        """
        pairs = count_pairs(labels, truth, classes=self._classes, void=self._void)
        self._matrix += pairs[: self._classes]

    def merge(self, other: ConfusionMatrix) -> None:
        """Add what another of the same settings has counted."""
        check_alike(
            classes=(self._classes, other._classes),
            void=(self._void, other._void),
        )
        self._matrix += other._matrix

    def compute(self, *, compat: ConfusionCompat | None = None) -> ConfusionScores:
        """Return the accuracies of what was counted.

        Parameters
        ----------
        compat : {"semseg", "vspw"}, optional
            Averages as published scripts do. By default `miou` is the mean over the classes in
            labels or truth, `class_accuracy` over those in the truth. "semseg" (hszhao/semseg):
            both over all K, absent ones as 0. "vspw" (VSPW's evaluator): both over the classes
            in the truth.
        """
        check_compat(compat, get_args(ConfusionCompat))
        ious, in_truth = class_ious(self._matrix), self._matrix.sum(axis=1)
        right, total = np.diagonal(self._matrix), in_truth.sum()
        accuracies = np.full(self._classes, math.nan)
        np.divide(right, in_truth, out=accuracies, where=in_truth > 0)
        if not total:
            return ConfusionScores(math.nan, math.nan, math.nan, math.nan, tuple(ious.tolist()))
        if compat == "semseg":
            miou = math.fsum(np.nan_to_num(ious)) / self._classes
            class_accuracy = math.fsum(np.nan_to_num(accuracies)) / self._classes
        else:
            miou = mean_known(ious[in_truth > 0] if compat == "vspw" else ious)
            class_accuracy = mean_known(accuracies)
        return ConfusionScores(
            miou=miou,
            pixel_accuracy=float(right.sum() / total),
            class_accuracy=class_accuracy,
            fw_iou=math.fsum((in_truth * ious)[in_truth > 0]) / float(total),
            iou_per_class=tuple(ious.tolist()),
        )


def mean_iou(
    labels: LabelArray,
    truth: LabelArray,
    *,
    classes: int,
    void: int | None = None,
    compat: ConfusionCompat | None = None,
) -> float:
    """Return the mean IoU of label maps against their truth, in [0, 1].

    Range [0, 1], higher is better. Formula and source as in `ConfusionMatrix`.

    Parameters
    ----------
    labels, truth : ndarray, shape (H, W) or (T, H, W), uint8 or uint16
        One frame or a sequence, over which one confusion matrix is counted.
    classes, void, compat
        As in `ConfusionMatrix` and its `compute`.

    Examples
    --------
    >>> import numpy as np
    >>> mean_iou(np.uint8([[0, 0, 1]]), np.uint8([[0, 1, 1]]), classes=2)
    0.5
    """
    confusion = ConfusionMatrix(classes, void=void)
    if labels.ndim == 2:
        confusion.update(labels, truth)
    else:
        for frame_labels, frame_truth in zip(labels, truth, strict=True):
            confusion.update(frame_labels, frame_truth)
    return confusion.compute(compat=compat).miou


def count_pairs(
    labels: LabelArray, truth: LabelArray, *, classes: int, void: int
) -> NDArray[np.int64]:
    """Return how often each pair of ids stands in two maps, shape (K + 1, K + 1).

    Parameters
    ----------
    labels, truth : ndarray, shape (H, W), uint8 or uint16
        The columns and the rows of the result; void takes the last of each.

    Raises
    ------
    ValueError
        When the maps differ in size or hold an id that is neither below `classes` nor void.
    """
    labels, truth = label_maps(labels=labels, truth=truth)
    pairs = np.zeros((classes + 2, classes + 2), np.int64)
    counts.confuse(labels, truth, classes, void, pairs)
    return known_classes(pairs, (labels, truth), classes=classes, void=void)


def known_classes(
    pairs: NDArray[np.int64], maps: Iterable[LabelArray], *, classes: int, void: int
) -> NDArray[np.int64]:
    """Return what a kernel counted, shape (..., K + 1, K + 1), where every id is known.

    Parameters
    ----------
    pairs : ndarray, shape (..., K + 2, K + 2), int64
        As `tempseg.kernels.counts.confuse` fills it.
    maps : iterable of ndarray
        The label maps that were counted.

    Raises
    ------
    ValueError
        When a map holds an id that is neither below `classes` nor void.
    """
    if pairs[..., -1, :].any() or pairs[..., :, -1].any():
        for ids in maps:
            for value in np.unique(ids).tolist():
                if value >= classes and value != void:
                    raise ValueError(
                        f"label {value} is no class: expected 0 to {classes - 1} "
                        f"({classes} classes) or {void} for void"
                    )
    return pairs[..., :-1, :-1]


def class_ious(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the IoU of each class, shape (K,); nan where a class is nowhere.

    Parameters
    ----------
    matrix : ndarray, shape (K, K + 1), int64
        As `ConfusionMatrix.matrix`.
    """
    right = np.diagonal(matrix)
    union = matrix.sum(axis=1) + matrix[:, :-1].sum(axis=0) - right
    ious = np.full(len(matrix), math.nan)
    np.divide(right, union, out=ious, where=union > 0)
    return ious


def mean_known(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan; nan where there is none.

    The sum is exact, so that neither order nor parts change the result.

    Examples
    --------
    >>> import math
    >>> mean_known([0.25, math.nan, 0.75])
    0.5
    """
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def label_maps(**maps: LabelArray) -> tuple[LabelArray, ...]:
    """Return the maps, contiguous, where they are label maps of one size.

    Raises
    ------
    ValueError
        When one is not, by the name it was given under.
    """
    first_name, first = next(iter(maps.items()))
    for name, ids in maps.items():
        if ids.ndim != 2 or ids.dtype not in (np.uint8, np.uint16) or ids.size == 0:
            raise ValueError(
                f"{name} is {ids.dtype} {ids.shape}, expected uint8 or uint16 (H, W), not empty"
            )
        if ids.shape != first.shape:
            raise ValueError(
                f"{name} is {ids.shape} and {first_name} {first.shape}, expected one size"
            )
    return tuple(ids if ids.flags.c_contiguous else ids.copy() for ids in maps.values())


def check_classes(classes: int) -> int:
    """Return the number of classes where it can be one."""
    if not 1 <= classes <= MAX_CLASSES:
        raise ValueError(f"classes is {classes}, expected 1 to {MAX_CLASSES}")
    return classes


def check_void(void: int | None, classes: int = 0) -> int:
    """Return the void id where it can stand in a label map; by default that beside `classes`."""
    if void is None:
        return VOID_8 if classes <= VOID_8 else VOID_16
    if not 0 <= void <= np.iinfo(np.uint16).max:
        raise ValueError(f"void is {void}, expected an id from 0 to 65535")
    return void


def sequence_void(void: int | None, *sequences: Sequence[LabelArray] | LabelArray) -> int:
    """Return the void id; by default that beside as many classes as the highest id asks for."""
    if void is not None:
        return check_void(void)
    return check_void(
        None, max((int(ids.max(initial=0)) for maps in sequences for ids in maps), default=0)
    )


def check_compat(compat: str | None, known: tuple[str, ...]) -> None:
    """Raise ValueError unless the compat mode is one of those known, or none."""
    if compat is not None and compat not in known:
        raise ValueError(f"compat is {compat!r}, expected None or one of {', '.join(known)}")


def check_alike(**settings: tuple[object, object]) -> None:
    """Raise ValueError unless each setting is the same on both sides of a merge."""
    for name, (own, other) in settings.items():
        if own != other:
            raise ValueError(f"cannot merge: {name} is {own} on one side and {other} on the other")
