"""Carry keyframe answers along the motion and blend them into a frame's labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import carry, fields, settle
from tempseg.motion import Step, no_motion
from tempseg.proposals import Anchor, Misfit, Proposal, Stacks, judged
from tempseg.refine import (
    PLAIN_EVIDENCE,
    Consensus,
    Pixels,
    Reference,
    Source,
    colour_distance,
    match,
)
from tempseg.types import VOID_8, VOID_16, FloatArray, LabelArray, UInt8Array

__all__ = ["BlendSettings", "blend", "look_up", "smooth", "voided"]

WEIGHT_FLOOR = 1e-6
"""Keeps a blend defined where no keyframe explains a pixel: the nearest in time then wins."""

WEIGHT_OF_OLDER = 0.9
"""What keyframes on one side may together weigh against a fresher answer: the past alone never
overrules it, so that nothing lags; past and future together may."""

MOST_TIME_SCALES = 20.0
"""Beyond this many, weights by distance count from the nearest: exp of more is soon 0."""

COARSE_GRID = 0.75
"""Cells of the model's grid a pixel, along a side, up to which every other one is decided first."""

ROOMS = (5, 17)
"""Keyframes that kernels of scores are compiled for: those of two a side and a frame's own answer,
and of eight. A tuple of fewer is filled up, since each length would be compiled anew."""

TRUSTED_DISTANCE = 12
"""Up to this distance in colour (y, u, v, blurred), keyframes that contradict one another speak of
the same thing."""

