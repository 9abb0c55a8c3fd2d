from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.vpq import VideoPanopticQuality, video_panoptic_quality
from tests.metrics import naive_tubes as naive

VOID = 255
CLASSES = 4
THINGS = frozenset({1, 3})
LENGTHS = (1, 2, 3, 4)
LABELS = arrays(np.uint8, (2, 4, 2, 5), elements=st.sampled_from([0, 1, 1, 1, 2, 3, VOID]))
"""Labels and truth of four frames."""
IDS = arrays(np.uint16, (2, 4, 2, 5), elements=st.sampled_from([0, 1, 1, 700]))
"""Their ids."""


def _row(labels, ids, truth, truth_ids):
    """Score one frame of one row, by windows of one frame."""
    maps = (np.uint8([[labels]]), np.uint16([[ids]]), np.uint8([[truth]]), np.uint16([[truth_ids]]))
    return video_panoptic_quality(*maps, classes=CLASSES, things=THINGS, lengths=(1,)).vpq


def _gather(labels, ids, ends=range(1, 5)):
    """Take the windows that end before the given frames."""
    metric = VideoPanopticQuality(CLASSES, things=THINGS)
    for end in ends:
        metric.update(labels[0, :end], ids[0, :end], labels[1, :end], ids[1, :end])
    return metric


def _street(labels, ids):
    truth, truth_ids = naive.street()
    return video_panoptic_quality(
        labels, ids, truth, truth_ids, classes=11, things=naive.STREET_THINGS
    ).by_length


def _naive_street(labels, ids):
    return {
        length: naive.vpq(
            [(labels, ids, *naive.street())],
            classes=11,
            things=naive.STREET_THINGS,
            void=VOID,
            length=length,
        )
        for length in LENGTHS
    }


def test_a_match_scores_its_iou():
    # Class 1 covers 3 of 4 and class 0 is 4 of 5.
    found = _row([1, 1, 1, 0, 0, 0, 0, 0], [5] * 8, [1, 1, 1, 1, 0, 0, 0, 0], [9] * 8)
    assert found == pytest.approx(100 * (3 / 4 + 4 / 5) / 2)


def test_half_an_iou_is_no_match():
    # A false alarm and a miss: PQ of class 1 is 0; class 2 is 2 of 3.
    found = _row([1, 1, 2, 2, 2], [5] * 5, [1, 1, 1, 1, 2], [9] * 5)
    assert found == pytest.approx(0)
    assert _row([1, 1, 1, 2, 2], [5] * 5, [1, 1, 1, 1, 2], [9] * 5) == pytest.approx(
        100 * (3 / 4 + 0) / 2
    )


def test_false_alarms_and_misses_weigh_half():
    # One of two true things is found: 1 / (1 + 1/2); one of two predicted is false: the same.
    assert _row([1, 1, VOID], [5, 5, 0], [1, 1, 1], [8, 8, 9]) == pytest.approx(100 / 1.5)
    assert _row([1, 1, 1], [5, 5, 6], [1, 1, 0], [8, 8, 0]) == pytest.approx(
        100 * (1 / 1.5 + 0) / 2
    )


def test_tubes_must_hold_their_id_through_the_window():
    truth, ids = np.full((2, 1, 2), 1, np.uint8), np.uint16([[[1, 1]], [[2, 2]]])
    scores = video_panoptic_quality(
        truth, ids, truth, np.ones_like(ids), classes=2, things=frozenset({1}), lengths=(1, 2)
    )
    # In the window of both frames two halves of the true tube match nothing.
    assert scores.by_length == {1: 100.0, 2: 0.0}
    assert scores.vpq == 50.0


def test_predictions_on_void_leave_the_union():
    assert _row([1] * 5, [5] * 5, [1, 1, VOID, VOID, VOID], [9] * 5) == 100.0


def test_a_prediction_mostly_on_void_is_no_false_alarm():
    assert _row([2, 1, 1, 1], [5] * 4, [2, 0, VOID, VOID], [9] * 4) == pytest.approx(
        100 * (1 + 0) / 2
    )


def test_a_prediction_half_on_void_is_a_false_alarm():
    found = _row([2, 1, 1], [5] * 3, [2, 0, VOID], [9] * 3)
    assert found == pytest.approx(100 * (1 + 0 + 0) / 3)


