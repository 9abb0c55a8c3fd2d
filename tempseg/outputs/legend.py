"""The box on the overlay that says which colour is which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tempseg.outputs.colour import rgb_to_yuv
from tempseg.types import ColourTags, FloatArray, Planes, UInt8Array

__all__ = ["Legend", "LegendEntry"]

LegendEntry = tuple[str, tuple[int, int, int]]

PANEL_RGB = (16, 18, 22)
PANEL_OPACITY = 0.62
TEXT_RGB = (245, 245, 245)
RIM_RGB = (200, 200, 200)
"""Around each swatch, or dark classes are lost on the dark panel."""

MIN_TEXT_PX = 9
"""Below this size letters cannot be read, so small pictures carry no legend."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Samples to add and the share of the picture that stays, for one plane."""

    added: FloatArray
    kept: FloatArray

    def over(self, plane: UInt8Array) -> None:
        height, width = self.kept.shape
        region = plane[:height, :width]
        region[...] = np.rint(region * self.kept + self.added).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Legend:
    """A legend drawn once, to be laid over many frames."""

    _layers: tuple[_Layer, _Layer, _Layer]
    _left: int
    _top: int

    @classmethod
    def of(
        cls, entries: Sequence[LegendEntry], frame_size: tuple[int, int], colour: ColourTags
    ) -> Legend | None:
        """Return the legend of these classes, or none where it would be empty or unreadable."""
        height, width = frame_size
        text_px = round(min(height, width) / 36)
        if not entries or text_px < MIN_TEXT_PX:
            return None
        margin = 2 * max(4, round(text_px * 0.45))
        line = round(text_px * 1.55)
        room = (height - 3 * margin) // line
        shown = list(entries[:room])
        if len(entries) > room:
            shown[-1] = (f"+{len(entries) - room + 1} more", PANEL_RGB)
        coverage, rgb = _draw(shown, text_px=text_px, line=line, pad=margin)
        coverage = coverage[: height - 2 * margin, : width - 2 * margin]
        rgb = rgb[: height - 2 * margin, : width - 2 * margin]
        return cls(_layers(coverage, rgb, colour), margin, margin)

    def draw(self, planes: Planes) -> None:
        """Lay the legend over planes that the caller owns."""
        for layer, plane, step in zip(
            self._layers, (planes.y, planes.u, planes.v), (1, 2, 2), strict=True
        ):
            layer.over(plane[self._top // step :, self._left // step :])


def _draw(
    entries: Sequence[LegendEntry], *, text_px: int, line: int, pad: int
) -> tuple[FloatArray, UInt8Array]:
    """Return how opaque each pixel is, in [0, 1], and its colour."""
    font = cv2.FontFace("sans")
    # On whole chroma samples, or the panel's gray bleeds into the swatches' edges.
    swatch = 2 * round(text_px * 0.45)
    rim = max(1, round(text_px / 16))
    widths = [
        cv2.getTextSize((4000, 100), name, (0, 0), font, text_px, 400)[2] for name, _ in entries
    ]
    height = 2 * ((line * len(entries) + pad + 1) // 2)
    width = 2 * ((swatch + 2 * pad + max(widths) + pad // 2 + 1) // 2)
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[:] = PANEL_RGB
    coverage = np.full((height, width), PANEL_OPACITY, np.float32)
    letters = np.zeros((height, width, 3), np.uint8)
    for place, (name, colour) in enumerate(entries):
        middle = pad // 2 + line * place + line // 2
        top, left = 2 * ((middle - swatch // 2) // 2), pad
        if colour != PANEL_RGB:
            bottom, right = top + swatch, left + swatch
            coverage[top - rim : bottom + rim, left - rim : right + rim] = 1
            rgb[top - rim : bottom + rim, left - rim : right + rim] = RIM_RGB
            rgb[top:bottom, left:right] = colour
        baseline = (left + swatch + pad // 2 + 2, middle + round(text_px * 0.34))
        cv2.putText(letters, name, baseline, (255, 255, 255), font, text_px, 400)
    share = letters[..., :1].astype(np.float32) / 255
    # Under letters the panel is made opaque by as much as the letter covers.
    mixed = np.rint(rgb * (1 - share) + np.array(TEXT_RGB, np.float32) * share)
    return np.maximum(coverage, share[..., 0]), mixed.astype(np.uint8)


def _layers(
    coverage: FloatArray, rgb: UInt8Array, colour: ColourTags
) -> tuple[_Layer, _Layer, _Layer]:
    height, width = (side // 2 * 2 for side in coverage.shape)
    coverage, rgb = coverage[:height, :width], rgb[:height, :width]
    added = rgb_to_yuv(rgb, colour) * coverage[..., np.newaxis]
    layers = []
    for channel in range(3):
        kept, samples = 1 - coverage, added[..., channel]
        if channel > 0:
            kept, samples = (
                plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
                for plane in (kept, samples)
            )
        layers.append(_Layer(samples.astype(np.float32), kept.astype(np.float32)))
    return layers[0], layers[1], layers[2]
