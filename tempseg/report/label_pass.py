"""One pass over a run's label maps: how much each class covers, and what changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import SourceError
from tempseg.kernels.paint import count_labels
from tempseg.prefetch import Prefetch
from tempseg.report.records import FloatColumn, RunRecord
from tempseg.report.reduction import bucket_edges
from tempseg.types import LabelArray
from tempseg.video import read_label_video

__all__ = ["LabelSummary", "summarise_labels"]

AREA_STEPS = 500
"""Steps in time that areas are averaged over, however long the run."""

LARGEST_CLASS = 1024
"""Classes from here on are counted as one, so that the counts stay small."""

AHEAD = 4


@dataclass(frozen=True, slots=True, eq=False)
class LabelSummary:
    """What the label maps of a run say, frame by frame and step by step.

    Parameters
    ----------
    edges : ndarray, shape (S + 1,), intp
        Frames at which the steps of `areas` begin; the last one is the number of frames.
    areas : ndarray, shape (S, K), float64
        Mean share of the frame that each class covers, in [0, 1].
    other_area, void_area : ndarray, shape (S,), float64
        The share of labels that are no class of the run, and of unknown pixels.
    flip_rate : ndarray, shape (N,), float64
        Share of pixels whose label differs from the frame before; nan where a shot begins.
    blink : ndarray, shape (N,), float64
        Share of pixels that differ from both neighbours, which agree; nan at both ends of a shot.
        Pixels that are void in one of the frames are in neither.
    """

    edges: NDArray[np.intp]
    areas: FloatColumn
    other_area: FloatColumn
    void_area: FloatColumn
    flip_rate: FloatColumn
    blink: FloatColumn


def summarise_labels(run: RunRecord) -> LabelSummary:
    """Return the summary of a run's label maps, read once; holds three maps at a time.

    Raises
    ------
    SourceError
        When the maps cannot be read, or are not one a frame.
    """
    total = len(run.frames)
    edges = bucket_edges(total, AREA_STEPS)
    classes = min(len(run.classes.names), LARGEST_CLASS)
    counts = np.zeros((len(edges) - 1, classes + 2), np.int64)
    flip_rate, blink = np.full(total, np.nan), np.full(total, np.nan)
    shot: deque[LabelArray] = deque(maxlen=3)
    found = 0
    step = 0
    pixels = run.width * run.height
    with Prefetch(read_label_video(str(run.masks)), name="masks", capacity=AHEAD) as maps:
        for found, (_, labels) in enumerate(maps, start=1):
            index = found - 1
            if index == total:
                break
            _check_size(run, labels)
            if index == edges[step + 1]:
                step += 1
            _count(labels, counts[step], void=run.void)
            if index in run.frames.cuts:
                shot.clear()
            shot.append(labels)
            if len(shot) > 1:
                flip_rate[index] = _share(shot[-2] != labels, (shot[-2], labels), void=run.void)
            if len(shot) > 2:
                first, middle, last = shot
                blinks = (first == last) & (first != middle)
                blink[index - 1] = _share(blinks, shot, void=run.void)
    if found != total:
        told = "more" if found > total else str(found)
        raise SourceError(
            f"{run.masks}: holds {told} label maps, expected {total} as in frames.csv; run again"
        )
    shares = counts / (np.diff(edges)[:, np.newaxis] * pixels)
    return LabelSummary(
        edges=edges,
        areas=shares[:, :classes],
        other_area=shares[:, classes],
        void_area=shares[:, classes + 1],
        flip_rate=flip_rate,
        blink=blink,
    )


def _share(changed: NDArray[np.bool_], maps: Sequence[LabelArray], *, void: int) -> float:
    """Return the share of changed pixels among those that are void in none of the maps."""
    known = np.logical_and.reduce([labels != void for labels in maps])
    return int(np.count_nonzero(changed & known)) / max(1, int(np.count_nonzero(known)))


def _count(labels: LabelArray, out: NDArray[np.int64], *, void: int) -> None:
    """Add a map's pixels to the counts: the classes, other ids, void."""
    found = np.empty(1 << (8 * labels.dtype.itemsize), np.int64)
    count_labels(labels, found)
    classes = len(out) - 2
    unknown = int(found[void]) if void < len(found) else 0
    if void < len(found):
        found[void] = 0
    out[:classes] += found[:classes]
    out[classes] += int(found[classes:].sum())
    out[classes + 1] += unknown


def _check_size(run: RunRecord, labels: LabelArray) -> None:
    height, width = labels.shape
    if (width, height) != (run.width, run.height):
        raise SourceError(
            f"{run.masks}: its maps are {width}×{height}, expected {run.width}×{run.height} as in "
            "run.json; run again"
        )
