"""The stage: a street between houses, and the cast that moves on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from tempseg.synthetic import furniture, materials
from tempseg.synthetic.cyclists import Cyclist, bicycle
from tempseg.synthetic.furniture import Builder, Standing
from tempseg.synthetic.people import Clothes, PersonSkin, Walker
from tempseg.synthetic.raster import Texture
from tempseg.synthetic.sketch import Colour, Sketch
from tempseg.synthetic.vehicles import Car, CarBody, CarSkin
from tempseg.synthetic.world import Panel, Vector

__all__ = [
    "DAY",
    "EVENING",
    "ROAD_HALF",
    "Cast",
    "Look",
    "Stage",
    "empty_street",
    "hang_lamps",
    "plant",
    "put_sign",
]

_SKY, _BUILDING, _ROAD, _PAVEMENT, _TREE = 0, 1, 3, 4, 5
ROAD_HALF, _KERB, _FRONTS = 5.2, 0.12, 8.6
_NEAR_END, _FAR_END = -6.0, 218.0
# Every thing has numbers of its own, in both shots.
_SURFACES_A_THING = 32


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of a street at its hour."""

    zenith: Colour
    horizon: Colour
    cloud: Colour
    fog_m: float
    asphalt: Colour
    slabs: Colour
    walls: tuple[Colour, ...]
    roofs: tuple[Colour, ...]
    trims: tuple[Colour, ...]
    leaves: Colour
    light_left: Vector
    light_right: Vector
    light_front: Vector
    light_top: Vector
    glow: float
    bricks: float
    shade_from: int


DAY = Look(
    zenith=(84, 142, 214), horizon=(206, 222, 234), cloud=(250, 250, 250), fog_m=260.0,
    asphalt=(104, 105, 110), slabs=(172, 165, 154),
    walls=((226, 204, 164), (214, 168, 134), (236, 226, 204), (188, 198, 186), (222, 186, 156),
           (204, 150, 120)),
    roofs=((168, 92, 66), (142, 84, 68), (108, 106, 112)),
    trims=((240, 234, 222), (222, 214, 198), (248, 246, 240)),
    leaves=(112, 158, 62),
    light_left=(0.66, 0.69, 0.78), light_right=(1.06, 1.03, 0.96), light_front=(0.92, 0.91, 0.90),
    light_top=(1.0, 0.99, 0.96), glow=0.0, bricks=0.25, shade_from=1,
)  # fmt: skip
EVENING = Look(
    zenith=(96, 116, 172), horizon=(250, 206, 158), cloud=(255, 214, 180), fog_m=170.0,
    asphalt=(98, 92, 94), slabs=(160, 142, 128),
    walls=((172, 96, 74), (150, 92, 76), (196, 172, 148), (122, 104, 98), (186, 130, 98)),
    roofs=((84, 76, 82), (110, 70, 62)),
    trims=((226, 212, 194), (206, 192, 174)),
    leaves=(170, 132, 46),
    light_left=(1.08, 0.93, 0.76), light_right=(0.62, 0.58, 0.64), light_front=(0.84, 0.76, 0.70),
    light_top=(0.94, 0.86, 0.80), glow=0.3, bricks=0.7, shade_from=-1,
)  # fmt: skip


@dataclass(slots=True)
class Stage:
    """A street under construction."""

    builder: Builder
    look: Look
    shadow: Texture
    ground: list[Panel] = field(default_factory=list)
    decals: list[Panel] = field(default_factory=list)
    houses: list[Standing] = field(default_factory=list)
    furniture: list[Standing] = field(default_factory=list)


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a + share * (b - a) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _ground_at(x: float) -> float:
    # A step up of the kerb's height over the last 0.3 m before it.
    share = min(max((abs(x) - ROAD_HALF + 0.15) / 0.3, 0.0), 1.0)
    return _KERB * share * share * (3 - 2 * share)


