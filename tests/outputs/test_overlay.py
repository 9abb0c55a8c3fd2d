"""What is drawn over the video."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.class_sets import class_set
from tempseg.outputs import OverlayPainter
from tempseg.outputs.colour import rgb_to_yuv
from tempseg.types import ColourTags, Planes

SIZE = (360, 480)


def _planes(colour, value=100):
    half = (SIZE[0] // 2, SIZE[1] // 2)
    y, u, v = (np.full(size, value, np.uint8) for size in (SIZE, half, half))
    return Planes(y, u, v, colour)


def _drawn(labels, *, times=(0.0,), opacity=1.0, legend=False, colour=None, bits=8):
    painter = OverlayPainter(class_set("voc"), label_bits=bits, opacity=opacity, legend=legend)
    planes = _planes(colour or ColourTags())
    for one, time_s in zip(labels, times, strict=True):
        out = _planes(planes.colour, 0)
        painter.draw(planes, one, time_s=time_s, out=out)
    return planes, out


def _person():
    labels = np.zeros(SIZE, np.uint8)
    labels[100:300, 200:400] = 15
    return labels


@pytest.mark.parametrize(
    "colour",
    [ColourTags(matrix=1), ColourTags(matrix=6), ColourTags(matrix=1, full_range=True)],
)
def test_a_class_is_drawn_in_its_colour_under_the_pictures_tags(colour):
    _, out = _drawn([_person()], colour=colour)
    expected = rgb_to_yuv(np.array([192, 128, 128]), colour)
    assert np.allclose([out.y[200, 300], out.u[100, 150], out.v[100, 150]], expected, atol=1)


def test_background_and_void_are_left_alone():
    labels = _person()
    labels[:50] = 255
    planes, out = _drawn([labels])
    np.testing.assert_array_equal(out.y[:95, :190], planes.y[:95, :190])


def test_outline_is_as_wide_on_every_side_of_a_tinted_region_in_colour():
    _, out = _drawn([_person()], opacity=0.2)
    changed = out.v.astype(int) - 100
    middle = changed[100, 150]
    for edge in (changed[100, 98:102], changed[100, 198:202], changed[48:52, 150]):
        assert np.abs(edge).max() > 2 * abs(middle)


def test_ids_beyond_the_class_set_are_drawn_apart():
    labels = np.zeros(SIZE, np.uint16)
    labels[:, :240] = 1000
    labels[:, 240:] = 1001
    _, out = _drawn([labels], bits=16)
    left, right = (
        np.array([out.y[9, x], out.u[4, x // 2], out.v[4, x // 2]], int) for x in (100, 400)
    )
    assert np.abs(left - right).max() > 20


def test_a_class_stays_in_the_legend_for_a_second_after_it_was_seen():
    nothing = np.zeros(SIZE, np.uint8)
    _, kept = _drawn([_person(), nothing], times=(0.0, 0.9), legend=True)
    assert not np.all(kept.y == 100)
    planes, gone = _drawn([_person(), nothing], times=(0.0, 1.1), legend=True)
    np.testing.assert_array_equal(gone.y, planes.y)