def test_crowds_are_neither_found_nor_missed():
    assert _row([2, 2, 2, 0], [5] * 4, [2, 2, 2, 1], [9, 9, 9, 0]) == pytest.approx(
        100 * (1 + 0) / 2
    )
    assert _row([2, 1, 1], [5] * 3, [2, 1, 1], [9, 0, 0]) == 100.0


def test_a_crowd_of_another_thing_is_no_excuse():
    assert _row([2, 1, 1], [5] * 3, [2, 3, 3], [9, 0, 0]) == 50.0


def test_stuff_is_one_segment_whatever_its_ids():
    assert _row([0, 0, 0], [1, 2, 3], [0, 0, 0], [0, 0, 0]) == 100.0


def test_a_video_too_short_for_a_length_leaves_it_nan():
    truth = np.zeros((2, 1, 2), np.uint8)
    scores = video_panoptic_quality(truth, truth, truth, truth, classes=2, things=frozenset())
    assert math.isnan(scores.by_length[3])
    assert scores.vpq == 100.0


def test_frames_before_the_longest_window_are_not_looked_at():
    labels, ids = naive.street()
    maps = (labels, ids, *naive.swapped_street())
    once, again = (
        VideoPanopticQuality(11, things=naive.STREET_THINGS, lengths=(1, 2)) for _ in range(2)
    )
    once.update(*maps)
    again.update(*(each[-2:] for each in maps))
    assert once.compute() == again.compute()


def test_nothing_compared_is_nan():
    assert math.isnan(VideoPanopticQuality(2, things=frozenset()).compute().vpq)


def test_a_refused_window_leaves_the_counts_alone():
    metric = VideoPanopticQuality(2, things=frozenset({1}))
    good, bad = np.uint8([[[0, 1]]] * 2), np.uint8([[[0, 2]], [[0, 1]]])
    metric.update(good, good, good, good)
    before = metric.compute()
    with pytest.raises(ValueError, match=r"label 2 is no class.*2 classes"):
        metric.update(bad, good, good, good)
    np.testing.assert_equal(asdict(metric.compute()), asdict(before))


@pytest.mark.parametrize("lengths", [(), (0, 1), (2, 2)])
def test_lengths_that_make_no_sense_are_refused(lengths):
    with pytest.raises(ValueError, match="lengths are"):
        VideoPanopticQuality(2, things=frozenset(), lengths=lengths)


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="lengths is"):
        VideoPanopticQuality(2, things=frozenset()).merge(
            VideoPanopticQuality(2, things=frozenset(), lengths=(1,))
        )


@settings(max_examples=30, deadline=None)
@given(LABELS, IDS)
def test_scores_follow_the_definition(labels, ids):
    video = (labels[0], ids[0], labels[1], ids[1])
    expected = {
        length: naive.vpq([video], classes=CLASSES, things=THINGS, void=VOID, length=length)
        for length in LENGTHS
    }
    scores = video_panoptic_quality(*video, classes=CLASSES, things=THINGS)
    assert scores.by_length == pytest.approx(expected, nan_ok=True)
    assert scores.vpq == pytest.approx(naive.mean(expected.values()), nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(LABELS, IDS, st.integers(1, 5))
def test_merged_parts_equal_one_pass(labels, ids, middle):
    first = _gather(labels, ids, range(1, middle))
    first.merge(_gather(labels, ids, range(middle, 5)))
    expected = _gather(labels, ids).compute().by_length
    assert first.compute().by_length == pytest.approx(expected, rel=1e-12, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(LABELS, IDS)
def test_renaming_classes_and_ids_changes_nothing(labels, ids):
    renamed = np.array([2, 3, 0, 1, *range(4, 256)], np.uint8)[labels]
    swapped = np.where(ids == 1, 65535, np.where(ids == 700, 1, ids)).astype(np.uint16)
    expected = _gather(labels, ids).compute().by_length
    found = _gather(renamed, swapped).compute().by_length
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_a_street_against_itself_scores_a_hundred():
    assert _street(*naive.street()) == pytest.approx(dict.fromkeys(LENGTHS, 100.0))


def test_swapping_two_ids_half_way_costs_the_windows_across():
    found = _street(*naive.swapped_street())
    assert found == pytest.approx(_naive_street(*naive.swapped_street()))
    assert found[1] == pytest.approx(100.0)
    assert max(found[length] for length in (2, 3, 4)) < 100.0


def test_dropping_a_thing_costs_every_length():
    found = _street(*naive.street_without_a_car())
    assert found == pytest.approx(_naive_street(*naive.street_without_a_car()))
    assert max(found.values()) < 100.0
