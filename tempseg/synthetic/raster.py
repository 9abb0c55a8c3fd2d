"""Textured planes drawn back to front: their colours, and which plane owns each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, log2
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.kernels.planes import plane_extents, plane_window
from tempseg.types import FloatArray, UInt8Array

__all__ = ["Fog", "Layer", "Texture", "owners", "paint"]

_NEAR = 0.3
# Neighbouring planes share an edge; this overlap, as a share of a plane, leaves no crack there.
_OVERLAP = 2e-4
_HALF = np.float32(0.5)
_CORNERS = np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]], np.float64)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A picture at several sizes, for planes seen from near and far.

    Parameters
    ----------
    levels : tuple of ndarray, shape (h, w, 4), uint8
        RGB multiplied by alpha, and alpha; each level coarser than the one before.
    alphas : tuple of ndarray, shape (h, w), uint8
        The alpha of each level alone.
    density : tuple of float
        Texels a metre of the first level, along u and v.
    along : int or None
        The axis (0 for u, 1 for v) that recedes from the camera, on ground and facades. It
        shortens with the square of the distance, so its size falls by 4 a level, not by 2.
    opaque : bool
        Alpha is 255 everywhere: the plane's own edge is its outline.
    wraps : bool
        The picture repeats along v.
    """

    levels: tuple[UInt8Array, ...]
    alphas: tuple[UInt8Array, ...]
    density: tuple[float, float] = (1.0, 1.0)
    along: int | None = None
    opaque: bool = True
    wraps: bool = False

    @classmethod
    def build(
        cls,
        image: UInt8Array,
        density: tuple[float, float] = (1.0, 1.0),
        *,
        along: int | None = None,
        wraps: bool = False,
        level_limit: int = 8,
    ) -> Texture:
        """Return the texture of an image, shape (h, w, 3), or (h, w, 4) with colour × alpha."""
        opaque = image.shape[2] == 3
        if opaque:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        levels = [np.ascontiguousarray(image)]
        shrink = [4 if along == axis else 2 for axis in (0, 1)]
        while len(levels) < level_limit and min(levels[-1].shape[:2]) >= 4:
            height, width = levels[-1].shape[:2]
            size = max(1, round(width / shrink[0])), max(1, round(height / shrink[1]))
            levels.append(_array(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA)))
        alphas = tuple(np.ascontiguousarray(level[..., 3]) for level in levels)
        return cls(tuple(levels), alphas, density, along, opaque, wraps)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A plane as one camera sees it in one frame.

    Parameters
    ----------
    surface : int
        The plane's own number, the same in every frame of a shot.
    class_id : int or None
        None for what only colours the planes below: shadows, markings.
    segment_id : int
        The thing the plane belongs to; 0 for stuff.
    texture : Texture
    to_screen : ndarray, shape (3, 3), float64
        Takes texture coordinates (u, v, 1), 0 to 1, to (x z, y z, z): pixels and depth.
    level_offset : float
        The texture's level is log2(z) + level_offset.
    light : tuple of float
        Multiplies red, green and blue.
    repeats : float
        How often a wrapping texture repeats over the plane.
    """

    surface: int
    class_id: int | None
    segment_id: int
    texture: Texture
    to_screen: Matrix
    level_offset: float = 0.0
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    repeats: float = 1.0


@dataclass(frozen=True, slots=True)
class Fog:
    """What distance fades into: `colour` takes over as 1 - exp(-z / distance_m)."""

    colour: tuple[float, float, float]
    distance_m: float


class _Place(NamedTuple):
    """Where a layer falls on the grid; `back` takes (column, row, 1) to (u, v, 1) / depth."""

    bounds: tuple[int, int, int, int]
    back: Matrix
    near: float
    far: float


class _Window(NamedTuple):
    rows: slice
    columns: slice
    u: FloatArray
    v: FloatArray
    depth: FloatArray
    near: float
    far: float
    covered: NDArray[np.bool_]


def paint(
    layers: Sequence[Layer], owner: NDArray[np.int32], *, fog: Fog | None = None
) -> FloatArray:
    """Return the colours of layers drawn in order, 0 to 255, shape (H, W, 3), float32.

    Two by two samples a pixel are averaged. `owner` is what `owners` says of the layers: it tells
    which parts of the opaque ones are hidden and need no drawing.
    """
    height, width = owner.shape
    seen = _extents(owner, len(layers))
    # Four channels, the last unused, so that OpenCV's four-channel paths serve throughout.
    canvas = np.zeros((2 * height, 2 * width, 4), np.uint8)
    # Pixel centres are integers: the centre of sample 0 lies a quarter of a pixel before them.
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]], np.float64)
    places = _places(layers, twice)
    for layer, place, extent in zip(layers, places, seen, strict=True):
        bounds = 0, 0, 2 * width, 2 * height
        if layer.texture.opaque and layer.class_id is not None:
            bounds = extent
        window = _window(place, bounds)
        if window is None:
            continue
        colours = _lit(_sample(layer, window, layer.level_offset - 1), layer, window, fog)
        below = canvas[window.rows, window.columns]
        mask = window.covered.view(np.uint8)
        if layer.texture.opaque:
            below[...] = cv2.copyTo(colours, mask, below)
        else:
            inverse = cv2.extractChannel(cv2.copyTo(colours, mask), 3)
            cv2.bitwise_not(inverse, inverse)
            dimmed = cv2.multiply(below, cv2.merge([inverse] * 4), scale=1 / 255)
            cv2.add(dimmed, colours, dimmed, mask)
            below[...] = dimmed
    small = _array(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA))
    return small[..., :3].astype(np.float32)


def owners(layers: Sequence[Layer], *, width: int, height: int) -> NDArray[np.int32]:
    """Return which layer is seen at each pixel's centre, as its place in `layers`; -1 is none."""
    owner = np.full((height, width), -1, np.int32)
    for number, (layer, place) in enumerate(zip(layers, _places(layers, np.eye(3)), strict=True)):
        if layer.class_id is None:
            continue
        window = _window(place, (0, 0, width, height))
        if window is None:
            continue
        covered = window.covered
        if not layer.texture.opaque:
            level = round(log2((window.near + window.far) / 2) + layer.level_offset - 1)
            alpha = layer.texture.alphas[min(max(level, 0), len(layer.texture.alphas) - 1)]
            covered = covered & (_look_up(alpha, window.u, window.v, wraps=False) > 127)
        owner[window.rows, window.columns][covered] = number
    return owner


