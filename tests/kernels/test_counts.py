"""Counting kernels against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels import counts
from tests.metrics import naive_counts as naive

SIZES = [(1, 1), (1, 9), (8, 1), (13, 21)]
VOID = 255


def _maps(seed, count, size, dtype=np.uint8, ids=(0, 1, 2, VOID)):
    """Label maps with runs, single pixels and pixels that stay as in the first map."""
    rng = np.random.default_rng(seed)
    maps = rng.choice(np.array(ids, dtype), (count, *size))
    maps[:, :, 1:][..., ::2] = maps[:, :, :-1][..., ::2]
    stay = rng.random((count, *size)) < 0.5
    return np.where(stay, maps[:1], maps)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "truth_dtype"), [(np.uint8, np.uint8), (np.uint16, np.uint8)])
@pytest.mark.parametrize("void", [VOID, 1, 60000])
def test_confuse_follows_the_definition(size, dtype, truth_dtype, void):
    ids = (0, 1, 2, 3, 4, 200, VOID)
    labels = _maps(1, 1, size, dtype, ids)[0]
    truth = _maps(2, 1, size, truth_dtype, ids)[0]
    out = np.zeros((5, 5), np.int64)
    counts.confuse(labels, truth, 3, void, out)
    np.testing.assert_array_equal(out, naive.matrix(naive.pairs(labels, truth), 3, void))


def test_confuse_adds_to_what_is_there():
    labels = _maps(3, 1, (6, 7))[0]
    out = np.zeros((5, 5), np.int64)
    counts.confuse(labels, labels, 3, VOID, out)
    once = out.copy()
    counts.confuse(labels, labels, 3, VOID, out)
    np.testing.assert_array_equal(out, 2 * once)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_confuse_carried_follows_the_definition(size, dtype):
    source, target = _maps(4, 2, size, dtype)
    rng = np.random.default_rng(5)
    # Quarters of a pixel are exact in every float, ties between two pixels included.
    flow = (rng.integers(-16, 17, (*size, 2)) / 4).astype(np.float32)
    flow[rng.random(size) < 0.1] = np.nan, 0
    flow[rng.random(size) < 0.1] = 0, np.inf
    flow[rng.random(size) < 0.1] = -3e38, 1
    out = np.zeros((5, 5), np.int64)
    counts.confuse_carried(source, target, flow, 3, VOID, out)
    expected = naive.matrix(naive.carried_pairs(source, target, flow), 3, VOID)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 1), (9, 12)])
@pytest.mark.parametrize("reach", [1, 2, 5, 20])
@pytest.mark.parametrize("ids", [(0,) * 30 + (1, 2, VOID), (0, 1, VOID, VOID, VOID)])
def test_nearest_other_follows_the_definition(size, reach, ids):
    truth = np.random.default_rng(6).choice(np.array(ids, np.uint8), size)
    out = np.empty(size, np.int32)
    counts.nearest_other(truth, VOID, reach, out)
    distance = naive.nearest_other(truth, VOID)
    expected = np.where(distance <= reach, np.rint(distance**2), reach**2 + 1)
    known = truth != VOID
    np.testing.assert_array_equal(out[known], expected[known])


@pytest.mark.parametrize("size", SIZES)
def test_confuse_near_counts_each_pixel_in_its_ring(size):
    labels, truth = _maps(7, 2, size, ids=(0, 1, 2, 77, VOID))
    squared = np.random.default_rng(8).integers(1, 12, size).astype(np.int32)
    rings = np.array([1, 4, 9], np.int32)
    out = np.zeros((4, 5, 5), np.int64)
    counts.confuse_near(labels, truth, squared, rings, 3, VOID, out)
    for ring, (above, most) in enumerate([(0, 1), (1, 4), (4, 9), (9, 99)]):
        there = (squared > above) & (squared <= most)
        found = naive.pairs(labels[there], truth[there])
        np.testing.assert_array_equal(out[ring], naive.matrix(found, 3, VOID))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_changes_follow_the_definition(size, dtype):
    a, b = _maps(9, 2, size, dtype)
    out = np.empty(2, np.int64)
    counts.changes(a, b, VOID, out)
    assert tuple(out) == naive.changes(a, b, VOID)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_static_changes_follow_the_definition(size, dtype):
    a, b, c, d = _maps(10, 4, size, dtype)
    out = np.empty(2, np.int64)
    counts.static_changes(a, b, c, d, VOID, out)
    assert tuple(out) == naive.static_changes(a, b, c, d, VOID)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blinks_follow_the_definition(size, dtype):
    a, b, c = _maps(11, 3, size, dtype)
    out = np.empty(2, np.int64)
    counts.blinks(a, b, c, VOID, out)
    assert tuple(out) == naive.blinks(a, b, c, VOID)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("void", [VOID, -1])
def test_what_a_window_holds_follows_the_definition(size, void):
    labels, truth = _maps(12, 3, size), _maps(13, 3, size)
    labels[:, 0], truth[:, 0] = labels[0, 0], truth[0, 0]
    held_labels, held_truth = np.ones(size, np.bool_), np.ones(size, np.bool_)
    for i in (1, 2):
        counts.keep_equal(labels[0], labels[i], held_labels)
        counts.keep_equal(truth[0], truth[i], held_truth)
    out = np.empty(3, np.int64)
    counts.held(labels[1], truth[2], held_labels, held_truth, void, out)
    assert tuple(out) == naive.held(labels, truth, void)
