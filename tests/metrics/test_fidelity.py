from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.fidelity import Fidelity, FidelityFloor, fidelity, fidelity_floor
from tests.metrics import naive_counts as naive

VOID = 255
CLASSES = 3
IDS = st.sampled_from([0, 1, 2, VOID])
SEQUENCES = arrays(np.uint8, (2, 5, 2, 3), elements=IDS)
"""Labels and reference of five frames."""
BETWEEN = (False, True, True, True, False)


def _gather(labels, reference, frames):
    scores = Fidelity(CLASSES)
    for i in frames:
        scores.update(labels[i], reference[i], frame=i, between=BETWEEN[i])
    return scores


def _gather_floor(reference, flows, targets):
    floor = FidelityFloor(CLASSES)
    for i in targets:
        floor.update(reference[i - 1], reference[i], flows[i - 1])
    return floor


def test_a_frame_scores_its_own_miou():
    scores = Fidelity(CLASSES)
    # Class 0: 1 of 2. Class 1: 1 of 3, one miss being void. Void of the reference is left out.
    found = scores.update(
        np.uint8([[0, 1, 1, VOID, 2]]), np.uint8([[0, 0, 1, 1, VOID]]), frame=3, between=True
    )
    assert found == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_mean_percentile_and_worst_are_over_frames():
    reference = np.zeros((4, 1, 4), np.uint8)
    labels = reference.copy()
    labels[1, 0, :2] = VOID
    labels[2, 0, 0] = VOID
    scores = fidelity(labels, reference, classes=1, between=(False, True, True, False))
    # Frames score 1, 1/2, 3/4, 1; 5 % of the way along the sorted four lies at place 0.15.
    assert scores.fidelity == (1 + 1 / 2 + 3 / 4 + 1) / 4
    assert scores.fidelity_p5 == pytest.approx(1 / 2 + 0.15 * (3 / 4 - 1 / 2))
    assert (scores.fidelity_worst, scores.fidelity_worst_frame) == (1 / 2, 1)
    assert scores.fidelity_between == (1 / 2 + 3 / 4) / 2
    assert scores.fidelity_p5_between == pytest.approx(1 / 2 + 0.05 * (3 / 4 - 1 / 2))
    assert (scores.fidelity_worst_between, scores.fidelity_worst_frame_between) == (1 / 2, 1)


def test_frames_between_keyframes_are_told_apart():
    scores = Fidelity(CLASSES)
    reference = np.uint8([[0, 1]])
    scores.update(np.uint8([[1, 0]]), reference, frame=0, between=False)
    scores.update(reference, reference, frame=1, between=True)
    found = scores.compute()
    assert (found.fidelity_worst, found.fidelity_worst_frame) == (0.0, 0)
    assert (found.fidelity_worst_between, found.fidelity_worst_frame_between) == (1.0, 1)


def test_the_first_of_equally_bad_frames_is_named():
    scores = Fidelity(CLASSES)
    for frame in (7, 2, 5):
        scores.update(np.uint8([[1]]), np.uint8([[0]]), frame=frame, between=True)
    assert scores.compute().fidelity_worst_frame == 2


def test_no_frames_give_nan_and_no_frame_number():
    scores = Fidelity(CLASSES)
    void = np.full((2, 2), VOID, np.uint8)
    assert math.isnan(scores.update(np.zeros_like(void), void, frame=0, between=True))
    found = scores.compute()
    assert math.isnan(found.fidelity)
    assert math.isnan(found.fidelity_p5_between)
    assert found.fidelity_worst_frame is None
    assert found.fidelity_worst_frame_between is None


def test_by_default_no_frame_is_known_to_lie_between_keyframes():
    labels = np.zeros((3, 2, 2), np.uint8)
    found = fidelity(labels, labels, classes=1)
    assert found.fidelity == 1.0
    assert math.isnan(found.fidelity_between)


def test_floor_of_a_static_segmenter_under_zero_flow_is_one():
    reference = np.tile(np.uint8([[0, 1, 2]]), (3, 2, 1))
    assert fidelity_floor(reference, np.zeros((2, 2, 3, 2), np.float32), classes=3) == 1.0


def test_floor_follows_whole_pixel_motion():
    wide = np.uint8([[0, 0, 1, 1, 2, 2, 0]])
    reference = np.stack([wide[:, 2:6], wide[:, 1:5], wide[:, 0:4]])
    backward = np.tile(np.float32([-1, 0]), (2, 1, 4, 1))
    assert fidelity_floor(reference, backward, classes=3) == 1.0
    assert fidelity_floor(reference, np.zeros_like(backward), classes=3) < 1.0


