"""A rendered film and its exact truth, any frame at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.class_sets import ClassSet
from tempseg.synthetic.events import Event, EventKind
from tempseg.synthetic.raster import Fog, Layer, owners, paint
from tempseg.types import VOID_8, FloatArray, UInt8Array

__all__ = ["Scene", "SceneFrame", "Shot"]


@dataclass(frozen=True, slots=True, eq=False)
class SceneFrame:
    """One rendered frame and what is true of it.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    labels : ndarray, shape (H, W), uint8
        Class ids; 255 is void.
    ids : ndarray, shape (H, W), uint16
        Which thing a pixel shows, the same number through the whole scene; 0 is stuff.
    flow : ndarray, shape (H, W, 2), float32
        Pull field onto this frame from the one before, in pixels:
        `image(p) = image_before(p + flow(p))` where visible. Known also where the surface was
        hidden; zero where it was not there at all, and at the start of a shot.
    visible : ndarray, shape (H, W), bool
        The pixel's surface was seen in the frame before.
    """

    image: UInt8Array
    labels: UInt8Array
    ids: NDArray[np.uint16]
    flow: FloatArray
    visible: NDArray[np.bool_]


class Shot(Protocol):
    """What stands before the camera between two cuts."""

    @property
    def frame_count(self) -> int:
        """Number of frames."""

    @property
    def events(self) -> Sequence[Event]:
        """What happens to whole frames, counted from the shot's start."""

    @property
    def fog(self) -> Fog | None:
        """What distance fades into."""

    @property
    def grain(self) -> float:
        """Standard deviation of the film grain in gray levels."""

    @property
    def vignette(self) -> float:
        """Share of the light lost in the corners."""

    def layers(self, frame: int) -> Sequence[Layer]:
        """Return the planes of a frame, counted from the shot's start, back to front."""

    def exposure(self, frame: int) -> float:
        """Return the factor on all light in a frame."""


class _Geometry(NamedTuple):
    layers: Sequence[Layer]
    owner: NDArray[np.int32]


