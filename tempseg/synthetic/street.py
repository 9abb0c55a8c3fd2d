"""Two shots of one town: a drive down a sunny street, and an evening seen from the pavement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, pi, sin
from typing import Literal

import numpy as np

from tempseg.class_sets import class_set
from tempseg.synthetic import materials
from tempseg.synthetic.cyclists import Cyclist
from tempseg.synthetic.events import Event
from tempseg.synthetic.furniture import Standing
from tempseg.synthetic.people import Clothes, Walker
from tempseg.synthetic.raster import Fog, Layer
from tempseg.synthetic.scene import Scene
from tempseg.synthetic.stage import (
    DAY,
    EVENING,
    ROAD_HALF,
    Cast,
    Stage,
    empty_street,
    hang_lamps,
    plant,
    put_sign,
)
from tempseg.synthetic.vehicles import HATCHBACK, SALOON, VAN, Car
from tempseg.synthetic.world import Camera, Panel, panel_layers

__all__ = ["STREET_CLASSES", "StreetShot", "drive", "evening", "street_scene"]

STREET_CLASSES = class_set("camvid")

CLOUD_S = 2.2, 4.2
"""From when to when a cloud comes before the sun, in the first shot."""

JOLT_S = 1.2
"""When the car that carries the camera goes over a pothole."""

FLASH_S, FADE_S = 2.0, 0.6
"""When something flashes in the second shot, and how long its end fades to black."""

LONG_ENOUGH_S = 2.5
"""A second shot shorter than this has no fade: there would be little else."""


@dataclass(frozen=True, slots=True, eq=False)
class StreetShot:
    """A street, who moves in it, and the camera's path."""

    ground: Sequence[Panel]
    houses: Sequence[Standing]
    furniture: Sequence[Standing]
    actors: Sequence[Car | Walker | Cyclist]
    camera: Callable[[float], Camera]
    light: Callable[[float], float]
    frame_rate: Fraction
    frame_count: int
    events: Sequence[Event]
    fog: Fog | None
    grain: float = 1.5
    vignette: float = 0.22
    begins: int = 0
    """Frame of the street's own time that the shot begins at."""

    def exposure(self, frame: int) -> float:
        """Return the factor on all light in a frame."""
        light = self.light(self._time_s(frame))
        for event in self.events:
            light *= event.gain(frame)
        return light

    def layers(self, frame: int) -> Sequence[Layer]:
        """Return the planes of a frame, back to front."""
        time_s = self._time_s(frame)
        panels = list(self.ground)
        for actor in self.actors:
            panels += actor.shadows(time_s)
        for house in self.houses:
            panels += house.panels
        standing = [(thing.depth, thing.panels) for thing in self.furniture]
        standing += [(actor.depth_at(time_s), actor.panels(time_s)) for actor in self.actors]
        for _, parts in sorted(standing, key=lambda entry: -entry[0]):
            panels += parts
        return panel_layers(panels, self.camera(time_s))

    def _time_s(self, frame: int) -> float:
        return float((self.begins + frame) / self.frame_rate)


def street_scene(
    *,
    seed: int = 0,
    width: int = 640,
    height: int = 360,
    frame_rate: Fraction | int = 25,
    duration_s: float = 10.0,
) -> Scene:
    """Return a street filmed in two shots, with exact labels, ids and motion.

    The first shot, half of the time, drives down a sunny street: cars pass both ways, somebody
    walks behind a parked van, comes out and crosses, others fall behind and leave the picture,
    the camera jolts, and a cloud dims the light. The second stands on a pavement in the evening
    while a cyclist and cars pass; something flashes, somebody who crosses leaves the picture as
    the camera looks aside and comes back, and the end fades to black. What a shorter scene has
    no time for is left out; `Scene.events` tells what happens when. Labels, ids and motion are
    exact throughout, however bright or dark the picture.

    Parameters
    ----------
    seed : int
        Of every texture and of the film grain.
    width, height : int
        Size of a frame in pixels, at least 64 × 36.
    frame_rate : Fraction or int
        Frames a second.
    duration_s : float
        At least two frames' worth.

    Examples
    --------
    >>> scene = street_scene(width=160, height=90, duration_s=0.4)
    >>> len(scene), scene.cuts
    (10, (5,))
    >>> scene.render(0).labels.shape
    (90, 160)
    """
    rate = Fraction(frame_rate)
    if width < 64 or height < 36:
        raise ValueError(f"width × height is {width} × {height}, expected at least 64 × 36")
    if rate <= 0:
        raise ValueError(f"frame_rate is {frame_rate}, expected more than 0")
    frames = round(duration_s * rate)
    if frames < 2:
        raise ValueError(f"duration_s is {duration_s}, expected at least {float(2 / rate):g}")
    first = frames // 2
    shots = (
        drive(np.random.default_rng([seed, 1]), width, height, rate, first),
        evening(np.random.default_rng([seed, 2]), width, height, rate, frames - first),
    )
    return Scene(
        shots, width=width, height=height, frame_rate=rate, class_set=STREET_CLASSES, seed=seed
    )


