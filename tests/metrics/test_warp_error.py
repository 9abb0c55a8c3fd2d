"""Warp error: worked cases and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tempseg.metrics import WarpError, warp_error


def _still(size, count=1):
    return np.zeros((count, *size, 2), np.float32)


def _texture(seed=0, size=(8, 12)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_still_video_has_no_warp_error():
    images = np.stack([_texture()] * 3)
    assert warp_error(images, _still((8, 12), 2), _still((8, 12), 2)) == 0.0


def test_a_change_of_51_gray_levels_is_an_error_of_a_fifth_squared():
    images = np.stack([np.full((8, 12, 3), value, np.uint8) for value in (100, 151)])
    assert warp_error(images, _still((8, 12)), _still((8, 12))) == pytest.approx(0.04)


def test_motion_that_explains_the_picture_leaves_only_the_clamped_border():
    image = _texture()
    following = np.roll(image, 1, axis=1)
    following[:, 0] = image[:, 0]
    forward = _still((8, 12))
    forward[..., 0] = 1
    images = np.stack([image, following])
    border = ((image[:, -2].astype(float) - image[:, -1]) ** 2).sum() / 255**2
    assert warp_error(images, forward, -forward) == pytest.approx(border / image.size)


def test_pixels_on_which_the_flows_disagree_do_not_count():
    images = np.stack([_texture(0), _texture(1)])
    apart = np.full((1, 8, 12, 2), 5, np.float32)
    assert math.isnan(warp_error(images, apart, apart))


def test_pixels_where_motion_jumps_do_not_count():
    image = np.zeros((1, 4, 3), np.uint8)
    following = image.copy()
    following[0, 1] = 255
    forward = _still((1, 4))
    # A jump of 0.1 px between the second and the third pixel, of a picture that hardly moves.
    forward[0, 0, 2:, 0] = 0.1
    assert warp_error(np.stack([image, following]), forward, -forward) < 0.01


def test_merging_parts_equals_one_pass():
    whole, first, second = (WarpError() for _ in range(3))
    for seed, part in enumerate((first, second, second)):
        for metric in (whole, part):
            metric.update(_texture(seed), _texture(seed + 1), *_still((8, 12), 2))
    first.merge(second)
    assert first.compute() == whole.compute()


def test_pictures_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="following"):
        WarpError().update(_texture(), _texture(size=(4, 4)), *_still((8, 12), 2))
