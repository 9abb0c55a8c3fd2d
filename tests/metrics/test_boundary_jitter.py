"""Boundary jitter: worked cases, the slow twin, properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempseg.metrics import BoundaryJitter, boundary_jitter
from tempseg.metrics.boundary_jitter import REACH_PX
from tests.metrics import naive_warps


def _halves(column, size=(6, 12)):
    labels = np.zeros(size, np.uint8)
    labels[:, column:] = 1
    return labels


def _still(size=(6, 12)):
    return np.zeros((*size, 2), np.float32)


def _jitter(labels, following, forward=None):
    metric = BoundaryJitter(2)
    metric.update(labels, following, _still() if forward is None else forward)
    return metric.compute()


def test_outlines_that_stay_have_no_jitter():
    assert _jitter(_halves(5), _halves(5)) == 0.0


def test_an_outline_two_pixels_off_has_a_jitter_of_two():
    assert _jitter(_halves(5), _halves(7)) == 2.0


def test_motion_that_explains_the_shift_leaves_no_jitter():
    forward = _still()
    forward[..., 0] = 2
    assert _jitter(_halves(5), _halves(7), forward) == 0.0


def test_distances_are_cut_off():
    wide = (6, 40)
    metric = BoundaryJitter(2)
    metric.update(_halves(5, wide), _halves(35, wide), _still(wide))
    assert metric.compute() == REACH_PX


def test_a_class_on_one_side_only_says_nothing():
    labels = np.zeros((6, 12), np.uint8)
    assert math.isnan(_jitter(labels, _halves(5)))


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_agrees_with_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    blocks = rng.choice([0, 1, 2, 255], (2, 3, 4), p=[0.3, 0.3, 0.3, 0.1]).astype(np.uint8)
    labels, following = (np.kron(ids, np.ones((4, 4), np.uint8)) for ids in blocks)
    forward = rng.normal(0, 1, (12, 16, 2)).astype(np.float32)
    occluded = rng.random((12, 16)) < 0.1
    metric = BoundaryJitter(3)
    metric.update(labels, following, forward, occluded)
    expected = naive_warps.jitter(labels, following, forward, occluded, 3, 255, REACH_PX)
    assert metric.compute() == pytest.approx(expected)


def test_merging_parts_equals_one_pass():
    whole, first, second = (BoundaryJitter(2) for _ in range(3))
    for part, columns in ((first, (3, 5)), (second, (8, 5)), (second, (2, 9))):
        for metric in (whole, part):
            metric.update(*(_halves(column) for column in columns), _still())
    first.merge(second)
    assert first.compute() == whole.compute()


def test_a_sequence_is_its_pairs():
    labels = np.stack([_halves(5), _halves(6), _halves(6)])
    assert boundary_jitter(labels, np.zeros((2, 6, 12, 2), np.float32), classes=2) == 0.5


def test_a_label_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match="label 3 is no class"):
        _jitter(np.full((6, 12), 3, np.uint8), _halves(5))


@given(seed=st.integers(0, 2**32 - 1))
def test_the_jitter_is_a_distance_in_reach_the_same_both_ways(seed):
    first, second = np.random.default_rng(seed).integers(0, 2, (2, 6, 12), np.uint8)
    found = _jitter(first, second)
    assert math.isnan(found) or 0 <= found <= REACH_PX
    assert _jitter(second, first) == pytest.approx(found, nan_ok=True)
    assert _jitter(first, first) in (0.0, pytest.approx(math.nan, nan_ok=True))


@given(seed=st.integers(0, 2**32 - 1))
def test_names_of_classes_do_not_matter(seed):
    labels = np.random.default_rng(seed).integers(0, 3, (2, 6, 12), np.uint8)
    named = np.array([2, 0, 1], np.uint8)[labels]
    found = boundary_jitter(labels, _still()[None], classes=3)
    assert boundary_jitter(named, _still()[None], classes=3) == pytest.approx(found, nan_ok=True)
