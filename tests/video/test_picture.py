from __future__ import annotations

import gc
from itertools import product

import av
import numpy as np
import pytest

from tempseg.video import DecodedPicture

COLOURS = np.array(
    [
        *([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]),
        *([128, 128, 128], [20, 40, 200], [255, 255, 255], [0, 0, 0]),
    ],
    np.float64,
)
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def to_yuv(matrix: int, *, full: bool) -> np.ndarray:
    """Convert the colours by the definition of H.273."""
    kr, kb = WEIGHTS[matrix]
    red, green, blue = COLOURS.T / 255
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    scale = (255, 255, 0) if full else (219, 224, 16)
    yuv = np.stack([luma * scale[0] + scale[2], u * scale[1] + 128, v * scale[1] + 128], axis=1)
    return np.clip(yuv, 0, 255)


def bars(name: str, matrix: int, *, full: bool, height: int = 32) -> av.VideoFrame:
    """Draw eight bars of the colours."""
    frame = av.VideoFrame(128, height, name)
    deep = "10" in name
    samples = to_yuv(matrix, full=full) * (4 if deep else 1)
    for plane, channel in zip(frame.planes, range(3), strict=False):
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(plane.height, -1)
        bar = plane.width // 8
        for i in range(8):
            rows[:, i * bar : (i + 1) * bar] = np.rint(samples[i, channel])
    return frame


def bar_colours(image: np.ndarray) -> np.ndarray:
    return image[image.shape[0] // 2, 8::16].astype(int)


@pytest.mark.parametrize(
    ("name", "matrix", "full"),
    list(product(["yuv420p", "yuv444p", "yuv420p10le"], WEIGHTS, [False, True])),
)
def test_tagged_matrix_and_range_are_honoured(name, matrix, full):
    frame = bars(name, matrix, full=full)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    assert np.abs(bar_colours(DecodedPicture(frame).rgb()) - COLOURS).max() <= 4


@pytest.mark.parametrize(("height", "matrix"), [(480, 6), (720, 1)])
def test_untagged_matrix_goes_by_height(height, matrix):
    frame = bars("yuv420p", matrix, full=False, height=height)
    assert np.abs(bar_colours(DecodedPicture(frame).rgb()) - COLOURS).max() <= 4


@pytest.mark.parametrize(("height", "matrix"), [(480, 6), (720, 1)])
def test_untagged_planes_are_tagged_with_the_matrix_that_was_taken(height, matrix):
    frame = bars("yuv420p", matrix, full=False, height=height)
    assert DecodedPicture(frame).yuv420().colour.matrix == matrix


@pytest.mark.parametrize("name", ["rgb24", "bgr24", "gbrp", "rgba", "bgra"])
def test_rgb_formats_keep_their_colours(name):
    picture = np.repeat(np.repeat(COLOURS.astype(np.uint8), 16, axis=0)[None], 32, axis=0)
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=name)
    assert np.array_equal(bar_colours(DecodedPicture(frame).rgb()), COLOURS)


def test_rgb_becomes_limited_range_planes_as_tagged():
    picture = np.repeat(np.repeat(COLOURS.astype(np.uint8), 16, axis=0)[None], 32, axis=0)
    planes = DecodedPicture(av.VideoFrame.from_ndarray(picture, "rgb24")).yuv420()
    expected = to_yuv(planes.colour.matrix, full=planes.colour.full_range)
    assert np.abs(planes.y[16, 8::16] - expected[:, 0]).max() <= 2
    assert np.abs(planes.u[8, 4::8] - expected[:, 1]).max() <= 2


@pytest.mark.parametrize("name", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "gray"])
def test_luma_is_the_decoders_own_plane(name):
    frame = av.VideoFrame(64, 48, name)
    luma = DecodedPicture(frame).luma()
    assert np.shares_memory(luma, np.frombuffer(frame.planes[0], np.uint8))


def test_planes_of_420_are_the_decoders_own():
    frame = av.VideoFrame(64, 48, "yuv420p")
    planes = DecodedPicture(frame).yuv420()
    assert np.shares_memory(planes.v, np.frombuffer(frame.planes[2], np.uint8))


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv420p10le", "rgb24", "gray"])
@pytest.mark.parametrize("turns", [0, 1])
def test_every_array_has_the_same_flags(name, turns):
    picture = DecodedPicture(av.VideoFrame(70, 50, name), quarter_turns=turns)
    planes = picture.yuv420()
    arrays = (picture.luma(), picture.rgb(), planes.y, planes.u, planes.v)
    assert {array.flags.writeable for array in arrays} == {True}


@pytest.mark.parametrize("name", ["yuv420p", "yuv444p", "yuv420p10le", "rgb24", "gray", "nv12"])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_all_views_have_the_upright_size(name, turns):
    picture = DecodedPicture(av.VideoFrame(71, 49, name), quarter_turns=turns)
    height, width = (71, 49) if turns % 2 else (49, 71)
    assert picture.size == (height, width)
    assert picture.luma().shape == picture.yuv420().y.shape == picture.rgb().shape[:2]
    assert picture.luma().shape == (height, width)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotation_is_applied_to_luma_and_colour_alike(turns):
    frame = bars("yuv420p", 6, full=False)
    upright, turned = DecodedPicture(frame), DecodedPicture(frame, quarter_turns=turns)
    assert np.array_equal(turned.luma(), np.rot90(upright.luma(), turns))
    assert np.array_equal(turned.rgb(), np.rot90(upright.rgb(), turns))


def test_ten_bits_keep_their_range_as_luma():
    frame = bars("yuv420p10le", 1, full=False)
    frame.colorspace, frame.color_range = 1, 1
    expected = to_yuv(1, full=False)[:, 0]
    assert np.abs(DecodedPicture(frame).luma()[16, 8::16] - expected).max() <= 1


@pytest.mark.parametrize(("value_range", "expected"), [(1, 0), (2, 16)])
def test_gray_goes_by_its_range(value_range, expected):
    frame = av.VideoFrame(64, 48, "gray")
    np.frombuffer(frame.planes[0], np.uint8)[:] = 16
    frame.color_range = value_range
    assert (DecodedPicture(frame).rgb() == expected).all()


def test_samples_outlive_the_frame():
    frame = bars("yuv420p", 6, full=False)
    before = DecodedPicture(frame).luma().copy()
    luma = DecodedPicture(frame).luma()
    del frame
    gc.collect()
    assert np.array_equal(luma, before)


def test_rgb_is_converted_once():
    picture = DecodedPicture(bars("yuv420p", 6, full=False))
    assert picture.rgb() is picture.rgb()
