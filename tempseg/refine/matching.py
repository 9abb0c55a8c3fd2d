"""Labels of a frame looked up by colour in labelled frames that motion leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import match as matching
from tempseg.kernels import shares
from tempseg.motion import working_luma
from tempseg.types import FloatArray, LabelArray, Planes, UInt8Array

__all__ = ["Pixels", "Reference", "Source", "colour_distance", "match"]

RESIDUAL_SCALE = 6.0
"""Distance in colour (y, u, v) that lowers a source's weight by a factor e."""

RESIDUAL_BLUR_PX = 1.2
"""Gaussian sigma, on the working grid, that the distance is blurred by first."""

LIGHT_WINDOW = 97
"""Side, in cells, of the square whose mean is taken off luma."""

WEIGHT_FLOOR = 1e-6

SURE_ON_GRID = 0.98
"""Share of the votes from which a cell of the grid needs no look at its colours."""

DOUBT_GROWTH = 1
"""Cells around those in doubt that are looked at too."""

PRIOR_ON_GRID = 1e-4
"""Votes of the blend itself, against those of matches: it decides where nothing matches."""

SURE_IN_FRAME = 0.8
PRIOR_IN_FRAME = 0.05

PATCH_VARIANCE = 30.0
"""Mean square difference of two patches, a sample, that lowers a match by a factor e."""

GRID_SIGMA, FRAME_SIGMA = 3.0, 1.5
"""How far from where the motion leads a match is trusted, Gaussian, in cells and pixels."""

NEIGHBOURS, SPACING, NEIGHBOUR_SIGMA = 3, 2, 3.0
"""Reach and spacing of the neighbours in the frame that are asked last, and their Gaussian."""

Sample = TypeVar("Sample", np.uint8, np.float32)

# The kernels' power stands for the exponential: `(1 - msd / 8 S)^8`.
_PATCH_SCALE = 1 / (8 * PATCH_VARIANCE * 27)
_PIXEL_SCALE = 1 / (8 * PATCH_VARIANCE * 3)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """A frame's colours, with the margins that the kernels ask for.

    Parameters
    ----------
    grid : ndarray, shape (h + 2m, 3, w + 2m), float32
        On the working grid y less its mean around, which light that changes leaves nearly alone, u
        and v.
    light : ndarray, shape (h + 2m, w + 2m), float32
        The mean that was taken off.
    frame : ndarray, shape (H + 2m, 3, W + 2m), uint8
        The same of the frame.
    """

    grid: FloatArray
    light: FloatArray
    frame: UInt8Array

    @classmethod
    def of(cls, planes: Planes, luma: UInt8Array) -> Pixels:
        """Return the colours of a frame's planes and working luma."""
        height, width = planes.y.shape
        chroma = [planes.u, planes.v]
        side = (LIGHT_WINDOW, LIGHT_WINDOW)
        bright = luma.astype(np.float32)
        around = np.asarray(cv2.blur(bright, side, borderType=cv2.BORDER_REPLICATE), np.float32)
        u, v = (working_luma(plane, luma.shape).astype(np.float32) for plane in chroma)
        full = [planes.y, *(np.asarray(cv2.resize(p, (width, height)), np.uint8) for p in chroma)]
        light = _margined([around])[:, 0]
        return cls(_margined([bright - around, u, v]), light, _margined(full))

    def colours(self) -> FloatArray:
        """Return y, u and v on the working grid, 0 to 255, (h + 2m, 3, w + 2m)."""
        colours = self.grid.copy()
        colours[:, 0] += self.light
        return colours