def drive(
    rng: np.random.Generator, width: int, height: int, rate: Fraction, frames: int
) -> StreetShot:
    """Return the drive down a sunny street."""
    made = empty_street(rng, DAY)
    stripes = materials.zebra(rng, 2 * ROAD_HALF, 3.0)
    made.ground.append(
        Panel(made.builder.surfaces(1), stripes, (-ROAD_HALF, 0, 45.5), (2 * ROAD_HALF, 0, 0),
              (0, 0, -3.0), None, light=DAY.light_top)
    )  # fmt: skip
    plant(made, [(-1, 27), (1, 22), (-1, 55), (1, 52), (-1, 76), (1, 78), (-1, 100), (1, 104),
                  (1, 130), (-1, 128)], x=6.2, size=1.0)  # fmt: skip
    hang_lamps(made, [(1, 13), (-1, 36), (1, 38), (1, 66), (-1, 64), (1, 94), (-1, 92), (-1, 118)])
    put_sign(made, "crossing", 5.75, 42.0, 2.3)
    put_sign(made, "limit", 5.75, 29.0, 2.3)
    put_sign(made, "crossing", -5.75, 47.5, 2.3)
    put_sign(made, "stop", -5.75, 19.0, 2.1)
    put_sign(made, "lights", 5.6, 84.0, 2.4)
    put_sign(made, "lights", -5.6, 84.0, 2.4)
    cast = Cast(made, 1)
    cast.car(SALOON, (150, 28, 34), x=1.75, z=15.5, speed=7.4, faces=1)
    cast.car(HATCHBACK, (46, 98, 160), x=-1.7, z=50.0, speed=-8.5, faces=-1)
    cast.car(SALOON, (226, 226, 222), x=-1.7, z=92.0, speed=-8.0, faces=-1)
    cast.car(VAN, (232, 230, 224), x=-4.1, z=35.0, speed=0.0, faces=-1)
    cast.car(HATCHBACK, (88, 94, 100), x=-4.15, z=23.0, speed=0.0, faces=-1)
    cast.car(HATCHBACK, (60, 112, 84), x=4.15, z=33.0, speed=0.0, faces=1)
    cast.car(SALOON, (52, 56, 64), x=4.15, z=62.0, speed=0.0, faces=1)
    cast.car(HATCHBACK, (206, 164, 60), x=4.15, z=69.0, speed=0.0, faces=1)
    cast.car(HATCHBACK, (170, 60, 44), x=-4.15, z=71.0, speed=0.0, faces=-1)
    cast.walker(Clothes((196, 62, 56), (52, 62, 92), (70, 46, 32)), x=-7.4, z=43.9, speed_x=1.5)
    cast.walker(Clothes((66, 92, 132), (58, 54, 52), (36, 30, 28)), x=6.9, z=17.0, speed_z=-1.2,
                height=1.80, phase=0.2)  # fmt: skip
    cast.walker(Clothes((222, 190, 92), (70, 74, 84), (122, 84, 48), long_coat=True), x=7.4,
                z=26.0, speed_z=1.25, height=1.68, phase=0.6)  # fmt: skip
    cast.walker(Clothes((84, 124, 88), (40, 42, 48), (150, 146, 140)), x=-6.9, z=31.0,
                speed_z=-1.3, height=1.72, phase=0.4)  # fmt: skip
    cast.walker(Clothes((120, 84, 140), (62, 64, 74), (46, 34, 28)), x=6.6, z=47.0, speed_z=-1.2,
                height=1.66, phase=0.9)  # fmt: skip
    cast.cyclist(Clothes((236, 132, 44), (44, 46, 56), (40, 42, 46), helmet=True), (40, 120, 130),
                 x=3.0, z=11.0, speed=6.4)  # fmt: skip

    def camera(time_s: float) -> Camera:
        t = time_s
        shake = 0.0022 * sin(2 * pi * 2.3 * t) + 0.0014 * sin(2 * pi * 3.7 * t + 1)
        shake += _jolt(t - JOLT_S)
        return Camera(
            (
                1.35 + 0.07 * sin(0.9 * t),
                1.52 + 0.014 * sin(2 * pi * 1.3 * t),
                5.2 * t,
            ),
            yaw=-0.035 + 0.014 * sin(0.7 * t + 0.4) + 0.0016 * sin(2 * pi * 1.9 * t + 2),
            pitch=0.012 + shake + 0.003 * sin(1.9 * t),
            roll=0.005 * sin(1.3 * t) + 0.4 * shake,
            focal_px=0.95 * max(width, height * 16 / 9),
            width=width,
            height=height,
        )

    def light(time_s: float) -> float:
        return 1.04 - 0.30 * _eased(time_s, *CLOUD_S)

    cloud = _lasting("light", CLOUD_S, rate, frames)
    return _shot(made, cast, camera, light, rate, frames, cloud)


