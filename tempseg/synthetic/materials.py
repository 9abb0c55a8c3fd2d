"""What the street is made of: asphalt, slabs, facades, roofs, foliage, sky."""

from __future__ import annotations

import cv2
import numpy as np

from tempseg.synthetic.raster import Texture
from tempseg.synthetic.sketch import Colour, Sketch, clouds, speckle
from tempseg.types import FloatArray, UInt8Array

__all__ = [
    "ROAD_TILE_M",
    "backdrop",
    "boards",
    "facade",
    "foliage",
    "pavement",
    "plaster",
    "road",
    "roof",
    "shadow",
    "sky",
    "zebra",
]

ROAD_TILE_M = 32.0


def _finish(picture: FloatArray) -> UInt8Array:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _tinted(tone: FloatArray, colour: Colour) -> FloatArray:
    return tone[..., None] * np.array(colour, np.float32)


def road(rng: np.random.Generator, width_m: float, colour: Colour) -> Texture:
    """Return asphalt with lane markings; v runs along the street and repeats every 32 m."""
    density = 110.0, 24.0
    columns, rows = round(width_m * density[0]), round(ROAD_TILE_M * density[1])
    tone = 1 + 0.05 * speckle(rng, rows, columns) + 0.06 * clouds(rng, rows, columns, cell=300)
    x = (np.arange(columns, dtype=np.float32) + 0.5) / density[0] - width_m / 2
    for lane in (-1.6, 1.6):
        for track in (-0.75, 0.75):
            tone -= 0.05 * np.exp(-(((x - lane - track) / 0.25) ** 2))
    tone *= 1 - 0.12 * (np.abs(x) > width_m / 2 - 0.45)
    picture = _tinted(tone, colour)
    for _ in range(5):
        left = int(rng.integers(0, columns - 200))
        top = int(rng.integers(0, rows - 90))
        picture[top : top + 60, left : left + 150] *= rng.uniform(0.86, 0.93)
    for _ in range(7):
        steps = np.cumsum(rng.normal(0, [22, 10], (9, 2)), axis=0)
        start = rng.uniform([0, 100], [columns, rows - 100])
        points = np.rint(steps + start).astype(np.int32)
        cv2.polylines(picture, [points], False, [c * 0.72 for c in colour], 2, cv2.LINE_AA)
    hole_x, hole_y = columns // 2 + round(1.2 * density[0]), rows // 3
    cv2.ellipse(
        picture, (hole_x, hole_y), (34, 8), 0, 0, 360, [c * 0.6 for c in colour], -1, cv2.LINE_AA
    )
    worn = 1 - 0.18 * np.clip(clouds(rng, rows, columns, cell=60), 0, 1)
    paint = np.array([226, 224, 214], np.float32) * worn[..., None]
    y = (np.arange(rows, dtype=np.float32) + 0.5) / density[1]
    dashes = (np.abs(x) < 0.07)[None] & (np.mod(y, 8.0) < 3.2)[:, None]
    edges = np.broadcast_to(np.abs(np.abs(x) - (width_m / 2 - 2.05)) < 0.05, dashes.shape)
    marked = (dashes | edges)[..., None]
    return Texture.build(_finish(np.where(marked, paint, picture)), density, along=1, wraps=True)


def pavement(rng: np.random.Generator, width_m: float, colour: Colour) -> Texture:
    """Return paving slabs between kerbstones; the kerb lies at u = 0."""
    density = 100.0, 24.0
    columns, rows = round(width_m * density[0]), round(ROAD_TILE_M * density[1])
    slab_x, slab_y = 60, 18
    grid_shape = rows // slab_y + 2, columns // slab_x + 2
    grid = 1 + 0.05 * rng.standard_normal(grid_shape)
    row, column = np.arange(rows) // slab_y, np.arange(columns) // slab_x
    tone = grid[row[:, None], column[None]].astype(np.float32)
    tone += 0.03 * speckle(rng, rows, columns) + 0.05 * clouds(rng, rows, columns, cell=200)
    tone[np.arange(rows) % slab_y == 0] *= 0.8
    tone[:, np.arange(columns) % slab_x < 2] *= 0.84
    kerb = round(0.2 * density[0])
    tone[:, :kerb] = 1.16 + 0.03 * speckle(rng, rows, kerb)
    tone[np.arange(rows) % 36 == 0, :kerb] *= 0.82
    tone[:, kerb : kerb + 2] *= 0.8
    return Texture.build(_finish(_tinted(tone, colour)), density, along=1, wraps=True)


