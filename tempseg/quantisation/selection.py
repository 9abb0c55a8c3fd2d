"""Which frames of a video a model is calibrated on, and which it is compared on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.errors import SourceError
from tempseg.protocols import FrameSource
from tempseg.types import FloatArray, Frame

__all__ = ["FrameChoice", "choose_frames", "farthest_first", "picked"]

MOST_CANDIDATES = 2048
"""Thumbnails held at once; longer videos offer every 2nd, 4th, … frame."""

_LUMA_SIDE, _CHROMA_SIDE = 16, 8


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames by index, sorted; none is in both.

    Parameters
    ----------
    calibration : tuple of int
        That differ from one another the most.
    held_out : tuple of int
        That differ the most from these and from one another.
    """

    calibration: tuple[int, ...]
    held_out: tuple[int, ...]


def choose_frames(
    source: FrameSource,
    *,
    calibrate: int,
    hold_out: int,
    advance: Callable[[], None] = lambda: None,
) -> FrameChoice:
    """Return which frames of a source to calibrate on and which to compare on.

    Reads the source through once; memory does not grow with its length. A source with fewer
    frames than asked for is divided in the same ratio.

    Parameters
    ----------
    source : FrameSource
    calibrate, hold_out : int
        How many of each.
    advance : callable
        Called once a frame.

    Raises
    ------
    SourceError
        When the source has only one frame.
    """
    indices, thumbnails = _candidates(_told(source, advance))
    if len(indices) < 2:
        raise SourceError(
            f"{source.info.name}: has only one frame; give a video of at least two, one to "
            "calibrate on and one to compare on"
        )
    wanted = min(calibrate + hold_out, len(indices))
    held = min(max(round(wanted * hold_out / (calibrate + hold_out)), 1), wanted - 1)
    order = [indices[place] for place in farthest_first(thumbnails, wanted)]
    return FrameChoice(tuple(sorted(order[: wanted - held])), tuple(sorted(order[wanted - held :])))


def farthest_first(points: FloatArray, count: int) -> list[int]:
    """Return the rows of points in which every next one is farthest from those before.

    Begins with the row nearest the mean; the first of several that are equally far comes first.
    Source: Gonzalez 1985, Clustering to minimize the maximum intercluster distance.

    Parameters
    ----------
    points : ndarray, shape (N, D), float32
    count : int
        At most N.

    Examples
    --------
    >>> farthest_first(np.float32([[0.0], [1.0], [9.0], [4.0]]), 3)
    [3, 2, 0]
    """
    chosen = [int(_squared(points, points.mean(axis=0)).argmin())]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, _squared(points, points[chosen[-1]]))
        # Frames may be alike to the last bit, but none is taken twice.
        nearest[chosen[-1]] = -1.0
        chosen.append(int(nearest.argmax()))
    return chosen


def picked(frames: Iterable[Frame], wanted: Collection[int]) -> Iterator[Frame]:
    """Yield the frames with these indices; nothing after the last of them is read."""
    last = max(wanted, default=-1)
    for frame in frames:
        if frame.index in wanted:
            yield frame
        if frame.index >= last:
            return


def _told(source: FrameSource, advance: Callable[[], None]) -> Iterator[Frame]:
    for frame in source:
        advance()
        yield frame


def _candidates(frames: Iterable[Frame]) -> tuple[list[int], FloatArray]:
    """Return evenly spaced frames, as many as may be held: their indices and thumbnails."""
    indices: list[int] = []
    thumbnails: list[FloatArray] = []
    step = 1
    for place, frame in enumerate(frames):
        if place % step:
            continue
        if len(indices) == MOST_CANDIDATES:
            indices, thumbnails = indices[::2], thumbnails[::2]
            step *= 2
            if place % step:
                continue
        indices.append(frame.index)
        thumbnails.append(_thumbnail(frame))
    return indices, np.stack(thumbnails)


def _thumbnail(frame: Frame) -> FloatArray:
    planes = frame.picture.yuv420()
    small = [_shrunk(planes.y, _LUMA_SIDE)]
    small += [_shrunk(plane, _CHROMA_SIDE) for plane in (planes.u, planes.v)]
    return np.concatenate(small)


def _shrunk(plane: NDArray[np.uint8], side: int) -> FloatArray:
    small = cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


def _squared(points: FloatArray, point: NDArray[np.floating]) -> NDArray[np.float64]:
    # Row by row: the difference of all at once would be as large as all thumbnails together.
    apart: NDArray[np.float64] = ((points - point) ** 2).sum(axis=1, dtype=np.float64)
    return apart
