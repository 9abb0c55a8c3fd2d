"""The DAVIS measures of objects: region similarity J and contour accuracy F."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, hypot
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tempseg.metrics.boundary_f import outline_f
from tempseg.metrics.confusion import (
    MAX_CLASSES,
    check_alike,
    check_compat,
    check_void,
    count_pairs,
    label_maps,
    mean_known,
)
from tempseg.types import VOID_16, LabelArray

__all__ = ["RegionCompat", "RegionScores", "RegionSimilarity", "region_similarity"]

RegionCompat = Literal["davis"]
Values = NDArray[np.float64]

_REACH = 0.008
"""How far boundary pixels may lie apart, as a share of the picture's diagonal."""


@dataclass(frozen=True, slots=True)
class RegionScores:
    """Statistics of J and F over frames; each is the mean over all objects of all videos.

    Parameters
    ----------
    j_mean, f_mean : float
        Mean over frames.
    j_recall, f_recall : float
        Share of frames above 0.5.
    j_decay, f_decay : float
        Mean of the first quarter of the frames less that of the last.
    jf : float
        Mean of `j_mean` and `f_mean`.
    """

    j_mean: float
    j_recall: float
    j_decay: float
    f_mean: float
    f_recall: float
    f_decay: float
    jf: float


@dataclass(slots=True)
class _Video:
    """The values of the frames so far, each of shape (objects,), and which objects are true."""

    j: list[Values] = field(default_factory=list)
    f: list[Values] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)