WEIGHT_OF_LAST = 0.3
WEIGHT_OF_LAST_BETWEEN = 0.1
"""What the frame before counts in a look-up, where keyframes lie on one side and on both; a
keyframe counts one over its distance in frames."""


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
    """

    residual_scale: float = 20.0
    residual_blur_px: float = 2.0
    time_scale: float = 20.0
    smoothing: float = 1.0

    def __post_init__(self) -> None:
        if self.residual_scale <= 0 or self.residual_blur_px < 0:
            raise ValueError(
                f"residual_scale is {self.residual_scale}, residual_blur_px "
                f"{self.residual_blur_px}, expected > 0 and >= 0"
            )
        if self.time_scale <= 0 or not 0 <= self.smoothing <= 1:
            raise ValueError(
                f"time_scale is {self.time_scale}, smoothing {self.smoothing}, "
                "expected > 0 and 0 to 1"
            )

    def weight_by_residual(self) -> FloatArray:
        """Return the weight of each of the 256 residuals."""
        return np.maximum(np.exp(-np.arange(256) / self.residual_scale), WEIGHT_FLOOR).astype(
            np.float32
        )


def smooth(
    anchor: Anchor,
    others: Sequence[Proposal],
    distances: Sequence[float],
    size: tuple[int, int],
    settings: BlendSettings,
    consensus: Consensus | None = None,
) -> LabelArray:
    """Return a keyframe's labels (H, W): its own answer, and what other keyframes say of it.

    `distances` are those of the other keyframes, in frames; below zero: before.

    Labels that are looked up by colour are agreed on by what `consensus` knows of votes, and it
    learns from how they contradict one another; only keyframes that look alike in colour have a
    say. That takes keyframes on both sides: the past alone would hold on to what is gone.
    """
    weights = [settings.smoothing * w for w in _time_weights(distances, settings, 1.0)]
    if anchor.pixels is None or not _both_sides(others, anchor.index):
        consensus = None
    else:
        others = [_by_colour(other, anchor.pixels, settings) for other in others]
    still = np.zeros_like(anchor.luma)
    own = Proposal(anchor, no_motion(anchor.index, anchor.luma), Misfit(still, still))
    poll = _Poll.of([own, *others], [1.0, *weights], anchor.luma, size, settings, consensus)
    if consensus is not None:
        consensus.learn(*poll.votes())
    return poll.decided()


def _both_sides(proposals: Sequence[Proposal], index: int) -> bool:
    return len({proposal.anchor.index > index for proposal in proposals}) == 2


def _by_colour(proposal: Proposal, pixels: Pixels, settings: BlendSettings) -> Proposal:
    """Return a proposal for a frame of these colours, judged by all of them, not luma alone."""
    assert proposal.anchor.pixels is not None
    distance = colour_distance(pixels, proposal.anchor.pixels, proposal.motion.flow)
    error = np.minimum(distance, 255).astype(np.uint8)
    return replace(proposal, misfit=Misfit.of(error, settings.residual_blur_px))


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
    proposals: Sequence[Proposal],
    distances: Sequence[float],
    references: Sequence[Reference],
    step: Step,
    last: Reference | None = None,
) -> tuple[LabelArray, Reference]:
    """Return a frame's labels (H, W), and the frame as a reference for the next.

    Labels are looked up in the proposals' keyframes (see `tempseg.refine.match`), each weighing
    one over its distance in frames, and in the frame before where it is given: motion leads there
    best, for it is one step away.

    Parameters
    ----------
    proposals : sequence of Proposal
        The nearest on either side.
    distances : sequence of float
        How many frames after this one their keyframes are.
    references : sequence of Reference
        Those of the proposals' keyframes.
    step : Step
    last : Reference, optional

    Raises
    ------
    ValueError
        Without a proposal.
    """
    sources = [
        Source(reference, proposal.motion.flow, 1 / abs(distance))
        for proposal, distance, reference in zip(proposals, distances, references, strict=True)
    ]
    if last is not None and step.onto is not None:
        weight = WEIGHT_OF_LAST if len(sources) == 1 else WEIGHT_OF_LAST_BETWEEN
        sources.append(Source(last, step.onto.flow, weight))
    pixels = Pixels.of(step.frame.picture.yuv420(), step.luma)
    return match(sources, pixels, size=step.frame.size)


def blend(
    proposals: Sequence[Proposal],
    distances: Sequence[float],
    luma: UInt8Array,
    size: tuple[int, int],
    settings: BlendSettings,
    stacks: Stacks | None = None,
) -> LabelArray:
    """Return the labels (H, W) that the proposals agree on for the frame of this luma.

    `distances` tell how many frames after it the keyframes are; below zero: before. Each proposal
    weighs `exp(-residual / residual_scale - frames / time_scale)`. Class scores are averaged where
    the answers have them; labels vote, shared out sub-pixel, where not. All answers lie on one
    grid. `stacks` spare work where the next frame has the same keyframes.

    Raises
    ------
    ValueError
        Without a proposal.
    """
    if not proposals:
        raise ValueError("no proposal for a frame")
    weights = _time_weights(distances, settings)
    return _Poll.of(proposals, weights, luma, size, settings, stacks=stacks).decided()


def _time_weights(
    distances: Sequence[float], settings: BlendSettings, fresh: float | None = None
) -> list[float]:
    """Return what each keyframe weighs on a frame by its distance, and beside fresher ones.

    The freshest is the nearest on a keyframe's own side, or an answer on the frame itself of
    weight `fresh`.
    """
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


@dataclass(frozen=True, slots=True, eq=False)
class _Poll:
    """Keyframes' answers for one frame, each with its motion and weight.

    Parameters
    ----------
    proposals : sequence of Proposal
        Judged.
    pulls : ndarray, shape (n, h, w, 3), float32
        (dx, dy) on the working grid and the weight, of each.
    winners, clearances : ndarray, shape (n, ., .), uint8 or uint16, and uint8
        Their labels on the model's grid, and as of `Anchor`.
    size : (int, int)
        The frame's height and width.
    consensus : Consensus or None
        What is known of votes for labels.
    """

    proposals: Sequence[Proposal]
    pulls: FloatArray
    winners: LabelArray
    clearances: UInt8Array
    size: tuple[int, int]
    consensus: Consensus | None

    @classmethod
    def of(
        cls,
        proposals: Sequence[Proposal],
        weights: Sequence[float],
        luma: UInt8Array,
        size: tuple[int, int],
        settings: BlendSettings,
        consensus: Consensus | None = None,
        stacks: Stacks | None = None,
    ) -> _Poll:
        """Return the poll of proposals with these weights, times those of their misfit."""
        by_residual = settings.weight_by_residual()
        if consensus is not None:
            # A vote may speak strongly against others: not of another thing.
            by_residual[TRUSTED_DISTANCE + 1 :] = WEIGHT_FLOOR
        pulls = np.empty((len(proposals), *luma.shape, 3), np.float32)
        known = judged(proposals, luma, settings.residual_blur_px)
        for pull, proposal, weight in zip(pulls, known, weights, strict=True):
            assert proposal.misfit is not None
            flow, blurred = proposal.motion.flow, proposal.misfit.blurred
            fields.pull_weights(flow, blurred, by_residual, weight, pull)
        # Scores are too large to be copied.
        winners, clearances = (stacks or Stacks()).of([one.anchor for one in known])
        return cls(known, pulls, winners, clearances, size, consensus)

    @property
    def _placement(self) -> tuple[float, float, float, float]:
        where = self.proposals[0].anchor.placement
        return where.scale_x, where.offset_x, where.scale_y, where.offset_y

    def votes(self) -> tuple[LabelArray, NDArray[np.bool_]]:
        """Return the labels (n, m) at the nodes of the working grid, and which to trust."""
        high, wide = self.pulls.shape[1:3]
        height, width = self.size
        scale_x, offset_x, scale_y, offset_y = self._placement
        rows, columns = np.mgrid[:high, :wide].astype(np.float32)
        votes = np.empty((len(self.winners), high * wide), self.winners.dtype)
        for vote, pull, labels in zip(votes, self.pulls, self.winners, strict=True):
            x = (columns + 0.5 + pull[..., 0]) * (width / wide) - 0.5
            y = (rows + 0.5 + pull[..., 1]) * (height / high) - 0.5
            column = np.rint(x * scale_x + offset_x).clip(0, labels.shape[1] - 1).astype(np.intp)
            row = np.rint(y * scale_y + offset_y).clip(0, labels.shape[0] - 1).astype(np.intp)
            vote[:] = labels[row, column].ravel()
        errors = [proposal.misfit.blurred for proposal in self.proposals if proposal.misfit]
        trusted = np.stack(errors).reshape(votes.shape) <= TRUSTED_DISTANCE
        return cast(LabelArray, votes), trusted

    def decided(self) -> LabelArray:
        """Return the labels (H, W) that win: by scores, or by votes and what is known of them."""
        labels = np.empty(self.size, self.winners.dtype)
        scale_x, _, scale_y, _ = self._placement
        apart = (2 if scale_y <= COARSE_GRID else 1, 2 if scale_x <= COARSE_GRID else 1)
        poll = (self.winners, self.clearances, self.pulls, self._placement)
        doubt = np.empty((self.pulls.shape[1] - 1, self.pulls.shape[2] - 1), np.uint8)
        settle.settle_cells(*poll, doubt, labels)
        decide = self._by_scores() or self._by_votes()
        rest = np.empty(labels.size, np.int64)
        decide(rest[: settle.settle_pixels(*poll, apart, doubt, labels, rest)], labels)
        if apart != (1, 1):
            # Nothing lies between every other pixel of a coarse grid that they do not show.
            decide(rest[: settle.between(doubt, apart, labels, rest)], labels)
        return labels

    def _by_scores(self) -> Callable[[NDArray[np.int64], LabelArray], None] | None:
        scores = tuple(p.anchor.scores for p in self.proposals if p.anchor.scores is not None)
        if len(scores) < len(self.proposals):
            return None
        room = next((room for room in ROOMS if room >= len(scores)), len(scores))
        scores += scores[:1] * (room - len(scores))

        def decide(places: NDArray[np.int64], labels: LabelArray) -> None:
            carry.blend(scores, self.winners, self.pulls, self._placement, places, labels)

        return decide

    def _by_votes(self) -> Callable[[NDArray[np.int64], LabelArray], None]:
        evidence = PLAIN_EVIDENCE
        if self.consensus is not None:
            evidence = self.consensus.evidence(int(self.winners.max()) + 1)

        def decide(places: NDArray[np.int64], labels: LabelArray) -> None:
            carry.vote(
                self.winners,
                evidence.rows,
                evidence.table,
                self.pulls,
                self._placement,
                places,
                labels,
            )

        return decide
