from __future__ import annotations

import numpy as np
import pytest

from tempseg.outputs.colour import rgb_to_yuv
from tempseg.outputs.legend import Legend
from tempseg.types import ColourTags, Planes

RED = (255, 0, 0)


@pytest.mark.parametrize("height", [320, 360, 480, 544, 720, 1080])
def test_swatches_have_their_class_colour_up_to_the_edge(height):
    width, tags = 2 * height, ColourTags(matrix=1)
    entries = [(name, RED) for name in ("road", "sky", "building")]
    legend = Legend.of(entries, (height, width), tags)
    planes = Planes(
        np.full((height, width), 120, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        tags,
    )
    legend.draw(planes)
    luma, _, v = np.rint(rgb_to_yuv(np.array([RED], np.uint8), tags)[0]).astype(int)
    coloured = planes.v > 140
    assert coloured.sum() >= 3 * (height / 100) ** 2
    assert set(np.unique(planes.v[coloured])) == {v}
    assert set(np.unique(planes.y[coloured.repeat(2, 0).repeat(2, 1)])) == {luma}


def test_a_dark_swatch_has_a_light_rim_on_the_dark_panel():
    height, tags = 720, ColourTags(matrix=1)
    legend = Legend.of([("night", (20, 20, 24))], (height, 2 * height), tags)
    planes = Planes(
        np.full((height, 2 * height), 60, np.uint8),
        np.full((height // 2, height), 128, np.uint8),
        np.full((height // 2, height), 128, np.uint8),
        tags,
    )
    legend.draw(planes)
    panel = 2 * max(4, round(height / 36 * 0.45))
    left_of_letters = planes.y[:100, : 2 * panel + 4]
    assert left_of_letters.max() > 150
