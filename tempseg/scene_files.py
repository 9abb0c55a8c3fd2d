"""A rendered scene as files: the video, and what is true of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tempseg.label_images import write_label_image
from tempseg.prefetch import Prefetch
from tempseg.protocols import WorkObserver
from tempseg.synthetic import Scene, SceneFrame
from tempseg.types import RgbPicture
from tempseg.video import OverlayEncoder

__all__ = ["write_scene"]

CRF = 18
"""Rendered clips are kept cleaner than overlays: they are measured on."""

AHEAD = 4
"""Rendered frames that may wait to be written."""


def write_scene(
    scene: Scene, folder: Path, *, seed: int, observer: WorkObserver | None = None
) -> None:
    """Write `video.mp4`, `labels/`, `ids/` and `scene.json` into a folder that is there.

    Parameters
    ----------
    scene : Scene
    folder : Path
    seed : int
        What the scene was made from, for the record.
    observer : WorkObserver, optional
        Follows the rendering.

    Raises
    ------
    OutputError
        When the video cannot be written.
    """
    (folder / "labels").mkdir()
    (folder / "ids").mkdir()
    if observer is not None:
        observer.begin("rendering", len(scene))
    seen: dict[int, list[int]] = {}
    encoder: OverlayEncoder | None = None
    with Prefetch(_frames(scene), name="render", capacity=AHEAD) as frames:
        for index, frame in enumerate(frames):
            planes = RgbPicture(frame.image).yuv420()
            if encoder is None:
                encoder = OverlayEncoder(
                    str(folder / "video.mp4"),
                    width=scene.width,
                    height=scene.height,
                    time_base=1 / scene.frame_rate,
                    frame_rate=scene.frame_rate,
                    colour=planes.colour,
                    crf=CRF,
                    preset="medium",
                )
            encoder.write(planes, index)
            name = f"{index:06d}.png"
            write_label_image(folder / "labels" / name, frame.labels, colours=scene.class_set)
            write_label_image(folder / "ids" / name, frame.ids)
            for number in np.flatnonzero(np.bincount(frame.ids.ravel())).tolist():
                seen.setdefault(number, []).append(index)
            if observer is not None:
                observer.advance()
    if encoder is not None:
        encoder.close()
    seen.pop(0, None)
    truth = {
        "frames": len(scene),
        "frame_rate": str(scene.frame_rate),
        "seed": seed,
        "classes": list(scene.class_set.names),
        "void": 255,
        "cuts": list(scene.cuts),
        "events": [
            {"kind": event.kind, "first": event.first, "last": event.last} for event in scene.events
        ],
        "absences": [
            {"id": number, "first": first, "last": last}
            for number, frames_seen in sorted(seen.items())
            for first, last in _gaps(frames_seen)
        ],
    }
    (folder / "scene.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


def _frames(scene: Scene) -> Iterator[SceneFrame]:
    for index in range(len(scene)):
        yield scene.render(index)


def _gaps(frames: list[int]) -> list[tuple[int, int]]:
    """Return the first and last frame of each gap in rising frame numbers."""
    return [
        (before + 1, after - 1)
        for before, after in itertools.pairwise(frames)
        if after > before + 1
    ]