def _extents(owner: NDArray[np.int32], count: int) -> list[tuple[int, int, int, int]]:
    # Left, top, right and bottom of what each layer owns, in samples; with a margin of two
    # pixels, since edges are softer than the owner's.
    height, width = owner.shape
    low = np.full((count, 2), max(width, height))
    high = np.full((count, 2), -1)
    plane_extents(owner, low, high)
    low = np.maximum(2 * low - 4, 0)
    high = np.minimum(2 * high + 6, (2 * width, 2 * height))
    return [(*first, *last) for first, last in zip(low.tolist(), high.tolist(), strict=True)]


def _places(layers: Sequence[Layer], grid: Matrix) -> list[_Place | None]:
    if not layers:
        return []
    to_grid = grid @ np.stack([layer.to_screen for layer in layers])
    corners = to_grid @ _CORNERS
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = corners[:, 0] / corners[:, 2], corners[:, 1] / corners[:, 2]
    ahead = corners[:, 2].min(axis=1) >= _NEAR
    # A plane seen from its edge covers nothing and has no inverse.
    area = (x[:, 2] - x[:, 0]) * (y[:, 3] - y[:, 1]) - (x[:, 3] - x[:, 1]) * (y[:, 2] - y[:, 0])
    shown = (~ahead | (np.abs(area) > 1e-3)) & (corners[:, 2].max(axis=1) >= _NEAR)
    shown &= np.abs(np.linalg.det(to_grid)) > 1e-9
    back = np.linalg.inv(np.where(shown[:, None, None], to_grid, np.eye(3)))
    boxes = np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)
    depths = np.stack([corners[:, 2].min(axis=1), corners[:, 2].max(axis=1)], axis=1)
    for number in np.flatnonzero(shown & ~ahead):
        outline = _in_front(corners[number])
        columns, rows = outline[0] / outline[2], outline[1] / outline[2]
        boxes[number] = columns.min(), rows.min(), columns.max(), rows.max()
        depths[number] = outline[2].min(), outline[2].max()
    return [
        _Place((floor(box[0]), floor(box[1]), ceil(box[2]) + 1, ceil(box[3]) + 1), matrix, *depth)
        if seen
        else None
        for seen, box, matrix, depth in zip(
            shown.tolist(), boxes.tolist(), back, depths.tolist(), strict=True
        )
    ]


