from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempseg.metrics.vis_ap import InstanceTrack, VideoInstanceAP, vis_ap
from tests.metrics import naive_tubes as naive

CLASSES = 2
SCORES = st.sampled_from([0.1, 0.3, 0.5, 0.5, 0.9])
BARS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=2, max_size=2)
"""Where a track begins and ends, in each of two frames of eight pixels."""
VIDEOS = st.tuples(
    st.lists(st.tuples(st.integers(0, CLASSES - 1), SCORES, BARS), max_size=5),
    st.lists(st.tuples(st.integers(0, CLASSES - 1), BARS), max_size=4),
)
"""Predicted and true tracks."""


def _bars(bars):
    place = np.arange(8)
    return np.stack([((place >= start) & (place < end))[None] for start, end in bars])


def _plain(video):
    """Return a drawn video with masks, as the slow twin takes it."""
    found, true = video
    return (
        [(label, score, _bars(bars)) for label, score, bars in found],
        [(label, _bars(bars)) for label, bars in true],
    )


def _gather(videos):
    metric = VideoInstanceAP(CLASSES)
    for found, true in map(_plain, videos):
        metric.update(
            [InstanceTrack(*track) for track in found],
            [InstanceTrack(label, 1.0, masks) for label, masks in true],
        )
    return metric


def _track(pixels: int, score: float = 1.0, *, start: int = 0, frames: int = 1):
    """Return a track that covers so many of 100 pixels in each frame."""
    masks = np.zeros((frames, 1, 100), bool)
    masks[:, :, start : start + pixels] = True
    return InstanceTrack(0, score, masks)


def _area(side: int, score: float = 1.0):
    masks = np.zeros((1, 300, 300), bool)
    masks[:, :side, :side] = True
    return InstanceTrack(0, score, masks)


def _street_tracks(labels, ids):
    """Return the street's things as (class, masks)."""
    numbers = [number for number in np.unique(ids).tolist() if number]
    return [(int(labels[ids == number][0]), ids == number) for number in numbers]


def _street(labels, ids):
    """Return the scores of a street, the larger thing the surer, and what the twin says."""
    found = [(label, float(masks.sum()), masks) for label, masks in _street_tracks(labels, ids)]
    true = _street_tracks(*naive.street())
    scores = vis_ap(
        [InstanceTrack(*track) for track in found],
        [InstanceTrack(label, 1.0, masks) for label, masks in true],
        classes=11,
    )
    return asdict(scores), naive.vis_ap([(found, true)], classes=11)


def test_a_track_counts_at_the_thresholds_that_it_reaches():
    # An IoU of 0.7 reaches 0.50 to 0.70, five of ten.
    scores = vis_ap([_track(70)], [_track(100)], classes=1)
    assert (scores.vis_ap, scores.vis_ap50) == (0.5, 1.0)


def test_iou_is_taken_over_all_frames_at_once():
    masks = np.zeros((2, 1, 100), bool)
    masks[0, 0, :80], masks[1, 0, :20] = True, True
    truth = masks.copy()
    truth[1] = False
    # 80 of 100 pixels, though one frame has an IoU of 0.
    scores = vis_ap([InstanceTrack(0, 1.0, masks)], [InstanceTrack(0, 1.0, truth)], classes=1)
    assert scores.vis_ap == pytest.approx(0.7)


def test_a_surer_false_track_halves_precision():
    wrong = _track(10, 0.9, start=90)
    assert vis_ap([_track(50, 0.8), wrong], [_track(50)], classes=1).vis_ap == 0.5


def test_a_less_sure_false_track_costs_nothing():
    wrong = _track(10, 0.7, start=90)
    assert vis_ap([_track(50, 0.8), wrong], [_track(50)], classes=1).vis_ap == 1.0


def test_a_missed_track_costs_the_recalls_beyond():
    scores = vis_ap([_track(50)], [_track(50), _track(50, start=50)], classes=1)
    # Precision is 1 at recalls 0 to 0.50, 51 of 101.
    assert scores.vis_ap == pytest.approx(51 / 101)


def test_a_true_track_is_found_once():
    twice = vis_ap([_track(50, 0.9), _track(50, 0.8)], [_track(50), _track(9, start=80)], classes=1)
    assert twice.vis_ap == pytest.approx(51 / 101)


def test_a_track_of_another_class_finds_nothing():
    other = InstanceTrack(1, 1.0, _track(50).masks)
    scores = vis_ap([other], [_track(50)], classes=2)
    assert scores.vis_ap == 0.0