def zebra(rng: np.random.Generator, width_m: float, depth_m: float) -> Texture:
    """Return the stripes of a pedestrian crossing, transparent between."""
    density = 60.0, 40.0
    columns, rows = round(width_m * density[0]), round(depth_m * density[1])
    x = (np.arange(columns) + 0.5) / density[0]
    striped = np.broadcast_to(np.mod(x, 1.0) < 0.5, (rows, columns))
    worn = 1 - 0.2 * np.clip(clouds(rng, rows, columns, cell=50), 0, 1)
    alpha = np.where(striped, worn, 0).astype(np.float32)
    alpha[0] = alpha[-1] = 0
    alpha[:, 0] = alpha[:, -1] = 0
    picture = alpha[..., None] * np.array([228, 226, 218, 255], np.float32)
    return Texture.build(_finish(picture), density, along=1)


def plaster(rng: np.random.Generator, colour: Colour, *, bricks: bool) -> Texture:
    """Return a plain wall, 8 m by 12 m, of plaster or bricks."""
    density = 24.0
    rows, columns = round(12 * density), round(8 * density)
    tone = _wall(rng, rows, columns, (density, density), bricks=bricks)
    tone *= np.linspace(1.03, 0.9, rows, dtype=np.float32)[:, None]
    return Texture.build(_finish(_tinted(tone, colour)), (density, density))