def evening(
    rng: np.random.Generator, width: int, height: int, rate: Fraction, frames: int
) -> StreetShot:
    """Return the evening seen from the pavement."""
    made = empty_street(rng, EVENING)
    plant(made, [(1, 15), (1, 27), (1, 39), (1, 51), (1, 63), (1, 80), (-1, 40), (-1, 55),
                  (-1, 75)], x=6.3, size=1.12)  # fmt: skip
    hang_lamps(made, [(1, 9.5), (1, 21), (-1, 33), (1, 45), (-1, 65), (1, 70)])
    put_sign(made, "yield", 5.75, 18.0, 2.2)
    put_sign(made, "limit", -5.7, 24.0, 2.2)
    cast = Cast(made, 101)
    cast.cyclist(Clothes((60, 130, 170), (52, 50, 58), (220, 220, 214), helmet=True),
                 (176, 44, 40), x=-3.9, z=17.5, speed=-3.6, slows=(1.7, 0.4))  # fmt: skip
    cast.car(HATCHBACK, (196, 176, 130), x=1.8, z=4.0, speed=8.0, faces=1)
    cast.car(SALOON, (54, 74, 96), x=-1.6, z=38.0, speed=-9.5, faces=-1)
    cast.car(HATCHBACK, (128, 40, 46), x=1.8, z=-14.0, speed=8.5, faces=1)
    cast.car(HATCHBACK, (98, 102, 104), x=4.15, z=22.5, speed=0.0, faces=1)
    cast.car(VAN, (84, 106, 96), x=4.1, z=31.0, speed=0.0, faces=1)
    cast.car(SALOON, (160, 160, 156), x=-4.1, z=47.0, speed=0.0, faces=-1)
    cast.walker(Clothes((58, 66, 84), (48, 46, 50), (90, 62, 42), long_coat=True), x=7.2, z=13.6,
                speed_z=1.3, height=1.78)  # fmt: skip
    cast.walker(Clothes((190, 90, 80), (60, 58, 70), (52, 38, 30)), x=7.0, z=24.0, speed_z=-1.2,
                height=1.66, phase=0.3)  # fmt: skip
    cast.walker(Clothes((206, 196, 176), (74, 66, 60), (30, 26, 26)), x=-6.6, z=21.0,
                speed_z=-1.3, height=1.7, phase=0.5)  # fmt: skip
    cast.walker(Clothes((120, 140, 96), (50, 50, 56), (110, 80, 50)), x=-4.6, z=28.0, speed_x=1.5,
                height=1.74, phase=0.1)  # fmt: skip
    cast.walker(Clothes((214, 206, 60), (56, 62, 84), (60, 40, 28)), x=8.3, z=8.0, speed_x=-1.5,
                height=1.76, phase=0.7)  # fmt: skip

    def camera(time_s: float) -> Camera:
        t = time_s
        hand = 0.0016 * sin(2 * pi * 1.1 * t) + 0.0008 * sin(2 * pi * 2.6 * t + 2)
        hand += 0.0020 * sin(2 * pi * 2.2 * t) * _eased(t, 1.7, 2.2)
        aside = 0.18 * sin(pi * min(max((t - 2.8) / 1.3, 0.0), 1.0)) ** 2
        return Camera(
            (-6.0 + 0.012 * sin(2.1 * t), 1.66 + 0.010 * sin(1.7 * t), 0.0),
            yaw=0.33 + 0.045 * t + 0.8 * hand - aside,
            pitch=0.030 + hand,
            roll=0.004 * sin(1.1 * t),
            focal_px=0.95 * max(width, height * 16 / 9),
            width=width,
            height=height,
        )

    flash = round(FLASH_S * rate)
    events = [Event("flash", flash, flash + 1)] if flash + 1 < frames else []
    if frames >= LONG_ENOUGH_S * rate:
        events.append(Event("fade", frames - round(FADE_S * rate), frames - 1))
    return _shot(made, cast, camera, lambda _: 1.02, rate, frames, events)


def _eased(time_s: float, start_s: float, end_s: float) -> float:
    """Return 0 before a time and 1 after another, smooth between."""
    share = min(max((time_s - start_s) / (end_s - start_s), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _jolt(since_s: float) -> float:
    """Return by how much a pothole pitches the camera, in radians."""
    return 0.013 * exp(-since_s / 0.22) * sin(2 * pi * 2.8 * since_s) if since_s > 0 else 0.0


def _lasting(
    kind: Literal["light"], span_s: tuple[float, float], rate: Fraction, frames: int
) -> list[Event]:
    """Return an event as far as the shot's length lets it happen."""
    first, last = (round(moment * rate) for moment in span_s)
    return [Event(kind, first, min(last, frames - 1))] if first < frames else []


def _shot(
    made: Stage,
    cast: Cast,
    camera: Callable[[float], Camera],
    light: Callable[[float], float],
    rate: Fraction,
    frames: int,
    events: Sequence[Event],
) -> StreetShot:
    look = made.look
    return StreetShot(
        [*made.ground, *made.decals],
        made.houses,
        made.furniture,
        cast.actors,
        camera,
        light,
        rate,
        frames,
        events,
        Fog(look.horizon, look.fog_m),
    )
