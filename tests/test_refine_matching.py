"""Labels looked up by colour in labelled frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tempseg.motion import working_luma
from tempseg.refine import Pixels, Reference, Source, match
from tempseg.types import RgbPicture

SIZE, GRID = (96, 128), (48, 64)


def _pixels(image):
    planes = RgbPicture(image).yuv420()
    return Pixels.of(planes, working_luma(planes.y, GRID))


def _texture(rng, size, low, high):
    coarse = rng.integers(low, high, (size[0] // 4, size[1] // 4, 3)).astype(np.uint8)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def _scene(x):
    """A textured square on another texture, its left edge at x; and where it is."""
    rng = np.random.default_rng(3)
    image = _texture(rng, SIZE, 20, 110)
    mask = np.zeros(SIZE, bool)
    mask[24:72, x : x + 48] = True
    image[24:72, x : x + 48] = _texture(rng, (48, 48), 130, 230)
    return image, mask


def _still():
    return np.zeros((*GRID, 2), np.float32)


def _keyframe(image, labels, weight=1.0):
    return Source(Reference.of(labels, _pixels(image)), _still(), weight)


def _iou(found, expected):
    return np.count_nonzero(found & expected) / np.count_nonzero(found | expected)


def test_labels_of_the_same_picture_are_kept():
    image, mask = _scene(40)
    labels, _ = match([_keyframe(image, mask.astype(np.uint8))], _pixels(image), size=SIZE)
    np.testing.assert_array_equal(labels, mask)


def test_object_is_found_where_the_motion_misses_it():
    (image, mask), (moved, expected) = _scene(40), _scene(42)
    labels, _ = match([_keyframe(image, mask.astype(np.uint8))], _pixels(moved), size=SIZE)
    assert _iou(labels == 1, expected) > 0.95 > _iou(mask, expected)


@pytest.mark.parametrize(("names", "dtype"), [((9, 4), np.uint8), ((300, 65535), np.uint16)])
def test_names_of_labels_do_not_matter(names, dtype):
    (image, mask), (moved, _) = _scene(40), _scene(42)
    plain, _ = match([_keyframe(image, mask.astype(np.uint8))], _pixels(moved), size=SIZE)
    named = np.where(mask, *names).astype(dtype)
    labels, _ = match([_keyframe(image, named)], _pixels(moved), size=SIZE)
    assert labels.dtype == dtype
    np.testing.assert_array_equal(labels, np.where(plain == 1, *names))


def test_each_of_several_labels_is_found():
    (image, mask), (moved, expected) = _scene(40), _scene(42)
    labels = mask + 2 * (np.arange(SIZE[0]) >= 48)[:, None].astype(np.uint8)
    found, _ = match([_keyframe(image, labels.astype(np.uint8))], _pixels(moved), size=SIZE)
    truth = expected + 2 * (np.arange(SIZE[0]) >= 48)[:, None]
    for label in range(4):
        assert _iou(found == label, truth == label) > 0.9


def test_source_whose_colours_fit_outvotes_a_nearer_one():
    (image, mask), (moved, expected) = _scene(40), _scene(42)
    stranger = np.full_like(image, 255)
    sources = [
        _keyframe(stranger, np.zeros(SIZE, np.uint8), 1.0),
        _keyframe(image, mask.astype(np.uint8), 0.1),
    ]
    labels, _ = match(sources, _pixels(moved), size=SIZE)
    assert _iou(labels == 1, expected) > 0.9


def test_solved_frame_serves_as_a_source_of_the_next():
    (image, mask), (moved, expected) = _scene(40), _scene(42)
    stranger = _keyframe(np.full_like(image, 255), np.zeros(SIZE, np.uint8), 0.1)
    key = _keyframe(image, mask.astype(np.uint8))
    _, solved = match([key], _pixels(moved), size=SIZE)
    labels, _ = match([stranger, Source(solved, _still(), 0.3)], _pixels(moved), size=SIZE)
    assert _iou(labels == 1, expected) > 0.9


def test_pixels_in_doubt_ask_neighbours_of_like_colour():
    (image, mask), (moved, expected) = _scene(40), _scene(41)
    grain = np.random.default_rng(1).normal(0, 20, moved.shape)
    seen = _pixels(np.clip(moved + grain, 0, 255).astype(np.uint8))
    labels, _ = match([_keyframe(image, mask.astype(np.uint8))], seen, size=SIZE)
    # 0.986 where the votes alone decide.
    assert _iou(labels == 1, expected) > 0.988


def test_frame_smaller_than_the_grid_is_solved_too():
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    names = np.repeat([[0] * 4 + [1] * 3], 5, axis=0).astype(np.uint8)
    labels, _ = match([_keyframe(image, names)], _pixels(image), size=(5, 7))
    np.testing.assert_array_equal(labels, names)


def test_keyframe_comes_first():
    image, mask = _scene(40)
    key = _keyframe(image, mask.astype(np.uint8))
    _, solved = match([key], _pixels(image), size=SIZE)
    with pytest.raises(ValueError, match="keyframe as the first source"):
        match([Source(solved, _still(), 1.0)], _pixels(image), size=SIZE)


def test_colours_are_those_of_the_picture():
    image, _ = _scene(40)
    planes = RgbPicture(image).yuv420()
    y = Pixels.of(planes, working_luma(planes.y, GRID)).colours()[12:-12, 0, 12:-12]
    np.testing.assert_allclose(y, working_luma(planes.y, GRID), atol=1e-3)
