"""What keyframes say about frames: their answers, ready to be carried, and how well they fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np

from tempseg.errors import ModelError
from tempseg.kernels import carry, settle
from tempseg.motion import UNEXPLAINED_GRAY_LEVELS, Step, residual
from tempseg.refine import Pixels
from tempseg.types import (
    FloatArray,
    LabelArray,
    MotionField,
    Placement,
    Prediction,
    Segment,
    UInt8Array,
)

__all__ = ["Anchor", "Misfit", "Proposal", "Stacks", "confidence", "judged", "misfit", "nearest"]


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
    pixels : Pixels or None
        Its colours, where the answer is labels that frames between are to look up by colour.
    """

    index: int
    luma: UInt8Array
    placement: Placement
    segments: Mapping[int, Segment]
    winners: LabelArray
    clearance: UInt8Array
    scores: UInt8Array | None = None
    pixels: Pixels | None = None

    @classmethod
    def of(
        cls, prediction: Prediction, step: Step, *, label_bits: int = 8, matching: bool = False
    ) -> Anchor:
        """Return the anchor that a fresh answer makes; with its colours where it may be matched.

        Raises
        ------
        ModelError
            When labels of so many bits cannot tell the answer's ids or classes apart, or its
            scores are no probabilities.
        """
        dtype = np.uint16 if label_bits == 16 else np.uint8
        scores = None
        if prediction.scores is not None:
            scores, winners = _packed(prediction.scores, dtype, step.frame.index)
        else:
            assert prediction.labels is not None
            winners = _converted(prediction.labels, dtype, step.frame.index)
        inner = np.empty(winners.shape, np.uint8)
        settle.inner(winners, inner)
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
        return replace(anchor, pixels=Pixels.of(step.frame.picture.yuv420(), step.luma))

    def check_beside(self, other: Anchor, *, model: str) -> None:
        """Raise where two answers of a model cannot be blended.

        Raises
        ------
        ModelError
        """
        if self.winners.shape != other.winners.shape or self.placement != other.placement:
            raise ModelError(
                f"{model}: frame {self.index} was answered on a grid of {self.winners.shape}, "
                f"frame {other.index} on {other.winners.shape}; expected one grid for the whole "
                "video (set segmenter.input_size)"
            )
        if self._told_in != other._told_in:
            raise ModelError(
                f"{model}: frame {self.index} was answered with {self._told_in}, frame "
                f"{other.index} with {other._told_in}; expected the same for the whole video"
            )

    @property
    def _told_in(self) -> str:
        return "labels" if self.scores is None else f"scores of {self.scores.shape[2]} classes"


class Stacks:
    """Puts the answers of keyframes into one array, once for all frames between them.

    Kernels are slow to pick an array out of a tuple. Remembers the last keyframes it was given.
    """

    def __init__(self) -> None:
        self._anchors: tuple[Anchor, ...] = ()
        self._last: tuple[LabelArray, UInt8Array] | None = None

    def of(self, anchors: Sequence[Anchor]) -> tuple[LabelArray, UInt8Array]:
        """Return the keyframes' winners and clearances, (n, h, w) both."""
        wanted = tuple(anchors)
        # Anchors compare by identity.
        if self._last is None or wanted != self._anchors:
            winners = cast(LabelArray, np.stack([anchor.winners for anchor in wanted]))
            self._last = winners, np.stack([anchor.clearance for anchor in wanted])
            self._anchors = wanted
        return self._last


def _packed(
    scores: FloatArray, dtype: type[np.uint8 | np.uint16], index: int
) -> tuple[UInt8Array, LabelArray]:
    """Return class probabilities in 1/255, and the class that wins each cell."""
    # The highest number is void.
    if scores.shape[2] > np.iinfo(dtype).max:
        raise _too_narrow(f"{scores.shape[2]} classes", dtype, index)
    packed = np.empty(scores.shape, np.uint8)
    winners = cast(LabelArray, np.empty(scores.shape[:2], dtype))
    if not carry.pack(scores, packed, winners):
        low, high = float(scores.min()), float(scores.max())
        finite = math.isfinite(low) and math.isfinite(high)
        told = f"from {low:.4g} to {high:.4g}" if finite else "that are not finite"
        raise ModelError(
            f"frame {index} was answered with scores {told}, expected probabilities from 0 to 1; "
            "put logits through a softmax"
        )
    return packed, winners


def _converted(labels: LabelArray, dtype: type[np.uint8 | np.uint16], index: int) -> LabelArray:
    """Return a copy of labels in this type, void as void: segmenters may use theirs again."""
    out = cast(LabelArray, labels.astype(dtype, order="C"))
    if out.dtype == labels.dtype:
        return out
    void = labels == np.iinfo(labels.dtype).max
    out[void] = np.iinfo(dtype).max
    if out.itemsize < labels.itemsize:
        beyond = (labels >= np.iinfo(dtype).max) & ~void
        if beyond.any():
            raise _too_narrow(f"label {labels[beyond][0]}", dtype, index)
    return out


def _too_narrow(answer: str, dtype: type[np.uint8 | np.uint16], index: int) -> ModelError:
    bits = np.iinfo(dtype).bits
    return ModelError(
        f"frame {index} was answered with {answer}, but its labels are said to have {bits} bits; "
        "say label_bits=16 in the segmenter's info"
    )


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

    @classmethod
    def of(cls, error: UInt8Array, blur_px: float) -> Misfit:
        """Return the misfit of an error, blurred by a Gaussian of this sigma, in cells."""
        if blur_px == 0:
            return cls(error, error)
        # A mean over n cells has a variance of (n^2 - 1) / 12: two of them are as good as a
        # Gaussian of their sigma, 2 by default, for a fifth of the time.
        side = math.sqrt(6 * blur_px**2 + 1)
        if side % 2 == 1:
            square = (int(side), int(side))
            blurred = cv2.blur(cv2.blur(error, square), square)
        else:
            blurred = cv2.GaussianBlur(error, (0, 0), blur_px)
        return cls(error, np.asarray(blurred, np.uint8))


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


def misfit(anchor: Anchor, motion: MotionField, luma: UInt8Array, blur_px: float) -> Misfit:
    """Return how far an anchor is from the frame with this working luma.

    `blur_px` is the Gaussian sigma, on the working grid, that the error is blurred by.
    """
    return Misfit.of(residual(luma, anchor.luma, motion), blur_px)


def nearest(proposals: Sequence[Proposal], index: int) -> list[Proposal]:
    """Return the proposals of the keyframes next to frame `index`, at most one a side."""
    sides: dict[bool, Proposal] = {}
    for proposal in sorted(proposals, key=lambda p: abs(index - p.anchor.index)):
        sides.setdefault(proposal.anchor.index < index, proposal)
    return list(sides.values())


def judged(proposals: Sequence[Proposal], luma: UInt8Array, blur_px: float) -> list[Proposal]:
    """Return the proposals, each with its misfit."""
    return [
        proposal
        if proposal.misfit
        else replace(proposal, misfit=misfit(proposal.anchor, proposal.motion, luma, blur_px))
        for proposal in proposals
    ]


def confidence(proposals: Sequence[Proposal]) -> FloatArray:
    """Return how well the best of judged proposals explains each pixel (h, w), in [0, 1]."""
    errors = [proposal.misfit.blurred for proposal in proposals if proposal.misfit]
    least = np.minimum.reduce(errors)
    share = 1 - np.arange(256, dtype=np.float32) / np.float32(UNEXPLAINED_GRAY_LEVELS)
    by_error: FloatArray = np.maximum(share, np.float32(0))
    return by_error[least]
