"""Temporal consistency and flicker: worked cases, slow twins, properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempseg.metrics import TemporalConsistency, temporal_consistency
from tests.metrics import naive_warps


def _zero(size, count=1):
    return np.zeros((count, *size, 2), np.float32)


def _random(seed, *, frames=2, classes=3, size=(7, 9)):
    rng = np.random.default_rng(seed)
    labels = rng.choice([*range(classes), 255], (frames, *size)).astype(np.uint8)
    flow = rng.normal(0, 1.5, (frames - 1, *size, 2)).astype(np.float32)
    return labels, flow, rng.random((frames - 1, *size)) < 0.2


def test_a_static_mask_under_zero_flow_scores_one_and_does_not_flicker():
    metric = TemporalConsistency(3)
    labels = np.random.default_rng(0).integers(0, 3, (6, 8), dtype=np.uint8)
    pair = metric.update(labels, labels, _zero((6, 8))[0])
    assert (pair.tc, pair.flicker) == (1.0, 0.0)


def test_one_changed_pixel_of_four():
    metric = TemporalConsistency(2)
    labels, following = np.uint8([[0, 0, 1, 1]]), np.uint8([[0, 1, 1, 1]])
    pair = metric.update(labels, following, _zero((1, 4))[0])
    # Class 0: 1 of 2; class 1: 2 of 3.
    assert pair.tc == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert pair.flicker == 0.25


def test_a_shift_by_whole_pixels_with_its_flow_scores_one():
    labels = np.random.default_rng(0).integers(0, 4, (6, 10), dtype=np.uint8)
    following = np.roll(labels, 2, axis=1)
    flow = np.zeros((1, 6, 10, 2), np.float32)
    flow[..., 0] = 2
    assert temporal_consistency(np.stack([labels, following]), flow) == 1.0
    assert temporal_consistency(np.stack([labels, following]), -flow) < 0.7


def test_an_occluded_pixel_is_not_compared():
    labels = np.uint8([[[0, 0, 1, 1]], [[0, 1, 1, 1]]])
    occluded = np.array([[[False, True, False, False]]])
    assert temporal_consistency(labels, _zero((1, 4)), occluded=occluded) == 1.0


def test_void_on_either_side_is_not_compared():
    labels = np.uint8([[[0, 255, 1, 0]], [[0, 1, 255, 0]]])
    metric = TemporalConsistency(2)
    assert metric.update(labels[0], labels[1], _zero((1, 4))[0]).flicker == 0.0


def test_nothing_compared_is_no_number():
    labels = np.full((2, 2, 2), 255, np.uint8)
    metric = TemporalConsistency(2)
    assert math.isnan(metric.update(labels[0], labels[1], _zero((2, 2))[0]).tc)
    assert math.isnan(metric.compute().tc)
    assert metric.compute().tc_worst_frame is None


def test_pairs_are_summed_in_one_matrix_and_the_worst_is_named():
    metric = TemporalConsistency(2)
    ones, mixed = np.ones((1, 4), np.uint8), np.uint8([[0, 1, 1, 1]])
    flow = _zero((1, 4))[0]
    metric.update(ones, ones, flow, frame=1)
    metric.update(ones, mixed, flow, frame=2)
    scores = metric.compute()
    # Over both pairs: class 0 has 0 of 1, class 1 has 7 of 8; by pair: 1, and (0 + 3/4) / 2.
    assert scores.tc == pytest.approx((0 + 7 / 8) / 2)
    assert scores.mtc == pytest.approx((1 + 3 / 8) / 2)
    assert (scores.tc_worst, scores.tc_worst_frame) == (pytest.approx(3 / 8), 2)
    assert scores.flicker == 1 / 8
    assert scores.pairs == 2


@pytest.mark.parametrize("seed", range(6))
def test_a_pair_agrees_with_the_slow_twin(seed):
    labels, flow, occluded = _random(seed)
    pairs = naive_warps.compared_pairs(labels[0], labels[1], flow[0], occluded[0], 255)
    found = TemporalConsistency(3).update(labels[0], labels[1], flow[0], occluded[0])
    assert found.tc == pytest.approx(naive_warps.miou(pairs, 3))
    assert found.flicker == pytest.approx(np.mean([a != b for a, b in pairs]))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), split=st.integers(0, 4))
def test_merging_parts_equals_one_pass(seed, split):
    labels, flow, occluded = _random(seed, frames=5)
    whole, first, second = (TemporalConsistency(3) for _ in range(3))
    for i in range(4):
        for metric in (whole, first if i < split else second):
            metric.update(labels[i], labels[i + 1], flow[i], occluded[i], frame=i)
    first.merge(second)
    assert repr(first.compute()) == repr(whole.compute())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_relabelling_changes_only_what_interpolates_ids(seed):
    labels, flow, occluded = _random(seed)
    table = np.arange(256, dtype=np.uint8)
    table[:3] = [2, 0, 1]
    for compat in (None, "vspw"):
        # Class 0 is special outside the picture under vspw, so nothing may leave it.
        field = flow if compat is None else np.zeros_like(flow)
        scores = [
            temporal_consistency(ids, field, classes=3, occluded=occluded, compat=compat)
            for ids in (labels, table[labels])
        ]
        assert scores[0] == pytest.approx(scores[1], nan_ok=True)


def test_etc_interpolates_ids_and_truncates_them():
    labels, following = np.uint8([[1, 2]]), np.uint8([[0, 2]])
    flow = np.zeros((1, 2, 2), np.float32)
    flow[0, 0, 0] = 0.5
    # Half way between 0 and 2 stands class 1, which is in neither; the border clamps.
    metric = TemporalConsistency(3, compat="etc")
    pair = metric.update(labels, following, flow)
    assert pair.flicker == 0.0
    assert pair.tc == pytest.approx(2 / 3), "the absent class counts as 0"


def test_etc_knows_no_occlusion():
    labels = np.uint8([[[0, 0]], [[0, 1]]])
    hidden = np.array([[[False, True]]])
    with_mask = temporal_consistency(labels, _zero((1, 2)), occluded=hidden, compat="etc")
    assert with_mask == temporal_consistency(labels, _zero((1, 2)), compat="etc")


def test_vspw_takes_class_0_outside_and_samples_a_stretched_grid():
    labels, following = np.ones((1, 4), np.uint8), np.ones((1, 4), np.uint8)
    flow = np.zeros((1, 4, 2), np.float32)
    flow[..., 0] = 2
    # Places 2..5, stretched by 4/3 and moved by a half: 2.17, 3.5, 4.83, 6.17; half to even.
    metric = TemporalConsistency(2, compat="vspw")
    assert metric.update(labels, following, flow).flicker == 0.75


def test_vspw_averages_over_the_classes_of_the_frame():
    labels, following = np.ones((1, 4), np.uint8), np.uint8([[1, 1, 1, 0]])
    pair = TemporalConsistency(2, compat="vspw").update(labels, following, _zero((1, 4))[0])
    assert pair.tc == 0.75


@pytest.mark.parametrize("compat", ["davis", "semseg"])
def test_unknown_compat_is_refused(compat):
    with pytest.raises(ValueError, match="compat"):
        TemporalConsistency(2, compat=compat)


def test_a_label_beyond_the_classes_is_refused():
    labels = np.full((2, 2), 5, np.uint8)
    with pytest.raises(ValueError, match="label 5 is no class"):
        TemporalConsistency(2).update(labels, labels, _zero((2, 2))[0])


def test_a_flow_of_another_size_is_refused():
    labels = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match="forward is float32"):
        TemporalConsistency(2).update(labels, labels, _zero((2, 2))[0])


def test_merging_other_settings_is_refused():
    with pytest.raises(ValueError, match="classes"):
        TemporalConsistency(2).merge(TemporalConsistency(3))
