from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempseg.metrics.scene_cuts import SceneCuts, cut_f1
from tests.metrics import naive_tubes as naive

CUTS = st.lists(st.integers(0, 12), max_size=5)


def test_a_case_worked_by_hand():
    metric = SceneCuts()
    metric.update([30, 78, 136, 200], [30, 76, 137])
    # 1, 2 and 3 of 4 detected and 3 true cuts.
    assert metric.compute() == {0: 2 / 7, 1: 4 / 7, 2: 6 / 7}


def test_videos_are_summed_before_the_ratio():
    metric = SceneCuts(tolerances=(1,))
    metric.update([10], [10])
    metric.update([], [20, 30])
    assert metric.compute() == {1: 2 / 4}


def test_a_true_cut_is_matched_once():
    assert cut_f1([10, 11], [10], tolerance=1) == 2 / 3


def test_an_early_cut_does_not_take_what_a_later_one_needs():
    assert cut_f1([10, 11], [9, 10], tolerance=1) == 1.0
    assert cut_f1([10, 12], [11, 13], tolerance=1) == 1.0


def test_frame_numbers_may_come_in_any_order():
    assert cut_f1([90, 10], [50, 90, 10]) == cut_f1([10, 90], [10, 50, 90])


def test_without_any_cut_f1_is_nan():
    assert math.isnan(cut_f1([], []))


def test_with_cuts_on_one_side_f1_is_zero():
    assert cut_f1([], [5]) == cut_f1([5], []) == 0.0


def test_tolerances_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="tolerances are"):
        SceneCuts(tolerances=(-1,))


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="tolerances is"):
        SceneCuts().merge(SceneCuts(tolerances=(1,)))


@settings(max_examples=80, deadline=None)
@given(CUTS, CUTS, st.integers(0, 3))
def test_no_other_matching_finds_more(detected, truth, tolerance):
    expected = naive.most_matches(detected, truth, tolerance)
    total = len(detected) + len(truth)
    found = cut_f1(detected, truth, tolerance=tolerance)
    assert found == (
        pytest.approx(2 * expected / total) if total else pytest.approx(math.nan, nan_ok=True)
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(CUTS, CUTS), max_size=4), st.integers(0, 4))
def test_merged_parts_equal_one_pass(videos, middle):
    metrics = [SceneCuts() for _ in range(3)]
    for metric, part in zip(metrics, (videos[:middle], videos[middle:], videos), strict=True):
        for detected, truth in part:
            metric.update(detected, truth)
    first, second, whole = metrics
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute(), nan_ok=True)
