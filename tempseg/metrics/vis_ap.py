"""Average precision of instance tracks, as YouTube-VIS measures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from tempseg.metrics.confusion import check_alike, check_classes, mean_known

__all__ = ["InstanceTrack", "VideoInstanceAP", "VisApScores", "vis_ap"]

_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_AREAS = (
    (0.0, np.inf),
    (0.0, 128.0**2),
    (128.0**2, 256.0**2),
    (256.0**2, np.inf),
)
"""All, small, medium, large: the least and the greatest mean area in pixels, both included."""
_MOST_TRACKS = 100
"""Predicted tracks looked at, a video and class: those with the highest scores."""

Verdicts = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class InstanceTrack:
    """One thing through a video.

    Parameters
    ----------
    class_id : int
    score : float
        How sure the prediction is; of no meaning in a truth.
    masks : ndarray, shape (T, H, W), bool
    """

    class_id: int
    score: float
    masks: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.masks.dtype != np.bool_ or self.masks.ndim != 3:
            raise ValueError(
                f"masks are {self.masks.dtype} {self.masks.shape}, expected bool (T, H, W)"
            )
        if not isfinite(self.score):
            raise ValueError(f"score is {self.score}, expected a finite number")


@dataclass(frozen=True, slots=True)
class VisApScores:
    """Mean average precision over classes; nan where no class has a true track.

    Parameters
    ----------
    vis_ap : float
        Mean over the IoU thresholds 0.50, 0.55 … 0.95.
    vis_ap50 : float
        At the threshold 0.50.
    small, medium, large : float
        As `vis_ap`, of the true tracks of a mean area up to 128², from there to 256², and above.
    """

    vis_ap: float
    vis_ap50: float
    small: float
    medium: float
    large: float


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The predicted tracks of one class in one video, best first.

    `hit` and `ignored` have shape (areas, thresholds, tracks); `truths` (areas,) counts the true
    tracks to be found.
    """

    scores: NDArray[np.float64]
    hit: Verdicts
    ignored: Verdicts
    truths: NDArray[np.int64]


class VideoInstanceAP:
    """Gathers the average precision of tracks (Yang et al. 2019), a video at a time.

    The IoU of two tracks is the sum over frames of their intersections over that of their
    unions. Predicted tracks, best score first, each take the free true track of their class with
    the highest IoU from the threshold on. Precision is read at 101 recalls. Keeps a few bytes a
    track, no mask.

    `AP = mean over recalls r of max precision at recall >= r`. Range [0, 1], higher is better.
    Source: Yang, Fan and Xu 2019, "Video Instance Segmentation".

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.

    Examples
    --------
    >>> masks = np.ones((2, 4, 4), bool)
    >>> half = masks.copy()
    >>> half[:, :1] = False
    >>> metric = VideoInstanceAP(1)
    >>> metric.update([InstanceTrack(0, 0.9, half)], [InstanceTrack(0, 1.0, masks)])
    >>> metric.compute().vis_ap50, metric.compute().vis_ap
    (1.0, 0.6)
    """

    def __init__(self, classes: int) -> None:
        self._classes = check_classes(classes)
        self._judged: list[list[_Judged]] = [[] for _ in range(classes)]

    def update(self, predictions: Sequence[InstanceTrack], truths: Sequence[InstanceTrack]) -> None:
        """Take one video: its predicted and its true tracks.

        Raises
        ------
        ValueError
            When the tracks differ in shape, or a class is out of range.
        """
        tracks = [*truths, *predictions]
        for track in tracks:
            if not 0 <= track.class_id < self._classes:
                raise ValueError(f"class_id is {track.class_id}, expected 0 to {self._classes - 1}")
            if track.masks.shape != tracks[0].masks.shape:
                raise ValueError(
                    f"masks are {track.masks.shape} and {tracks[0].masks.shape}, expected one shape"
                )
        for class_id in {track.class_id for track in tracks}:
            found = [track for track in predictions if track.class_id == class_id]
            true = [track for track in truths if track.class_id == class_id]
            # Equal scores keep their order, as everywhere below.
            found = sorted(found, key=lambda track: -track.score)[:_MOST_TRACKS]
            self._judged[class_id].append(_judge(found, true))

    def merge(self, other: VideoInstanceAP) -> None:
        """Add the videos that another one has gathered.

        Raises
        ------
        ValueError
            When its number of classes differs.
        """
        check_alike(classes=(self._classes, other._classes))
        for own, judged in zip(self._judged, other._judged, strict=True):
            own += judged

    def compute(self) -> VisApScores:
        """Return the scores of all videos so far."""
        precisions = [_precisions(judged) for judged in self._judged if judged]
        every, small, medium, large = (
            mean_known(float(rows[area].mean()) for rows in precisions)
            for area in range(len(_AREAS))
        )
        at_half = mean_known(float(rows[0, 0]) for rows in precisions)
        return VisApScores(every, at_half, small, medium, large)


