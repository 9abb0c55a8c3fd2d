"""Carry keyframe answers along the motion and blend them into a frame's labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import carry, fields
from tempseg.motion import UNEXPLAINED_GRAY_LEVELS, Step, no_motion, residual
from tempseg.refine import Pixels, Reference, Source, match
from tempseg.types import (
    VOID_8,
    VOID_16,
    FloatArray,
    LabelArray,
    MotionField,
    Placement,
    Prediction,
    Segment,
    UInt8Array,
)

__all__ = [
    "Anchor",
    "BlendSettings",
    "Misfit",
    "Proposal",
    "blend",
    "confidence",
    "judged",
    "look_up",
    "misfit",
    "smooth",
    "voided",
]

WEIGHT_FLOOR = 1e-6
"""Keeps a blend defined where no keyframe explains a pixel: the nearest in time then wins."""

WEIGHT_OF_OLDER = 0.9
"""What keyframes on one side may together weigh against a fresher answer: the past alone never
overrules it, so that nothing lags; past and future together may."""

MOST_TIME_SCALES = 20.0
"""Beyond this many, weights by distance count from the nearest: exp of more is soon 0."""

COARSE_GRID = 0.5
"""Cells of the model's grid a pixel, up to which every other pixel is decided first."""

LEAST_SHARE = 0.01
"""A label that covers less of a keyframe than this is not favoured further: it may be noise."""

WEIGHT_OF_LAST = 0.3
"""What the frame before counts in a look-up; a keyframe counts one over its distance in frames."""


@dataclass(frozen=True, slots=True)
class BlendSettings:
    """How keyframes share a frame between them.

    Parameters
    ----------
    residual_scale : float
        Gray levels of luma error that lower a keyframe's weight by a factor e.
    residual_blur_px : float
        Gaussian sigma, on the working grid, that the error is blurred by first.
    time_scale : float
        Frames of distance that lower a keyframe's weight by a factor e.
    smoothing : float
        What other keyframes weigh on a keyframe's own labels, in [0, 1]; 0 leaves the
        segmenter's answers as they are.
    rare_labels : float
        Where labels vote, a vote counts `share ** -rare_labels`, share being what the label covers
        of its keyframe, in [0, 1]; 0 counts all alike.
    """

    residual_scale: float = 20.0
    residual_blur_px: float = 2.0
    time_scale: float = 20.0
    smoothing: float = 1.0
    rare_labels: float = 0.0

    def __post_init__(self) -> None:
        if self.residual_scale <= 0 or self.residual_blur_px < 0:
            raise ValueError(
                f"residual_scale is {self.residual_scale}, residual_blur_px "
                f"{self.residual_blur_px}, expected > 0 and >= 0"
            )
        if self.time_scale <= 0 or not 0 <= self.smoothing <= 1 or not 0 <= self.rare_labels <= 1:
            raise ValueError(
                f"time_scale is {self.time_scale}, smoothing {self.smoothing}, rare_labels "
                f"{self.rare_labels}, expected > 0, 0 to 1 and 0 to 1"
            )

    def weight_by_residual(self) -> FloatArray:
        """Return the weight of each of the 256 residuals."""
        return np.maximum(np.exp(-np.arange(256) / self.residual_scale), WEIGHT_FLOOR).astype(
            np.float32
        )


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A keyframe's answer, ready to be carried.

    Parameters
    ----------
    index : int
        The keyframe's frame index.
    luma : ndarray, shape (h, w), uint8
        Its working luma.
    placement : Placement
        Where the model's grid lies on the frame.
    segments : mapping of int to Segment
        What the ids stand for; empty where an id is its class.
    winners : ndarray, shape (h, w), uint8 or uint16
        Labels on the model's grid: the answer's own, or the argmax of its scores.
    clearance : ndarray, shape (h, w), uint8
        Distance of each grid cell to the nearest border between labels, in cells, 255 at most.
    scores : ndarray, shape (h, w, C), uint8, or None
        Class probabilities in 1/255, where the model gives them.
    reference : Reference or None
        The keyframe to look labels up in, where the answer is labels and that is wanted.
    """

    index: int
    luma: UInt8Array
    placement: Placement
    segments: Mapping[int, Segment]
    winners: LabelArray
    clearance: UInt8Array
    scores: UInt8Array | None = None
    reference: Reference | None = None

    @classmethod
    def of(
        cls, prediction: Prediction, step: Step, *, label_bits: int = 8, matching: bool = False
    ) -> Anchor:
        """Return the anchor that a fresh answer makes; with a reference where it may be matched."""
        dtype = np.uint16 if label_bits == 16 else np.uint8
        scores = None
        if prediction.scores is not None:
            winners = cast(LabelArray, np.empty(prediction.scores.shape[:2], dtype))
            scores = np.empty(prediction.scores.shape, np.uint8)
            carry.pack(prediction.scores, scores, winners)
        else:
            assert prediction.labels is not None
            winners = _converted(prediction.labels, dtype)
        inner = np.empty(winners.shape, np.uint8)
        carry.inner(winners, inner)
        distance = cv2.distanceTransform(inner, cv2.DIST_C, cv2.DIST_MASK_3)
        clearance = np.minimum(distance, 255).astype(np.uint8)
        anchor = cls(
            step.frame.index,
            step.luma,
            prediction.placement,
            prediction.segments,
            winners,
            clearance,
            scores,
        )
        if not matching or scores is not None:
            return anchor
        labels, size = winners, step.frame.size
        if labels.shape != size or anchor.placement != Placement.stretch(size, size):
            labels = smooth(anchor, [], size, BlendSettings())
        pixels = Pixels.of(step.frame.picture.yuv420(), step.luma)
        return replace(anchor, reference=Reference.of(labels, pixels))


def _converted(labels: LabelArray, dtype: type[np.uint8 | np.uint16]) -> LabelArray:
    """Return a copy of labels in this type, void as void: segmenters may use theirs again."""
    out = cast(LabelArray, labels.astype(dtype, order="C"))
    if out.dtype != labels.dtype:
        out[labels == np.iinfo(labels.dtype).max] = np.iinfo(dtype).max
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Misfit:
    """How far a carried keyframe is from a frame.

    Parameters
    ----------
    residual, blurred : ndarray, shape (h, w), uint8
        Luma error in gray levels, 255 where the source lies outside; the same, blurred.
    """

    residual: UInt8Array
    blurred: UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """What one keyframe says about one frame.

    Parameters
    ----------
    anchor : Anchor
    motion : MotionField
        From the anchor's frame to this one.
    misfit : Misfit or None
        Where it is known already.
    """

    anchor: Anchor
    motion: MotionField
    misfit: Misfit | None = None


def misfit(
    anchor: Anchor, motion: MotionField, luma: UInt8Array, settings: BlendSettings
) -> Misfit:
    """Return how far an anchor is from the frame with this working luma."""
    error = residual(luma, anchor.luma, motion)
    sigma = settings.residual_blur_px
    blurred = cv2.GaussianBlur(error, (0, 0), sigma) if sigma > 0 else error
    return Misfit(error, np.asarray(blurred, np.uint8))


def smooth(
    anchor: Anchor, others: Sequence[Proposal], size: tuple[int, int], settings: BlendSettings
) -> LabelArray:
    """Return a keyframe's labels (H, W): its own answer, and what other keyframes say of it."""
    still = np.zeros_like(anchor.luma)
    own = Proposal(anchor, no_motion(anchor.index, anchor.luma), Misfit(still, still))
    weights = [settings.smoothing * w for w in _time_weights(others, anchor.index, settings, 1.0)]
    return _mixed([own, *others], [1.0, *weights], anchor.luma, size, settings)


