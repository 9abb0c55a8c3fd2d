"""How a model behaves under each preprocessing.

A network that gets its pixels as it was trained on them tells classes apart, and tells the same
ones apart when it is shown the picture mirrored and enlarged. What the two answers share, as
mutual information of their classes, is little where it sees one class everywhere, sees noise, or
is in doubt; compare Ji, Henriques and Vedaldi, "Invariant Information Clustering for Unsupervised
Image Classification and Segmentation" (2019), https://arxiv.org/abs/1807.06653. Pixels of too wide
a range drive a network to its stops: then even the borders between its classes are certain of
themselves, which they never are otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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

__all__ = ["Watched", "full_size_labels", "ranked", "shared_information", "viewed", "watch"]

_GRID_PX = 96
_MARGIN = 0.1
"""What the enlarged picture leaves out on each side."""
_SOFTNESS = (0.35, 0.6)
"""Shares of the softest candidate's doubt at borders: nothing counts below, all from the second."""
_LIGHTER_BGR = 0.9
"""What BGR counts: nearly all that is published takes RGB, and the two look much alike."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of one candidate, summed up over the pictures."""

    candidate: Candidate
    information: float = 0.0
    confidence: float = math.nan
    border_confidence: float = math.nan
    largest_share: float = math.nan
    problem: str = ""


def watch(
    segmenter: NetworkSegmenter,
    decoder: AnswerDecoder,
    candidate: Candidate,
    *,
    options: SegmenterOptions,
    images: tuple[UInt8Array, ...],
    class_count: int,
) -> Watched:
    """Return how a network behaves under one preprocessing.

    Parameters
    ----------
    segmenter : NetworkSegmenter
    decoder : AnswerDecoder
        Reads its answers.
    candidate : Candidate
    options : SegmenterOptions
        All else about the model.
    images : tuple of ndarray, shape (H, W, 3), uint8
        RGB.
    class_count : int
    """
    seen = []
    for image in images:
        try:
            seen.append(
                _watched_once(
                    _Asker(segmenter, decoder, candidate.applied(options)), image, class_count
                )
            )
        except ModelError as error:
            return Watched(candidate, problem=str(error))
    return Watched(
        candidate,
        *(float(value) for value in _means(np.array(seen, np.float64))),
    )


def ranked(watched: list[Watched]) -> tuple[CandidateScore, ...]:
    """Return candidates with their scores, best first."""
    doubts = [1 - one.border_confidence for one in watched if one.border_confidence < 1]
    softest = max(doubts, default=0.0)
    scores = []
    for one in watched:
        score = max(one.information, 0.0)
        if softest > 0 and not math.isnan(one.border_confidence):
            share = (1 - one.border_confidence) / softest
            score *= min(max((share - _SOFTNESS[0]) / (_SOFTNESS[1] - _SOFTNESS[0]), 0.0), 1.0)
        if one.candidate.colour_order == "bgr":
            score *= _LIGHTER_BGR
        scores.append(
            CandidateScore(
                one.candidate,
                0.0 if one.problem else score,
                one.confidence,
                one.border_confidence,
                one.largest_share,
                one.problem,
            )
        )
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
    joint = (joint + joint.T) / (2 * total)
    alone = joint.sum(axis=1)
    expected = alone[:, None] * alone[None]
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / expected[seen])).sum())


def viewed(
    segmenter: NetworkSegmenter,
    decoder: AnswerDecoder,
    candidate: Candidate,
    *,
    options: SegmenterOptions,
    image: UInt8Array,
) -> LabelArray:
    """Return the labels of a picture under one preprocessing, at the picture's size."""
    answer = _Asker(segmenter, decoder, candidate.applied(options)).answer(image)
    return full_size_labels(answer, image)


def full_size_labels(answer: Prediction, image: UInt8Array) -> LabelArray:
    """Return the labels of an answer at the size of the picture it is for."""
    size = (image.shape[0], image.shape[1])
    target = Placement.stretch(size, size)
    if answer.labels is not None:
        return labels_on(answer.labels, answer.placement, size=size, target=target)
    assert answer.scores is not None
    best = scores_on(answer.scores, answer.placement, size=size, target=target).argmax(axis=2)
    return best.astype(np.uint8 if answer.scores.shape[2] <= VOID_8 else np.uint16)


class _Asker:
    """A network under one preprocessing."""

    def __init__(
        self, segmenter: NetworkSegmenter, decoder: AnswerDecoder, options: SegmenterOptions
    ) -> None:
        self._segmenter = segmenter
        self._decoder = decoder
        self._preprocessor = segmenter.preprocessor(options)

    def answer(self, image: UInt8Array) -> Prediction:
        """Return the answer for a picture, placed on it."""
        answer, placement = self._segmenter.raw_answer(image, preprocessor=self._preprocessor)
        return self._decoder.decode(answer, placement=placement, frame_index=0)


def _watched_once(
    asker: _Asker, image: UInt8Array, class_count: int
) -> tuple[float, float, float, float]:
    height, width = image.shape[:2]
    top, left = int(height * _MARGIN), int(width * _MARGIN)
    inner = (height - 2 * top, width - 2 * left)
    whole = asker.answer(image)
    near = asker.answer(
        np.ascontiguousarray(image[top : top + inner[0], left : left + inner[1]][:, ::-1])
    )
    shrink = _GRID_PX / max(inner)
    grid = (max(round(inner[0] * shrink), 2), max(round(inner[1] * shrink), 2))
    target = Placement.stretch(grid, inner)
    one = _on_grid(whole, grid, shifted(target, down=top, right=left), class_count=class_count)
    other = _on_grid(near, grid, target, class_count=class_count)[:, ::-1]
    information = shared_information(one, other)
    labels, confidence = _decided(whole)
    border = _borders(labels)
    counts = np.bincount(labels.ravel())
    return (
        information,
        float(confidence.mean()),
        # Ids alone tell nothing of doubt.
        float(confidence[border].mean()) if whole.scores is not None and border.any() else math.nan,
        float(counts.max() / labels.size),
    )


def _on_grid(
    answer: Prediction, grid: tuple[int, int], target: Placement, *, class_count: int
) -> FloatArray:
    if answer.scores is not None:
        return scores_on(answer.scores, answer.placement, size=grid, target=target)
    assert answer.labels is not None
    labels = labels_on(answer.labels, answer.placement, size=grid, target=target)
    # Void is a class of its own here.
    known: FloatArray = np.eye(class_count + 1, dtype=np.float32)[np.minimum(labels, class_count)]
    return known


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


def _means(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(seen)
    sums = np.where(known, seen, 0).sum(axis=0)
    counts = known.sum(axis=0)
    means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means