def empty_street(rng: np.random.Generator, look: Look) -> Stage:
    """Return a street with its houses and nothing on it."""
    builder = Builder(
        rng,
        light_left=look.light_left,
        light_right=look.light_right,
        light_front=look.light_front,
    )
    made = Stage(builder, look, materials.shadow(rng, ragged=0.0, strength=0.62))
    _lay_ground(made)
    for side in (-1, 1):
        _line_with_houses(made, side)
    made.houses.sort(key=lambda house: -house.depth)
    return made


def _lay_ground(made: Stage) -> None:
    builder, look, rng = made.builder, made.look, made.builder.rng
    length = _FAR_END - _NEAR_END
    repeats = length / materials.ROAD_TILE_M
    heaven = materials.sky(rng, look.zenith, look.horizon, look.cloud)
    # The fog would swallow a far sky: it stands 1 m off and moves along with the camera.
    made.ground.append(
        Panel(builder.surfaces(1), heaven, (-1.6, 0.8, 1.0), (3.2, 0, 0), (0, -1.6, 0), _SKY,
              at_infinity=True)
    )  # fmt: skip
    far = _mixed(look.horizon, look.walls[0], 0.45)
    for kind, z, class_id, colour in (
        ("roofs", _FAR_END + 10, _BUILDING, far),
        ("trees", _FAR_END, _TREE, look.leaves),
    ):
        texture = materials.backdrop(rng, kind=kind, colour=colour)
        made.ground.append(builder.upright(texture, 0.0, 0.0, z, class_id, look.light_front))
    asphalt = materials.road(rng, 2 * ROAD_HALF, look.asphalt)
    made.ground.append(
        Panel(builder.surfaces(1), asphalt, (-ROAD_HALF, 0, _NEAR_END), (2 * ROAD_HALF, 0, 0),
              (0, 0, length), _ROAD, light=look.light_top, repeats=repeats)
    )  # fmt: skip
    slabs = materials.pavement(rng, _FRONTS - ROAD_HALF + 12.0, look.slabs)
    stone = Sketch(16, 0.24, 20).box(0, 0, 16, 0.24, _mixed(look.slabs, (0, 0, 0), 0.2))
    face = stone.texture(along=0, opaque=True)
    for side in (-1, 1):
        edge = side * ROAD_HALF
        light = look.light_right if side < 0 else look.light_left
        made.ground.append(
            Panel(builder.surfaces(1), face, (edge, _KERB, _NEAR_END), (0, 0, length),
                  (0, -_KERB, 0), _PAVEMENT, light=light, outward=(-float(side), 0, 0))
        )  # fmt: skip
        made.ground.append(
            Panel(builder.surfaces(1), slabs, (edge, _KERB, _NEAR_END),
                  (side * (_FRONTS - ROAD_HALF + 12.0), 0, 0), (0, 0, length), _PAVEMENT,
                  light=look.light_top, repeats=repeats)
        )  # fmt: skip


def _line_with_houses(made: Stage, side: int) -> None:
    builder, look, rng = made.builder, made.look, made.builder.rng
    designs = []
    for number in range(6):
        width_m = float(rng.choice([9.0, 11.0, 13.0]))
        height_m = float(rng.choice([8.4, 10.6, 12.2, 13.8]))
        colour = look.walls[(number + (3 if side > 0 else 0)) % len(look.walls)]
        bricks = bool(rng.random() < look.bricks)
        front = materials.facade(
            rng, width_m=width_m, height_m=height_m, colour=colour,
            trim=look.trims[number % len(look.trims)], bricks=bricks,
            shop=bool(rng.random() < 0.5), glow=look.glow,
        )  # fmt: skip
        wall = materials.plaster(rng, colour, bricks=bricks)
        tiles = look.roofs[number % len(look.roofs)]
        slope = materials.roof(rng, width_m, tiles) if rng.random() < 0.7 else None
        designs.append((front, wall, slope, furniture.gable(colour), width_m, height_m))
    planks = materials.boards(rng, 7.0, (142, 108, 76))
    near = -4.0 if side < 0 else -7.0
    place = 0
    while near < _FAR_END - 15:
        front, wall, slope, gable, width_m, height_m = designs[place % len(designs)]
        setback = _FRONTS + float(rng.choice([0.0, 0.0, 0.25]))
        made.houses.append(
            builder.house(front, wall, slope, gable, side=side, x=setback, near=near,
                          width_m=width_m, height_m=height_m)
        )  # fmt: skip
        near += width_m
        place += 1
        if place % 3 == 2:
            made.houses.append(builder.fence(planks, side=side, x=_FRONTS, near=near, width_m=7.0))
            near += 7.0