def test_classes_without_true_tracks_are_left_out():
    other = InstanceTrack(1, 1.0, _track(50).masks)
    assert vis_ap([_track(50), other], [_track(50)], classes=5).vis_ap == 1.0


def test_only_the_hundred_surest_tracks_of_a_class_count():
    wrong = [_track(1, 0.9, start=99) for _ in range(100)]
    right = _track(50, 0.8)
    assert vis_ap([*wrong, right], [_track(50)], classes=1).vis_ap == 0.0
    assert vis_ap([*wrong[1:], right], [_track(50)], classes=1).vis_ap == pytest.approx(1 / 100)


def test_sizes_are_scored_apart():
    found = [_area(100), _area(150)]
    scores = vis_ap(found, [_area(100), _area(150), _area(280)], classes=1)
    assert (scores.small, scores.medium, scores.large) == (1.0, 1.0, 0.0)


def test_the_borders_of_a_size_belong_to_both():
    scores = vis_ap([_area(128)], [_area(128)], classes=1)
    assert (scores.small, scores.medium) == (1.0, 1.0)
    assert math.isnan(scores.large)


def test_a_track_of_another_size_is_no_false_one():
    scores = vis_ap([_area(200, 0.9), _area(100, 0.8)], [_area(100)], classes=1)
    assert scores.small == 1.0
    assert scores.vis_ap == 0.5


def test_area_is_the_mean_over_the_frames_that_show_the_track():
    masks = np.zeros((3, 200, 200), bool)
    masks[1] = True
    track = InstanceTrack(0, 1.0, masks)
    scores = vis_ap([track], [track], classes=1)
    assert scores.medium == 1.0
    assert math.isnan(scores.small)


def test_nothing_compared_is_nan():
    assert math.isnan(vis_ap([_track(5)], [], classes=1).vis_ap)
    assert math.isnan(VideoInstanceAP(1).compute().vis_ap50)


def test_tracks_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"masks are uint8 \(1, 2, 3\), expected bool"):
        InstanceTrack(0, 1.0, np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="score is nan"):
        InstanceTrack(0, math.nan, np.zeros((1, 2, 3), bool))
    with pytest.raises(ValueError, match="class_id is 2, expected 0 to 0"):
        vis_ap([InstanceTrack(2, 1.0, np.zeros((1, 2, 3), bool))], [], classes=1)
    with pytest.raises(ValueError, match="expected one shape"):
        vis_ap([_track(5)], [_track(5, frames=2)], classes=1)


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="classes is 1 on one side and 2"):
        VideoInstanceAP(1).merge(VideoInstanceAP(2))


@settings(max_examples=25, deadline=None)
@given(st.lists(VIDEOS, min_size=1, max_size=2))
def test_scores_follow_the_definition(videos):
    expected = naive.vis_ap(list(map(_plain, videos)), classes=CLASSES)
    assert asdict(_gather(videos).compute()) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(st.lists(VIDEOS, min_size=1, max_size=4), st.integers(0, 4))
def test_merged_parts_equal_one_pass(videos, middle):
    first = _gather(videos[:middle])
    first.merge(_gather(videos[middle:]))
    np.testing.assert_equal(asdict(first.compute()), asdict(_gather(videos).compute()))


@settings(max_examples=20, deadline=None)
@given(st.lists(VIDEOS, min_size=1, max_size=2))
def test_renaming_classes_changes_nothing(videos):
    renamed = [
        (
            [(1 - label, *rest) for label, *rest in found],
            [(1 - label, bars) for label, bars in true],
        )
        for found, true in videos
    ]
    np.testing.assert_equal(asdict(_gather(renamed).compute()), asdict(_gather(videos).compute()))


def test_a_street_against_itself_scores_one():
    found, expected = _street(*naive.street())
    assert found == pytest.approx(expected, nan_ok=True)
    assert found["vis_ap"] == 1.0


def test_swapping_two_ids_half_way_costs_both_tracks():
    found, expected = _street(*naive.swapped_street())
    assert found == pytest.approx(expected, nan_ok=True)
    assert found["vis_ap"] < 1.0


def test_dropping_a_thing_costs_its_recall():
    found, expected = _street(*naive.street_without_a_car())
    assert found == pytest.approx(expected, nan_ok=True)
    assert found["vis_ap50"] < 1.0
