"""The videos of a page, and what its script must know to seek them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from tempseg.report.markup import Markup, element
from tempseg.report.views import RunView

__all__ = ["player", "run_data"]

TICKS_PER_S = 10_000
"""Times in the page are whole tenths of a millisecond."""


def player(views: Sequence[RunView], page: Path) -> Markup:
    """Return the overlays, each with the browser's own controls, and the steps of the playhead."""
    buttons = [
        ("keyframe-back", "‹ keyframe", "To the keyframe before"),
        ("frame-back", "‹ frame", "One frame back"),
        ("frame-on", "frame ›", "One frame on"),
        ("keyframe-on", "keyframe ›", "To the next keyframe"),
    ]
    screens = [_screen(view, place, page, one=len(views) == 1) for place, view in enumerate(views)]
    return element(
        "section",
        element("div", *screens, class_="screens" if len(views) == 1 else "screens several"),
        element(
            "div",
            element("span", "", id="playhead"),
            element(
                "span",
                *(
                    element("button", text, type="button", data_step=step, title=title)
                    for step, text, title in buttons
                ),
                class_="steps",
            ),
            class_="transport",
        ),
        class_="player",
        id="player",
    )


def _screen(view: RunView, place: int, page: Path, *, one: bool) -> Markup:
    run = view.run
    caption = None if one else element("figcaption", view.title)
    if run.overlay is None:
        told = "This run wrote no overlay.mp4; pictures and curves show its label maps."
        return element("figure", caption, element("p", told, class_="no-video"))
    return element(
        "figure",
        caption,
        element(
            "video",
            src=_beside(run.overlay, page),
            controls=True,
            muted=True,
            playsinline=True,
            preload="auto",
            width=str(run.width),
            height=str(run.height),
            data_run=str(place),
            aria_label=f"Overlay of {view.title}",
        ),
    )


def _beside(video: Path, page: Path) -> str:
    """Return the video's address as the page says it."""
    relative = os.path.relpath(video.resolve(), page.resolve().parent)
    return quote(relative.replace(os.sep, "/"), errors="surrogateescape")


def run_data(view: RunView) -> dict[str, object]:
    """Return a run's frames and keyframes for the page's script."""
    run, frames = view.run, view.run.frames
    ticks = np.rint(frames.time_s * TICKS_PER_S).astype(np.int64)
    numbered = frames.index != tuple(range(len(frames)))
    return {
        "title": view.title,
        "origin_s": run.overlay_origin_s,
        "first_tick": int(ticks[0]),
        "ticks": np.diff(ticks).tolist(),
        "numbers": list(frames.index) if numbered else None,
        "origins": "".join(origin[:1] for origin in frames.origins),
        "keyframes": [[place, reason] for place, reason in enumerate(frames.reasons) if reason],
    }