def colour_distance(target: Pixels, source: Pixels, flow: FloatArray) -> FloatArray:
    """Return how far a frame and a carried one differ in y, u and v, on the grid (h, w)."""
    out = np.empty(flow.shape[:2], np.float32)
    everywhere = np.ones(out.shape, np.uint8)
    matching.difference(target.colours(), source.colours(), flow, everywhere, out)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A labelled frame that labels can be looked up in.

    Parameters
    ----------
    colours : ndarray, shape (h + 2m, 3, w + 2m), float32
        The frame's `Pixels.grid`.
    answer : ndarray, shape (h + 2m, 3, w + 2m), float32
        The two labels with the largest shares of each cell, and the share of the first.
    settled : ndarray, shape (h, w), float32
        The label of cells amid one label's, -1 elsewhere.
    frame_colours : ndarray, shape (H + 2m, 3, W + 2m), uint8, or None
    labels : ndarray, shape (H + 2m, W + 2m), uint8 or uint16, or None
        The frame's own, where it is a keyframe.
    """

    colours: FloatArray
    answer: FloatArray
    settled: FloatArray
    frame_colours: UInt8Array | None = None
    labels: LabelArray | None = None

    @classmethod
    def of(cls, labels: LabelArray, pixels: Pixels) -> Reference:
        """Return the reference that a keyframe's labels (H, W) make."""
        margin = 2 * shares.MARGIN
        rows, channels, columns = pixels.grid.shape
        small = np.empty((rows - margin, channels, columns - margin), np.float32)
        shares.shrink(labels, small)
        answer = _margined([small[:, c] for c in range(channels)])
        padded = cast(LabelArray, np.pad(labels, shares.MARGIN, mode="edge"))
        return cls(pixels.grid, answer, _settled(answer), pixels.frame, padded)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A reference, and how it lies on the frame that is asked about.

    Parameters
    ----------
    reference : Reference
    flow : ndarray, shape (h, w, 2), float32
        Pulls the reference onto the frame.
    weight : float
        What its votes count, above 0.
    """

    reference: Reference
    flow: FloatArray
    weight: float


def match(
    sources: Sequence[Source], pixels: Pixels, *, size: tuple[int, int]
) -> tuple[LabelArray, Reference]:
    """Return a frame's labels (H, W), and the frame as a reference for the next.

    On the working grid the sources' answers are carried and blended, each with its weight and
    `exp(-distance in colour / RESIDUAL_SCALE)`. Where the blend is in doubt the sources are
    searched around the place that the motion leads to, and vote with the labels of patches that
    look alike; so again on the frame, where what was brought up from the grid is in doubt, in
    the keyframes among the sources. What stays in doubt goes with neighbours of its colour.

    Parameters
    ----------
    sources : sequence of Source
        At least one; the first of them a keyframe's.
    pixels : Pixels
        The frame's own.
    size : (int, int)
        Its height and width.

    Raises
    ------
    ValueError
        When the first source is no keyframe's.
    """
    if not sources or sources[0].reference.labels is None:
        raise ValueError("expected a keyframe as the first source")
    answer = _solve_grid(sources, pixels)
    labels = _solve_frame(sources, pixels, answer, size, sources[0].reference.labels.dtype)
    return labels, Reference(pixels.grid, answer, _settled(answer))


def _solve_grid(sources: Sequence[Source], pixels: Pixels) -> FloatArray:
    """Return the answer on the working grid, with margins."""
    rows, columns = sources[0].flow.shape[:2]
    known = np.full((rows, columns), -2, np.float32)
    for source in sources:
        shares.agree(source.reference.settled, source.flow, known)
    answer = _margined([known, known, np.ones_like(known)])
    unknown = (known < 0).view(np.uint8)
    places = np.flatnonzero(unknown)
    if not places.size:
        return answer
    # The blur reads the distances around.
    reach = 9
    around = np.asarray(cv2.dilate(unknown, np.ones((reach, reach), np.uint8)), np.uint8)
    ballot = _Ballot.empty(places.size)
    for source in sources:
        distance = np.zeros((rows, columns), np.float32)
        reference = source.reference
        matching.difference(pixels.grid, reference.colours, source.flow, around, distance)
        blurred = np.asarray(cv2.GaussianBlur(distance, (reach, reach), RESIDUAL_BLUR_PX))
        weights = np.exp(blurred.ravel()[places] / np.float32(-RESIDUAL_SCALE))
        weights = np.maximum(weights, np.float32(WEIGHT_FLOOR)) * np.float32(source.weight)
        shares.sample(
            reference.answer,
            reference.settled,
            source.flow,
            weights,
            places,
            ballot.labels,
            ballot.votes,
            ballot.counts,
        )
    doubt = np.zeros((rows, columns), np.uint8)
    shares.rank(places, ballot.labels, ballot.votes, ballot.counts, SURE_ON_GRID, answer, doubt)
    side = 2 * DOUBT_GROWTH + 1
    band = np.flatnonzero(cv2.dilate(doubt, np.ones((side, side), np.uint8)))
    ballot = _Ballot.empty(band.size)
    shares.nominate(
        answer,
        doubt,
        DOUBT_GROWTH,
        PRIOR_ON_GRID,
        band,
        ballot.labels,
        ballot.votes,
        ballot.counts,
    )
    falloff = _falloff(matching.GRID_REACH, matching.GRID_LANES, GRID_SIGMA)
    for source in sources:
        matching.vote_grid(
            pixels.grid,
            source.reference.colours,
            source.reference.answer,
            source.flow,
            _PATCH_SCALE,
            falloff,
            source.weight,
            band,
            ballot.labels,
            ballot.votes,
            ballot.counts,
        )
    shares.rank(band, ballot.labels, ballot.votes, ballot.counts, 0.0, answer, doubt)
    _repeat_border(answer)
    return answer


def _solve_frame(
    sources: Sequence[Source],
    pixels: Pixels,
    answer: FloatArray,
    size: tuple[int, int],
    dtype: np.dtype[np.uint8] | np.dtype[np.uint16],
) -> LabelArray:
    """Return the labels of the frame that follow from its answer on the grid."""
    labels, second = np.empty(size, dtype), np.empty(size, dtype)
    share = np.empty(size, np.float32)
    rest = np.empty(labels.size, np.int64)
    places = rest[: shares.enlarge(answer, SURE_IN_FRAME, labels, second, share, rest)]
    if not places.size:
        return labels
    first_share = share.ravel()[places]
    votes = np.stack([first_share, 1 - first_share], axis=1) * np.float32(PRIOR_IN_FRAME)
    falloff = _falloff(matching.FRAME_REACH, matching.FRAME_ROWS, FRAME_SIGMA)
    for source in sources:
        reference = source.reference
        if reference.labels is None or reference.frame_colours is None:
            continue
        matching.vote_frame(
            pixels.frame,
            reference.frame_colours,
            reference.labels,
            source.flow,
            _PATCH_SCALE,
            falloff,
            source.weight,
            places,
            labels,
            second,
            votes,
        )
    matching.elect(places, votes, labels, second, share)
    side = 2 * NEIGHBOURS + 1
    decided = np.empty(places.size, dtype)
    matching.sharpen(
        pixels.frame,
        _PIXEL_SCALE,
        _falloff(NEIGHBOURS, side, NEIGHBOUR_SIGMA / SPACING),
        SPACING,
        SURE_IN_FRAME,
        places,
        labels,
        second,
        share,
        decided,
    )
    labels.ravel()[places] = decided
    return labels


@dataclass(frozen=True, slots=True, eq=False)
class _Ballot:
    """Votes for labels at some places."""

    labels: FloatArray
    votes: FloatArray
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls, places: int) -> _Ballot:
        shape = (places, shares.CANDIDATES)
        return cls(
            np.empty(shape, np.float32), np.empty(shape, np.float32), np.zeros(places, np.int64)
        )


@cache
def _falloff(reach: int, lanes: int, sigma: float) -> FloatArray:
    """Return a Gaussian window (2 reach + 1, lanes), 0 beyond its columns."""
    line = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    out = np.zeros((line.size, lanes), np.float32)
    out[:, : line.size] = np.outer(line, line)
    return out


def _settled(answer: FloatArray) -> FloatArray:
    margin = 2 * shares.MARGIN
    out = np.empty((answer.shape[0] - margin, answer.shape[2] - margin), np.float32)
    shares.settled(answer, out)
    return out


def _margined(planes: Sequence[NDArray[Sample]]) -> NDArray[Sample]:
    """Return planes (h, w) row by row, (h + 2m, c, w + 2m), with margins that repeat the border."""
    margin = shares.MARGIN
    height, width = planes[0].shape
    out = np.empty((height + 2 * margin, len(planes), width + 2 * margin), planes[0].dtype)
    for c, plane in enumerate(planes):
        out[margin:-margin, c, margin:-margin] = plane
    _repeat_border(out)
    return out


def _repeat_border(out: NDArray[Sample]) -> None:
    """Fill the margins of an array just made."""
    margin = shares.MARGIN
    out[:, :, :margin] = out[:, :, margin : margin + 1]
    out[:, :, -margin:] = out[:, :, -margin - 1 : -margin]
    out[:margin] = out[margin]
    out[-margin:] = out[-margin - 1]
