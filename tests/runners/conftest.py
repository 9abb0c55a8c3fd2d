"""A clip with a seek point every eight frames, its labels and its finished run; a shorter clip."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest

import tempseg
from tempseg.label_images import write_label_image
from tempseg.synthetic import MovingShape, moving_shapes

from ..video.clips import write_clip

FRAMES = 80
SHORT_FRAMES = 40
GOP = 8
SIZE = (96, 128)
CHUNKS = 5

CONFIG = {
    "run.chunk_s": 0.6,
    "keyframe.policy": "interval",
    "keyframe.interval": 5,
    "segmenter.classes": "camvid",
    "output.report": False,
}


@dataclass(frozen=True)
class Material:
    folder: Path
    clip: Path

    @property
    def model(self) -> str:
        return f"masks:{self.folder / 'labels'}"

    def run(self, out: Path, **options):
        config = CONFIG | options.pop("config", {})
        source = options.pop("source", self.clip)
        return tempseg.run(source, out, model=self.model, config=config, **options)


def scene():
    return moving_shapes(
        [MovingShape((40, 36), (20, 30), velocity=(0.9, 0.4))],
        width=SIZE[1],
        height=SIZE[0],
        frame_count=FRAMES,
    )


@pytest.fixture(scope="session")
def material(tmp_path_factory) -> Material:
    folder = tmp_path_factory.mktemp("chunks")
    (folder / "labels").mkdir()
    rendered = [scene().render(index) for index in range(FRAMES)]
    for index, frame in enumerate(rendered):
        write_label_image(folder / "labels" / f"{index:03d}.png", frame.labels)
    clip = write_clip(
        folder / "clip.mp4",
        # A variable rate that starts late.
        [900 + 40 * index + 7 * (index % 3) for index in range(FRAMES)],
        time_base=Fraction(1, 1000),
        width=SIZE[1],
        height=SIZE[0],
        options={"preset": "veryfast", "g": str(GOP), "bf": "2", "sc_threshold": "0"},
        audio="aac",
        frames=(av.VideoFrame.from_ndarray(frame.image, "rgb24") for frame in rendered),
    )
    return Material(folder, clip)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of `SHORT_FRAMES` frames at 25 a second."""
    path = tmp_path_factory.mktemp("runners") / "clip.mp4"
    shown = moving_shapes(
        [MovingShape((40, 48), (40, 40), velocity=(1.5, 0.5))],
        width=SIZE[1],
        height=SIZE[0],
        frame_count=SHORT_FRAMES,
    )
    return write_clip(
        path,
        range(SHORT_FRAMES),
        time_base=Fraction(1, 25),
        width=SIZE[1],
        height=SIZE[0],
        frames=(
            av.VideoFrame.from_ndarray(shown.render(index).image, "rgb24")
            for index in range(SHORT_FRAMES)
        ),
    )


@pytest.fixture(scope="session")
def whole(material, tmp_path_factory) -> Path:
    """The folder of an uninterrupted run in one process."""
    out = tmp_path_factory.mktemp("whole") / "run"
    material.run(out)
    return out


def digest(folder: Path) -> dict[str, str]:
    """Hashes of what must be the same, however a run was done."""
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix in (".mkv", ".mp4")
    }
    with (folder / "frames.csv").open() as table:
        rows = [
            {key: value for key, value in row.items() if not key.endswith("_ms")}
            for row in csv.DictReader(table)
        ]
    return found | {"frames.csv": repr(rows)}
