from __future__ import annotations

import math
from dataclasses import asdict, astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.regions import RegionSimilarity, region_similarity
from tests.metrics import naive_tubes as naive

VOID = 255
OBJECTS = 2
SEQUENCES = arrays(np.uint8, (2, 6, 4, 7), elements=st.sampled_from([0, 0, 0, 1, 1, 2, VOID]))
"""Labels and truth of six frames."""

# An object of 8 pixels, of which so many are found: J is their eighth.
FOUND = (8, 8, 8, 4, 4, 4, 2, 2, 2)
TRUTH = np.zeros((9, 1, 12), np.uint8)
TRUTH[:, :, 2:10] = 1
LABELS = np.stack([np.where(np.arange(12)[None] < 2 + n, TRUTH[0], 0) for n in FOUND])


def _gather(labels, truth, video=""):
    metric = RegionSimilarity(OBJECTS)
    for ours, theirs in zip(labels, truth, strict=True):
        metric.update(ours, theirs, video=video)
    return metric


def test_statistics_of_a_case_worked_by_hand():
    scores = region_similarity(LABELS, TRUTH, objects=1)
    assert scores.j_mean == pytest.approx((3 + 3 / 2 + 3 / 4) / 9)
    # One half is not above one half.
    assert scores.j_recall == pytest.approx(3 / 9)
    # Quarters are frames 0 to 2 and 6 to 8.
    assert scores.j_decay == pytest.approx(1 - 1 / 4)


def test_davis_drops_the_first_and_last_frame():
    scores = region_similarity(LABELS, TRUTH, objects=1, compat="davis")
    assert scores.j_mean == pytest.approx((2 + 3 / 2 + 2 / 4) / 7)
    assert scores.j_recall == pytest.approx(2 / 7)
    # Of seven frames, quarters are 0 to 2 and 5 to 6.
    assert scores.j_decay == pytest.approx((1 + 1 + 1 / 2) / 3 - 1 / 4)


def test_boundaries_match_within_a_share_of_the_diagonal():
    # On a diagonal of 500 px the tolerance is 4 px.
    truth = np.zeros((300, 400), np.uint8)
    truth[:, 200:] = 1
    metric = RegionSimilarity(1)
    assert metric.update(np.roll(truth, 4, axis=1)[:, 4:], truth[:, 4:])[1] == 1.0
    assert metric.update(np.roll(truth, 5, axis=1)[:, 5:], truth[:, 5:])[1] == 0.0


def test_an_object_empty_on_both_sides_scores_one():
    nothing = np.zeros((3, 4), np.uint8)
    assert RegionSimilarity(2).update(nothing, nothing) == (1.0, 1.0)


def test_an_object_on_one_side_only_scores_zero():
    nothing, something = np.uint8([[0, 0, 0]]), np.uint8([[0, 1, 0]])
    assert RegionSimilarity(1).update(nothing, something) == (0.0, 0.0)
    assert RegionSimilarity(1).update(something, nothing) == (0.0, 0.0)


def test_a_frame_returns_the_mean_over_all_objects():
    labels, truth = np.uint8([[1, 1, 2, 2]]), np.uint8([[1, 1, 2, 0]])
    j, _ = RegionSimilarity(2).update(labels, truth)
    assert j == (1 + 1 / 2) / 2


def test_void_is_background_on_both_sides():
    truth = np.uint8([[0, 1, 1, VOID, VOID]])
    labels = np.uint8([[VOID, 1, 1, 1, 0]])
    assert RegionSimilarity(1).update(labels, truth) == (1.0, 1.0)


def test_an_object_that_no_frame_of_the_truth_shows_does_not_count():
    assert region_similarity(LABELS, TRUTH, objects=5) == region_similarity(
        LABELS, TRUTH, objects=1
    )


def test_every_object_of_every_video_counts_alike():
    metric = RegionSimilarity(2)
    both = np.uint8([[1, 2, 2]])
    metric.update(both, both, video="long")
    metric.update(both, both, video="long")
    metric.update(np.uint8([[0, 0]]), np.uint8([[1, 0]]), video="short")
    assert metric.compute().j_mean == pytest.approx((1 + 1 + 0) / 3)


def test_jf_is_the_mean_of_j_and_f():
    scores = region_similarity(LABELS, TRUTH, objects=1)
    assert scores.j_mean != scores.f_mean
    assert scores.jf == (scores.j_mean + scores.f_mean) / 2


def test_decay_holds_beyond_256_frames():
    values = np.repeat([3, 2, 2, 1], 75)
    truth = np.ones((300, 1, 3), np.uint8)
    labels = (np.arange(3)[None, None] < values[:, None, None]).astype(np.uint8)
    scores = region_similarity(labels, truth, objects=1)
    assert scores.j_decay == pytest.approx(naive.decay(values / 3))


def test_one_frame_has_no_decay():
    scores = region_similarity(LABELS[:1], TRUTH[:1], objects=1)
    assert (scores.j_mean, scores.j_decay) == (1.0, 0.0)


@pytest.mark.parametrize("compat", [None, "davis"])
def test_nothing_compared_is_nan(compat):
    frames = 2 if compat else 0
    scores = region_similarity(LABELS[:frames], TRUTH[:frames], objects=1, compat=compat)
    assert all(math.isnan(value) for value in asdict(scores).values())


def test_an_id_beyond_the_objects_is_refused():
    with pytest.raises(ValueError, match=r"id 3 is no object.*2 objects.*255"):
        RegionSimilarity(2).update(np.uint8([[0, 3]]), np.uint8([[0, 1]]))


def test_void_among_the_objects_is_refused():
    with pytest.raises(ValueError, match="void is 2, expected an id above"):
        RegionSimilarity(3, void=2)


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="objects is 1 on one side and 2"):
        RegionSimilarity(1).merge(RegionSimilarity(2))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES, st.sampled_from([None, "davis"]))
def test_scores_follow_the_definition(sequences, compat):
    frames = list(zip(*sequences, strict=True))
    expected = naive.region_scores([frames], void=VOID, drop=1 if compat else 0)
    scores = region_similarity(*sequences, objects=OBJECTS, compat=compat)
    assert asdict(scores) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 6))
def test_consecutive_parts_merge_to_one_pass(sequences, middle):
    labels, truth = sequences
    first = _gather(labels[:middle], truth[:middle])
    first.merge(_gather(labels[middle:], truth[middle:]))
    np.testing.assert_equal(astuple(first.compute()), astuple(_gather(labels, truth).compute()))


@settings(max_examples=20, deadline=None)
@given(SEQUENCES)
def test_videos_merge_in_any_order(sequences):
    (labels, truth), half = sequences, 3
    parts = [(labels[:half], truth[:half], "a"), (labels[half:], truth[half:], "b")]
    forth, back = _gather(*parts[0]), _gather(*parts[1])
    forth.merge(_gather(*parts[1]))
    back.merge(_gather(*parts[0]))
    np.testing.assert_equal(astuple(forth.compute()), astuple(back.compute()))
    videos = [list(zip(ours, theirs, strict=True)) for ours, theirs, _ in parts]
    expected = naive.region_scores(videos, void=VOID)
    assert asdict(forth.compute()) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES)
def test_swapping_ids_in_both_changes_nothing(sequences):
    swapped = np.array([0, 2, 1, *range(3, 256)], np.uint8)[sequences]
    plain = region_similarity(*sequences, objects=OBJECTS)
    found = region_similarity(*swapped, objects=OBJECTS)
    np.testing.assert_equal(astuple(found), astuple(plain))
