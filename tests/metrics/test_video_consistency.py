from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.video_consistency import VideoConsistency, video_consistency, windows
from tests.metrics import naive_counts as naive

VOID = 255
WINDOW = 3
SEQUENCES = arrays(np.uint8, (2, 6, 1, 6), elements=st.sampled_from([0, 0, 0, 1, 1, VOID]))
"""Labels and truth of six frames."""

# Truth stands still in pixels 0 to 3; 4 changes, 5 is void throughout.
TRUTH = np.uint8([[[0, 0, 1, 1, 0, VOID]], [[0, 0, 1, 1, 1, VOID]], [[0, 0, 1, 1, 1, VOID]]])
# Constant and right, constant and wrong, blinking, right at last, constant, constant void.
LABELS = np.uint8([[[0, 1, 1, 0, 1, VOID]], [[0, 1, 0, 1, 1, VOID]], [[0, 1, 1, 1, 1, VOID]]])


def _gather(labels, truth, starts, **options):
    consistency = VideoConsistency(WINDOW, **options)
    for start in starts:
        consistency.update(labels[start : start + WINDOW], truth[start : start + WINDOW])
    return consistency


def test_window_of_a_case_worked_by_hand():
    scores = _gather(LABELS, TRUTH, [0]).compute()
    assert (scores.vc, scores.vc_correct, scores.windows) == (2 / 4, 1 / 4, 1)


def test_vspw_counts_void_as_a_class_that_can_be_constant():
    scores = _gather(LABELS, TRUTH, [0], compat="vspw").compute()
    assert (scores.vc, scores.vc_correct) == (3 / 5, 2 / 5)


def test_all_windows_count():
    assert list(windows(10, 8)) == [0, 1, 2]
    assert list(windows(8, 8)) == [0]
    assert list(windows(7, 8)) == []


def test_vspw_drops_the_last_window_and_short_videos():
    assert list(windows(10, 8, "vspw")) == [0, 1]
    assert list(windows(8, 8, "vspw")) == []
    assert list(windows(2, 8, "vspw")) == []


def test_the_last_window_tells_vspw_from_the_default():
    truth = np.zeros((4, 1, 2), np.uint8)
    labels = truth.copy()
    labels[3, 0, 0] = 1
    assert video_consistency(labels, truth, window=WINDOW).vc == (1 + 1 / 2) / 2
    assert video_consistency(labels, truth, window=WINDOW, compat="vspw").vc == 1.0


def test_a_frozen_wrong_answer_is_consistent_and_not_correct():
    truth = np.zeros((9, 2, 2), np.uint8)
    scores = video_consistency(truth + np.uint8(3), truth)
    assert (scores.vc, scores.vc_correct, scores.windows) == (1.0, 0.0, 2)


def test_windows_without_steady_truth_count_nowhere():
    moving = np.arange(4, dtype=np.uint8).repeat(4).reshape(4, 2, 2)
    scores = video_consistency(moving, moving, window=WINDOW)
    assert math.isnan(scores.vc)
    assert math.isnan(scores.vc_correct)
    assert scores.windows == 0


def test_a_window_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 label maps and 3 truths, expected 3 each"):
        VideoConsistency(WINDOW).update(LABELS[:2], TRUTH)


@pytest.mark.parametrize("window", [0, 1])
def test_a_window_needs_two_frames(window):
    with pytest.raises(ValueError, match="at least 2"):
        VideoConsistency(window)


def test_unknown_compat_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'etc'.*vspw"):
        VideoConsistency(WINDOW, compat="etc")
    with pytest.raises(ValueError, match=r"'etc'.*vspw"):
        windows(9, WINDOW, "etc")


def test_labels_and_truth_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="3 label maps and 2 truths"):
        video_consistency(LABELS, TRUTH[:2], window=2)


@pytest.mark.parametrize("other", [{"void": 0}, {"compat": "vspw"}])
def test_metrics_of_other_settings_do_not_merge(other):
    with pytest.raises(ValueError, match=next(iter(other))):
        VideoConsistency(WINDOW).merge(VideoConsistency(WINDOW, **other))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
@pytest.mark.parametrize("compat", [None, "vspw"])
def test_consistency_follows_the_definition(compat, sequences):
    labels, truth = sequences
    last = len(labels) - WINDOW if compat is None else len(labels) - WINDOW - 1
    found = [
        naive.held(labels[i : i + WINDOW], truth[i : i + WINDOW], VOID if compat is None else -1)
        for i in range(last + 1)
    ]
    scores = video_consistency(labels, truth, window=WINDOW, compat=compat)
    shares = [kept / steady for steady, kept, _ in found if steady]
    correct = [right / steady for steady, _, right in found if steady]
    np.testing.assert_allclose(scores.vc, naive.mean(shares))
    np.testing.assert_allclose(scores.vc_correct, naive.mean(correct))
    assert scores.windows == len(shares)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 4))
def test_merged_parts_equal_one_pass(sequences, middle):
    labels, truth = sequences
    later = _gather(labels, truth, range(middle, 4))
    later.merge(_gather(labels, truth, range(middle)))
    whole = _gather(labels, truth, range(4))
    np.testing.assert_equal(astuple(later.compute()), astuple(whole.compute()))


@settings(max_examples=20, deadline=None)
@given(SEQUENCES)
def test_renaming_classes_changes_nothing(sequences):
    name = np.array([1, 0, *range(2, 256)], np.uint8)
    np.testing.assert_equal(
        astuple(video_consistency(*name[sequences], window=WINDOW)),
        astuple(video_consistency(*sequences, window=WINDOW)),
    )
