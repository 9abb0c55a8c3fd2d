"""Warp error: worked cases and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempseg.metrics import WarpError, warp_error
from tests.metrics import naive_warps


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


def _smooth_flows(seed, size):
    """Return a smooth flow and one back that nearly agrees, not at the thresholds' edge."""
    rng = np.random.default_rng(seed)
    height, width = size
    slope, start = rng.uniform(-0.05, 0.05, (2, 2)), rng.uniform(-2, 2, 2)
    y, x = np.mgrid[:height, :width]
    forward = (start + x[..., None] * slope[0] + y[..., None] * slope[1]).astype(np.float32)
    backward = (-forward + rng.choice([0.1, 3.0], (*size, 1), p=[0.9, 0.1])).astype(np.float32)
    return forward, backward


@given(seed=st.integers(0, 2**32 - 1))
def test_a_pair_agrees_with_the_slow_twin(seed):
    size = (6, 8)
    forward, backward = _smooth_flows(seed, size)
    images = np.stack([_texture(seed, size), _texture(seed + 1, size)])
    edge = naive_warps.occlusion(forward, backward), naive_warps.motion_boundaries(forward)
    errors = []
    for y, x in np.ndindex(size):
        if edge[0][y, x] > 0 or edge[1][y, x] > 0:
            continue
        dx, dy = forward[y, x].astype(float)
        carried = naive_warps.bilinear(images[1] / 255, y + dy, x + dx)
        errors.append(((carried - images[0, y, x] / 255) ** 2).mean())
    found = warp_error(images, forward[None], backward[None])
    # A pixel within rounding of a threshold may fall on either side.
    if min(abs(values).min() for values in edge) > 1e-4:
        assert found == pytest.approx(np.mean(errors) if errors else math.nan, nan_ok=True)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_error_is_a_share_and_has_no_sign(seed):
    images = np.stack([_texture(seed), _texture(seed + 1)])
    found = warp_error(images, _still((8, 12)), _still((8, 12)))
    assert 0 <= found <= 1
    assert warp_error(images[::-1], _still((8, 12)), _still((8, 12))) == pytest.approx(found)
    assert warp_error(255 - images, _still((8, 12)), _still((8, 12))) == pytest.approx(found)
