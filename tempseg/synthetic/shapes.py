"""Discs and rectangles that slide over a background: the plainest scene with exact motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np

from tempseg.class_sets import ClassSet
from tempseg.synthetic.events import Event
from tempseg.synthetic.raster import Fog, Layer, Texture
from tempseg.synthetic.scene import Scene
from tempseg.synthetic.sketch import clouds
from tempseg.synthetic.street import STREET_CLASSES
from tempseg.types import UInt8Array

__all__ = ["MovingShape", "moving_shapes"]


@dataclass(frozen=True, slots=True)
class MovingShape:
    """A shape that moves steadily.

    Parameters
    ----------
    centre : tuple of float
        (x, y) in pixels at frame 0; pixel centres are integers.
    size : tuple of float
        Width and height in pixels.
    velocity : tuple of float
        (x, y) in pixels a frame, in the picture.
    class_id : int
    kind : {"disc", "rectangle"}
    appears_at : int
        The first frame that shows it.
    vanishes_at : int or None
        The first frame that shows it no more.
    """

    centre: tuple[float, float]
    size: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    class_id: int = 8
    kind: Literal["disc", "rectangle"] = "disc"
    appears_at: int = 0
    vanishes_at: int | None = None

    def __post_init__(self) -> None:
        if min(self.size) < 2:
            raise ValueError(f"size is {self.size}, expected at least 2 × 2 pixels")
        if self.kind not in ("disc", "rectangle"):
            raise ValueError(f"kind is {self.kind!r}, expected 'disc' or 'rectangle'")
        if not 0 <= self.class_id < 255:
            raise ValueError(f"class_id is {self.class_id}, expected 0 to 254")


@dataclass(frozen=True, slots=True, eq=False)
class _ShapesShot:
    background: Texture
    background_class: int
    background_size: tuple[float, float]
    background_velocity: tuple[float, float]
    start: tuple[float, float]
    shapes: Sequence[tuple[int, MovingShape, Texture]]
    first: int
    frame_count: int
    events: Sequence[Event] = ()
    fog: Fog | None = None
    grain: float = 0.0
    vignette: float = 0.0

    def exposure(self, frame: int) -> float:
        """Return 1: the light stays."""
        del frame
        return 1.0

    def layers(self, frame: int) -> Sequence[Layer]:
        """Return background and shapes, in the order given."""
        index = self.first + frame
        left, top = (
            s + v * index for s, v in zip(self.start, self.background_velocity, strict=True)
        )
        found = [
            Layer(0, self.background_class, 0, self.background,
                  _placed(left, top, *self.background_size))
        ]  # fmt: skip
        for number, shape, texture in self.shapes:
            gone = shape.vanishes_at is not None and index >= shape.vanishes_at
            if index < shape.appears_at or gone:
                continue
            x, y = (c + v * index for c, v in zip(shape.centre, shape.velocity, strict=True))
            width, height = shape.size
            place = _placed(x - width / 2, y - height / 2, width, height)
            found.append(Layer(number, shape.class_id, number, texture, place))
        return found


def _placed(
    left: float, top: float, width: float, height: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([[width, 0, left], [0, height, top], [0, 0, 1]], np.float64)


def moving_shapes(
    shapes: Sequence[MovingShape] = (),
    *,
    seed: int = 0,
    width: int = 160,
    height: int = 96,
    frame_count: int = 24,
    frame_rate: Fraction | int = 25,
    background_velocity: tuple[float, float] = (0.0, 0.0),
    background_class: int = 3,
    cuts: Sequence[int] = (),
    class_set: ClassSet = STREET_CLASSES,
) -> Scene:
    """Return textured shapes that slide over a textured background.

    Motion is exact, also by fractions of a pixel. Shapes hide those before them; the instance id
    of the first is 1. There is no grain and no change of light.

    Parameters
    ----------
    shapes : sequence of MovingShape
    seed : int
        Of the textures.
    width, height : int
        Size of a frame in pixels.
    frame_count : int
    frame_rate : Fraction or int
    background_velocity : tuple of float
        (x, y) in pixels a frame: how the background slides through the picture.
    background_class : int
    cuts : sequence of int
        Frames that begin a new shot: other textures, the same shapes in the same places.
    class_set : ClassSet

    Examples
    --------
    >>> scene = moving_shapes([MovingShape((40, 48), (30, 30), velocity=(1.5, 0))])
    >>> frame = scene.render(1)
    >>> frame.flow[48, 41].tolist(), int(frame.labels[48, 41]), int(frame.ids[48, 41])
    ([-1.5, 0.0], 8, 1)
    """
    if frame_count < 1:
        raise ValueError(f"frame_count is {frame_count}, expected at least 1")
    marks = [0, *cuts, frame_count]
    if any(b <= a for a, b in pairwise(marks)):
        raise ValueError(
            f"cuts are {tuple(cuts)}, expected rising indices from 1 to {frame_count - 1}"
        )
    travel = tuple(abs(v) * frame_count for v in background_velocity)
    # As much background as the picture will ever see, and where it lies at frame 0.
    size = round(width + travel[0] + 8), round(height + travel[1] + 8)
    start = (
        -4.5 - max(background_velocity[0], 0.0) * frame_count,
        -4.5 - max(background_velocity[1], 0.0) * frame_count,
    )
    shots = []
    for number, (first, after) in enumerate(pairwise(marks)):
        rng = np.random.default_rng([seed, number])
        ground = Texture.build(_pattern(rng, size[1], size[0]), level_limit=1)
        skins = [(place, shape, _skin(rng, shape)) for place, shape in enumerate(shapes, start=1)]
        shots.append(
            _ShapesShot(
                ground, background_class, (float(size[0]), float(size[1])), background_velocity,
                start, skins, first, after - first,
            )
        )  # fmt: skip
    return Scene(
        shots,
        width=width,
        height=height,
        frame_rate=Fraction(frame_rate),
        class_set=class_set,
        seed=seed,
    )


def _pattern(rng: np.random.Generator, height: int, width: int) -> UInt8Array:
    base = rng.uniform(80, 175, 3)
    picture = np.empty((height, width, 3), np.float32)
    lumps = clouds(rng, height, width, cell=14, octaves=3)
    for channel in range(3):
        own = clouds(rng, height, width, cell=9, octaves=2)
        picture[..., channel] = base[channel] + 55 * lumps + 22 * own
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _skin(rng: np.random.Generator, shape: MovingShape) -> Texture:
    # Two texels a pixel keep a disc's outline round.
    columns, rows = (max(4, round(2 * extent)) for extent in shape.size)
    picture = np.asarray(
        cv2.resize(
            _pattern(rng, rows // 2, columns // 2), (columns, rows), interpolation=cv2.INTER_CUBIC
        )
    ).astype(np.uint8)
    if shape.kind == "rectangle":
        return Texture.build(picture, level_limit=1)
    x = (np.arange(columns, dtype=np.float32) + 0.5) / columns * 2 - 1
    y = (np.arange(rows, dtype=np.float32) + 0.5) / rows * 2 - 1
    distance = 1 - np.sqrt(np.add.outer(y * y, x * x))
    alpha = np.clip(distance * min(columns, rows) / 2 + 0.5, 0, 1)[..., None]
    sheet = np.concatenate([picture * alpha, 255 * alpha], axis=2)
    return Texture.build(np.rint(sheet).astype(np.uint8), level_limit=1)
