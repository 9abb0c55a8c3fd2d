"""How a model behaves under each preprocessing.

A network that gets its pixels as it was trained on them tells classes apart, and tells the same
places apart when the picture is shown mirrored, enlarged, in mist or at dusk. What the answers
share, as mutual information of their classes, is little where it sees one class everywhere, sees
noise, or is in doubt; compare Ji, Henriques and Vedaldi, "Invariant Information Clustering for
Unsupervised Image Classification and Segmentation" (2019), https://arxiv.org/abs/1807.06653.
Pixels of too wide a range drive a network to its stops: then even the borders between its classes
are certain of themselves, which they never are otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.probing.candidates import Candidate
from tempseg.probing.results import CandidateScore
from tempseg.segmenters import NetworkSegmenter, SegmenterOptions
from tempseg.segmenters.answers import AnswerDecoder
from tempseg.segmenters.regrid import labels_on, scores_on, shifted
from tempseg.types import (
    VOID_8,
    FloatArray,
    LabelArray,
    Placement,
    Prediction,
    UInt8Array,
)

__all__ = ["Watcher", "full_size_labels", "ranked", "shared_information"]

_GRID_PX = 96
_SOFTNESS = (0.35, 0.6)
"""Shares of the softest candidate's doubt at borders: nothing counts below, all from the second."""
_LIGHTER_BGR = 0.9
"""What BGR counts: nearly all that is published takes RGB, and the two look much alike."""
_HABIT = 1.03
"""What the habit of the model's family counts: enough where there is a tie, no more."""


class Watcher:
    """Asks one network about pictures under several preprocessings.

    Parameters
    ----------
    segmenter : NetworkSegmenter
    decoder : AnswerDecoder
        Reads its answers.
    options : SegmenterOptions
        All about the model but the preprocessing.
    class_count : int
    """

    def __init__(
        self,
        segmenter: NetworkSegmenter,
        decoder: AnswerDecoder,
        *,
        options: SegmenterOptions,
        class_count: int,
    ) -> None:
        self._segmenter = segmenter
        self._decoder = decoder
        self._options = options
        self._class_count = class_count

    def watch(self, candidate: Candidate, images: Sequence[UInt8Array]) -> CandidateScore:
        """Return how the network behaves, its score before deductions.

        Parameters
        ----------
        candidate : Candidate
        images : sequence of ndarray, shape (H, W, 3), uint8
            RGB.
        """
        try:
            seen = [self._seen(candidate, image) for image in images]
        except ModelError as error:
            return CandidateScore(candidate, 0.0, problem=str(error))
        information, confidence, border, largest = _means(np.array(seen, np.float64))
        return CandidateScore(candidate, information, confidence, border, largest)

    def labels(self, candidate: Candidate, image: UInt8Array) -> LabelArray:
        """Return the labels of a picture, at the picture's size."""
        return full_size_labels(self._answer(candidate, image), image)

    def _answer(self, candidate: Candidate, image: UInt8Array) -> Prediction:
        preprocessor = self._segmenter.preprocessor(candidate.applied(self._options))
        answer, placement = self._segmenter.raw_answer(image, preprocessor=preprocessor)
        return self._decoder.decode(answer, placement=placement, frame_index=0)

    def _seen(self, candidate: Candidate, image: UInt8Array) -> tuple[float, float, float, float]:
        whole = self._answer(candidate, image)
        informations = []
        for view in _VIEWS:
            part, top, left = view.of(image)
            near = self._answer(candidate, part)
            inner = (part.shape[0], part.shape[1])
            shrink = _GRID_PX / max(inner)
            grid = (max(round(inner[0] * shrink), 2), max(round(inner[1] * shrink), 2))
            target = Placement.stretch(grid, inner)
            one = self._on_grid(whole, grid, shifted(target, down=top, right=left))
            other = self._on_grid(near, grid, target)
            informations.append(shared_information(one, other[:, ::-1] if view.mirrored else other))
        labels, confidence = _decided(whole)
        border = _borders(labels)
        # Ids alone tell nothing of doubt.
        known = whole.scores is not None and bool(border.any())
        return (
            float(np.mean(informations)),
            float(confidence.mean()),
            float(confidence[border].mean()) if known else math.nan,
            float(np.bincount(labels.ravel()).max() / labels.size),
        )

    def _on_grid(self, answer: Prediction, grid: tuple[int, int], target: Placement) -> FloatArray:
        if answer.scores is not None:
            return scores_on(answer.scores, answer.placement, size=grid, target=target)
        assert answer.labels is not None
        labels = labels_on(answer.labels, answer.placement, size=grid, target=target)
        # Void is a class of its own here.
        every = np.eye(self._class_count + 1, dtype=np.float32)
        return every[np.minimum(labels, self._class_count)]


