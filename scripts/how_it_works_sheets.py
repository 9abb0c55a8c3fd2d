"""Panels with words, put together into pictures for the documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

PANEL_PX, GAP = 384, 16
BACK, INK, PALE = (250, 249, 247), (46, 52, 60), (120, 128, 138)
LINES = ((150, 155, 160), (225, 120, 30), (20, 110, 160))
"""Colours, RGB."""

Colour = tuple[int, int, int]


class Panel(NamedTuple):
    """A picture with words over and under it."""

    image: np.ndarray
    title: str
    note: str = ""


def stacked(*rows: Sequence[Panel]) -> np.ndarray:
    """Return panels side by side, row under row."""
    parts, width = [], PANEL_PX
    for row in rows:
        fitted = [fit(panel.image, width) for panel in row]
        high = max(image.shape[0] for image in fitted)
        under = 30 if any(panel.note for panel in row) else 6
        strip = np.full((38 + high + under, len(row) * (width + GAP) + GAP, 3), BACK, np.uint8)
        for place, (panel, image) in enumerate(zip(row, fitted, strict=True)):
            left = GAP + place * (width + GAP)
            strip[38 : 38 + image.shape[0], left : left + width] = image
            write(strip, panel.title, (left, 28), size=21, weight=600)
            write(strip, panel.note, (left, 38 + high + 22), size=18, ink=PALE)
        parts.append(strip)
    return np.vstack([*parts, np.full((8, parts[0].shape[1], 3), BACK, np.uint8)])


def fit(image: np.ndarray, width: int) -> np.ndarray:
    size = width, round(image.shape[0] * width / image.shape[1])
    smaller = width < image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
    if not smaller and width % image.shape[1]:
        # Whole pixels first, so that their edges stay sharp.
        image = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
        how = cv2.INTER_AREA
    return cv2.resize(image, size, interpolation=how)


def write(
    image: np.ndarray,
    text: str,
    at: tuple[int, int],
    *,
    size: int,
    ink: Colour = INK,
    weight: int = 400,
) -> None:
    cv2.putText(image, text, at, ink, cv2.FontFace("sans"), size, weight)


def text_px(text: str, size: int) -> int:
    return cv2.getTextSize((4000, 100), text, (0, 0), cv2.FontFace("sans"), size, 400)[2]


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    how = [cv2.IMWRITE_JPEG_QUALITY, 86] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), image[..., ::-1], how)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {image.shape[1]}x{image.shape[0]}")


def curve_chart(
    curves: Sequence[Sequence[float]], names: Sequence[str], marks: dict[int, str]
) -> np.ndarray:
    """Return curves of shares, over frames of which some are marked."""
    width = 3 * (PANEL_PX + GAP) + GAP
    chart = np.full((270, width, 3), BACK, np.uint8)
    left, right, top, bottom = 70, width - 40, 50, 225
    most = 1.1 * max(max(curve) for curve in curves)
    step = (right - left) / (len(curves[0]) - 1)
    for at, name in marks.items():
        x = round(left + at * step)
        cv2.line(chart, (x, top), (x, bottom), (205, 210, 215), 2)
        write(chart, name, (x - 16, bottom + 24), size=17, ink=PALE)
    for share in np.arange(0, most, 0.02):
        y = round(bottom - share / most * (bottom - top))
        cv2.line(chart, (left, y), (right, y), (228, 228, 226), 1)
        write(chart, f"{share:.0%}", (GAP, y + 6), size=17, ink=PALE)
    at = left
    for curve, name, ink in zip(curves, names, LINES, strict=True):
        points = [
            (round(left + i * step), round(bottom - value / most * (bottom - top)))
            for i, value in enumerate(curve)
        ]
        cv2.polylines(chart, [np.array(points)], False, ink, 3, cv2.LINE_AA)
        cv2.rectangle(chart, (at, 16), (at + 16, 32), ink, -1)
        write(chart, name, (at + 24, 32), size=19)
        at += 60 + text_px(name, 19)
    return chart
