"""A small clip with exact labels, and a run over it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tempseg
from tempseg.label_images import write_label_image
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import RgbPicture, UInt8Array
from tempseg.video import OverlayEncoder

FRAMES = 24
CUT = 13
INTERVAL = 5
SHAPES = (
    MovingShape((40, 48), (40, 40), velocity=(2.0, 0.5)),
    MovingShape((110, 60), (24, 30), velocity=(-1.0, 0.0), class_id=9, kind="rectangle"),
)


@dataclass(frozen=True)
class Clip:
    """A folder with `video.mp4`, `labels` and `ids`, and the label maps themselves."""

    folder: Path
    labels: UInt8Array

    @property
    def video(self) -> Path:
        """The clip."""
        return self.folder / "video.mp4"

    @property
    def masks(self) -> Path:
        """The folder of its label images."""
        return self.folder / "labels"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Two shapes that move, and a cut at frame 13."""
    folder = tmp_path_factory.mktemp("scene")
    (folder / "labels").mkdir()
    (folder / "ids").mkdir()
    scene = moving_shapes(SHAPES, width=160, height=120, frame_count=FRAMES, cuts=[CUT])
    encoder = OverlayEncoder(
        str(folder / "video.mp4"),
        width=160,
        height=120,
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
        colour=RgbPicture(scene.render(0).image).yuv420().colour,
        crf=10,
    )
    maps = []
    for index in range(FRAMES):
        frame = scene.render(index)
        encoder.write(RgbPicture(frame.image).yuv420(), index)
        write_label_image(folder / "labels" / f"{index:03d}.png", frame.labels)
        write_label_image(folder / "ids" / f"{index:03d}.png", frame.ids.astype(np.uint16))
        maps.append(frame.labels)
    encoder.close()
    return Clip(folder, np.stack(maps))


@pytest.fixture(scope="session")
def finished(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over the clip, every fifth frame a keyframe."""
    out = tmp_path_factory.mktemp("finished") / "run"
    tempseg.run(
        clip.video,
        out,
        model=f"masks:{clip.masks}",
        config={
            "keyframe.policy": "interval",
            "keyframe.interval": INTERVAL,
            "segmenter.classes": "camvid",
            "output.overlay": False,
        },
    )
    return out
