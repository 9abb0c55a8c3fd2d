"""The kernels of the measures that follow motion, against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels import warps
from tests.metrics import naive_warps

# Where a rule is passed or missed by less, single precision may fall on either side.
CLOSE = 1e-3


def _flows(seed, size=(9, 12), spread=3.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, spread, (*size, 2)).astype(np.float32) for _ in range(2)]


def test_occlusion_is_where_the_flows_disagree():
    for seed in range(5):
        forward, backward = _flows(seed, spread=0.6)
        found = np.empty(forward.shape[:2], np.bool_)
        warps.occlusion(forward, backward, found)
        excess = naive_warps.occlusion(forward, backward)
        clear = np.abs(excess) > CLOSE
        np.testing.assert_array_equal(found[clear], excess[clear] > 0)
        assert 0 < found.mean() < 1


def _zero_but_one(value):
    flow = np.zeros((3, 5, 2), np.float32)
    flow[1, 2] = value
    return flow


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_pixel_of_unknown_motion_is_occluded(value):
    found = np.empty((3, 5), np.bool_)
    warps.occlusion(_zero_but_one(value), _zero_but_one(0), found)
    assert [tuple(place) for place in np.argwhere(found).tolist()] == [(1, 2)]


@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_a_pixel_whose_way_back_is_unknown_is_occluded(value):
    found = np.empty((3, 5), np.bool_)
    warps.occlusion(_zero_but_one(0), _zero_but_one(value), found)
    assert found[1, 2]
    assert not found[2].any()


def test_motion_boundaries_are_where_motion_jumps():
    for seed in range(5):
        forward, _ = _flows(seed, spread=0.05)
        forward += np.float32(0.8)
        found = np.empty(forward.shape[:2], np.bool_)
        warps.motion_boundaries(forward, found)
        excess = naive_warps.motion_boundaries(forward)
        clear = np.abs(excess) > CLOSE / 10
        np.testing.assert_array_equal(found[clear], excess[clear] > 0)
        assert 0 < found.mean() < 1


def test_labels_are_carried_from_the_nearest_pixel():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        forward, _ = _flows(seed)
        labels, following = (rng.choice([0, 1, 2, 255], (9, 12)).astype(np.uint8) for _ in "ab")
        occluded = rng.random((9, 12)) < 0.2
        carried, compared = np.empty_like(labels), np.empty_like(labels)
        warps.carry_labels(labels, following, forward, occluded, 255, carried, compared)
        pairs = naive_warps.compared_pairs(labels, following, forward, occluded, 255)
        seen = compared == 1
        assert list(zip(labels[seen].tolist(), carried[seen].tolist(), strict=True)) == pairs
        np.testing.assert_array_equal(carried[~seen], labels[~seen])


def test_square_error_sums_over_visible_pixels():
    rng = np.random.default_rng(0)
    forward, _ = _flows(1)
    image, following = (rng.integers(0, 256, (9, 12, 3), dtype=np.uint8) for _ in "ab")
    hidden = rng.random((9, 12)) < 0.3
    sums = np.empty(2)
    warps.square_error(image, following, forward, hidden, sums)
    expected = 0.0
    for y, x in zip(*np.nonzero(~hidden), strict=True):
        dx, dy = forward[y, x].astype(float)
        carried = naive_warps.bilinear(following.astype(float), y + dy, x + dx)
        expected += ((carried - image[y, x]) ** 2).sum()
    np.testing.assert_allclose(sums[0], expected, rtol=1e-4)
    assert sums[1] == 3 * np.count_nonzero(~hidden)
