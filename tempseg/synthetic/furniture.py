"""What stands along the street: trees, lamps, signs, fences, houses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tempseg.synthetic.raster import Texture
from tempseg.synthetic.sketch import Colour, Sketch, clouds
from tempseg.synthetic.world import Panel, Vector

__all__ = ["Builder", "Standing", "gable", "lamp", "post", "sign_face", "trunk"]

BUILDING, POLE, PAVEMENT, TREE, SIGN, FENCE = 1, 2, 4, 5, 6, 7


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Panels that belong together and do not move, with the depth they are drawn at."""

    depth: float
    panels: Sequence[Panel]

    def depth_at(self, time_s: float) -> float:
        """Return the depth, whatever the time."""
        del time_s
        return self.depth


class Builder:
    """Places things and numbers their surfaces.

    Parameters
    ----------
    rng : Generator
    light_left, light_right, light_front : Vector
        On planes that face left, right and the camera.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        light_left: Vector,
        light_right: Vector,
        light_front: Vector,
    ) -> None:
        self.rng = rng
        self.light_left, self.light_right, self.light_front = light_left, light_right, light_front
        self._used = 0

    def surfaces(self, count: int) -> int:
        """Return the first of `count` fresh surface numbers."""
        first = self._used
        self._used += count
        return first

    def upright(
        self, texture: Texture, x: float, foot: float, z: float, class_id: int, light: Vector
    ) -> Panel:
        """Return a panel facing the camera whose lower edge stands at (x, foot, z)."""
        width = texture.levels[0].shape[1] / texture.density[0]
        height = texture.levels[0].shape[0] / texture.density[1]
        corner = (x - width / 2, foot + height, z)
        return Panel(
            self.surfaces(1), texture, corner, (width, 0, 0), (0, -height, 0), class_id, light=light
        )

    def house(
        self,
        front: Texture,
        wall: Texture,
        slope: Texture | None,
        gable: Texture,
        *,
        side: int,
        x: float,
        near: float,
        width_m: float,
        height_m: float,
    ) -> Standing:
        """Return a house; side is -1 left of the street and 1 right of it."""
        light = self.light_right if side < 0 else self.light_left
        depth_m, far = 10.0, near + width_m
        face = x * side
        # Read from the street, a facade's left is far on the right side and near on the left.
        start, run = (near, width_m) if side < 0 else (far, -width_m)
        panels = [
            Panel(
                self.surfaces(1), wall,
                (face if side > 0 else face - depth_m, height_m, near),
                (depth_m, 0, 0), (0, -height_m, 0), BUILDING, light=self.light_front,
                outward=(0, 0, -1),
            ),
            Panel(
                self.surfaces(1), front, (face, height_m, start), (0, 0, run),
                (0, -height_m, 0), BUILDING, light=light, outward=(-float(side), 0, 0),
            ),
        ]  # fmt: skip
        if slope is not None:
            rise, back = 3.2, 3.6
            panels.append(
                Panel(
                    self.surfaces(1), gable,
                    (face if side > 0 else face - 2 * back, height_m + rise, near),
                    (2 * back, 0, 0), (0, -rise, 0), BUILDING, light=self.light_front,
                    outward=(0, 0, -1),
                )
            )  # fmt: skip
            panels.append(
                Panel(
                    self.surfaces(1), slope, (face + side * back, height_m + rise, start),
                    (0, 0, run), (-side * back, -rise, 0), BUILDING,
                    light=(light[0] * 1.05, light[1] * 1.05, light[2] * 1.05),
                )
            )  # fmt: skip
        return Standing((near + far) / 2, panels)

    def tree(
        self, crowns: Sequence[Texture], trunk: Texture, x: float, foot: float, z: float
    ) -> list[Standing]:
        """Return a tree: a trunk between two layers of leaves."""
        light = self.light_front
        back, front = crowns
        crown_foot = foot + 2.1
        dim = (light[0] * 0.8, light[1] * 0.82, light[2] * 0.85)
        shift = float(self.rng.uniform(-0.3, 0.3))
        return [
            Standing(
                z + 0.9, [self.upright(back, x - shift, crown_foot + 0.3, z + 0.9, TREE, dim)]
            ),
            Standing(z, [self.upright(trunk, x, foot, z, TREE, light)]),
            Standing(z - 0.8, [self.upright(front, x + shift, crown_foot, z - 0.8, TREE, light)]),
        ]

    def lamp(self, texture: Texture, side: int, x: float, foot: float, z: float) -> Standing:
        """Return a street lamp that leans over the road."""
        width = texture.levels[0].shape[1] / texture.density[0]
        height = texture.levels[0].shape[0] / texture.density[1]
        # The texture's mast stands 0.2 m from its left edge, the arm reaches right.
        panel = Panel(
            self.surfaces(1), texture, (side * (x + 0.2), foot + height, z),
            (-side * width, 0, 0), (0, -height, 0), POLE, light=self.light_front,
        )  # fmt: skip
        return Standing(z, [panel])

    def sign(
        self, face: Texture, post: Texture, x: float, foot: float, z: float, height_m: float
    ) -> Standing:
        """Return a sign on its post."""
        return Standing(
            z,
            [
                self.upright(post, x, foot, z, POLE, self.light_front),
                self.upright(face, x, foot + height_m, z - 0.05, SIGN, self.light_front),
            ],
        )

    def fence(
        self, texture: Texture, *, side: int, x: float, near: float, width_m: float
    ) -> Standing:
        """Return a fence of boards along the street."""
        light = self.light_right if side < 0 else self.light_left
        panel = Panel(
            self.surfaces(1), texture, (side * x, 2.0, near), (0, 0, width_m), (0, -1.9, 0), FENCE,
            light=light,
        )  # fmt: skip
        return Standing(near + width_m / 2, [panel])


def gable(colour: Colour) -> Texture:
    """Return the triangle of wall under a pitched roof, 7.2 m by 3.2 m."""
    sketch = Sketch(7.2, 3.2, 24)
    sketch.polygon([(0, 3.2), (3.6, 0), (7.2, 3.2)], colour)
    sketch.oval(3.6, 1.9, 0.4, 0.4, (58, 66, 78))
    return sketch.texture()


def trunk(rng: np.random.Generator, colour: Colour) -> Texture:
    """Return a trunk with a few branches, 4 m high."""
    sketch = Sketch(1.6, 4.0, 90)
    sketch.polygon(
        [(0.72, 0.6), (0.88, 0.6), (0.93, 3.4), (1.02, 3.99), (0.58, 3.99), (0.67, 3.4)], colour
    )
    for _ in range(5):
        x, y = rng.uniform(0.1, 1.5), rng.uniform(0.1, 0.8)
        sketch.line((0.8, float(rng.uniform(1.0, 1.8))), (float(x), float(y)), 0.07, colour)
    grain = 1 + 0.14 * clouds(rng, 256, 64, cell=24)
    return sketch.shade(grain.astype(np.float32)).rounded(0.5).texture()


def lamp(colour: Colour) -> Texture:
    """Return a street lamp, 6.4 m high, its mast near the left edge."""
    sketch = Sketch(2.2, 6.4, 70)
    sketch.polygon([(0.15, 0.4), (0.25, 0.4), (0.275, 6.39), (0.125, 6.39)], colour)
    sketch.box(0.09, 5.3, 0.31, 6.39, colour)
    sketch.line((0.2, 0.45), (0.6, 0.16), 0.09, colour).line((0.6, 0.16), (1.4, 0.12), 0.08, colour)
    sketch.polygon([(1.2, 0.06), (2.0, 0.08), (2.1, 0.2), (1.2, 0.24)], colour)
    sketch.box(1.35, 0.19, 2.0, 0.25, (240, 236, 214))
    return sketch.texture()


def post(height_m: float, colour: Colour, width_m: float = 0.1) -> Texture:
    """Return a plain post."""
    sketch = Sketch(width_m + 0.04, height_m, 90)
    return sketch.box(0.02, 0.01, width_m + 0.02, height_m, colour).rounded(0.4).texture()


def sign_face(kind: str) -> Texture:
    """Return a sign: `crossing`, `limit`, `yield`, `stop` (no parking) or `lights`."""
    if kind == "lights":
        sketch = Sketch(0.40, 1.02, 120).box(0.02, 0.02, 0.38, 1.0, (30, 32, 32))
        for y, colour in ((0.19, (92, 30, 26)), (0.51, (96, 74, 26)), (0.83, (70, 232, 130))):
            sketch.oval(0.2, y, 0.12, 0.12, colour)
        return sketch.texture()
    sketch = Sketch(0.76, 0.76, 120)
    if kind == "crossing":
        sketch.box(0.02, 0.02, 0.74, 0.74, (238, 240, 240)).box(
            0.05, 0.05, 0.71, 0.71, (24, 84, 168)
        )
        sketch.polygon([(0.38, 0.12), (0.66, 0.62), (0.10, 0.62)], (240, 242, 242))
        sketch.oval(0.39, 0.27, 0.035, 0.035, (20, 20, 22))
        sketch.line((0.39, 0.33), (0.37, 0.44), 0.05, (20, 20, 22))
        sketch.line((0.37, 0.44), (0.30, 0.56), 0.035, (20, 20, 22))
        sketch.line((0.37, 0.44), (0.44, 0.56), 0.035, (20, 20, 22))
    elif kind == "limit":
        sketch.oval(0.38, 0.38, 0.36, 0.36, (204, 32, 36)).oval(
            0.38, 0.38, 0.27, 0.27, (242, 242, 238)
        )
        for x in (0.22, 0.42):
            sketch.box(x, 0.27, x + 0.13, 0.50, (26, 26, 28))
        sketch.box(0.22, 0.32, 0.30, 0.36, (242, 242, 238)).box(
            0.22, 0.41, 0.30, 0.45, (242, 242, 238)
        )
        sketch.box(0.46, 0.32, 0.51, 0.45, (242, 242, 238))
    elif kind == "yield":
        sketch.polygon([(0.02, 0.06), (0.74, 0.06), (0.38, 0.70)], (206, 34, 36))
        sketch.polygon([(0.17, 0.14), (0.59, 0.14), (0.38, 0.52)], (244, 244, 240))
    else:
        sketch.oval(0.38, 0.38, 0.36, 0.36, (206, 34, 38)).oval(
            0.38, 0.38, 0.28, 0.28, (30, 70, 160)
        )
        sketch.line((0.2, 0.2), (0.56, 0.56), 0.08, (206, 34, 38))
    return sketch.texture()
