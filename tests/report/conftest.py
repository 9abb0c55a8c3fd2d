"""A finished run whose names do their worst, and a browser to look at its page."""

from __future__ import annotations

import shutil
from fractions import Fraction

import numpy as np
import pytest

import tempseg
from tempseg.label_images import write_label_image
from tempseg.types import RgbPicture
from tempseg.video import OverlayEncoder

FRAMES = 40
SIZE = (90, 160)
BLINK = 16
"""A keyframe on which the model sees nothing."""

SOURCE = """it's <b onmouseover=told()>"odd" & $title.mp4"""
CLASSES = [
    "background",
    "</script><script>window.broken = 1</script>",
    '"><img src=x onerror="window.broken = 2">',
    "<a href='http://example.com/'>link</a> &amp; ${data}",
]


def frame_ticks(index):
    """Milliseconds: a start that is not zero, and a rate that varies."""
    return 200 + 40 * index + 7 * (index % 3)


def frame_image(index):
    rng = np.random.default_rng(3)
    image = rng.integers(60, 120, (*SIZE, 3), dtype=np.uint8)
    image[30:60, 20 + index : 60 + index] = (200, 80, 60)
    return image


def frame_labels(index):
    labels = np.zeros(SIZE, np.uint8)
    labels[80:] = 2
    if index != BLINK:
        labels[30:60, 20 + index : 60 + index] = 1
    return labels


@pytest.fixture(scope="session")
def material(tmp_path_factory):
    """A folder with the clip and labels/, a label image for each of its frames."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "labels").mkdir()
    encoder = None
    for index in range(FRAMES):
        planes = RgbPicture(frame_image(index)).yuv420()
        if encoder is None:
            encoder = OverlayEncoder(
                str(folder / SOURCE),
                width=SIZE[1],
                height=SIZE[0],
                time_base=Fraction(1, 1000),
                frame_rate=Fraction(25),
                colour=planes.colour,
            )
        encoder.write(planes, frame_ticks(index))
        write_label_image(folder / "labels" / f"{index:03d}.png", frame_labels(index))
    encoder.close()
    return folder


def segment_clip(material, out, **options):
    config = {
        "keyframe.policy": "interval",
        "keyframe.interval": 8,
        "segmenter.classes": CLASSES,
        # The blink is to stay.
        "refine.smoothing": 0.0,
        "refine.matching": False,
        **options.pop("config", {}),
    }
    return tempseg.run(
        material / SOURCE, out, model=f"masks:{material / 'labels'}", config=config, **options
    )


@pytest.fixture(scope="session")
def finished(material, tmp_path_factory):
    """The folder of a run with a page; not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "a run's <folder>"
    segment_clip(material, out)
    return out


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    driver = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on the path (Debian: apt-get install chromium)")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()