@dataclass(frozen=True, slots=True)
class _View:
    """A part of a picture, in another light.

    Parameters
    ----------
    margin : float
        Share left out on each side.
    cornered : bool
        Whether the part lies at the top left, not in the middle.
    mirrored : bool
    light : (float, float) or None
        What pixels are multiplied by, and what is added then; together 255 at most.
    """

    margin: float
    cornered: bool = False
    mirrored: bool = False
    light: tuple[float, float] | None = None

    def of(self, image: UInt8Array) -> tuple[UInt8Array, int, int]:
        """Return the part, and where it begins: rows from the top, columns from the left."""
        height, width = image.shape[:2]
        above, beside = int(height * self.margin), int(width * self.margin)
        top, left = (0, 0) if self.cornered else (above, beside)
        part = image[top : top + height - 2 * above, left : left + width - 2 * beside]
        if self.mirrored:
            part = part[:, ::-1]
        if self.light is not None:
            part = (part * self.light[0] + self.light[1]).astype(np.uint8)
        return np.ascontiguousarray(part), top, left


# Mist and dusk tell ranges apart that mirroring does not: with the wrong one they come on top of
# what is too bright, too dark or too flat already.
_VIEWS = (
    _View(0.1, mirrored=True),
    _View(0.15, cornered=True, light=(0.5, 110)),
    _View(0.1, mirrored=True, light=(0.55, 0)),
)


def ranked(
    watched: Sequence[CandidateScore], *, habit: str | None = None
) -> tuple[CandidateScore, ...]:
    """Return candidates with deductions made from their scores, best first.

    `habit` names what the model's family goes with, which counts a little more.
    """
    doubts = [1 - one.border_confidence for one in watched if one.border_confidence < 1]
    softest = max(doubts, default=0.0)
    scores = []
    for one in watched:
        score = max(one.score, 0.0)
        if softest > 0 and not math.isnan(one.border_confidence):
            share = (1 - one.border_confidence) / softest
            score *= min(max((share - _SOFTNESS[0]) / (_SOFTNESS[1] - _SOFTNESS[0]), 0.0), 1.0)
        if one.candidate.colour_order == "bgr":
            score *= _LIGHTER_BGR
        if one.candidate.name == habit:
            score *= _HABIT
        scores.append(replace(one, score=score))
    return tuple(sorted(scores, key=lambda score: (bool(score.problem), -score.score)))


def shared_information(one: FloatArray, other: FloatArray) -> float:
    """Return what two answers for the same places tell of one another, in bits.

    Parameters
    ----------
    one, other : ndarray, shape (h, w, C), float32
        Class probabilities.

    Examples
    --------
    >>> halves = np.zeros((2, 2, 2), np.float32)
    >>> halves[0, :, 0] = halves[1, :, 1] = 1
    >>> shared_information(halves, halves)
    1.0
    """
    flat = one.reshape(-1, one.shape[-1]).astype(np.float64)
    joint = flat.T @ other.reshape(-1, other.shape[-1]).astype(np.float64)
    total = joint.sum()
    if not total > 0:
        return 0.0
    joint /= total
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / expected[seen])).sum())


def full_size_labels(answer: Prediction, image: UInt8Array) -> LabelArray:
    """Return the labels of an answer at the size of the picture it is for."""
    size = (image.shape[0], image.shape[1])
    target = Placement.stretch(size, size)
    if answer.labels is not None:
        return labels_on(answer.labels, answer.placement, size=size, target=target)
    assert answer.scores is not None
    scores = scores_on(answer.scores, answer.placement, size=size, target=target)
    best: NDArray[np.int64] = scores.argmax(axis=2)
    return best.astype(np.uint8) if scores.shape[2] <= VOID_8 else best.astype(np.uint16)


def _decided(answer: Prediction) -> tuple[NDArray[np.int64], FloatArray]:
    if answer.scores is not None:
        labels: NDArray[np.int64] = answer.scores.argmax(axis=2)
        return labels, answer.scores.max(axis=2)
    assert answer.labels is not None
    return answer.labels.astype(np.int64), np.ones(answer.labels.shape, np.float32)


def _borders(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    border = np.zeros(labels.shape, bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= right
    border[:, :-1] |= right
    return border


def _means(seen: NDArray[np.float64]) -> list[float]:
    """Return the mean of each column over the rows that have a number there."""
    known = ~np.isnan(seen)
    sums, counts = np.where(known, seen, 0).sum(axis=0), known.sum(axis=0)
    means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return [float(mean) for mean in means]
