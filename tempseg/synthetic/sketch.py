"""Small pictures drawn in metres: the skins of cars, people, signs and trees."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tempseg.synthetic.raster import Texture
from tempseg.types import FloatArray

__all__ = ["Colour", "Sketch", "clouds", "speckle"]

Colour = tuple[float, float, float]
_FINER = 3
_SHIFT = 4


class Sketch:
    """A transparent sheet, (0, 0) at its top left, y down, in metres.

    Parameters
    ----------
    width_m, height_m : float
        Its size.
    density : float
        Pixels a metre of the finished texture.
    """

    def __init__(self, width_m: float, height_m: float, density: float) -> None:
        self.size_m = width_m, height_m
        self.density = density
        columns = max(2, round(width_m * density))
        rows = max(2, round(height_m * density))
        self._scale = columns * _FINER / width_m, rows * _FINER / height_m
        self.colour = np.zeros((rows * _FINER, columns * _FINER, 3), np.float32)
        self.alpha = np.zeros(self.colour.shape[:2], np.uint8)

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour) -> Sketch:
        """Fill a polygon."""
        corners = [np.array([self._pixel(x, y) for x, y in points], np.int32)]
        cv2.fillPoly(self.colour, corners, [float(c) for c in colour], shift=_SHIFT)
        cv2.fillPoly(self.alpha, corners, 255, shift=_SHIFT)
        return self

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> Sketch:
        """Fill a rectangle."""
        return self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def oval(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> Sketch:
        """Fill an ellipse."""
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        points = zip(x + radius_x * np.cos(turn), y + radius_y * np.sin(turn), strict=True)
        return self.polygon([(float(a), float(b)) for a, b in points], colour)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], width_m: float, colour: Colour
    ) -> Sketch:
        """Draw a straight stroke with round ends."""
        (ax, ay), (bx, by) = start, end
        length = max(float(np.hypot(bx - ax, by - ay)), 1e-6)
        nx, ny = (by - ay) / length * width_m / 2, (ax - bx) / length * width_m / 2
        self.polygon([(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny),
                      (ax - nx, ay - ny)], colour)  # fmt: skip
        self.oval(ax, ay, width_m / 2, width_m / 2, colour)
        return self.oval(bx, by, width_m / 2, width_m / 2, colour)

    def ring(self, x: float, y: float, radius: float, width_m: float, colour: Colour) -> Sketch:
        """Draw a circle's outline, `radius` to its outer edge."""
        turn = np.linspace(0, 2 * np.pi, 49)
        inner = radius - width_m
        outline = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in turn]
        hole = [(x + inner * np.cos(a), y + inner * np.sin(a)) for a in turn[::-1]]
        return self.polygon([(float(a), float(b)) for a, b in outline + hole], colour)

    def shade(self, field: FloatArray) -> Sketch:
        """Multiply the colours by a field of any size, stretched over the sheet."""
        height, width = self.alpha.shape
        factor = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
        self.colour *= np.asarray(factor)[..., None]
        return self

    def rounded(self, strength: float = 0.35) -> Sketch:
        """Darken towards the left and right edge, as on a cylinder lit from the front left."""
        across = np.linspace(-1, 1, 32, dtype=np.float32)[None]
        return self.shade(1 - np.float32(strength) * (across + np.float32(0.25)) ** 2)

    def texture(self, *, along: int | None = None, opaque: bool = False) -> Texture:
        """Return the finished texture, averaged down."""
        height, width = self.alpha.shape
        alpha = self.alpha[..., None].astype(np.float32)
        lit = np.clip(self.colour, 0, 255) * (alpha / 255)
        sheet = np.dstack([lit, alpha])
        small = cv2.resize(sheet, (width // _FINER, height // _FINER), interpolation=cv2.INTER_AREA)
        picture = np.rint(np.asarray(small)).astype(np.uint8)
        if opaque:
            picture = np.ascontiguousarray(picture[..., :3])
        density = picture.shape[1] / self.size_m[0], picture.shape[0] / self.size_m[1]
        return Texture.build(picture, density, along=along)

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        # OpenCV counts from pixel centres, the sheet from its edge.
        one = 1 << _SHIFT
        return (
            round((x * self._scale[0] - 0.5) * one),
            round((y * self._scale[1] - 0.5) * one),
        )


def clouds(
    rng: np.random.Generator, height: int, width: int, *, cell: float, octaves: int = 4
) -> FloatArray:
    """Return smooth noise about 0, most within ±1, that wraps from bottom to top.

    Parameters
    ----------
    rng : Generator
    height, width : int
    cell : float
        Size of the largest lumps in pixels.
    octaves : int
        Each half as large and half as strong as the one before.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = cell / 2**octave
        if size < 1:
            break
        rows, columns = max(2, round(height / size)), max(2, round(width / size))
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        wrapped = np.concatenate([grid[-2:], grid, grid[:2]])
        step = height / rows
        tall = cv2.resize(wrapped, (width, round((rows + 4) * step)), interpolation=cv2.INTER_CUBIC)
        start = round(2 * step)
        total += np.asarray(tall)[start : start + height] * np.float32(0.5 ** (octave + 1))
    return total


def speckle(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """Return independent noise a pixel, standard deviation 1."""
    return rng.standard_normal((height, width), dtype=np.float32)