class RegionSimilarity:
    """Gathers J and F of objects (Perazzi et al. 2016), a frame at a time.

    J is the IoU of an object's region; 1 where it is empty on both sides. F is the harmonic mean
    of precision and recall of its boundary pixels within `ceil(0.008 * diagonal)` pixels; 1 where
    neither side has any, 0 where one has. Pixels that are void in the truth are background in
    both. Frames of one video come in order; an object counts in the videos whose truth shows it.

    `J = |S ∩ G| / |S ∪ G|`, `F = 2 P R / (P + R)`. Range [0, 1], higher is better; of the decays
    [-1, 1], lower is better. Source: Perazzi et al. 2016, "A Benchmark Dataset and Evaluation
    Methodology for Video Object Segmentation".

    Parameters
    ----------
    objects : int
        The highest id; objects are 1 to this, 0 is background.
    void : int, optional
        The id that is no object; in the labels it is background. By default 255, or 65535 with
        more than 254 objects.

    Examples
    --------
    >>> truth = np.zeros((40, 60), np.uint8)
    >>> truth[10:30, 10:30] = 1
    >>> labels = np.where(truth == 1, 1, 0).astype(np.uint8)
    >>> labels[10:20] = 0
    >>> metric = RegionSimilarity(1)
    >>> j, f = metric.update(labels, truth)
    >>> j
    0.5
    >>> metric.compute().j_recall
    0.0
    """

    def __init__(self, objects: int, *, void: int | None = None) -> None:
        if not 1 <= objects < MAX_CLASSES:
            raise ValueError(f"objects is {objects}, expected 1 to {MAX_CLASSES - 1}")
        void = check_void(void, objects + 1)
        if void <= objects:
            raise ValueError(f"void is {void}, expected an id above the {objects} objects")
        self._objects, self._void = objects, void
        self._videos: dict[str, _Video] = {}

    def update(
        self, labels: LabelArray, truth: LabelArray, *, video: str = ""
    ) -> tuple[float, float]:
        """Take the next frame of a video; return its means of J and F over all objects.

        Parameters
        ----------
        labels, truth : ndarray, shape (H, W), uint8 or uint16
        video : str
            Which video the frame belongs to.

        Raises
        ------
        ValueError
            When the shapes differ, or an id is neither an object, background nor void.
        """
        numbers, truth_numbers = self._numbers(labels, truth)
        reach = ceil(_REACH * hypot(*truth.shape))
        f = outline_f(numbers, truth_numbers, areas=self._objects, tolerances=(reach,))[0]
        f[np.isnan(f)] = 1.0
        pairs = count_pairs(
            numbers, truth_numbers, classes=self._objects + 1, void=VOID_16
        )[:-1, :-1]  # fmt: skip
        overlap, areas = np.diagonal(pairs)[1:], pairs.sum(axis=1)[1:]
        union = areas + pairs.sum(axis=0)[1:] - overlap
        j = np.where(union > 0, overlap / np.maximum(union, 1), 1.0)
        values = self._videos.setdefault(video, _Video())
        values.j.append(j)
        values.f.append(f)
        values.shown.update((np.flatnonzero(areas) + 1).tolist())
        return float(j.mean()), float(f.mean())

    def _numbers(
        self, labels: LabelArray, truth: LabelArray
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        labels, truth = label_maps(labels=labels, truth=truth)
        ignored = truth == self._void
        numbers = np.where(ignored | (labels == self._void), 0, labels).astype(np.uint16)
        truth_numbers = np.where(ignored, 0, truth).astype(np.uint16)
        for ids in (numbers, truth_numbers):
            if ids.max() > self._objects:
                raise ValueError(
                    f"id {ids.max()} is no object: expected 0 to {self._objects} "
                    f"({self._objects} objects) or {self._void} for void"
                )
        return numbers, truth_numbers

    def merge(self, other: RegionSimilarity) -> None:
        """Add other videos, or the frames that follow in the same ones.

        Raises
        ------
        ValueError
            When the other's settings differ.
        """
        check_alike(objects=(self._objects, other._objects), void=(self._void, other._void))
        for name, values in other._videos.items():
            own = self._videos.setdefault(name, _Video())
            own.j += values.j
            own.f += values.f
            own.shown |= values.shown

    def compute(self, *, compat: RegionCompat | None = None) -> RegionScores:
        """Return the scores of all videos so far; nan where nothing was compared.

        Parameters
        ----------
        compat : {"davis"}, optional
            Leaves out the first and the last frame of each video, as the
            semi-supervised protocol does.
        """
        check_compat(compat, get_args(RegionCompat))
        skip = 1 if compat == "davis" else 0
        j, f = [], []
        for video in self._videos.values():
            if len(video.j) > 2 * skip:
                shown = [number - 1 for number in sorted(video.shown)]
                kept = slice(skip, len(video.j) - skip)
                j += [_statistics(track) for track in np.array(video.j)[kept, shown].T]
                f += [_statistics(track) for track in np.array(video.f)[kept, shown].T]
        j_mean, j_recall, j_decay = (mean_known(row[i] for row in j) for i in range(3))
        f_mean, f_recall, f_decay = (mean_known(row[i] for row in f) for i in range(3))
        return RegionScores(
            j_mean, j_recall, j_decay, f_mean, f_recall, f_decay, (j_mean + f_mean) / 2
        )


def region_similarity(
    labels: LabelArray,
    truth: LabelArray,
    *,
    objects: int,
    void: int | None = None,
    compat: RegionCompat | None = None,
) -> RegionScores:
    """Return J and F of the objects of one video.

    Range [0, 1], higher is better; of the decays [-1, 1], lower is better. Formula and source as in
    `RegionSimilarity`.

    Parameters
    ----------
    labels, truth : ndarray, shape (T, H, W), uint8 or uint16
    objects : int
        The highest id; objects are 1 to this, 0 is background.
    void : int, optional
    compat : {"davis"}, optional
        As of `RegionSimilarity.compute`.

    Raises
    ------
    ValueError
        When the shapes differ, or an id is neither an object, background nor void.

    Examples
    --------
    >>> truth = np.zeros((8, 20, 30), np.uint8)
    >>> truth[:, 5:15, 5:15] = 1
    >>> labels = truth.copy()
    >>> labels[6:] = 0
    >>> scores = region_similarity(labels, truth, objects=1)
    >>> scores.j_mean, scores.j_recall, scores.f_mean
    (0.75, 0.75, 0.75)
    """
    metric = RegionSimilarity(objects, void=void)
    for frame, frame_truth in zip(labels, truth, strict=True):
        metric.update(frame, frame_truth)
    return metric.compute(compat=compat)


def _statistics(values: Values) -> tuple[float, float, float]:
    """Return mean, recall and decay of one object's values, shape (T,)."""
    # Quarters end at the round of i / 4 of the way, ties up, and share their end frames.
    last = len(values) - 1
    first_end, last_start = (last + 2) // 4, (3 * last + 2) // 4
    decay = values[: first_end + 1].mean() - values[last_start:].mean()
    return float(values.mean()), float((values > 0.5).mean()), float(decay)
