"""Cars: bodies of flat panels, with wheels that turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np

from tempseg.synthetic.raster import Texture
from tempseg.synthetic.sketch import Colour, Sketch
from tempseg.synthetic.world import Panel, Vector

__all__ = ["HATCHBACK", "SALOON", "VAN", "Car", "CarBody", "CarSkin"]

CAR = 8
_DENSITY = 110.0
_GLASS = (58.0, 72.0, 84.0)
_DARK = (34.0, 35.0, 38.0)
_WHEEL_RADIUS = 0.33


@dataclass(frozen=True, slots=True)
class CarBody:
    """The side view of a car, rear to front, in metres from its middle.

    Parameters
    ----------
    length, half_width, half_roof : float
    belt, roof, hood : float
        Heights of the lower window edge, the roof and the bonnet's front edge.
    roof_rear, roof_front, hood_rear : float
        Where the roof begins and ends and the bonnet begins.
    side_glass_rear : float
        Where the side windows begin.
    """

    length: float = 4.2
    half_width: float = 0.88
    half_roof: float = 0.68
    belt: float = 0.94
    roof: float = 1.47
    hood: float = 0.80
    roof_rear: float = -1.45
    roof_front: float = 0.35
    hood_rear: float = 1.10
    side_glass_rear: float = -1.7

    @property
    def wheels(self) -> tuple[float, float]:
        """Where the axles are."""
        return -self.length * 0.31, self.length * 0.31


VAN = CarBody(
    length=5.2,
    half_width=0.98,
    half_roof=0.90,
    belt=1.25,
    roof=2.25,
    hood=1.05,
    roof_rear=-2.55,
    roof_front=1.35,
    hood_rear=2.0,
    side_glass_rear=0.45,
)
HATCHBACK = CarBody()
SALOON = CarBody(length=4.7, roof=1.43, roof_rear=-1.15, roof_front=0.45, hood_rear=1.2)


class CarSkin:
    """The textures of one car."""

    def __init__(self, body: CarBody, colour: Colour) -> None:
        self.body = body
        paint = np.array(colour)
        self._paint: Colour = tuple(paint)
        self._shaded: Colour = tuple(paint * 0.72)
        self._bright: Colour = tuple(np.minimum(paint * 1.12 + 14, 255))
        self.side = self._side()
        self.cabin = self._cabin()
        self.rear = self._end(rear=True)
        self.front = self._end(rear=False)
        self.rear_glass = self._pane(body.roof - body.belt, van=body.roof > 2)
        self.front_glass = self._pane(body.roof - body.belt, van=False)
        self.top = Sketch(1.8, 1.8, 40).box(0, 0, 1.8, 1.8, self._bright).texture(opaque=True)
        self.wheel = self._wheel()
        self.tyres = self._tyres()

    def _side(self) -> Texture:
        b = self.body
        half, height = b.length / 2, b.belt - 0.2
        sketch = Sketch(b.length, height, _DENSITY)

        def at(along: float, up: float) -> tuple[float, float]:
            return along + half, b.belt - up

        sketch.polygon(
            [at(-half + 0.06, 0.24), at(-half, 0.45), at(-half + 0.02, b.belt),
             at(b.hood_rear, b.belt), at(half - 0.12, b.hood + 0.02), at(half, b.hood - 0.12),
             at(half - 0.03, 0.24)],
            self._paint,
        )  # fmt: skip
        middle = (b.belt + 0.3) / 2
        sketch.polygon(
            [at(-half, middle), at(half, middle - 0.05), at(half - 0.03, 0.24),
             at(-half + 0.06, 0.24)],
            tuple(np.array(self._paint) * 0.84),
        )  # fmt: skip
        sketch.polygon(
            [at(-half + 0.06, 0.24), at(-half + 0.04, 0.36), at(half - 0.02, 0.36),
             at(half - 0.05, 0.24)],
            _DARK,
        )  # fmt: skip
        for door in (b.side_glass_rear + 0.25, b.side_glass_rear + 1.35, b.hood_rear - 0.15):
            sketch.line(at(door, b.belt), at(door, 0.4), 0.018, self._shaded)
        for handle in (b.side_glass_rear + 1.15, b.side_glass_rear + 2.2):
            sketch.line(at(handle, b.belt - 0.13), at(handle - 0.14, b.belt - 0.13), 0.03, _DARK)
        sketch.line(at(-half, b.belt - 0.06), at(half, b.belt - 0.09), 0.025, self._bright)
        sketch.box(*at(-half, b.belt - 0.1), *at(-half + 0.16, b.belt - 0.3), (168, 32, 28))
        sketch.box(*at(half - 0.26, b.hood - 0.07), *at(half, b.hood - 0.2), (226, 228, 220))
        for axle in b.wheels:
            sketch.oval(*at(axle, _WHEEL_RADIUS), 0.40, 0.40, (22, 22, 24))
        return sketch.texture()

    def _cabin(self) -> Texture:
        b = self.body
        half, height = b.length / 2, float(np.hypot(b.roof - b.belt, b.half_width - b.half_roof))
        sketch = Sketch(b.length, height, _DENSITY)
        low_rear, low_front = 0.02, b.hood_rear + half
        top_rear, top_front = b.roof_rear + half, b.roof_front + half
        sketch.polygon(
            [(low_rear, height), (top_rear, 0), (top_front, 0), (low_front, height)], self._paint
        )
        glass_rear = b.side_glass_rear + half
        lean = 0.18 if glass_rear < 1 else 0.0
        sketch.polygon(
            [(glass_rear, height - 0.03), (glass_rear + lean, 0.07), (top_front - 0.04, 0.07),
             (low_front - 0.16, height - 0.03)],
            _GLASS,
        )  # fmt: skip
        sketch.polygon(
            [(glass_rear + 0.5, height - 0.03), (glass_rear + 0.75, 0.07), (glass_rear + 1.1, 0.07),
             (glass_rear + 0.85, height - 0.03)],
            (92, 108, 120),
        )  # fmt: skip
        pillar = glass_rear + 1.1 if glass_rear < 1 else glass_rear + 0.05
        sketch.line((pillar, 0), (pillar, height), 0.08, self._shaded)
        return sketch.texture()

    def _end(self, *, rear: bool) -> Texture:
        b = self.body
        top = b.belt if rear else b.hood
        wide, height = 2 * b.half_width, top - 0.2
        sketch = Sketch(wide, height, _DENSITY)
        sketch.polygon(
            [(0, 0), (wide, 0), (wide, height - 0.08), (wide - 0.08, height), (0.08, height),
             (0, height - 0.08)],
            self._paint,
        )  # fmt: skip
        sketch.box(0, height * 0.6, wide, height * 0.64, self._shaded)
        sketch.box(0.05, height - 0.12, wide - 0.05, height, _DARK)
        middle = wide / 2
        if rear:
            for x in (0.04, wide - 0.34):
                sketch.box(x, 0.08, x + 0.30, 0.27, (176, 30, 26))
                sketch.box(x + 0.05, 0.19, x + 0.25, 0.26, (226, 120, 60))
            sketch.box(
                middle - 0.27, height * 0.36, middle + 0.27, height * 0.36 + 0.13, (228, 226, 206)
            )
            sketch.box(
                middle - 0.2, height * 0.36 + 0.04, middle + 0.2, height * 0.36 + 0.09, (60, 60, 60)
            )
        else:
            for x in (0.05, wide - 0.37):
                sketch.box(x, 0.05, x + 0.32, 0.2, (240, 240, 228))
                sketch.oval(x + 0.16, 0.125, 0.06, 0.06, (255, 255, 250))
            sketch.box(0.42, 0.06, wide - 0.42, 0.2, _DARK)
            sketch.box(0.25, height * 0.68, wide - 0.25, height * 0.86, (48, 49, 52))
            sketch.box(
                middle - 0.26, height * 0.5, middle + 0.26, height * 0.5 + 0.12, (230, 230, 220)
            )
        return sketch.texture()

    def _pane(self, rise: float, *, van: bool) -> Texture:
        b = self.body
        wide = 2 * b.half_width
        height = max(rise, 0.5) + 0.3
        inset = b.half_width - b.half_roof
        sketch = Sketch(wide, height, _DENSITY)
        sketch.polygon([(0, height), (inset, 0), (wide - inset, 0), (wide, height)], self._paint)
        sketch.polygon(
            [(0.10, height - 0.05), (inset + 0.07, 0.06), (wide - inset - 0.07, 0.06),
             (wide - 0.10, height - 0.05)],
            self._shaded if van else _GLASS,
        )  # fmt: skip
        if van:
            sketch.line((wide / 2, 0), (wide / 2, height), 0.03, _DARK)
            for x in (wide * 0.28, wide * 0.72):
                sketch.box(x - 0.28, 0.2, x + 0.28, 0.62, _GLASS)
        else:
            sketch.polygon(
                [(wide * 0.3, height - 0.05), (wide * 0.5, 0.06), (wide * 0.68, 0.06),
                 (wide * 0.52, height - 0.05)],
                (96, 112, 124),
            )  # fmt: skip
        return sketch.texture()

    def _wheel(self) -> Texture:
        size = 2 * _WHEEL_RADIUS
        middle = _WHEEL_RADIUS
        sketch = Sketch(size, size, _DENSITY)
        sketch.oval(middle, middle, middle - 0.01, middle - 0.01, (28, 28, 30))
        sketch.oval(middle, middle, 0.21, 0.21, (150, 152, 156))
        for k in range(5):
            angle = 2 * np.pi * k / 5
            x, y = middle + 0.135 * np.cos(angle), middle + 0.135 * np.sin(angle)
            sketch.oval(float(x), float(y), 0.05, 0.05, (62, 64, 68))
        sketch.oval(middle, middle, 0.05, 0.05, (196, 198, 200))
        return sketch.texture()

    def _tyres(self) -> Texture:
        wide = 2 * self.body.half_width - 0.1
        sketch = Sketch(wide, 0.42, 60)
        sketch.box(0, 0, wide, 0.26, (20, 20, 22))
        for x in (0.0, wide - 0.22):
            sketch.box(x, 0, x + 0.22, 0.41, (28, 28, 30))
        return sketch.texture()


@dataclass(frozen=True, slots=True, eq=False)
class Car:
    """A car that drives along the street, or stands.

    Parameters
    ----------
    skin : CarSkin
    surface : int
        The first of the 32 surface numbers it uses.
    segment_id : int
    x, z : float
        Its middle at time 0.
    speed : float
        Metres a second along z; negative comes towards smaller z.
    faces : int
        1 for a front towards larger z, -1 for the other way.
    lights : tuple of Vector
        On the left side, on the right side, on top, and on the ends.
    shadow : Texture
    """

    skin: CarSkin
    surface: int
    segment_id: int
    x: float
    z: float
    speed: float
    faces: int
    lights: tuple[Vector, Vector, Vector, Vector]
    shadow: Texture

    def depth_at(self, time_s: float) -> float:
        """Return the z of its middle."""
        return self.z + self.speed * time_s

    def shadows(self, time_s: float) -> Sequence[Panel]:
        """Return its shadow on the road."""
        b = self.skin.body
        z = self.depth_at(time_s)
        half, side = b.length / 2 + 0.35, b.half_width + 0.35
        corner = (self.x - side, 0.01, z + half)
        return [Panel(self.surface, self.shadow, corner, (2 * side, 0, 0), (0, 0, -2 * half), None)]

    def panels(self, time_s: float) -> Sequence[Panel]:
        """Return its panels, those behind first."""
        b, skin, z = self.skin.body, self.skin, self.depth_at(time_s)
        half, f = b.length / 2, self.faces
        left_light, right_light, top_light, end_light = self.lights
        found: list[Panel] = []

        def place(along: float, up: float, right: float) -> Vector:
            return (self.x + f * right, up, z + f * along)

        def add(
            texture: Texture, corner: Vector, end: Vector, foot: Vector, out: Vector, light: Vector
        ) -> None:
            across = (end[0] - corner[0], end[1] - corner[1], end[2] - corner[2])
            down = (foot[0] - corner[0], foot[1] - corner[1], foot[2] - corner[2])
            number = self.surface + 1 + len(found)
            found.append(
                Panel(number, texture, corner, across, down, CAR, self.segment_id, light, out)
            )

        w, r = b.half_width, b.half_roof
        for along, outward in ((b.wheels[1], f), (b.wheels[0], -f)):
            edge, plane = w - 0.05, along + 0.2 * f * outward
            add(skin.tyres, place(plane, 0.42, -edge), place(plane, 0.42, edge),
                place(plane, 0.0, -edge), (0, 0, outward), end_light)  # fmt: skip
        for side in (-1, 1):
            light = right_light if side * f > 0 else left_light
            out = (float(side * f), 0.0, 0.0)
            slope = (float(side * f) * (b.roof - b.belt), w - r, 0.0)
            add(skin.side, place(-half, b.belt, side * w), place(half, b.belt, side * w),
                place(-half, 0.2, side * w), out, light)  # fmt: skip
            add(skin.cabin, place(-half, b.roof, side * r), place(half, b.roof, side * r),
                place(-half, b.belt, side * w), slope, light)  # fmt: skip
        add(skin.top, place(b.roof_front, b.roof, -r), place(b.roof_front, b.roof, r),
            place(b.roof_rear, b.roof, -r), (0, 1, 0), top_light)  # fmt: skip
        rise = b.roof - b.belt
        rear_lean = (0.0, b.roof_rear + half, -f * rise)
        add(skin.rear_glass, place(b.roof_rear, b.roof, -w), place(b.roof_rear, b.roof, w),
            place(-half + 0.02, b.belt, -w), rear_lean, end_light)  # fmt: skip
        front_lean = (0.0, b.hood_rear - b.roof_front, f * rise)
        add(skin.front_glass, place(b.roof_front, b.roof, w), place(b.roof_front, b.roof, -w),
            place(b.hood_rear, b.belt, w), front_lean, end_light)  # fmt: skip
        add(skin.top, place(half, b.hood, -w), place(half, b.hood, w),
            place(b.hood_rear, b.belt, -w), (0, half - b.hood_rear, f * (b.belt - b.hood)),
            top_light)  # fmt: skip
        if b.roof_rear > -half + 0.7:
            # A saloon's boot: a level lid behind the rear window's foot.
            add(skin.top, place(-half + 0.6, b.belt, -w), place(-half + 0.6, b.belt, w),
                place(-half, b.belt, -w), (0, 1, 0), top_light)  # fmt: skip
        add(skin.rear, place(-half, b.belt, -w), place(-half, b.belt, w),
            place(-half, 0.2, -w), (0, 0, -f), end_light)  # fmt: skip
        add(skin.front, place(half, b.hood, w), place(half, b.hood, -w), place(half, 0.2, w),
            (0, 0, f), end_light)  # fmt: skip
        turn = self.speed * f * time_s / _WHEEL_RADIUS
        for along in b.wheels:
            for side in (-1, 1):
                light = right_light if side * f > 0 else left_light
                found.append(self._turning(place(along, _WHEEL_RADIUS, side * (w + 0.01)),
                             turn, (float(side * f), 0.0, 0.0), light, len(found)))  # fmt: skip
        return found

    def _turning(
        self, middle: Vector, turn: float, out: Vector, light: Vector, number: int
    ) -> Panel:
        c, s = _WHEEL_RADIUS * cos(turn), _WHEEL_RADIUS * sin(turn)
        corner = (middle[0], middle[1] + c + s, middle[2] + self.faces * (s - c))
        across = (0.0, -2 * s, self.faces * 2 * c)
        down = (0.0, -2 * c, -self.faces * 2 * s)
        surface = self.surface + 1 + number
        texture = self.skin.wheel
        return Panel(surface, texture, corner, across, down, CAR, self.segment_id, light, out)
