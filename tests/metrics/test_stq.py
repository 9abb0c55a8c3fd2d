from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.stq import (
    SegmentationTrackingQuality,
    segment_overlaps,
    segmentation_tracking_quality,
)
from tests.metrics import naive_tubes as naive

VOID = 255
CLASSES = 4
THINGS = frozenset({1, 3})
LABELS = arrays(np.uint8, (2, 3, 2, 5), elements=st.sampled_from([0, 1, 1, 2, 3, VOID]))
"""Labels and truth of three frames."""
IDS = arrays(np.uint16, (2, 3, 2, 5), elements=st.sampled_from([0, 1, 2, 700]))
"""Their ids."""


def _row(labels, ids, truth, truth_ids, *, classes=CLASSES):
    maps = (np.uint8([labels]), np.uint16([ids]), np.uint8([truth]), np.uint16([truth_ids]))
    metric = SegmentationTrackingQuality(classes, things=THINGS)
    metric.update(*maps)
    return metric.compute()


def _gather(labels, ids, frames=slice(None), video=""):
    metric = SegmentationTrackingQuality(CLASSES, things=THINGS)
    for maps in zip(labels[0, frames], ids[0, frames], labels[1, frames], ids[1, frames],
                    strict=True):  # fmt: skip
        metric.update(*maps, video=video)
    return metric


def _street(labels, ids):
    truth, truth_ids = naive.street()
    return segmentation_tracking_quality(
        labels, ids, truth, truth_ids, classes=11, things=naive.STREET_THINGS
    )


def _naive_street(labels, ids):
    return naive.stq(
        [(labels, ids, *naive.street())], classes=11, things=naive.STREET_THINGS, void=VOID
    )


def test_a_tube_found_in_two_pieces_scores_by_their_shares():
    # Pieces of 3 and 1 of 4 pixels: (3 * 3/4 + 1 * 1/4) / 4.
    scores = _row([1, 1, 1, 1, 0], [5, 5, 5, 6, 0], [1, 1, 1, 1, 0], [9, 9, 9, 9, 0])
    assert scores.aq == (3 * 3 / 4 + 1 * 1 / 4) / 4
    assert scores.sq == 1.0
    assert scores.stq == math.sqrt(scores.aq)


def test_a_tube_spans_frames():
    truth, ids = np.uint8([[[1, 1]], [[1, 1]]]), np.uint16([[[1, 1]], [[2, 2]]])
    scores = segmentation_tracking_quality(
        truth, ids, truth, np.ones_like(ids), classes=2, things=frozenset({1})
    )
    # Two pieces of 2 of 4 pixels each.
    assert scores.aq == 2 * (2 * 2 / 4) / 4


def test_predictions_on_void_enlarge_their_tube():
    assert _row([1, 1, 1, 1], [5, 5, 5, 5], [1, 1, VOID, VOID], [9, 9, 9, 9]).aq == 2 * 2 / 4 / 2


def test_crowds_belong_to_no_tube():
    scores = _row([1, 1, 1, 1], [5, 5, 5, 5], [1, 1, 1, 1], [9, 9, 0, 0])
    assert scores.aq == 1.0


def test_a_crowd_of_another_thing_shields_predictions_too():
    assert _row([1, 1, 1, 1], [5, 5, 5, 5], [1, 1, 3, 3], [9, 9, 0, 0]).aq == 1.0


def test_a_predicted_thing_without_id_is_a_tube():
    assert _row([1, 1], [0, 0], [1, 1], [9, 9]).aq == 1.0


def test_association_does_not_ask_for_the_right_class():
    scores = _row([3, 3, 0], [5, 5, 0], [1, 1, 0], [9, 9, 0])
    assert scores.aq == 1.0
    assert scores.sq == 1 / 3


def test_one_id_in_two_classes_is_two_tubes():
    assert _row([1, 3], [5, 5], [1, 1], [9, 9]).aq == 2 * (1 * 1 / 2) / 2


def test_ids_of_stuff_do_not_matter():
    assert _row([0, 2, 1], [1, 2, 3], [0, 2, 1], [7, 8, 9]) == _row(
        [0, 2, 1], [0, 0, 3], [0, 2, 1], [0, 0, 9]
    )


def test_the_same_id_in_another_video_is_another_tube():
    things = np.uint8([[1, 1]])
    metric = SegmentationTrackingQuality(CLASSES, things=THINGS)
    metric.update(things, np.uint16([[1, 1]]), things, np.uint16([[1, 1]]), video="a")
    metric.update(things, np.uint16([[1, 1]]), things, np.uint16([[1, 2]]), video="b")
    assert metric.compute().aq == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)


