"""Accuracy in narrow bands around the borders of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import index

import numpy as np

from tempseg.kernels import counts
from tempseg.metrics.confusion import (
    check_alike,
    check_classes,
    check_void,
    class_ious,
    known_classes,
    label_maps,
    mean_known,
)
from tempseg.types import LabelArray

__all__ = ["TrimapIou", "trimap_iou"]

DISTANCES_PX = (1, 3, 5, 10)
MAX_DISTANCE_PX = 1000


class TrimapIou:
    """Mean IoU over the pixels near a border between two classes of the truth.

    A pixel lies within d where the nearest pixel of another class is at most d px away, centre
    to centre: d pixels on either side of a straight border. Void is no class, but a border
    counts through it, as in truths that outline their classes with void. Void truth itself is
    left out; a void label is a miss. One confusion matrix a distance, over all frames.

    `IoU = TP / (TP + FP + FN)` of those pixels. Range [0, 1], higher is better. Source: Kohli,
    Ladický and Torr 2009, "Robust Higher Order Potentials for Enforcing Label Consistency".

    Parameters
    ----------
    classes : int
        Number of classes K; ids are 0 to K-1.
    distances : sequence of int
        Distances in pixels, 1 to 1000, rising.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> trimap = TrimapIou(2, distances=(1, 3))
    >>> trimap.update(np.uint8([[1, 0, 0, 1, 1, 1]]), np.uint8([[0, 0, 0, 1, 1, 1]]))
    >>> {distance: round(iou, 3) for distance, iou in trimap.compute().items()}
    {1: 1.0, 3: 0.708}
    """

    def __init__(
        self, classes: int, *, distances: Sequence[int] = DISTANCES_PX, void: int | None = None
    ) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._distances = tuple(index(distance) for distance in distances)
        rising = all(a < b for a, b in pairwise((0, *self._distances, MAX_DISTANCE_PX + 1)))
        if not (self._distances and rising):
            raise ValueError(
                f"distances are {self._distances}, expected rising from 1 to {MAX_DISTANCE_PX} px"
            )
        self._rings = np.array([distance**2 for distance in self._distances], np.int32)
        self._matrices = np.zeros((len(self._rings), classes, classes + 1), np.int64)

    def update(self, labels: LabelArray, truth: LabelArray) -> None:
        """Take one frame's labels and its truth, each (H, W).

        Raises
        ------
        ValueError
            When they are no label maps of one size, or hold an id that is neither a class nor
            void.
        """
        labels, truth = label_maps(labels=labels, truth=truth)
        squared = np.empty(truth.shape, np.int32)
        counts.nearest_other(truth, self._void, self._distances[-1], squared)
        side = self._classes + 2
        pairs = np.zeros((len(self._rings) + 1, side, side), np.int64)
        counts.confuse_near(labels, truth, squared, self._rings, self._classes, self._void, pairs)
        known = known_classes(pairs, (labels, truth), classes=self._classes, void=self._void)
        self._matrices += known[:-1, :-1].cumsum(axis=0)

    def merge(self, other: TrimapIou) -> None:
        """Add what another of the same settings has counted."""
        check_alike(
            classes=(self._classes, other._classes),
            distances=(self._distances, other._distances),
            void=(self._void, other._void),
        )
        self._matrices += other._matrices

    def compute(self) -> dict[int, float]:
        """Return the mean IoU by distance in pixels; nan where no pixel is so near a border."""
        return {
            distance: mean_known(class_ious(matrix))
            for distance, matrix in zip(self._distances, self._matrices, strict=True)
        }


def trimap_iou(
    labels: Sequence[LabelArray] | LabelArray,
    truth: Sequence[LabelArray] | LabelArray,
    *,
    classes: int,
    distances: Sequence[int] = DISTANCES_PX,
    void: int | None = None,
) -> dict[int, float]:
    """Return the mean IoU near borders of the truth, by distance in pixels.

    Range [0, 1], higher is better. Formula and source as in `TrimapIou`.

    Parameters
    ----------
    labels, truth : ndarray, shape (T, H, W), uint8 or uint16
    classes, distances, void
        As in `TrimapIou`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.uint8([[[0, 0, 1, 1]]])
    >>> trimap_iou(truth, truth, classes=2, distances=(1,))
    {1: 1.0}
    """
    trimap = TrimapIou(classes, distances=distances, void=void)
    for frame_labels, frame_truth in zip(labels, truth, strict=True):
        trimap.update(frame_labels, frame_truth)
    return trimap.compute()