def vis_ap(
    predictions: Sequence[InstanceTrack], truths: Sequence[InstanceTrack], *, classes: int
) -> VisApScores:
    """Return the average precision of the tracks of one video.

    Range [0, 1], higher is better. Formula and source as in `VideoInstanceAP`.

    Parameters
    ----------
    predictions, truths : sequence of InstanceTrack
    classes : int

    Raises
    ------
    ValueError
        When the tracks differ in shape, or a class is out of range.

    Examples
    --------
    >>> track = InstanceTrack(0, 1.0, np.ones((2, 4, 4), bool))
    >>> vis_ap([track], [track], classes=1).vis_ap
    1.0
    """
    metric = VideoInstanceAP(classes)
    metric.update(predictions, truths)
    return metric.compute()


def _judge(found: list[InstanceTrack], true: list[InstanceTrack]) -> _Judged:
    ious, areas, true_areas = _overlaps(found, true)
    shape = (len(_AREAS), len(_THRESHOLDS), len(found))
    hit, ignored = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    truths = np.zeros(len(_AREAS), np.int64)
    for i, (least, most) in enumerate(_AREAS):
        beside = (true_areas < least) | (true_areas > most)
        truths[i] = np.count_nonzero(~beside)
        outside = (areas < least) | (areas > most)
        for j, threshold in enumerate(_THRESHOLDS):
            partners = _match(ious, beside, threshold)
            hit[i, j] = partners >= 0
            # What matches a track of another size, or is itself of another size and matches
            # nothing, says nothing about this size.
            ignored[i, j] = np.where(hit[i, j], np.append(beside, False)[partners], outside)
    return _Judged(np.array([track.score for track in found]), hit, ignored, truths)


def _overlaps(
    found: list[InstanceTrack], true: list[InstanceTrack]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the IoU of each pair, shape (found, true), and the mean areas of both."""
    bits, true_bits = ([np.packbits(track.masks) for track in group] for group in (found, true))
    ious = np.zeros((len(found), len(true)))
    for i, own in enumerate(bits):
        for j, other in enumerate(true_bits):
            common = int(np.bitwise_count(own & other).sum(dtype=np.int64))
            union = int(np.bitwise_count(own | other).sum(dtype=np.int64))
            ious[i, j] = common / union if union else 0.0
    return ious, _mean_areas(found), _mean_areas(true)


def _mean_areas(tracks: list[InstanceTrack]) -> NDArray[np.float64]:
    """Return each track's mean pixels over the frames that show it."""
    sizes = [np.count_nonzero(track.masks, axis=(1, 2)) for track in tracks]
    return np.array([size.sum() / max(np.count_nonzero(size), 1) for size in sizes], np.float64)


def _match(
    ious: NDArray[np.float64], beside: NDArray[np.bool_], threshold: float
) -> NDArray[np.int64]:
    """Return the true track that each predicted one takes, or -1.

    A track of the wanted size goes before any `beside` it, whatever their IoU; of equal ones the
    last is taken.
    """
    free = np.ones(len(beside), np.bool_)
    partners = np.full(len(ious), -1, np.int64)
    for i, row in enumerate(ious):
        for group in (free & ~beside, free & beside):
            fit = np.flatnonzero(group & (row >= threshold))
            if fit.size:
                best = fit[np.flatnonzero(row[fit] == row[fit].max())[-1]]
                partners[i], free[best] = best, False
                break
    return partners


def _precisions(judged: list[_Judged]) -> NDArray[np.float64]:
    """Return average precision of one class, shape (areas, thresholds); nan without truth."""
    order = np.argsort(-np.concatenate([each.scores for each in judged]), kind="stable")
    hit = np.concatenate([each.hit for each in judged], axis=2)[..., order]
    counted = ~np.concatenate([each.ignored for each in judged], axis=2)[..., order]
    truths = np.sum([each.truths for each in judged], axis=0)
    right = np.cumsum(hit & counted, axis=2)
    named = np.maximum(np.cumsum(counted, axis=2), 1)
    # The best precision from each recall on.
    best = np.maximum.accumulate((right / named)[..., ::-1], axis=2)[..., ::-1]
    values = np.full(right.shape[:2], np.nan)
    for area, threshold in np.ndindex(values.shape):
        if truths[area]:
            recall = right[area, threshold] / truths[area]
            places = np.searchsorted(recall, _RECALLS)
            values[area, threshold] = np.append(best[area, threshold], 0.0)[places].mean()
    return values
