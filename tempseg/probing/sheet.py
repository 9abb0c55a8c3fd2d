"""One picture of what a model sees under every candidate preprocessing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tempseg.class_sets import ClassSet
from tempseg.errors import OutputError
from tempseg.probing.results import CandidateScore, Probe, View
from tempseg.types import UInt8Array

__all__ = ["draw_sheet", "sheet"]

_TILE_PX = 420
_GAP_PX = 14
_TEXT_PX = 17
_LINE_PX = 24
_PAPER = (250, 250, 248)
_INK = (28, 30, 34)
_FAINT = (110, 114, 120)
_MARK = (20, 120, 70)
_OPACITY = 0.55
_MOST_CLASSES = 6
"""As many as fit two lines under a tile."""


def draw_sheet(found: Probe, path: str | Path) -> None:
    """Write the sheet of a probe as PNG.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet(found), cv2.COLOR_RGB2BGR))
    assert done
    try:
        Path(path).write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def sheet(found: Probe) -> UInt8Array:
    """Return the picture and, best first, what the model sees in it under each candidate.

    Raises
    ------
    OutputError
        When there is no view to show.
    """
    if not found.views:
        raise OutputError(f"{found.model}: no picture was looked at")
    scores = {score.candidate: score for score in found.candidates}
    picture = found.views[0].picture
    height = round(_TILE_PX * picture.shape[0] / picture.shape[1])
    tiles = [_captioned(_fitted(picture, height), ["the picture", found.pictures], colour=_INK)]
    for place, view in enumerate(found.views):
        tiles.append(_view_tile(view, scores.get(view.candidate), found.class_set, height, place))
    columns = min(len(tiles), 4 if height <= _TILE_PX else 5)
    return _pasted(tiles, columns, Path(found.model).name or found.model)


def _view_tile(
    view: View, score: CandidateScore | None, classes: ClassSet, height: int, place: int
) -> UInt8Array:
    tinted = _fitted(_tinted(view, classes), height)
    numbers = ""
    if score is not None:
        numbers = f"score {score.score:.3f}"
        if not math.isnan(score.border_confidence):
            numbers += f"   sure {score.confidence:.2f}, at borders {score.border_confidence:.2f}"
    name = view.candidate.words
    lines = [f"{place + 1}. {name}" if score is not None else name, numbers]
    tile = _captioned(tinted, lines, colour=_MARK if place == 0 else _INK)
    return _with_legend(tile, view, classes)


def _tinted(view: View, classes: ClassSet) -> UInt8Array:
    """Return the picture under its classes' colours, with white outlines between them."""
    labels = view.labels
    known = np.minimum(labels, len(classes.colours))
    colours = np.array((*classes.colours, (0, 0, 0)), np.float32)[known]
    strength = np.full(len(classes.colours) + 1, _OPACITY, np.float32)
    strength[[*classes.background, len(classes.colours)]] = 0
    share = strength[known][..., None]
    tinted = view.picture * (1 - share) + colours * share
    outline = np.zeros(labels.shape, np.uint8)
    outline[1:] |= labels[1:] != labels[:-1]
    outline[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    # Wide enough to be seen once the picture has shrunk to a tile.
    width = max(1, round(labels.shape[1] / _TILE_PX))
    wide = cv2.dilate(outline, np.ones((width, width), np.uint8))
    tinted[wide > 0] = 235
    return np.rint(tinted).astype(np.uint8)


def _with_legend(tile: UInt8Array, view: View, classes: ClassSet) -> UInt8Array:
    strip = np.full((2 * _LINE_PX + 6, tile.shape[1], 3), _PAPER, np.uint8)
    counts = np.bincount(view.labels.ravel(), minlength=len(classes.names))
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label] > 0]
    left, row = 0, 0
    for label in order[:_MOST_CLASSES]:
        share = counts[label] / view.labels.size
        name = classes.names[label] if label < len(classes.names) else "void"
        told = f"{name} {share:.0%}" if share >= 0.01 else f"{name} <1%"
        width = 18 + _text_width(told) + 14
        if left + width > tile.shape[1]:
            left, row = 0, row + 1
            if row > 1:
                break
        top = 4 + row * _LINE_PX
        rgb = classes.colours[label] if label < len(classes.colours) else (0, 0, 0)
        plain = label in classes.background
        strip[top + 3 : top + 15, left : left + 12] = (205, 205, 205) if plain else rgb
        _write(strip, told, left + 17, top + 15, _INK)
        left += width
    return np.vstack((tile, strip))


def _captioned(
    image: UInt8Array, lines: Sequence[str], *, colour: tuple[int, int, int]
) -> UInt8Array:
    strip = np.full((2 * _LINE_PX + 8, image.shape[1], 3), _PAPER, np.uint8)
    for place, line in enumerate(lines[:2]):
        ink = colour if place == 0 else _FAINT
        _write(strip, _shortened(line, image.shape[1]), 0, 19 + place * _LINE_PX, ink)
    return np.vstack((strip, image))


def _pasted(tiles: Sequence[UInt8Array], columns: int, title: str) -> UInt8Array:
    height = max(tile.shape[0] for tile in tiles)
    rows = math.ceil(len(tiles) / columns)
    head = 44
    out = np.full(
        (
            head + rows * (height + _GAP_PX) + _GAP_PX,
            columns * (_TILE_PX + _GAP_PX) + _GAP_PX,
            3,
        ),
        _PAPER,
        np.uint8,
    )
    _write(out, _shortened(title, out.shape[1] - 2 * _GAP_PX, 22), _GAP_PX, 32, _INK, 22)
    for place, tile in enumerate(tiles):
        top = head + (place // columns) * (height + _GAP_PX)
        left = _GAP_PX + (place % columns) * (_TILE_PX + _GAP_PX)
        out[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return out


def _fitted(image: UInt8Array, height: int) -> UInt8Array:
    shrunk = image.shape[1] > _TILE_PX
    method = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
    fitted: UInt8Array = cv2.resize(image, (_TILE_PX, height), interpolation=method).astype(
        np.uint8
    )
    return fitted


def _shortened(text: str, width: int, text_px: int = _TEXT_PX) -> str:
    """Return a line that fits, with its end kept: that is where file names differ."""
    if _text_width(text, text_px) <= width:
        return text
    while text and _text_width(f"… {text}", text_px) > width:
        text = text[1:]
    return f"… {text}"


def _text_width(text: str, text_px: int = _TEXT_PX) -> int:
    box = cv2.getTextSize((4000, 100), text, (0, 0), cv2.FontFace("sans"), text_px, 400)
    return int(box[2])


def _write(
    image: UInt8Array,
    text: str,
    left: int,
    baseline: int,
    colour: tuple[int, int, int],
    text_px: int = _TEXT_PX,
) -> None:
    cv2.putText(image, text, (left, baseline), colour, cv2.FontFace("sans"), text_px, 400)