def judged(
    proposals: Sequence[Proposal], luma: UInt8Array, settings: BlendSettings
) -> list[Proposal]:
    """Return the proposals, each with its misfit."""
    return [
        proposal
        if proposal.misfit
        else replace(proposal, misfit=misfit(proposal.anchor, proposal.motion, luma, settings))
        for proposal in proposals
    ]


def confidence(proposals: Sequence[Proposal]) -> FloatArray:
    """Return how well the best of judged proposals explains each pixel (h, w), in [0, 1]."""
    errors = [proposal.misfit.blurred for proposal in proposals if proposal.misfit]
    least = np.minimum.reduce(errors)
    share = 1 - np.arange(256, dtype=np.float32) / np.float32(UNEXPLAINED_GRAY_LEVELS)
    by_error: FloatArray = np.maximum(share, np.float32(0))
    return by_error[least]


def voided(labels: LabelArray, confidence: FloatArray) -> LabelArray:
    """Return labels (H, W) with void where the confidence (h, w) is 0."""
    unknown = (confidence == 0).view(np.uint8)
    if not unknown.any():
        return labels
    height, width = labels.shape
    mask = cv2.resize(unknown, (width, height), interpolation=cv2.INTER_NEAREST)
    void = VOID_8 if labels.dtype == np.uint8 else VOID_16
    return np.where(np.asarray(mask, np.bool_), labels.dtype.type(void), labels)


def look_up(
    proposals: Sequence[Proposal], step: Step, last: Reference | None = None
) -> tuple[LabelArray, Reference]:
    """Return a frame's labels (H, W), and the frame as a reference for the next.

    Labels are looked up in the nearest keyframe on either side (see `tempseg.refine.match`), each
    weighing one over its distance in frames, and in the frame before where it is given.

    Raises
    ------
    ValueError
        When no proposal's keyframe can be looked up in.
    """
    index = step.frame.index
    sides: dict[bool, Proposal] = {}
    for proposal in sorted(proposals, key=lambda p: abs(index - p.anchor.index)):
        sides.setdefault(proposal.anchor.index < index, proposal)
    sources = [
        Source(
            proposal.anchor.reference,
            proposal.motion.flow,
            1 / abs(index - proposal.anchor.index),
        )
        for proposal in sides.values()
        if proposal.anchor.reference is not None
    ]
    if last is not None and step.onto is not None and len(sources) == 1:
        sources.append(Source(last, step.onto.flow, WEIGHT_OF_LAST))
    pixels = Pixels.of(step.frame.picture.yuv420(), step.luma)
    return match(sources, pixels, size=step.frame.size)


