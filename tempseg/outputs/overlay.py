"""Label maps drawn over the video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from tempseg.class_sets import ClassSet, generic
from tempseg.errors import OutputError
from tempseg.kernels.paint import count_labels, paint
from tempseg.outputs.colour import rgb_to_yuv, under_tags
from tempseg.outputs.legend import Legend
from tempseg.types import ColourTags, FrameResult, LabelArray, Planes, UInt8Array

__all__ = ["OverlayPainter", "OverlaySink", "PictureEncoder"]

OUTLINE_STRENGTH = 235
MIN_OUTLINE_PX = 2
"""Narrower ones would fall between the chroma samples, of which there is one in two pixels."""
LEGEND_SHARE = 0.001
"""A class must fill this share of the picture to enter the legend."""
COUNTED_EVERY = 8
"""Pixels of every so many rows and columns are counted: to count all takes a millisecond."""
LEGEND_HOLD_S = 1.0
"""A class stays in the legend this long after it was last seen, so that the box keeps still."""


class PictureEncoder(Protocol):
    """What the overlay needs of an encoder."""

    def allocate(self) -> Planes:
        """Return planes of the video's size to draw into."""

    def write(self, planes: Planes, pts: int) -> None:
        """Encode planes got from `allocate`."""

    def close(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of the file."""


class OverlayPainter:
    """Draws tinted classes, their outlines and a legend over a picture's planes.

    Parameters
    ----------
    class_set : ClassSet
        Names and colours; its background and void stay untinted.
    label_bits : int
        8 or 16.
    opacity : float
        Strength of the tint in [0, 1].
    legend : bool
        Whether to draw the legend.
    """

    def __init__(
        self,
        class_set: ClassSet,
        *,
        label_bits: int,
        opacity: float,
        legend: bool,
    ) -> None:
        self._class_set = class_set
        self._legend = legend
        values = 1 << label_bits
        # Ids beyond the class set, such as instances, take colours that differ from neighbours'.
        beyond = np.array(generic(256).colours, np.uint8)
        self._rgb = np.tile(beyond, (values // 256, 1))
        self._rgb[: len(class_set.colours)] = class_set.colours
        self._alphas = np.full(values, round(opacity * 256), np.uint16)
        self._alphas[[values - 1, *class_set.background]] = 0
        self._counts = np.zeros(values, np.int64)
        self._colour: ColourTags | None = None
        self._yuv: UInt8Array = np.zeros((values, 3), np.uint8)
        self._last_seen_s: dict[int, float] = {}
        self._drawn: tuple[tuple[int, ...], Legend | None] = ((), None)

    def draw(self, planes: Planes, labels: LabelArray, *, time_s: float, out: Planes) -> None:
        """Draw labels (H, W) over planes into `out`, which the caller owns."""
        if planes.colour != self._colour:
            self._colour = planes.colour
            self._yuv = np.rint(rgb_to_yuv(self._rgb, planes.colour)).astype(np.uint8)
            self._drawn = ((), None)
        paint(
            (planes.y, planes.u, planes.v),
            labels,
            self._yuv,
            self._alphas,
            OUTLINE_STRENGTH,
            max(MIN_OUTLINE_PX, round(min(labels.shape) / 360)),
            (out.y, out.u, out.v),
        )
        if self._legend:
            legend = self._current_legend(labels, time_s, planes.colour)
            if legend is not None:
                legend.draw(out)

    def _current_legend(
        self, labels: LabelArray, time_s: float, colour: ColourTags
    ) -> Legend | None:
        counted = labels[::COUNTED_EVERY, ::COUNTED_EVERY]
        count_labels(counted, self._counts)
        enough = max(1, round(counted.size * LEGEND_SHARE))
        for label in np.flatnonzero((self._counts >= enough) & (self._alphas > 0)):
            self._last_seen_s[int(label)] = time_s
        self._last_seen_s = {
            label: seen
            for label, seen in self._last_seen_s.items()
            if time_s - seen <= LEGEND_HOLD_S
        }
        present = tuple(sorted(self._last_seen_s))
        if present != self._drawn[0]:
            entries = [(self._name(label), _triple(self._rgb[label])) for label in present]
            self._drawn = (present, Legend.of(entries, labels.shape, colour))
        return self._drawn[1]

    def _name(self, label: int) -> str:
        names = self._class_set.names
        return names[label] if label < len(names) else f"id {label}"


def _triple(rgb: UInt8Array) -> tuple[int, int, int]:
    return int(rgb[0]), int(rgb[1]), int(rgb[2])


class OverlaySink:
    """Writes `overlay.mp4`.

    Parameters
    ----------
    open_encoder : callable
        Gives the encoder, once the first frame shows colour tags and start time.
    painter : OverlayPainter
    """

    def __init__(
        self,
        open_encoder: Callable[[ColourTags, int], PictureEncoder],
        painter: OverlayPainter,
    ) -> None:
        self._open_encoder = open_encoder
        self._painter = painter
        self._encoder: PictureEncoder | None = None

    def write(self, result: FrameResult) -> None:
        """Draw and encode one frame."""
        planes = result.frame.picture.yuv420()
        if self._encoder is None:
            self._encoder = self._open_encoder(planes.colour, result.frame.pts)
        out = self._encoder.allocate()
        labels = result.segmentation.labels
        # A stream may change its tags midway; its encoder stamps the first ones on all.
        planes = under_tags(planes, out.colour)
        self._painter.draw(planes, labels, time_s=result.frame.time_s, out=out)
        self._encoder.write(out, result.frame.pts)

    def finish(self) -> None:
        """Complete the file."""
        if self._encoder is not None:
            self._encoder.close()

    def abandon(self) -> None:
        """Close what there is so that it can be played, or let go of it."""
        try:
            self.finish()
        except OutputError:
            if self._encoder is not None:
                self._encoder.abandon()
