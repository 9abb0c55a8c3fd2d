"""What is drawn over the video."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tempseg.class_sets import class_set
from tempseg.outputs import OverlayPainter, OverlaySink
from tempseg.outputs.colour import rgb_to_yuv, under_tags
from tempseg.types import ColourTags, Planes
from tempseg.video import OverlayEncoder

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


TAGS = [
    ColourTags(matrix=1),
    ColourTags(matrix=6),
    ColourTags(matrix=6, full_range=True),
    ColourTags(matrix=9),
]


def _flat(rgb, colour, size=(6, 8)):
    y, u, v = np.rint(rgb_to_yuv(np.array(rgb), colour)).astype(np.uint8)
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    return Planes(np.full(size, y), np.full(half, u), np.full(half, v), colour)


@pytest.mark.parametrize("before", TAGS)
@pytest.mark.parametrize("after", TAGS)
@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_planes_show_the_same_colour_under_other_tags(before, after, size):
    converted = under_tags(_flat((200, 60, 40), before, size), after)
    expected = _flat((200, 60, 40), after, size)
    assert converted.colour == after
    for got, wanted in zip(
        (converted.y, converted.u, converted.v), (expected.y, expected.u, expected.v), strict=True
    ):
        assert got.shape == wanted.shape
        assert np.abs(got.astype(int) - wanted).max() <= 2


def test_frames_under_other_tags_than_the_first_keep_their_colours(tmp_path):
    size, base = (48, 64), Fraction(1, 25)
    painter = OverlayPainter(class_set("voc"), label_bits=8, opacity=0.5, legend=False)
    sink = OverlaySink(
        lambda colour, _: OverlayEncoder(
            str(tmp_path / "a.mp4"),
            width=size[1],
            height=size[0],
            time_base=base,
            frame_rate=Fraction(25),
            colour=colour,
            crf=1,
        ),
        painter,
    )
    for index, colour in enumerate(TAGS):
        planes = _flat((200, 60, 40), colour, size)
        picture = SimpleNamespace(yuv420=lambda planes=planes: planes)
        frame = SimpleNamespace(picture=picture, pts=index, time_s=float(index * base))
        labels = np.zeros(size, np.uint8)
        sink.write(SimpleNamespace(frame=frame, segmentation=SimpleNamespace(labels=labels)))
    sink.finish()
    with av.open(str(tmp_path / "a.mp4")) as clip:
        shown = [frame.to_ndarray(format="rgb24")[24, 32] for frame in clip.decode(video=0)]
    assert len(shown) == len(TAGS)
    assert np.abs(np.array(shown).astype(int) - shown[0]).max() <= 3
