"""VPQ: panoptic quality of tubes over a few frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tempseg.metrics.confusion import check_alike, check_classes, check_void, mean_known
from tempseg.metrics.stq import Tube, check_things, segment_overlaps
from tempseg.types import LabelArray

__all__ = ["VideoPanopticQuality", "VpqScores", "video_panoptic_quality"]

Overlaps = Counter[tuple[Tube, Tube]]

_VOID: Tube = (-1, 0)


@dataclass(frozen=True, slots=True)
class VpqScores:
    """Video panoptic quality in percent.

    Parameters
    ----------
    vpq : float
        Mean over the lengths; nan where nothing was compared.
    by_length : dict of int to float
        Mean over classes, by the number of frames a tube spans; nan where no stretch of frames
        was long enough.
    """

    vpq: float
    by_length: dict[int, float]


class VideoPanopticQuality:
    """Gathers VPQ (Kim et al. 2020), a window of frames at a time.

    Over every window of n frames, a true and a predicted segment of one class match where their
    IoU is above 0.5; what is predicted on void is no part of the union. PQ of a class is the sum
    of the matches' IoU over TP + FP / 2 + FN / 2, over all windows. True things with id 0 are
    crowds: neither found nor missed. A prediction that lies by more than half on void and on
    crowds of its class is no FP.

    `PQ = Σ IoU / (TP + FP / 2 + FN / 2)`. Range 0 to 100 percent, higher is better. Source: Kim et
    al. 2020, "Video Panoptic Segmentation".

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.
    things : frozenset of int
        The classes whose ids tell one from another; of the others each is one segment.
    void : int, optional
        The id that is no class; by default 255, or 65535 with more than 255 classes.
    lengths : tuple of int
        Frames that windows span.

    Examples
    --------
    >>> labels = np.uint8([[[0, 1, 1]], [[0, 1, 1]]])
    >>> truth_ids = np.uint16([[[0, 7, 7]], [[0, 7, 7]]])
    >>> ids = np.uint16([[[0, 1, 1]], [[0, 2, 2]]])
    >>> metric = VideoPanopticQuality(2, things=frozenset({1}), lengths=(1, 2))
    >>> metric.update(labels[:1], ids[:1], labels[:1], truth_ids[:1])
    >>> metric.update(labels, ids, labels, truth_ids)
    >>> metric.compute()
    VpqScores(vpq=75.0, by_length={1: 100.0, 2: 50.0})
    """

    def __init__(
        self,
        classes: int,
        *,
        things: frozenset[int],
        void: int | None = None,
        lengths: tuple[int, ...] = (1, 2, 3, 4),
    ) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._things = check_things(things, classes)
        if not lengths or min(lengths) < 1 or len(set(lengths)) < len(lengths):
            raise ValueError(f"lengths are {lengths}, expected different ones of 1 or more frames")
        self._lengths = tuple(lengths)
        self._iou = np.zeros((len(lengths), classes))
        # True positives, false positives, false negatives.
        self._counts = np.zeros((3, len(lengths), classes), np.int64)

    def update(
        self,
        labels: Sequence[LabelArray] | LabelArray,
        ids: Sequence[LabelArray] | LabelArray,
        truth: Sequence[LabelArray] | LabelArray,
        truth_ids: Sequence[LabelArray] | LabelArray,
    ) -> None:
        """Take the windows of every length that end with the last of these frames.

        Called for each frame of a video with the frames up to it, this counts each window once.
        Frames before the longest window are not looked at.

        Parameters
        ----------
        labels, truth : sequence of ndarray, shape (H, W), uint8 or uint16
            Classes of neighbouring frames.
        ids, truth_ids : sequence of ndarray, shape (H, W), uint8 or uint16
            Which thing of its class a pixel shows; the same number through all frames.

        Raises
        ------
        ValueError
            When the shapes differ, or a label is neither a class nor void.
        """
        frames = list(zip(labels, ids, truth, truth_ids, strict=True))[-max(self._lengths) :]
        overlaps = [
            segment_overlaps(*frame, classes=self._classes, things=self._things, void=self._void)
            for frame in reversed(frames)
        ]
        window: Overlaps = Counter()
        for length, frame_overlaps in enumerate(overlaps, start=1):
            window += frame_overlaps
            if length in self._lengths:
                self._count(window, self._lengths.index(length))

    def _count(self, window: Overlaps, place: int) -> None:
        """Match the segments of one window."""
        truth: Counter[Tube] = Counter()
        predicted: Counter[Tube] = Counter()
        on_void: Counter[Tube] = Counter()
        on_crowd: Counter[Tube] = Counter()
        for (found, true), pixels in window.items():
            truth[true] += pixels
            predicted[found] += pixels
            if true == _VOID:
                on_void[found] += pixels
            elif self._is_crowd(true) and true[0] == found[0]:
                on_crowd[found] += pixels
        matched: set[Tube] = set()
        found_truth: set[Tube] = set()
        hits, false_alarms, misses = self._counts[:, place]
        for (found, true), pixels in window.items():
            if found[0] != true[0] or true == _VOID or self._is_crowd(true):
                continue
            union = predicted[found] + truth[true] - pixels - on_void[found]
            if 2 * pixels > union:
                self._iou[place, true[0]] += pixels / union
                hits[true[0]] += 1
                matched.add(found)
                found_truth.add(true)
        for true in truth:
            if true != _VOID and true not in found_truth and not self._is_crowd(true):
                misses[true[0]] += 1
        for found, pixels in predicted.items():
            ignored = on_void[found] + on_crowd[found]
            if found != _VOID and found not in matched and 2 * ignored <= pixels:
                false_alarms[found[0]] += 1

    def _is_crowd(self, true: Tube) -> bool:
        return true[0] in self._things and true[1] == 0

    def merge(self, other: VideoPanopticQuality) -> None:
        """Add the windows that another one has counted.

        Raises
        ------
        ValueError
            When its settings differ.
        """
        check_alike(
            classes=(self._classes, other._classes),
            things=(self._things, other._things),
            void=(self._void, other._void),
            lengths=(self._lengths, other._lengths),
        )
        self._iou += other._iou
        self._counts += other._counts

    def compute(self) -> VpqScores:
        """Return the scores of all windows so far."""
        hits, false_alarms, misses = self._counts
        size = hits + (false_alarms + misses) / 2
        quality = np.full(size.shape, np.nan)
        np.divide(100 * self._iou, size, out=quality, where=size > 0)
        by_length = {
            length: mean_known(row.tolist())
            for length, row in zip(self._lengths, quality, strict=True)
        }
        return VpqScores(mean_known(by_length.values()), by_length)


def video_panoptic_quality(
    labels: LabelArray,
    ids: LabelArray,
    truth: LabelArray,
    truth_ids: LabelArray,
    *,
    classes: int,
    things: frozenset[int],
    void: int | None = None,
    lengths: tuple[int, ...] = (1, 2, 3, 4),
) -> VpqScores:
    """Return the VPQ of one video in percent.

    Range 0 to 100 percent, higher is better. Formula and source as in `VideoPanopticQuality`.

    Parameters
    ----------
    labels, ids, truth, truth_ids : ndarray, shape (T, H, W), uint8 or uint16
        As of `VideoPanopticQuality.update`.
    classes, things, void, lengths
        As of `VideoPanopticQuality`.

    Raises
    ------
    ValueError
        When the shapes differ, or a label is neither a class nor void.

    Examples
    --------
    >>> truth = np.uint8([[[0, 1, 1]], [[0, 1, 1]]])
    >>> video_panoptic_quality(truth, truth, truth, truth, classes=2, things=frozenset({1})).vpq
    100.0
    """
    metric = VideoPanopticQuality(classes, things=things, void=void, lengths=lengths)
    for end in range(1, len(labels) + 1):
        frames = slice(max(end - max(lengths), 0), end)
        metric.update(labels[frames], ids[frames], truth[frames], truth_ids[frames])
    return metric.compute()