class Scene:
    """Frames rendered on demand; the same seed gives the same frames in any order.

    Parameters
    ----------
    shots : sequence of Shot
        In order; a cut lies between each two.
    width, height : int
        Size of a frame in pixels.
    frame_rate : Fraction
        Frames a second.
    class_set : ClassSet
        What the class ids mean.
    seed : int
        Of the film grain.
    dissolves : sequence of int
        For each join, how many frames show both shots; 0 is a hard cut. The shots go on
        beyond their ends for it. Labels, ids and motion stay those of the shot that weighs more:
        the new shot's from the middle on, which is where the cut is told.
    """

    def __init__(
        self,
        shots: Sequence[Shot],
        *,
        width: int,
        height: int,
        frame_rate: Fraction,
        class_set: ClassSet,
        seed: int,
        dissolves: Sequence[int] = (),
    ) -> None:
        self.width, self.height = width, height
        self.frame_rate = frame_rate
        self.class_set = class_set
        self._shots = tuple(shots)
        self._seed = seed
        self._starts = np.cumsum([0, *(shot.frame_count for shot in shots)]).tolist()
        self._dissolves = tuple(dissolves) or (0,) * (len(shots) - 1)
        if len(self._dissolves) != len(shots) - 1 or min(self._dissolves, default=0) < 0:
            raise ValueError(
                f"dissolves are {tuple(dissolves)}, expected {len(shots) - 1} lengths >= 0"
            )
        # The frame before is needed for what is visible; in a sequential reading it is at hand.
        self._known: dict[int, _Geometry] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def cuts(self) -> tuple[int, ...]:
        """Indices of frames that begin a new shot; frame 0 is none.

        Where shots dissolve, the first frame in which the new one weighs at least half.
        """
        return tuple(self._starts[1:-1])

    @property
    def events(self) -> tuple[Event, ...]:
        """What happens to whole frames, cuts included, in order; labels are exact throughout."""
        found = []
        for cut, length in zip(self.cuts, self._dissolves, strict=True):
            first = cut - length // 2
            kind: EventKind = "dissolve" if length else "cut"
            found.append(Event(kind, first, first + max(length, 1) - 1))
        for shot, start in zip(self._shots, self._starts, strict=False):
            found += [event.later(start) for event in shot.events]
        return tuple(sorted(found, key=lambda event: event.first))

    def render(self, index: int) -> SceneFrame:
        """Return a frame with its truth.

        Raises
        ------
        IndexError
            Where the scene has no such frame.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of a scene of {len(self)}: give 0 to {len(self) - 1}")
        place = int(np.searchsorted(self._starts, index, side="right")) - 1
        shot, start = self._shots[place], self._starts[place]
        now = self._geometry(shot, start, index)
        before = self._geometry(shot, start, index - 1) if index > start else None
        self._known = {index: now}
        flow, visible = _motion(now, before)
        classes = [VOID_8 if layer.class_id is None else layer.class_id for layer in now.layers]
        # The last entry answers for owner -1: nothing there.
        labels = np.array([*classes, VOID_8], np.uint8)[now.owner]
        ids = np.array([*(layer.segment_id for layer in now.layers), 0], np.uint16)[now.owner]
        image = self._develop(shot, index, start, now)
        for join, length in enumerate(self._dissolves):
            first = self._starts[join + 1] - length // 2
            if first <= index < first + length:
                image = self._mixed(image, place, join, index, (index - first + 1) / (length + 1))
        return SceneFrame(image, labels, ids, flow, visible)

    def _mixed(
        self, image: UInt8Array, place: int, join: int, index: int, share: float
    ) -> UInt8Array:
        """Return a frame of a dissolve: `share` of the shot after the join, the rest of the other.

        `image` is what the shot at `place` shows by itself.
        """
        other = join if place > join else join + 1
        shot, start = self._shots[other], self._starts[other]
        layers = shot.layers(index - start)
        there = _Geometry(layers, owners(layers, width=self.width, height=self.height))
        shown = self._develop(shot, index, start, there)
        old, new = (shown, image) if place > join else (image, shown)
        return np.asarray(cv2.addWeighted(old, 1 - share, new, share, 0), np.uint8)

    def _geometry(self, shot: Shot, start: int, index: int) -> _Geometry:
        known = self._known.get(index)
        if known is not None:
            return known
        layers = shot.layers(index - start)
        return _Geometry(layers, owners(layers, width=self.width, height=self.height))

    def _develop(self, shot: Shot, index: int, start: int, now: _Geometry) -> UInt8Array:
        light = paint(now.layers, now.owner, fog=shot.fog)
        light *= np.float32(shot.exposure(index - start))
        if shot.vignette:
            x = np.linspace(-1, 1, self.width, dtype=np.float32)
            y = np.linspace(-1, 1, self.height, dtype=np.float32)
            off_axis = np.add.outer(y * y, x * x) / 2
            light *= _gray(1 - np.float32(shot.vignette) * off_axis * off_axis)
        if shot.grain:
            rng = np.random.default_rng([self._seed, index])
            noise = rng.standard_normal((self.height, self.width), dtype=np.float32)
            light += _gray(noise * np.float32(shot.grain))
        return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def _gray(field: FloatArray) -> FloatArray:
    # Three equal channels: numpy is many times slower at stretching one over three.
    return np.asarray(cv2.merge([field] * 3), np.float32)


def _motion(now: _Geometry, before: _Geometry | None) -> tuple[FloatArray, NDArray[np.bool_]]:
    height, width = now.owner.shape
    if before is None:
        return np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.bool_)
    past = {layer.surface: layer.to_screen for layer in before.layers}
    # From a pixel now to the same spot of its surface in the frame before; the third row is the
    # ratio of the depths. Planes that were not there, and owner -1, have none: all zero.
    moves = np.zeros((3, 3, len(now.layers) + 1))
    moved = [
        place
        for place, layer in enumerate(now.layers)
        if layer.surface in past and layer.class_id is not None
    ]
    if moved:
        inverses = np.linalg.inv(np.stack([now.layers[place].to_screen for place in moved]))
        for place, inverse in zip(moved, inverses, strict=True):
            moves[:, :, place] = past[now.layers[place].surface] @ inverse
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    x_past, y_past, ratio = (
        row[0].take(now.owner, mode="wrap") * x
        + row[1].take(now.owner, mode="wrap") * y
        + row[2].take(now.owner, mode="wrap")
        for row in moves
    )
    there = ratio > 1e-6
    ratio = np.where(there, ratio, 1.0)
    x_past = np.where(there, x_past / ratio, x)
    y_past = np.where(there, y_past / ratio, y)
    flow = np.stack([x_past - x, y_past - y], axis=-1).astype(np.float32)
    inside = (x_past >= 0) & (x_past <= width - 1) & (y_past >= 0) & (y_past <= height - 1)
    columns = np.clip(np.rint(x_past), 0, width - 1).astype(np.intp)
    rows = np.clip(np.rint(y_past), 0, height - 1).astype(np.intp)
    surface_now = np.array([*(layer.surface for layer in now.layers), -1])[now.owner]
    surface_before = np.array([*(layer.surface for layer in before.layers), -2])[before.owner]
    return flow, there & inside & (surface_before[rows, columns] == surface_now)