def _wall(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    density: tuple[float, float],
    *,
    bricks: bool,
) -> FloatArray:
    tone = 1 + 0.045 * clouds(rng, rows, columns, cell=rows / 3)
    tone += 0.015 * speckle(rng, rows, columns)
    if bricks:
        high, wide = max(2, round(0.16 * density[1])), max(4, round(0.5 * density[0]))
        row = np.arange(rows) // high
        column = (np.arange(columns)[None] + (row % 2)[:, None] * (wide // 2)) // wide
        grid = rng.normal(0, 0.07, (rows // high + 1, columns // wide + 3))
        tone += grid[row[:, None], column].astype(np.float32)
        tone[np.arange(rows) % high == 0] *= 0.88
    return tone


def facade(
    rng: np.random.Generator,
    *,
    width_m: float,
    height_m: float,
    colour: Colour,
    trim: Colour,
    bricks: bool,
    shop: bool,
    glow: float,
) -> Texture:
    """Return a house front: windows in rows, a door or shop below, a cornice above.

    Parameters
    ----------
    rng : Generator
    width_m, height_m : float
        u runs along the street.
    colour, trim : tuple of float
        Of the wall, and of frames and ledges.
    bricks : bool
    shop : bool
        A shop window and awning on the ground floor.
    glow : float
        Share of the windows with a lamp on.
    """
    density = 46.0, 72.0
    columns, rows = round(width_m * density[0]), round(height_m * density[1])
    picture = _tinted(_wall(rng, rows, columns, density, bricks=bricks), colour)

    def fill(left: float, top: float, right: float, bottom: float, paint: Colour) -> None:
        picture[
            max(0, round(top * density[1])) : max(0, round(bottom * density[1])),
            max(0, round(left * density[0])) : max(0, round(right * density[0])),
        ] = paint

    def darken(left: float, top: float, right: float, bottom: float, factor: float) -> None:
        picture[
            max(0, round(top * density[1])) : max(0, round(bottom * density[1])),
            max(0, round(left * density[0])) : max(0, round(right * density[0])),
        ] *= np.float32(factor)

    def window(left: float, top: float, wide: float, high: float) -> None:
        darken(left - 0.12, top + high, left + wide + 0.12, top + high + 0.3, 0.82)
        fill(left - 0.12, top - 0.14, left + wide + 0.12, top + high + 0.1, trim)
        fill(left - 0.2, top + high + 0.02, left + wide + 0.2, top + high + 0.12, trim)
        fill(left, top, left + wide, top + high, (30, 36, 44))
        lit = rng.random() < glow
        glass = (np.array([250, 205, 130]) if lit else np.array([62, 78, 96])).astype(np.float32)
        y0, y1 = round((top + 0.05) * density[1]), round((top + high) * density[1])
        x0, x1 = round((left + 0.05) * density[0]), round((left + wide - 0.05) * density[0])
        fade = np.linspace(1.55 if not lit else 1.0, 0.8, y1 - y0, dtype=np.float32)
        slant = np.linspace(0.0, 0.35, x1 - x0, dtype=np.float32) * rng.uniform(-0.8, 0.8)
        picture[y0:y1, x0:x1] = (fade[:, None] + slant[None])[..., None] * glass
        if rng.random() < 0.6:
            cloth = np.array([206, 198, 184]) * rng.uniform(0.6, 0.95)
            share = rng.uniform(0.12, 0.26)
            fill(left + 0.06, top + 0.06, left + wide * share, top + high - 0.03, tuple(cloth))
            fill(left + wide * (1 - share), top + 0.06, left + wide - 0.06, top + high - 0.03,
                 tuple(cloth))  # fmt: skip
        fill(left + wide / 2 - 0.035, top, left + wide / 2 + 0.035, top + high, trim)
        fill(left, top + high * 0.36, left + wide, top + high * 0.36 + 0.06, trim)
        darken(left, top, left + wide, top + 0.1, 0.6)

    ground_m, storey_m, cornice_m = 3.6, 3.0, 0.6
    storeys = max(1, int((height_m - ground_m - cornice_m) / storey_m))
    bays = max(2, round(width_m / 2.6))
    pitch = width_m / bays
    wide = min(1.35, pitch * 0.52)
    for storey in range(storeys):
        top = cornice_m + 0.55 + storey * (height_m - ground_m - cornice_m) / storeys
        for bay in range(bays):
            window((bay + 0.5) * pitch - wide / 2, top, wide, 1.7)
    base = height_m - ground_m
    fill(0, base - 0.12, width_m, base + 0.12, trim)
    darken(0, base + 0.12, width_m, base + 0.32, 0.78)
    if shop:
        cloth = tuple(rng.choice([[150, 44, 40], [38, 92, 72], [44, 66, 120], [176, 128, 48]]))
        fill(0.35, base + 0.35, width_m - 0.35, height_m, tuple(c * 0.42 for c in cloth))
        fill(0.6, base + 0.45, width_m - 0.6, base + 0.95, tuple(c * 0.8 for c in cloth))
        panes = max(2, round(width_m / 2.4))
        step = (width_m - 1.2) / panes
        for pane in range(panes):
            left = 0.6 + pane * step
            warm = np.array([196, 168, 122]) * rng.uniform(0.55, 0.95)
            fill(left + 0.08, base + 1.5, left + step - 0.08, height_m - 0.4, tuple(warm))
            for _ in range(4):
                x, wide_m = left + 0.2 + rng.uniform(0, max(step - 0.9, 0.1)), 0.35
                tone = tuple(rng.uniform(40, 190, 3))
                fill(x, height_m - 0.45 - rng.uniform(0.3, 1.1), x + wide_m, height_m - 0.42, tone)
        stripes = round(width_m / 0.5)
        for stripe in range(stripes):
            left, right = (0.3 + s * (width_m - 0.6) / stripes for s in (stripe, stripe + 1))
            fill(left, base + 0.95, right, base + 1.5, (232, 226, 212) if stripe % 2 else cloth)
        darken(0.3, base + 1.5, width_m - 0.3, base + 1.85, 0.6)
    else:
        door = tuple(rng.choice([[84, 52, 36], [40, 62, 58], [96, 34, 36], [52, 58, 84]]))
        place = int(rng.integers(0, bays))
        for bay in range(bays):
            left = (bay + 0.5) * pitch - wide / 2
            if bay == place:
                fill(left - 0.1, base + 0.75, left + wide + 0.1, height_m, trim)
                fill(left, base + 0.9, left + wide, height_m, door)
                fill(left + 0.12, base + 1.0, left + wide - 0.12, base + 1.45, (88, 104, 118))
                darken(left + 0.15, base + 1.75, left + wide - 0.15, base + 2.4, 0.8)
                darken(left + 0.15, base + 2.6, left + wide - 0.15, base + 3.3, 0.8)
            else:
                window(left, base + 0.8, wide, 1.7)
        darken(0, height_m - 0.55, width_m, height_m, 0.82)
    fill(0, 0, width_m, cornice_m * 0.6, trim)
    darken(0, cornice_m * 0.6, width_m, cornice_m * 1.2, 0.74)
    pipe = rng.choice([0.12, width_m - 0.24])
    fill(pipe, cornice_m, pipe + 0.1, height_m, tuple(np.array(trim) * 0.62))
    darken(pipe + 0.1, cornice_m, pipe + 0.18, height_m, 0.8)
    picture *= np.linspace(1.04, 0.9, rows, dtype=np.float32)[:, None, None]
    return Texture.build(_finish(picture), density, along=0)


def roof(rng: np.random.Generator, width_m: float, colour: Colour) -> Texture:
    """Return a tiled slope, 5 m from eaves to ridge, with dormers."""
    density = 30.0, 30.0
    columns, rows = round(width_m * density[0]), round(5 * density[1])
    tone = 1 + 0.06 * speckle(rng, rows, columns) + 0.08 * clouds(rng, rows, columns, cell=70)
    tone[np.arange(rows) % 9 < 2] *= 0.84
    picture = _tinted(tone, colour)
    for _ in range(int(width_m // 5)):
        left = int(rng.integers(20, columns - 50))
        picture[40:100, left : left + 32] = (206, 200, 190)
        picture[48:96, left + 5 : left + 27] = (58, 70, 84)
    return Texture.build(_finish(picture), density, along=0)


def boards(rng: np.random.Generator, width_m: float, colour: Colour) -> Texture:
    """Return a fence of upright boards, 1.9 m high."""
    density = 46.0, 60.0
    columns, rows = round(width_m * density[0]), round(1.9 * density[1])
    board = 7
    shade = rng.uniform(0.82, 1.08, columns // board + 1)[np.arange(columns) // board]
    tone = np.tile(shade.astype(np.float32), (rows, 1)) + 0.04 * speckle(rng, rows, columns)
    tone[:, np.arange(columns) % board == 0] *= 0.55
    tone[8:14] *= 1.12
    tone[14:17] *= 0.72
    tone[rows - 26 : rows - 20] *= 1.12
    tone[rows - 20 : rows - 17] *= 0.72
    return Texture.build(_finish(_tinted(tone, colour)), density, along=0)


def foliage(
    rng: np.random.Generator, *, width_m: float, height_m: float, colour: Colour, fill: float
) -> Texture:
    """Return a tree's crown: thousands of leaves, lit from the upper left.

    Parameters
    ----------
    rng : Generator
    width_m, height_m : float
    colour : tuple of float
    fill : float
        About the share of the crown that is closed, 0 to 1.
    """
    density = 64.0
    columns, rows = round(width_m * density), round(height_m * density)
    picture = np.zeros((rows, columns, 4), np.float32)
    lumps = []
    for _ in range(22):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1)) * 0.66
        lumps.append((0.5 + 0.5 * reach * np.cos(angle), 0.5 + 0.5 * reach * np.sin(angle)))
    lumps.sort(key=lambda lump: -lump[1])
    base = np.array(colour)
    for x, y in lumps:
        radius = rng.uniform(0.13, 0.19)
        count = int(230 * fill)
        turns = rng.uniform(0, 2 * np.pi, count)
        reaches = np.sqrt(rng.uniform(0, 1, count))
        order = np.argsort(np.sin(turns) * reaches)[::-1]
        for a, r in zip(turns[order], reaches[order], strict=True):
            leaf_x, leaf_y = x + radius * r * np.cos(a), y + radius * r * np.sin(a)
            bright = 0.72 - 0.42 * r * np.sin(a) - 0.16 * r * np.cos(a) + 0.30 * (0.5 - leaf_y)
            leaf = (
                base
                * max(bright + rng.normal(0, 0.09), 0.2)
                * rng.uniform([0.92, 0.97, 0.85], 1.06)
            )
            centre = round(leaf_x * columns * 16), round(leaf_y * rows * 16)
            size = round(rng.uniform(3.5, 7.5) * 16), round(rng.uniform(2.5, 5.0) * 16)
            cv2.ellipse(
                picture,
                (centre[0] // 16, centre[1] // 16),
                (size[0] // 16, size[1] // 16),
                float(rng.uniform(0, 180)),
                0,
                360,
                [*(float(min(c, 255)) for c in leaf), 255.0],
                -1,
            )
    picture[[0, -1]] = 0
    picture[:, [0, -1]] = 0
    soft = np.asarray(cv2.GaussianBlur(picture, (3, 3), 0.7), np.float32)
    return Texture.build(_finish(soft), (density, density))


def shadow(rng: np.random.Generator, *, ragged: float, strength: float) -> Texture:
    """Return a soft dark spot that fills its sheet; `ragged` lets light through, as leaves do."""
    size = 96
    across = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    distance = np.sqrt(np.add.outer(across, across))
    inner = 0.75 if ragged else 0.35
    alpha = np.clip((1 - distance) / (1 - inner), 0, 1)
    alpha = alpha * alpha * (3 - 2 * alpha)
    if ragged:
        holes = clouds(rng, size, size, cell=18, octaves=3)
        alpha *= np.clip(0.75 - ragged * holes * 1.6 - 0.35 * distance, 0, 1)
    picture = np.zeros((size, size, 4), np.float32)
    picture[..., 3] = alpha * strength * 255
    picture[..., 2] = picture[..., 3] * 0.10
    return Texture.build(_finish(picture), (size / 4.0, size / 4.0))


def sky(rng: np.random.Generator, zenith: Colour, horizon: Colour, cloud: Colour) -> Texture:
    """Return a sky, the horizon at the middle row."""
    rows, columns = 768, 1536
    height = np.linspace(1, -1, rows, dtype=np.float32)[:, None]
    up = np.clip(height * 1.6, 0, 1) ** 0.7
    picture = (1 - up)[..., None] * np.array(horizon, np.float32) + up[..., None] * np.array(
        zenith, np.float32
    )
    picture = np.broadcast_to(picture, (rows, columns, 3)).copy()
    field = clouds(rng, rows, columns // 3, cell=64, octaves=6)
    field = np.asarray(cv2.resize(field, (columns, rows), interpolation=cv2.INTER_LINEAR))
    cover = np.clip(field * 2.6 - 0.05, 0, 1) * np.clip(height * 6, 0, 1)
    lit = 1 - 0.16 * np.clip(field - 0.35, 0, 1)
    veil = (cover * 0.85)[..., None]
    picture = picture * (1 - veil) + lit[..., None] * np.array(cloud, np.float32) * veil
    return Texture.build(_finish(picture), level_limit=1)


def backdrop(rng: np.random.Generator, *, kind: str, colour: Colour) -> Texture:
    """Return a far silhouette, 120 m by 30 m: `roofs` or `trees`."""
    sketch = Sketch(120, 30, 8)
    x = 0.0
    if kind == "roofs":
        while x < 120:
            wide, high = rng.uniform(5, 11), rng.uniform(7, 17)
            tone = tuple(np.array(colour) * rng.uniform(0.85, 1.1))
            sketch.box(x, 30 - high, x + wide, 30, tone)
            if rng.random() < 0.6:
                peak = 30 - high - rng.uniform(1.5, 3)
                sketch.polygon([(x, 30 - high), (x + wide / 2, peak), (x + wide, 30 - high)], tone)
            for row in range(1, int(high / 3)):
                for column in range(1, int(wide / 2)):
                    left, top = x + column * 2 - 0.5, 30 - row * 3
                    sketch.box(left, top, left + 0.9, top + 1.4, tuple(np.array(tone) * 0.8))
            x += wide
    else:
        for _ in range(160):
            size, green = rng.uniform(1.5, 4), np.array(colour) * rng.uniform(0.8, 1.15)
            sketch.oval(rng.uniform(0, 120), 30 - rng.uniform(0, 6), size, size * 0.9, tuple(green))
    return sketch.texture()
