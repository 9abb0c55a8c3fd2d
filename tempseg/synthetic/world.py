"""Planes in space and the camera that looks at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, hypot, log2, sin

import numpy as np
from numpy.typing import NDArray

from tempseg.synthetic.raster import Layer, Texture

__all__ = ["Camera", "Panel", "Vector", "panel_layers"]

Vector = tuple[float, float, float]
"""Metres: x to the right, y up, z along the street."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera; angles in radians, focal length in pixels of the rendered frame."""

    position: Vector
    yaw: float
    pitch: float
    roll: float
    focal_px: float
    width: int
    height: int

    def projection(self) -> NDArray[np.float64]:
        """Return what takes a place relative to the camera to (x z, y z, z), shape (3, 3)."""
        cy, sy, cp, sp = cos(self.yaw), sin(self.yaw), cos(self.pitch), sin(self.pitch)
        forward = np.array([sy * cp, sp, cy * cp])
        right = np.array([cy, 0.0, -sy])
        down = np.array([sy * sp, -cp, cy * sp])
        cr, sr = cos(self.roll), sin(self.roll)
        axes = np.stack([cr * right + sr * down, cr * down - sr * right, forward])
        lens = np.array(
            [
                [self.focal_px, 0, (self.width - 1) / 2],
                [0, self.focal_px, (self.height - 1) / 2],
                [0, 0, 1],
            ]
        )
        return np.asarray(lens @ axes)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A textured parallelogram in space.

    Parameters
    ----------
    surface : int
        Its own number within the shot.
    texture : Texture
    corner : Vector
        Where the texture's top left lies.
    across, down : Vector
        From there to the top right and to the bottom left.
    class_id : int or None
        None for shadows and markings, which only colour what lies below.
    segment_id : int
        The thing it belongs to; 0 for stuff.
    light : Vector
        Multiplies red, green and blue.
    outward : Vector or None
        Seen only from the side this points to; none is seen from both.
    at_infinity : bool
        Moves along with the camera: the sky.
    repeats : float
        How often a wrapping texture repeats.
    """

    surface: int
    texture: Texture
    corner: Vector
    across: Vector
    down: Vector
    class_id: int | None
    segment_id: int = 0
    light: Vector = (1.0, 1.0, 1.0)
    outward: Vector | None = None
    at_infinity: bool = False
    repeats: float = 1.0


def panel_layers(panels: Iterable[Panel], camera: Camera) -> list[Layer]:
    """Return the panels that face the camera, in the order given, as it sees them."""
    projection = camera.projection()
    layers = []
    for panel in panels:
        offset = panel.corner if panel.at_infinity else _less(panel.corner, camera.position)
        if panel.outward is not None and _dot(panel.outward, offset) >= 0:
            continue
        axes = np.array([*zip(panel.across, panel.down, offset, strict=True)])
        layers.append(
            Layer(
                panel.surface,
                panel.class_id,
                panel.segment_id,
                panel.texture,
                projection @ axes,
                _level_offset(panel, camera, offset),
                panel.light,
                panel.repeats,
            )
        )
    return layers


def _level_offset(panel: Panel, camera: Camera, offset: Vector) -> float:
    texture, focal = panel.texture, camera.focal_px
    if texture.along is None:
        return log2(max(texture.density) / focal)
    # A pixel covers z / focal metres across, and z² / (focal × distance from the plane) along.
    normal = _cross(panel.across, panel.down)
    distance = abs(_dot(normal, offset)) / hypot(*normal)
    across = log2(texture.density[1 - texture.along] / focal)
    # Half a level more, since two samples a pixel gain half a level here and one there.
    along = 0.5 * log2(texture.density[texture.along] / (focal * max(distance, 0.3))) + 0.5
    return max(across, along)


# NumPy takes a hundred times as long for three numbers.


def _less(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