def blend(
    proposals: Sequence[Proposal],
    luma: UInt8Array,
    index: int,
    size: tuple[int, int],
    settings: BlendSettings,
) -> LabelArray:
    """Return the labels (H, W) that the proposals agree on for frame `index` of this luma.

    Each proposal weighs `exp(-residual / residual_scale - frames / time_scale)`. Class scores are
    averaged where the answers have them; labels vote, shared out sub-pixel, where not. All
    answers lie on one grid.

    Raises
    ------
    ValueError
        Without a proposal.
    """
    if not proposals:
        raise ValueError(f"no proposal for frame {index}")
    weights = _time_weights(proposals, index, settings)
    return _mixed(proposals, weights, luma, size, settings)


def _time_weights(
    proposals: Sequence[Proposal], index: int, settings: BlendSettings, fresh: float | None = None
) -> list[float]:
    """Return what each keyframe weighs on frame `index` by its distance, and beside fresher ones.

    The freshest is the nearest on a keyframe's own side, or an answer on the frame itself of
    weight `fresh`.
    """
    distances = [proposal.anchor.index - index for proposal in proposals]
    nearest = min(map(abs, distances)) if fresh is None else 0
    # Only ratios count: the nearest keeps a weight where its distance is many time scales.
    lift = max(0.0, nearest / settings.time_scale - MOST_TIME_SCALES)
    weights = [math.exp(lift - abs(distance) / settings.time_scale) for distance in distances]
    for after in (False, True):
        side = [i for i, distance in enumerate(distances) if (distance > 0) is after]
        side.sort(key=lambda i: abs(distances[i]))
        older = side if fresh is not None else side[1:]
        total = sum(weights[i] for i in older)
        most = WEIGHT_OF_OLDER * (weights[side[0]] if side and fresh is None else fresh or 0.0)
        if total > most:
            for i in older:
                weights[i] *= most / total
    return weights


def _mixed(
    proposals: Sequence[Proposal],
    weights: Sequence[float],
    luma: UInt8Array,
    size: tuple[int, int],
    settings: BlendSettings,
) -> LabelArray:
    """Return the labels that proposals with these weights, times those of their misfit, give."""
    anchors = [proposal.anchor for proposal in proposals]
    first = anchors[0]
    by_residual = settings.weight_by_residual()
    pulls = np.empty((len(proposals), *first.luma.shape, 3), np.float32)
    for pull, proposal, weight in zip(
        pulls, judged(proposals, luma, settings), weights, strict=True
    ):
        assert proposal.misfit is not None
        flow, blurred = proposal.motion.flow, proposal.misfit.blurred
        fields.pull_weights(flow, blurred, by_residual, weight, pull)
    labels = np.empty(size, first.winners.dtype)
    where = first.placement
    placement = (where.scale_x, where.offset_x, where.scale_y, where.offset_y)
    # Stacked, because kernels are slow to pick an array out of a tuple; scores are too large.
    winners = cast(LabelArray, np.stack([anchor.winners for anchor in anchors]))
    clearances = np.stack([anchor.clearance for anchor in anchors])
    doubt = np.empty((pulls.shape[1] - 1, pulls.shape[2] - 1), np.uint8)
    carry.settle_cells(winners, clearances, pulls, placement, doubt, labels)
    rest = np.empty(labels.size, np.int64)
    rest = rest[: carry.settle_pixels(winners, clearances, pulls, placement, doubt, labels, rest)]
    scores = tuple(anchor.scores for anchor in anchors if anchor.scores is not None)

    def decide(places: NDArray[np.int64]) -> None:
        if len(scores) == len(anchors):
            carry.blend(scores, winners, pulls, placement, places, labels)
        else:
            favour = _favour(winners, settings.rare_labels)
            carry.vote(winners, favour, pulls, placement, places, labels)

    if max(where.scale_x, where.scale_y) > COARSE_GRID:
        decide(rest)
        return labels
    # Nothing lies between every other pixel of a coarse grid that they do not show.
    places = np.empty(rest.size, np.int64)
    decide(places[: carry.even(rest, size[1], places)])
    decide(places[: carry.between(rest, labels, places)])
    return labels


def _favour(winners: LabelArray, exponent: float) -> FloatArray:
    """Return what a vote for each label counts in each of the keyframes (n, h, w), shape (n, L)."""
    labels = int(winners.max()) + 1
    # A keyframe by itself passes as it is.
    if exponent == 0 or len(winners) == 1:
        return np.ones((len(winners), labels), np.float32)
    counts = [np.bincount(grid.ravel(), minlength=labels) for grid in winners]
    shares = np.maximum(np.stack(counts) / winners[0].size, LEAST_SHARE)
    favour: FloatArray = (shares**-exponent).astype(np.float32)
    return favour
