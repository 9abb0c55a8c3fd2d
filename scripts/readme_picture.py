"""The README's picture, out of the demo's results: scripts/readme_picture.py out/demo."""

from __future__ import annotations

import csv
import itertools
import sys
from pathlib import Path

import av
import cv2
import numpy as np

TARGET = Path(__file__).resolve().parents[1] / "assets" / "overlay.jpg"
WIDTH = 1380
GAP = 14
MAX_DRIFT = 0.2
BACK = (246, 244, 242)
INK = (60, 52, 46)
REASONS = {
    "first": (170, 90, 40),
    "interval": (170, 90, 40),
    "drift": (40, 120, 220),
    "scene_cut": (60, 50, 200),
}
"""Colours, BGR."""


def main() -> None:
    """Draw three frames of a span over the timeline of keyframes."""
    run = Path(sys.argv[1])
    with (run / "frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    keys = [i for i, row in enumerate(rows) if row["origin"] == "segmented"]
    # A span of the second shot, where a car drives into the picture.
    cut = next(i for i, row in enumerate(rows) if row["reason"] == "scene_cut")
    spans = itertools.pairwise(keys)
    first = next(k for k, following in spans if k >= cut and following - k > 10)
    last = keys[keys.index(first) + 1]
    shown = (first, (first + last) // 2, last)
    with av.open(str(run / "overlay.mp4")) as container:
        frames = {
            i: frame.to_ndarray(format="bgr24")
            for i, frame in enumerate(container.decode(video=0))
            if i in shown
        }
    side = (WIDTH - 4 * GAP) // 3
    high = side * frames[first].shape[0] // frames[first].shape[1]
    sheet = np.full((high + 170, WIDTH, 3), BACK, np.uint8)
    between = f"frame {shown[1]}: carried from both sides"
    titles = (f"frame {first}: the network runs", between, f"frame {last}: it runs again")
    for place, (index, title) in enumerate(zip(shown, titles, strict=True)):
        left = GAP + place * (side + GAP)
        small = cv2.resize(frames[index], (side, high), interpolation=cv2.INTER_AREA)
        sheet[GAP : GAP + high, left : left + side] = small
        _write(sheet, title, (left, high + GAP + 28), size=21)
    _timeline(sheet, rows, top=high + 66)
    cv2.imwrite(str(TARGET), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _timeline(sheet: np.ndarray, rows: list[dict[str, str]], *, top: int) -> None:
    reach = WIDTH - 2 * GAP
    # At a cut everything is new; the curve is about what happens between.
    curve = [min(float(row["drift"] or 0), MAX_DRIFT) for row in rows]
    points = [
        (GAP + int((i + 0.5) * reach / len(rows)), top + 52 - int(48 * value / MAX_DRIFT))
        for i, value in enumerate(curve)
    ]
    cv2.polylines(sheet, [np.array(points)], False, (190, 180, 170), 2, cv2.LINE_AA)
    for i, row in enumerate(rows):
        if row["origin"] == "segmented":
            x = GAP + int((i + 0.5) * reach / len(rows))
            cv2.rectangle(sheet, (x - 2, top), (x + 2, top + 58), REASONS[row["reason"]], -1)
    count = sum(row["origin"] == "segmented" for row in rows)
    text = f"{count} of {len(rows)} frames are keyframes; the curve is the drift since the last"
    _write(sheet, text, (GAP, top + 86), size=19)
    left = WIDTH - 350
    for name, reason in (("interval", "interval"), ("drift", "drift"), ("scene cut", "scene_cut")):
        cv2.rectangle(sheet, (left, top + 72), (left + 12, top + 86), REASONS[reason], -1)
        _write(sheet, name, (left + 19, top + 86), size=19)
        left += 112


def _write(sheet: np.ndarray, text: str, at: tuple[int, int], *, size: int) -> None:
    cv2.putText(sheet, text, at, INK, cv2.FontFace("sans"), size, 400)


if __name__ == "__main__":
    main()