def test_floor_takes_the_nearest_pixel_and_leaves_out_what_enters():
    floor = FidelityFloor(2)
    backward = np.float32([[[1.4, 0], [1.5, 0], [0.4, 0.4], [0.6, 0]]])
    # Carried: pixel 1, pixel 3, pixel 2, nothing: 0 1 0, against 0 1 1. Class 0 has 1 of 2,
    # class 1 has 1 of 2; the last pixel comes from outside.
    assert floor.update(np.uint8([[1, 0, 0, 1]]), np.uint8([[0, 1, 1, 0]]), backward) == 0.5
    assert floor.compute() == 0.5


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (3, 2, 2)])
def test_floor_refuses_a_flow_of_another_shape(shape):
    still = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match=r"expected float32 \(2, 3, 2\)"):
        FidelityFloor(2).update(still, still, np.zeros(shape, np.float32))


def test_floor_refuses_a_flow_of_doubles():
    still = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match="backward is float64"):
        FidelityFloor(2).update(still, still, np.zeros((2, 3, 2)))


@pytest.mark.parametrize("metric", [Fidelity, FidelityFloor])
def test_metrics_of_other_settings_do_not_merge(metric):
    with pytest.raises(ValueError, match="void"):
        metric(2).merge(metric(2, void=0))


def test_an_id_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match="label 8 is no class"):
        Fidelity(2).update(np.uint8([[8]]), np.uint8([[0]]), frame=0, between=True)
    with pytest.raises(ValueError, match="label 8 is no class"):
        FidelityFloor(2).update(np.uint8([[8]]), np.uint8([[0]]), np.zeros((1, 1, 2), np.float32))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
def test_fidelity_follows_the_definition(sequences):
    labels, reference = sequences
    found = fidelity(labels, reference, classes=CLASSES, between=BETWEEN)
    mious = [
        naive.mean(naive.ious(naive.pairs(ours, theirs), CLASSES, VOID))
        for ours, theirs in zip(labels, reference, strict=True)
    ]
    known = [miou for miou in mious if not math.isnan(miou)]
    between = [mious[i] for i in (1, 2, 3) if not math.isnan(mious[i])]
    np.testing.assert_allclose(found.fidelity, naive.mean(known))
    np.testing.assert_allclose(found.fidelity_worst, min(known, default=math.nan))
    np.testing.assert_allclose(found.fidelity_between, naive.mean(between))
    np.testing.assert_allclose(found.fidelity_worst_between, min(between, default=math.nan))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES, st.integers(0, 2**32 - 1))
def test_floor_follows_the_definition(sequences, seed):
    reference = sequences[0]
    flows = np.random.default_rng(seed).integers(-6, 7, (4, 2, 3, 2)) / np.float32(4)
    flows = flows.astype(np.float32)
    expected = [
        naive.mean(naive.ious(naive.carried_pairs(before, now, flow), CLASSES, VOID))
        for before, now, flow in zip(reference[:-1], reference[1:], flows, strict=True)
    ]
    found = fidelity_floor(reference, flows, classes=CLASSES)
    np.testing.assert_allclose(found, naive.mean(expected))


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 5))
def test_merged_parts_equal_one_pass(sequences, middle):
    later = _gather(*sequences, range(middle, 5))
    later.merge(_gather(*sequences, range(middle)))
    whole = _gather(*sequences, range(5))
    np.testing.assert_equal(astuple(later.compute()), astuple(whole.compute()))


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(1, 5))
def test_merged_parts_of_the_floor_equal_one_pass(sequences, middle):
    flows = np.random.default_rng(0).normal(0, 1, (4, 2, 3, 2)).astype(np.float32)
    later = _gather_floor(sequences[1], flows, range(middle, 5))
    later.merge(_gather_floor(sequences[1], flows, range(1, middle)))
    whole = _gather_floor(sequences[1], flows, range(1, 5))
    np.testing.assert_equal(later.compute(), whole.compute())


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.permutations(range(CLASSES)))
def test_renaming_classes_changes_nothing(sequences, names):
    renamed = np.array([*names, *range(CLASSES, 256)], np.uint8)[sequences]
    flows = np.random.default_rng(1).normal(0, 1, (4, 2, 3, 2)).astype(np.float32)
    np.testing.assert_equal(
        astuple(fidelity(*renamed, classes=CLASSES, between=BETWEEN)),
        astuple(fidelity(*sequences, classes=CLASSES, between=BETWEEN)),
    )
    np.testing.assert_equal(
        fidelity_floor(renamed[1], flows, classes=CLASSES),
        fidelity_floor(sequences[1], flows, classes=CLASSES),
    )