def _window(place: _Place | None, bounds: tuple[int, int, int, int]) -> _Window | None:
    if place is None:
        return None
    left, top = max(bounds[0], place.bounds[0]), max(bounds[1], place.bounds[1])
    right, bottom = min(bounds[2], place.bounds[2]), min(bounds[3], place.bounds[3])
    if left >= right or top >= bottom:
        return None
    u, v, depth = np.empty((3, bottom - top, right - left), np.float32)
    covered = np.empty(u.shape, np.bool_)
    plane_window(place.back, left, top, _OVERLAP, u, v, depth, covered)
    return _Window(
        slice(top, bottom), slice(left, right), u, v, depth, place.near, place.far, covered
    )


def _in_front(corners: Matrix) -> Matrix:
    kept: list[Matrix] = []
    for first, second in zip(corners.T, np.roll(corners, -1, axis=1).T, strict=True):
        if first[2] >= _NEAR:
            kept.append(first)
        if (first[2] >= _NEAR) != (second[2] >= _NEAR):
            share = (_NEAR - first[2]) / (second[2] - first[2])
            kept.append(first + share * (second - first))
    return np.stack(kept, axis=1)


def _sample(layer: Layer, window: _Window, offset: float) -> UInt8Array:
    texture = layer.texture
    finest = len(texture.levels) - 1
    v = window.v
    if texture.wraps:
        v = v * np.float32(layer.repeats)
        v -= np.floor(v)
    lowest, highest = (
        min(max(log2(z) + offset, 0.0), float(finest)) for z in (window.near, window.far)
    )
    if highest - lowest < 0.5:
        middle = (lowest + highest) / 2
        base = int(middle)
        share = middle - base
        picture = _look_up(texture.levels[base], window.u, v, wraps=texture.wraps)
        if share > 0.02:
            coarser = _look_up(texture.levels[base + 1], window.u, v, wraps=texture.wraps)
            picture = _array(cv2.addWeighted(picture, 1 - share, coarser, share, 0))
        return picture
    level = np.log2(np.maximum(window.depth, np.float32(_NEAR)))
    level = np.clip(level + np.float32(offset), 0, finest)
    total = np.zeros((*v.shape, 4), np.uint8)
    for k in range(int(lowest), max(int(np.ceil(highest)), int(lowest) + 1)):
        chosen = (level >= k) & (level <= k + 1) & window.covered
        rows = np.flatnonzero(chosen.any(axis=1))
        columns = np.flatnonzero(chosen.any(axis=0))
        if not rows.size:
            continue
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        fine, coarse = (
            _look_up(texture.levels[i], window.u[part], v[part], wraps=texture.wraps)
            for i in (k, min(k + 1, finest))
        )
        blend = np.clip(level[part] - np.float32(k), 0, 1)
        mixed = cv2.blendLinear(fine, coarse, 1 - blend, blend)
        total[part] = cv2.copyTo(mixed, chosen[part].view(np.uint8), total[part])
    return total


def _look_up(picture: UInt8Array, u: FloatArray, v: FloatArray, *, wraps: bool) -> UInt8Array:
    height, width = picture.shape[:2]
    columns, rows = u * np.float32(width), v * np.float32(height)
    columns -= _HALF
    rows -= _HALF
    border = cv2.BORDER_WRAP if wraps else cv2.BORDER_REPLICATE
    return _array(cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=border))


def _lit(picture: UInt8Array, layer: Layer, window: _Window, fog: Fog | None) -> UInt8Array:
    red, green, blue = layer.light
    mix = np.array(
        [[red, 0, 0, 0], [0, green, 0, 0], [0, 0, blue, 0], [0, 0, 0, 1]], dtype=np.float32
    )
    if fog is None:
        return picture if layer.light == (1.0, 1.0, 1.0) else _array(cv2.transform(picture, mix))
    near, far = window.near, window.far
    if far < 0.005 * fog.distance_m and layer.light == (1.0, 1.0, 1.0):
        return picture
    if layer.texture.opaque and far - near > 0.03 * fog.distance_m:
        lit = _array(cv2.transform(picture, mix))
        clear = np.asarray(cv2.exp(window.depth * np.float32(-1 / fog.distance_m)))
        veil = np.empty_like(lit)
        veil[:] = np.rint([*fog.colour, 255]).astype(np.uint8)
        return _array(cv2.blendLinear(lit, veil, clear, 1 - clear))
    # Colour is multiplied by alpha, so fog comes in proportion to alpha: one matrix does all.
    middle = exp(-(near + far) / 2 / fog.distance_m)
    mix[:3] *= middle
    mix[:3, 3] = np.array(fog.colour) / 255 * (1 - middle)
    return _array(cv2.transform(picture, mix))


def _array(image: object) -> NDArray[np.uint8]:
    # OpenCV's stubs promise any number type; these pictures keep the type they came with.
    return np.asarray(image)