def plant(made: Stage, places: Sequence[tuple[int, float]], *, x: float, size: float) -> None:
    """Plant trees at (side, z), x metres from the middle, with their shadows."""
    builder, look, rng = made.builder, made.look, made.builder.rng
    crowns = [
        materials.foliage(
            rng, width_m=3.6 * size, height_m=3.5 * size, colour=look.leaves, fill=0.9
        )
        for _ in range(2)
    ]
    stem = furniture.trunk(rng, (104, 82, 62))
    dapple = materials.shadow(rng, ragged=0.5, strength=0.55)
    for count, (side, z) in enumerate(places):
        pair = crowns if count % 2 else crowns[::-1]
        made.furniture += builder.tree(pair, stem, side * x, _KERB, z)
        reach = 2.2 * size
        shift = look.shade_from * 1.6
        made.decals.append(
            Panel(builder.surfaces(1), dapple, (side * x + shift - reach, _KERB + 0.02, z + reach),
                  (2 * reach, 0, 0), (0, 0, -2 * reach), None)
        )  # fmt: skip


def hang_lamps(made: Stage, lamps: Sequence[tuple[int, float]]) -> None:
    """Put up street lamps at (side, z)."""
    mast = furniture.lamp((70, 78, 76))
    for side, z in lamps:
        made.furniture.append(made.builder.lamp(mast, side, ROAD_HALF + 0.45, _KERB, z))


def put_sign(made: Stage, kind: str, x: float, z: float, height_m: float) -> None:
    """Put up a sign of a kind that `furniture.sign_face` knows."""
    face = furniture.sign_face(kind)
    rod = furniture.post(height_m + 0.5, (126, 130, 132), 0.08)
    made.furniture.append(made.builder.sign(face, rod, x, _KERB, z, height_m))


class Cast:
    """Hands out ids, surfaces and lights to those who move."""

    def __init__(self, made: Stage, first_id: int) -> None:
        self.made, self.actors = made, list[Car | Walker | Cyclist]()
        self._next_id = first_id
        look = made.look
        self._lights = look.light_left, look.light_right, look.light_top, look.light_front

    def _numbers(self) -> tuple[int, int]:
        self._next_id += 1
        return self.made.builder.surfaces(_SURFACES_A_THING), self._next_id - 1

    def car(
        self, body: CarBody, colour: Colour, *, x: float, z: float, speed: float, faces: int
    ) -> None:
        """Add a car."""
        surface, number = self._numbers()
        skin = CarSkin(body, colour)
        self.actors.append(
            Car(skin, surface, number, x, z, speed, faces, self._lights, self.made.shadow)
        )

    def walker(
        self,
        clothes: Clothes,
        *,
        x: float,
        z: float,
        speed_x: float = 0.0,
        speed_z: float = 0.0,
        height: float = 1.75,
        phase: float = 0.0,
    ) -> None:
        """Add somebody on foot."""
        surface, number = self._numbers()
        self.actors.append(
            Walker(PersonSkin(clothes), surface, number, x, z, speed_x, speed_z, height,
                   self.made.look.light_front, self.made.shadow, _ground_at, phase)
        )  # fmt: skip

    def cyclist(
        self,
        clothes: Clothes,
        colour: Colour,
        *,
        x: float,
        z: float,
        speed: float,
        slows: tuple[float, float] = (inf, 1.0),
    ) -> None:
        """Add somebody on a bicycle."""
        surface, number = self._numbers()
        parts = bicycle(colour)
        self.actors.append(
            Cyclist(PersonSkin(clothes), parts["frame"], parts["wheel"], parts["bar"],
                    parts["tyre"], surface, number, x, z, speed, self.made.look.light_front,
                    self.made.shadow, slows)
        )  # fmt: skip
