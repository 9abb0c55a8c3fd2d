"""A film of many short shots: what makes scene cuts hard to tell from everything else."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import pi, sin

import numpy as np

from tempseg.synthetic.events import Event
from tempseg.synthetic.scene import Scene
from tempseg.synthetic.street import STREET_CLASSES, StreetShot, drive, evening
from tempseg.synthetic.world import Camera

__all__ = ["street_film"]

SHOT_FRAMES = 16, 40
"""Lengths of shots."""

DISSOLVE_FRAMES = 6, 20
"""Lengths of dissolves."""

FADE_FRAMES = 6, 12
"""Lengths of a fade to black, and of the rise from it."""

SWING_FRAMES = 5, 12
"""Lengths of a swing of the camera and back."""

SWING_RADIANS = 0.35, 1.2
"""How far it swings. The picture is about 0.9 wide."""

JUMP_S = 6.0
"""Shots begin anywhere in so many seconds of a street's time."""

JUMP_LEAST_S = 2.5
"""A jump cut within one drive leaves out so much at least."""


def street_film(
    *,
    seed: int = 0,
    width: int = 320,
    height: int = 180,
    frame_rate: Fraction | int = 25,
    shot_count: int = 8,
) -> Scene:
    """Return two streets filmed in many short shots, with exact labels, ids and motion.

    Shots are joined by hard cuts, by dissolves, and by fades through black; also shots of the same
    street at another time (jump cuts). Within them something flashes, the light is switched, the
    camera swings aside and back so fast that little of the picture stays, or it shakes.
    `Scene.cuts` and `Scene.events` tell what happens when.

    Parameters
    ----------
    seed : int
        Of what happens, of every texture and of the film grain.
    width, height : int
        Size of a frame in pixels, at least 64 × 36.
    frame_rate : Fraction or int
        Frames a second.
    shot_count : int

    Examples
    --------
    >>> film = street_film(width=160, height=90, shot_count=3)
    >>> len(film.cuts), [event.kind for event in film.events[:3]]
    (2, ['flash', 'fade', 'cut'])
    """
    if shot_count < 1:
        raise ValueError(f"shot_count is {shot_count}, expected at least 1")
    rate = Fraction(frame_rate)
    streets = [
        make(np.random.default_rng([seed, number]), width, height, rate, 1)
        for number, make in ((1, drive), (2, evening))
    ]
    rng = np.random.default_rng([seed, 3])
    shots: list[StreetShot] = []
    dissolves: list[int] = []
    dark = False
    street, start_s = streets[0], -JUMP_S
    for number in range(shot_count):
        frames = int(rng.integers(*SHOT_FRAMES, endpoint=True))
        join = rng.choice(["cut", "dissolve", "black"], p=[0.5, 0.3, 0.2])
        last = number == shot_count - 1
        events = _happenings(rng, frames)
        if dark:
            events.append(Event("rise", 0, int(rng.integers(*FADE_FRAMES)) - 1))
        dark = join == "black" and not last
        if dark:
            events.append(Event("fade", frames - int(rng.integers(*FADE_FRAMES)), frames - 1))
        street, start_s = _elsewhere(rng, streets, street, start_s)
        shots.append(
            _taken(
                street,
                frames,
                events,
                start_s=start_s,
                swing=float(rng.choice([-1, 1]) * rng.uniform(*SWING_RADIANS)),
                shake=float(rng.choice([0.0, 0.02])),
            )
        )
        if not last:
            long = int(rng.integers(*DISSOLVE_FRAMES, endpoint=True))
            dissolves.append(long if join == "dissolve" else 0)
    return Scene(
        shots,
        width=width,
        height=height,
        frame_rate=rate,
        class_set=STREET_CLASSES,
        seed=seed,
        dissolves=dissolves,
    )


def _elsewhere(
    rng: np.random.Generator, streets: list[StreetShot], street: StreetShot, start_s: float
) -> tuple[StreetShot, float]:
    """Return a street and a time at which the camera sees something else than before."""
    drive, evening = streets
    then = float(rng.uniform(0, JUMP_S))
    if street is evening or rng.random() < 0.4:
        return (drive, then) if street is evening else (evening, then)
    # The camera of the evening stands still, the other drives: the same place comes later.
    while abs(then - start_s) < JUMP_LEAST_S:
        then = float(rng.uniform(0, JUMP_S))
    return drive, then


def _happenings(rng: np.random.Generator, frames: int) -> list[Event]:
    """Return what happens within a shot, away from its ends where a fade may be."""
    first = int(rng.integers(frames // 3, frames // 2))
    kind = rng.choice(["", "flash", "light", "pan"], p=[0.25, 0.25, 0.15, 0.35])
    if kind == "flash":
        return [Event("flash", first, first + 1)]
    if kind == "light":
        return [Event("light", first, frames - 1)]
    if kind == "pan":
        return [Event("pan", first, first + int(rng.integers(*SWING_FRAMES, endpoint=True)) - 1)]
    return []


def _taken(
    street: StreetShot,
    frames: int,
    events: list[Event],
    *,
    start_s: float,
    swing: float,
    shake: float,
) -> StreetShot:
    """Return a shot of a street from a time on."""
    rate = street.frame_rate
    first = round(start_s * rate)
    pans = [event.later(first) for event in events if event.kind == "pan"]
    switched = [event.later(first) for event in events if event.kind == "light"]

    def camera(time_s: float) -> Camera:
        view = street.camera(time_s)
        frame = time_s * float(rate)
        # Hands shake at rates that no frame rate is a multiple of.
        yaw = view.yaw + shake * sin(2 * pi * 3.1 * time_s) * sin(2 * pi * 0.7 * time_s + 1)
        pitch = view.pitch + shake * sin(2 * pi * 4.3 * time_s + 2)
        for pan in pans:
            share = (frame - pan.first + 1) / (pan.last - pan.first + 2)
            yaw += swing * sin(pi * min(max(share, 0.0), 1.0)) ** 2
        return replace(view, yaw=yaw, pitch=pitch)

    def light(time_s: float) -> float:
        lit = street.light(time_s)
        # Half a frame aside, since times are rounded.
        frame = time_s * float(rate) + 0.5
        return lit * (0.55 if any(frame >= event.first for event in switched) else 1.0)

    return replace(
        street,
        camera=camera,
        light=light,
        frame_count=frames,
        events=events,
        begins=first,
    )
