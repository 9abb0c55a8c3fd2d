from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.area_jitter import AreaJitter, area_jitter
from tests.metrics import naive_counts as naive

VOID = 255
CLASSES = 3
SEQUENCES = arrays(np.uint8, (5, 2, 4), elements=st.sampled_from([0, 1, 2, VOID]))


def _gather(frames):
    jitter = AreaJitter(CLASSES)
    for previous, labels in frames:
        jitter.update(labels, previous)
    return jitter


def _with_previous(labels):
    return list(zip([None, *labels[:-1]], labels, strict=True))


def test_jitter_of_a_case_worked_by_hand():
    labels = np.uint8([[[0, 0, 0, 1]], [[0, 0, 1, 1]], [[0, 0, 0, 1]]])
    scores = area_jitter(labels, classes=CLASSES)
    # Class 0: areas 3/4, 2/4, 3/4: steps of 1/4, mean area 2/3. Class 1: steps of 1/4, mean 1/3.
    assert scores.per_class[:2] == pytest.approx((3 / 8, 3 / 4))
    assert math.isnan(scores.per_class[2])
    assert scores.area_jitter == pytest.approx((3 / 8 + 3 / 4) / 2)


def test_motion_without_growth_is_no_jitter():
    labels = np.uint8([[[1, 0, 0, 0]], [[0, 1, 0, 0]], [[0, 0, 0, 1]]])
    assert area_jitter(labels, classes=2).area_jitter == 0.0


def test_void_that_comes_and_goes_is_no_jitter():
    labels = np.uint8([[[0, 0, 1, 1]], [[0, 0, 1, VOID]], [[0, VOID, 1, 1]]])
    assert area_jitter(labels, classes=2).area_jitter == 0.0


def test_frames_of_any_size_weigh_the_same():
    small = np.uint8([[0, 1]])
    large = np.repeat(np.repeat(np.uint8([[0, 0, 0, 1]]), 8, axis=0), 3, axis=1)
    jitter = AreaJitter(2)
    for shape in (small, large):
        jitter.update(shape)
        jitter.update(np.zeros_like(shape), shape)
    # Class 1 has 1/2, 0, 1/4, 0 of the frame; the steps within a video are 1/2 and 1/4.
    assert jitter.compute().per_class[1] == pytest.approx((3 / 8) / (3 / 16))


@pytest.mark.parametrize("frames", [0, 1])
def test_no_pair_gives_nan(frames):
    scores = area_jitter(np.zeros((frames, 2, 2), np.uint8), classes=2)
    assert math.isnan(scores.area_jitter)
    assert all(math.isnan(value) for value in scores.per_class)


def test_an_id_that_is_no_class_is_refused_and_leaves_the_sums_alone():
    jitter = _gather(_with_previous(np.uint8([[[0, 1]], [[0, 0]]])))
    before = astuple(jitter.compute())
    with pytest.raises(ValueError, match="label 7 is no class"):
        jitter.update(np.uint8([[0, 7]]))
    np.testing.assert_equal(astuple(jitter.compute()), before)


def test_metrics_of_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="classes"):
        AreaJitter(2).merge(AreaJitter(3))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
def test_jitter_follows_the_definition(labels):
    scores = area_jitter(labels, classes=CLASSES)
    expected = naive.area_jitter(labels, CLASSES, VOID)
    np.testing.assert_allclose(scores.per_class, expected, atol=1e-12)
    np.testing.assert_allclose(scores.area_jitter, naive.mean(expected), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 5))
def test_merged_parts_equal_one_pass(labels, middle):
    frames = _with_previous(labels)
    first = _gather(frames[:middle])
    first.merge(_gather(frames[middle:]))
    whole = _gather(frames).compute()
    np.testing.assert_allclose(first.compute().per_class, whole.per_class, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.permutations(range(CLASSES)))
def test_renaming_classes_changes_nothing(labels, names):
    renamed = area_jitter(
        np.array([*names, *range(CLASSES, 256)], np.uint8)[labels], classes=CLASSES
    )
    plain = area_jitter(labels, classes=CLASSES)
    np.testing.assert_array_equal(renamed.area_jitter, plain.area_jitter)
    np.testing.assert_array_equal(np.array(renamed.per_class)[names], plain.per_class)
