"""People on foot: flat limbs that swing, so that their motion is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin

import numpy as np

from tempseg.synthetic.raster import Texture
from tempseg.synthetic.sketch import Colour, Sketch
from tempseg.synthetic.world import Panel, Vector

__all__ = ["LIMB_DENSITY", "Clothes", "Limbs", "PersonSkin", "Walker"]

PEDESTRIAN = 9
LIMB_DENSITY = 120.0
"""Texels a metre."""

_STRIDE_M = 1.45


@dataclass(frozen=True, slots=True)
class Clothes:
    """Colours of a person."""

    coat: Colour
    legs: Colour
    hair: Colour
    skin: Colour = (214.0, 170.0, 142.0)
    shoes: Colour = (46.0, 40.0, 38.0)
    helmet: bool = False
    long_coat: bool = False


class PersonSkin:
    """The textures of one person."""

    def __init__(self, clothes: Clothes) -> None:
        self.thigh = _sleeve(0.2, 0.52, clothes.legs, taper=0.82)
        self.far_thigh = _sleeve(0.2, 0.52, _darker(clothes.legs), taper=0.82)
        self.shin = _shin(clothes.legs, clothes.shoes)
        self.far_shin = _shin(_darker(clothes.legs), clothes.shoes)
        self.arm = _arm(clothes.coat, clothes.skin)
        self.far_arm = _arm(_darker(clothes.coat), clothes.skin)
        self.body = _body(clothes)
        self.face = _head(clothes, behind=False)
        self.nape = _head(clothes, behind=True)


def _darker(colour: Colour) -> Colour:
    return colour[0] * 0.74, colour[1] * 0.74, colour[2] * 0.76


def _sleeve(width: float, length: float, colour: Colour, *, taper: float) -> Texture:
    sketch = Sketch(width, length, LIMB_DENSITY)
    half, end = width / 2 - 0.012, (width / 2 - 0.012) * taper
    middle = width / 2
    sketch.oval(middle, half + 0.01, half, half, colour)
    sketch.oval(middle, length - end - 0.01, end, end, colour)
    sketch.polygon(
        [(middle - half, half), (middle + half, half), (middle + end, length - end),
         (middle - end, length - end)],
        colour,
    )  # fmt: skip
    return sketch.rounded(0.3).texture()


def _shin(colour: Colour, shoe: Colour) -> Texture:
    sketch = Sketch(0.36, 0.56, LIMB_DENSITY)
    sketch.oval(0.18, 0.09, 0.078, 0.078, colour)
    sketch.polygon([(0.102, 0.09), (0.258, 0.09), (0.235, 0.47), (0.125, 0.47)], colour)
    sketch.rounded(0.3)
    sketch.oval(0.20, 0.495, 0.10, 0.045, shoe)
    sketch.oval(0.25, 0.51, 0.085, 0.032, shoe)
    sketch.box(0.11, 0.505, 0.33, 0.54, shoe)
    return sketch.texture()


def _arm(colour: Colour, skin: Colour) -> Texture:
    sketch = Sketch(0.16, 0.66, LIMB_DENSITY)
    sketch.oval(0.08, 0.61, 0.042, 0.045, skin)
    sketch.oval(0.08, 0.075, 0.062, 0.062, colour)
    sketch.polygon([(0.018, 0.075), (0.142, 0.075), (0.125, 0.575), (0.035, 0.575)], colour)
    return sketch.rounded(0.3).texture()


def _body(clothes: Clothes) -> Texture:
    length = 0.86 if clothes.long_coat else 0.66
    sketch = Sketch(0.48, length, LIMB_DENSITY)
    coat = clothes.coat
    sketch.polygon(
        [(0.19, 0.01), (0.29, 0.01), (0.40, 0.07), (0.43, 0.15), (0.40, 0.45),
         (0.42, length - 0.02), (0.06, length - 0.02), (0.08, 0.45), (0.05, 0.15), (0.08, 0.07)],
        coat,
    )  # fmt: skip
    sketch.rounded(0.42)
    sketch.line((0.245, 0.1), (0.245, length - 0.04), 0.012, _darker(coat))
    sketch.polygon([(0.20, 0.01), (0.28, 0.01), (0.245, 0.10)], _darker(_darker(coat)))
    return sketch.texture()


def _head(clothes: Clothes, *, behind: bool) -> Texture:
    sketch = Sketch(0.30, 0.38, LIMB_DENSITY)
    sketch.box(0.115, 0.26, 0.185, 0.37, _darker(clothes.skin))
    sketch.oval(0.15, 0.155, 0.112, 0.135, clothes.hair)
    if not behind:
        sketch.oval(0.158, 0.185, 0.092, 0.112, clothes.skin)
        for eye in (0.125, 0.195):
            sketch.oval(eye, 0.178, 0.012, 0.010, (52, 40, 36))
        sketch.line((0.161, 0.185), (0.168, 0.212), 0.010, _darker(clothes.skin))
        sketch.line((0.135, 0.243), (0.186, 0.243), 0.011, (150, 84, 76))
    elif clothes.helmet:
        sketch.oval(0.15, 0.19, 0.095, 0.11, (92, 68, 50))
    if clothes.helmet:
        sketch.polygon(
            [(0.02, 0.15), (0.05, 0.05), (0.15, 0.01), (0.25, 0.05), (0.28, 0.15)], clothes.hair
        )
    else:
        sketch.polygon(
            [(0.045, 0.17), (0.06, 0.06), (0.15, 0.02), (0.24, 0.06), (0.255, 0.14), (0.16, 0.11)],
            clothes.hair,
        )
    return sketch.rounded(0.3).texture()


class Limbs:
    """Collects limbs under rising surface numbers."""

    def __init__(self, surface: int, class_id: int, segment_id: int, light: Vector) -> None:
        self.panels: list[Panel] = []
        self._surface, self._class_id, self._segment_id = surface, class_id, segment_id
        self._light = light

    def limb(
        self, texture: Texture, joint: Vector, end: Vector, *, overhang: float, mirror: float = 1.0
    ) -> None:
        """Add a limb from joint to end, as wide as its texture, facing along z.

        The texture is longer than the limb by `overhang` at the joint, and by the rest at the end.
        """
        width = texture.levels[0].shape[1] / texture.density[0]
        height = texture.levels[0].shape[0] / texture.density[1]
        bone = np.subtract(end, joint)
        length = float(np.linalg.norm(bone))
        way = bone / length
        side = np.array([1.0, 0.0, 0.0]) - way[0] * way
        side /= max(float(np.linalg.norm(side)), 1e-6)
        side *= mirror * width
        corner = np.asarray(joint) - side / 2 - way * overhang
        self.add(texture, corner, side, way * height)

    def upright(self, texture: Texture, middle: Vector, *, mirror: float = 1.0) -> None:
        """Add a texture that stands around a point and faces along z."""
        width = texture.levels[0].shape[1] / texture.density[0]
        height = texture.levels[0].shape[0] / texture.density[1]
        corner = np.array([middle[0] - mirror * width / 2, middle[1] + height / 2, middle[2]])
        self.add(texture, corner, np.array([mirror * width, 0, 0]), np.array([0, -height, 0]))

    def add(
        self,
        texture: Texture,
        corner: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
        across: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
        down: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> None:
        """Add any parallelogram."""
        self.panels.append(
            Panel(
                self._surface + 1 + len(self.panels),
                texture,
                _vector(corner),
                _vector(across),
                _vector(down),
                self._class_id,
                self._segment_id,
                self._light,
            )
        )


def _vector(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """Somebody on foot.

    Parameters
    ----------
    skin : PersonSkin
    surface : int
        The first of the 32 surface numbers used.
    segment_id : int
    x, z : float
        Where they are at time 0.
    speed_x, speed_z : float
        Metres a second.
    height : float
        In metres.
    light : Vector
    shadow : Texture
    ground : callable of float to float
        Height of the ground at x.
    phase : float
        Where in their stride they begin, 0 to 1.
    """

    skin: PersonSkin
    surface: int
    segment_id: int
    x: float
    z: float
    speed_x: float
    speed_z: float
    height: float
    light: Vector
    shadow: Texture
    ground: Callable[[float], float]
    phase: float = 0.0

    def depth_at(self, time_s: float) -> float:
        """Return the z they stand at."""
        return self.z + self.speed_z * time_s

    def _feet(self, time_s: float) -> Vector:
        x = self.x + self.speed_x * time_s
        return x, self.ground(x), self.depth_at(time_s)

    def shadows(self, time_s: float) -> Sequence[Panel]:
        """Return the shadow at their feet."""
        x, y, z = self._feet(time_s)
        corner = (x - 0.45, y + 0.01, z + 0.3)
        return [Panel(self.surface, self.shadow, corner, (1.0, 0, 0), (0, 0, -0.6), None)]

    def panels(self, time_s: float) -> Sequence[Panel]:
        """Return their limbs, those behind first."""
        x, y, z = self._feet(time_s)
        size = self.height / 1.75
        speed = hypot(self.speed_x, self.speed_z)
        stride = 2 * pi * (speed * time_s / (_STRIDE_M * size) + self.phase)
        heading = (self.speed_x / speed, self.speed_z / speed)
        sideways = abs(heading[0])
        mirror = -1.0 if self.speed_x < -0.05 else 1.0
        parts = Limbs(self.surface, PEDESTRIAN, self.segment_id, self.light)
        hip_y = y + size * (0.90 + 0.018 * cos(2 * stride))
        shoulder_y = hip_y + 0.54 * size

        def swung(start: Vector, angle: float, length: float) -> Vector:
            reach = sin(angle) * length * size
            return (
                start[0] + heading[0] * reach,
                start[1] - cos(angle) * length * size,
                start[2] + heading[1] * reach,
            )

        def leg(side: float, phase: float, thigh: Texture, shin: Texture) -> None:
            swing = 0.46 * sin(phase)
            bend = 0.12 + 0.55 * max(0.0, sin(phase + 1.9)) ** 2
            hip = (x + side * 0.085 * (1 - sideways), hip_y, z)
            knee = swung(hip, swing + 0.08, 0.43)
            parts.limb(shin, knee, swung(knee, swing + 0.08 - bend, 0.44),
                       overhang=0.09, mirror=mirror)  # fmt: skip
            parts.limb(thigh, hip, knee, overhang=0.07, mirror=mirror)

        def arm(side: float, phase: float, texture: Texture) -> None:
            shoulder = (x + side * (0.2 - 0.17 * sideways) * size, shoulder_y, z)
            parts.limb(texture, shoulder, swung(shoulder, 0.4 * sin(phase), 0.52),
                       overhang=0.07, mirror=mirror)  # fmt: skip

        skin = self.skin
        arm(-1, stride, skin.far_arm)
        leg(-1, stride + pi, skin.far_thigh, skin.far_shin)
        leg(1, stride, skin.thigh, skin.shin)
        neck = (x, shoulder_y + 0.07 * size, z)
        head = skin.nape if heading[1] > 0.3 else skin.face
        parts.upright(head, (x, shoulder_y + 0.2 * size, z), mirror=mirror)
        parts.limb(skin.body, neck, (x, neck[1] - 0.6, z), overhang=0.0)
        arm(1, stride + pi, skin.arm)
        return parts.panels
