"""People on a bicycle, of the same limbs as people on foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, atan2, cos, hypot, inf, pi, sin

import numpy as np

from tempseg.synthetic.people import LIMB_DENSITY, Limbs, PersonSkin
from tempseg.synthetic.raster import Texture
from tempseg.synthetic.sketch import Colour, Sketch
from tempseg.synthetic.world import Panel, Vector

__all__ = ["Cyclist", "bicycle"]

BICYCLIST = 10
_WHEEL_RADIUS = 0.34


@dataclass(frozen=True, slots=True, eq=False)
class Cyclist:
    """Somebody on a bicycle, riding along the street.

    Parameters
    ----------
    skin : PersonSkin
    frame, wheel, bar, tyre : Texture
        The bicycle from the side, a wheel, and the handlebar and tyre from the front.
    surface : int
        The first of the 32 surface numbers used.
    segment_id : int
    x, z, speed : float
        Where at time 0, and metres a second along z.
    light : Vector
    shadow : Texture
    slows : tuple of float
        When, in seconds, and to which share of the speed.
    """

    skin: PersonSkin
    frame: Texture
    wheel: Texture
    bar: Texture
    tyre: Texture
    surface: int
    segment_id: int
    x: float
    z: float
    speed: float
    light: Vector
    shadow: Texture
    slows: tuple[float, float] = (inf, 1.0)

    def depth_at(self, time_s: float) -> float:
        """Return the z of the saddle."""
        return self.z + self.speed * self._ridden_s(time_s)

    def _ridden_s(self, time_s: float) -> float:
        """Return how long the way so far takes at full speed."""
        start_s, share = self.slows
        return time_s - (1 - share) * max(time_s - start_s, 0.0)

    def shadows(self, time_s: float) -> Sequence[Panel]:
        """Return the shadow under the bicycle."""
        corner = (self.x - 0.35, 0.01, self.depth_at(time_s) + 1.0)
        return [Panel(self.surface, self.shadow, corner, (0.8, 0, 0), (0, 0, -2.0), None)]

    def panels(self, time_s: float) -> Sequence[Panel]:
        """Return bicycle and rider, those behind first as seen from the front."""
        f = 1.0 if self.speed >= 0 else -1.0
        x, z = self.x, self.depth_at(time_s)
        parts = Limbs(self.surface, BICYCLIST, self.segment_id, self.light)
        turn = abs(self.speed) * self._ridden_s(time_s) / _WHEEL_RADIUS

        def at(along: float, up: float, side: float = 0.0) -> Vector:
            return x + side, up, z + f * along

        def wheel(along: float) -> None:
            c, s = _WHEEL_RADIUS * cos(turn), _WHEEL_RADIUS * sin(turn)
            middle = at(along, _WHEEL_RADIUS)
            corner = np.array([middle[0], middle[1] + c + s, middle[2] + f * (s - c)])
            parts.add(self.wheel, corner, np.array([0, -2 * s, f * 2 * c]),
                      np.array([0, -2 * c, -f * 2 * s]))  # fmt: skip

        def pedalling(phase: float, side: float, thigh: Texture, shin: Texture) -> None:
            hip = (-0.08, 0.98)
            pedal = (0.12 + 0.17 * sin(phase), 0.30 + 0.17 * cos(phase))
            along, up = pedal[0] - hip[0], pedal[1] + 0.07 - hip[1]
            reach = min(hypot(along, up), 0.85)
            # Two bones of 0.43 m: the knee lies ahead of the line from hip to pedal.
            lean = atan2(along, -up) + acos(min(reach / 0.86, 1.0))
            knee = (hip[0] + 0.43 * sin(lean), hip[1] - 0.43 * cos(lean))
            parts.limb(thigh, at(*hip, side), at(*knee, side), overhang=0.07)
            parts.limb(shin, at(*knee, side), at(pedal[0], pedal[1] + 0.07, side), overhang=0.09)

        wheel(-0.52)
        parts.upright(self.tyre, at(-0.52, _WHEEL_RADIUS))
        parts.add(self.frame, np.array(at(-0.62, 1.12)), np.array([0, 0, f * 1.24]),
                  np.array([0, -0.96, 0]))  # fmt: skip
        phase = turn / 2.2
        parts.limb(self.skin.body, at(0.13, 1.46), at(-0.12, 0.92), overhang=0.0)
        pedalling(phase, -0.1, self.skin.thigh, self.skin.shin)
        pedalling(phase + pi, 0.1, self.skin.thigh, self.skin.shin)
        parts.upright(self.bar, at(0.46, 1.06))
        for side in (-1, 1):
            parts.limb(self.skin.arm, at(0.1, 1.40, side * 0.19), at(0.44, 1.06, side * 0.23),
                       overhang=0.06)  # fmt: skip
        parts.upright(self.skin.nape if f > 0 else self.skin.face, at(0.18, 1.60))
        wheel(0.52)
        parts.upright(self.tyre, at(0.52, _WHEEL_RADIUS))
        return parts.panels[::-1] if f > 0 else parts.panels


def bicycle(colour: Colour) -> dict[str, Texture]:
    """Return the textures of a bicycle: `frame`, `wheel`, `bar` and `tyre`."""
    frame = Sketch(1.24, 0.96, LIMB_DENSITY)
    hub_rear, hub_front, crank = (0.10, 0.78), (1.14, 0.78), (0.58, 0.82)
    saddle, head = (0.46, 0.22), (0.98, 0.26)
    for start, end in (
        (hub_rear, crank), (hub_rear, (0.49, 0.32)), (crank, saddle), (crank, (0.99, 0.34)),
        ((0.48, 0.34), head), (head, hub_front),
    ):  # fmt: skip
        frame.line(start, end, 0.045, colour)
    frame.line((0.36, 0.2), (0.58, 0.19), 0.06, (38, 34, 32))
    frame.line(head, (1.02, 0.1), 0.035, (60, 60, 62))
    frame.line((1.0, 0.1), (1.10, 0.07), 0.04, (38, 34, 32))
    frame.oval(*crank, 0.10, 0.10, (70, 70, 74))
    size = 2 * _WHEEL_RADIUS
    wheel = Sketch(size, size, LIMB_DENSITY)
    for k in range(8):
        a = pi * k / 8
        dx, dy = 0.31 * cos(a), 0.31 * sin(a)
        middle = _WHEEL_RADIUS
        wheel.line((middle - dx, middle - dy), (middle + dx, middle + dy), 0.008, (168, 170, 174))
    wheel.ring(_WHEEL_RADIUS, _WHEEL_RADIUS, _WHEEL_RADIUS - 0.008, 0.05, (32, 32, 34))
    wheel.oval(_WHEEL_RADIUS, _WHEEL_RADIUS, 0.03, 0.03, (120, 122, 126))
    bar = Sketch(0.62, 0.16, LIMB_DENSITY).line((0.06, 0.06), (0.56, 0.06), 0.05, (52, 52, 54))
    bar.box(0.26, 0.05, 0.36, 0.15, (210, 208, 196))
    tyre = Sketch(0.09, size, LIMB_DENSITY).box(0.02, 0.01, 0.07, size - 0.01, (32, 32, 34))
    return {
        "frame": frame.texture(),
        "wheel": wheel.texture(),
        "bar": bar.texture(),
        "tyre": tyre.texture(),
    }