def test_a_void_label_is_a_miss_and_no_class_of_its_own():
    assert _row([0, 0, VOID], [0, 0, 0], [0, 0, 0], [0, 0, 0]).sq == 2 / 3


def test_without_true_things_association_is_nan():
    scores = _row([1, 0], [5, 0], [0, 0], [0, 0])
    assert math.isnan(scores.aq)
    assert math.isnan(scores.stq)
    assert scores.sq == (1 / 2 + 0) / 2


def test_nothing_compared_is_nan():
    scores = SegmentationTrackingQuality(2, things=frozenset()).compute()
    assert all(math.isnan(value) for value in astuple(scores))


def test_overlaps_count_every_pixel_once():
    labels, ids = naive.street()
    overlaps = segment_overlaps(
        labels[0], ids[0], labels[1], ids[1], classes=11, things=naive.STREET_THINGS, void=VOID
    )
    assert sum(overlaps.values()) == labels[0].size


def test_a_refused_frame_leaves_the_counts_alone():
    metric = SegmentationTrackingQuality(2, things=frozenset({1}))
    maps = [np.uint8([[0, 1]])] * 4
    metric.update(*maps)
    before = metric.compute()
    with pytest.raises(ValueError, match=r"label 2 is no class.*2 classes.*255"):
        metric.update(np.uint8([[0, 2]]), *maps[1:])
    with pytest.raises(ValueError, match="truth_ids is int64"):
        metric.update(*maps[:3], np.array([[0, 1]]))
    with pytest.raises(ValueError, match="expected one size"):
        metric.update(maps[0], np.uint8([[0]]), *maps[2:])
    assert metric.compute() == before


def test_things_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match="things are"):
        SegmentationTrackingQuality(2, things=frozenset({2}))


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="things is"):
        SegmentationTrackingQuality(2, things=frozenset({1})).merge(
            SegmentationTrackingQuality(2, things=frozenset({0}))
        )


@settings(max_examples=40, deadline=None)
@given(LABELS, IDS)
def test_scores_follow_the_definition(labels, ids):
    found = _gather(labels, ids).compute()
    video = (labels[0], ids[0], labels[1], ids[1])
    expected = naive.stq([video], classes=CLASSES, things=THINGS, void=VOID)
    assert astuple(found) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(LABELS, IDS, st.integers(0, 3), st.sampled_from(["a", "b"]))
def test_merged_parts_equal_one_pass(labels, ids, middle, second):
    first = _gather(labels, ids, slice(None, middle), "a")
    whole = _gather(labels, ids, slice(None, middle), "a")
    for maps in zip(labels[0, middle:], ids[0, middle:], labels[1, middle:], ids[1, middle:],
                    strict=True):  # fmt: skip
        whole.update(*maps, video=second)
    first.merge(_gather(labels, ids, slice(middle, None), second))
    np.testing.assert_equal(astuple(first.compute()), astuple(whole.compute()))


@settings(max_examples=25, deadline=None)
@given(LABELS, IDS, st.permutations([1, 2, 3]))
def test_renaming_predicted_ids_changes_nothing(labels, ids, names):
    renamed = ids.copy()
    for old, new in zip([1, 2, 700], names, strict=True):
        renamed[0][ids[0] == old] = 40 * new
    np.testing.assert_equal(
        astuple(_gather(labels, renamed).compute()), astuple(_gather(labels, ids).compute())
    )


@settings(max_examples=25, deadline=None)
@given(LABELS, IDS)
def test_renaming_classes_changes_nothing(labels, ids):
    renamed = np.array([2, 3, 0, 1, *range(4, 256)], np.uint8)[labels]
    np.testing.assert_equal(
        astuple(_gather(renamed, ids).compute()), astuple(_gather(labels, ids).compute())
    )


def test_a_street_against_itself_scores_one():
    assert astuple(_street(*naive.street())) == (1.0, 1.0, 1.0)


def test_swapping_two_ids_half_way_costs_association_alone():
    scores = _street(*naive.swapped_street())
    assert astuple(scores) == pytest.approx(_naive_street(*naive.swapped_street()))
    assert scores.sq == 1.0
    assert scores.aq < 1.0


def test_dropping_a_thing_costs_both():
    scores = _street(*naive.street_without_a_car())
    assert astuple(scores) == pytest.approx(_naive_street(*naive.street_without_a_car()))
    assert scores.sq < 1.0
    assert scores.aq < 1.0
