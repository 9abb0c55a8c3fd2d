"""Small pictures of the frames to look at, small enough to stand inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from tempseg.class_sets import ClassSet, generic
from tempseg.errors import SourceError
from tempseg.prefetch import Prefetch
from tempseg.report.records import RunRecord
from tempseg.types import LabelArray, UInt8Array
from tempseg.video import DecodedPicture
from tempseg.video.decoding import VideoDecoder
from tempseg.video.samples import sample_rows

__all__ = ["LabelChange", "Moment", "picture_moments"]

WIDTH_PX = 320
QUALITY = 82
"""JPEG at 1.5 ms a picture; WebP of the same size takes four times as long (19 kB at 320×180)."""
AHEAD = 4

MATROSKA_STEP_S = 0.001
"""Matroska keeps times to the millisecond, so a frame may be this far from its time."""

NEARBY_S = 2.0
"""A frame this little ahead is reached by decoding on: a seek would go back to a keyframe."""

CHANGES = 3
"""Pairs of classes that a moment names."""
SMALLEST_CHANGE = 0.0005
"""A smaller share of the frame would be written as 0.0 %."""

CHANGED_RGB = (255, 45, 120)
DIMMED = 0.55


@dataclass(frozen=True, slots=True)
class LabelChange:
    """Pixels that went from one class to another: names, and share of the frame."""

    before: str
    after: str
    share: float


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame beside the one before it.

    Parameters
    ----------
    place : int
        The frame's place in the run.
    before, at, changed : str
        Pictures as data URIs: with the labels of the frame before, with its own, and where the
        two differ.
    changes : tuple of LabelChange
        The largest first.
    """

    place: int
    before: str
    at: str
    changed: str
    changes: tuple[LabelChange, ...]


def picture_moments(run: RunRecord, places: Sequence[int]) -> tuple[Moment, ...]:
    """Return the pictures of frames, each beside the frame before it, in the order given.

    Taken from the overlay where there is one, else from the label maps' colours alone. Only the
    neighbourhood of the frames is decoded.

    Raises
    ------
    SourceError
        When a file cannot be read or a frame is missing.
    """
    wanted = sorted({place for at in places for place in (at - 1, at)})
    times = [float(run.frames.time_s[place]) for place in wanted]
    with Prefetch(_frames_at(run.masks, times), name="masks", capacity=AHEAD) as found:
        labels = dict(zip(wanted, map(_labels, found), strict=True))
    if run.overlay is None:
        colours = _colours(run.classes, void=run.void)
        pictures = {place: _small(colours[kept]) for place, kept in labels.items()}
    else:
        shifted = [time_s - run.overlay_origin_s for time_s in times]
        with Prefetch(_frames_at(run.overlay, shifted), name="overlay", capacity=AHEAD) as shown:
            pictures = {
                place: _small(DecodedPicture(frame).rgb()[: run.height, : run.width])
                for place, frame in zip(wanted, shown, strict=True)
            }
    return tuple(_moment(run, place, labels, pictures) for place in places)


def _moment(
    run: RunRecord, place: int, labels: dict[int, LabelArray], pictures: dict[int, UInt8Array]
) -> Moment:
    before, at = labels[place - 1], labels[place]
    return Moment(
        place=place,
        before=_data_uri(pictures[place - 1]),
        at=_data_uri(pictures[place]),
        changed=_data_uri(_marked(pictures[place], before != at)),
        changes=_changes(run, before, at),
    )


def _frames_at(path: Path, times_s: Sequence[float]) -> Iterator[VideoFrame]:
    """Yield the frames of a video at rising times."""
    decoder = VideoDecoder(str(path))
    try:
        time_base = decoder.stream.time_base
        assert time_base is not None
        frames = decoder.frames()
        reached = -NEARBY_S if times_s and times_s[0] < NEARBY_S else float("-inf")
        for time_s in times_s:
            if time_s - reached > NEARBY_S:
                frames = decoder.frames_from(int((time_s - MATROSKA_STEP_S) / time_base))
            for frame in frames:
                reached = float((frame.pts or 0) * time_base)
                if reached > time_s - MATROSKA_STEP_S:
                    break
            else:
                reached = float("-inf")
            if not abs(reached - time_s) < MATROSKA_STEP_S:
                raise SourceError(f"{path}: has no frame at {time_s:.3f} s; run again")
            yield frame
    finally:
        decoder.close()


def _labels(frame: VideoFrame) -> LabelArray:
    if frame.format.name == "gray16le":
        return sample_rows(frame.planes[0], np.uint16).copy()
    return sample_rows(frame.planes[0], np.uint8).copy()


def _colours(classes: ClassSet, *, void: int) -> UInt8Array:
    """Return the colour of every label there can be, shape (65536, 3)."""
    colours = np.tile(np.array(generic(256).colours, np.uint8), (256, 1))
    colours[: len(classes.colours)] = classes.colours
    colours[void] = 0
    return colours


def _small(rgb: UInt8Array) -> UInt8Array:
    height, width = rgb.shape[:2]
    if width <= WIDTH_PX:
        return np.ascontiguousarray(rgb)
    size = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _marked(picture: UInt8Array, changed: NDArray[np.bool_]) -> UInt8Array:
    """Return the picture in dim gray, with what changed in a colour no photograph has."""
    height, width = picture.shape[:2]
    share = cv2.resize(changed.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)[
        ..., np.newaxis
    ]
    gray = picture.mean(axis=2, keepdims=True, dtype=np.float32) * DIMMED
    # A single changed pixel must still be seen once the picture is small.
    strength = np.sqrt(share)
    mixed = gray * (1 - strength) + np.array(CHANGED_RGB, np.float32) * strength
    marked: UInt8Array = np.rint(mixed).astype(np.uint8)
    return marked


def _data_uri(rgb: UInt8Array) -> str:
    data = io.BytesIO()
    Image.fromarray(rgb).save(data, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _changes(run: RunRecord, before: LabelArray, at: LabelArray) -> tuple[LabelChange, ...]:
    differ = before != at
    pairs = before[differ].astype(np.int64) << 16 | at[differ]
    found, counts = np.unique(pairs, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:CHANGES]
    told = counts >= max(1, SMALLEST_CHANGE * before.size)
    return tuple(
        LabelChange(
            before=_name(run, int(found[i]) >> 16),
            after=_name(run, int(found[i]) & 0xFFFF),
            share=int(counts[i]) / before.size,
        )
        for i in largest
        if told[i]
    )


def _name(run: RunRecord, label: int) -> str:
    if label == run.void:
        return "void"
    names = run.classes.names
    return names[label] if label < len(names) else f"id {label}"
