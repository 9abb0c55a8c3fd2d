"""A short clip of a moving shape."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import RgbPicture
from tempseg.video import OverlayEncoder

FRAMES = 40
SIZE = (96, 128)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of `FRAMES` frames at 25 a second."""
    path = tmp_path_factory.mktemp("runners") / "clip.mp4"
    scene = moving_shapes(
        [MovingShape((40, 48), (40, 40), velocity=(1.5, 0.5))],
        width=SIZE[1],
        height=SIZE[0],
        frame_count=FRAMES,
    )
    encoder = None
    for index in range(FRAMES):
        planes = RgbPicture(scene.render(index).image).yuv420()
        if encoder is None:
            encoder = OverlayEncoder(
                str(path),
                width=SIZE[1],
                height=SIZE[0],
                time_base=Fraction(1, 25),
                frame_rate=Fraction(25),
                colour=planes.colour,
            )
        encoder.write(planes, index)
    assert encoder is not None
    encoder.close()
    return path
