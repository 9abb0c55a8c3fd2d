from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.boundary_f import BoundaryF, boundary_f
from tests.metrics import naive_tubes as naive

VOID = 255
CLASSES = 3
SEQUENCES = arrays(np.uint8, (2, 3, 5, 8), elements=st.sampled_from([0, 0, 0, 1, 1, 2, VOID]))
"""Labels and truth of three frames."""

# One pixel of class 1 each, a step down and right of the other. Its boundary is the pixel and its
# upper, left and upper left neighbours.
TRUTH = np.zeros((1, 6, 6), np.uint8)
TRUTH[0, 2, 2] = 1
LABELS = np.zeros((1, 6, 6), np.uint8)
LABELS[0, 3, 3] = 1


def _gather(labels, truth):
    metric = BoundaryF(CLASSES)
    for ours, theirs in zip(labels, truth, strict=True):
        metric.update(ours, theirs)
    return metric


def test_a_case_worked_by_hand():
    # One pixel is shared, two have a neighbour at 1 px, the far corner's nearest is at √2 px.
    assert boundary_f(LABELS, TRUTH, classes=2) == {1: 0.75, 2: 1.0, 3: 1.0}


def test_precision_and_recall_differ_where_one_outline_is_longer():
    truth = np.uint8([[[0, 0, 0, 0, 1, 1, 1, 1, 1, 1]]])
    labels = np.uint8([[[0, 0, 0, 0, 1, 1, 1, 1, 0, 0]]])
    # One of two boundary pixels is right, and the true one is found.
    assert boundary_f(labels, truth, classes=2)[3] == pytest.approx(2 * 0.5 * 1 / (0.5 + 1))


def test_tolerances_come_back_in_the_order_given():
    assert list(boundary_f(LABELS, TRUTH, classes=2, tolerances=(2, 0, 1)).items()) == [
        (2, 1.0),
        (0, 0.25),
        (1, 0.75),
    ]


def test_a_class_on_one_side_only_scores_zero():
    truth = np.uint8([[[0, 0, 0, 0]]])
    labels = np.uint8([[[0, 0, 0, 1]]])
    assert boundary_f(labels, truth, classes=2) == {1: 0.0, 2: 0.0, 3: 0.0}


def test_frames_without_a_boundary_are_left_out():
    truth = np.uint8([[[0, 1, 1]], [[0, 0, 0]], [[1, 1, 1]]])
    assert boundary_f(truth, truth, classes=2) == {1: 1.0, 2: 1.0, 3: 1.0}
    labels = truth.copy()
    labels[1, 0, 2] = 1
    assert boundary_f(labels, truth, classes=2)[1] == 0.5


def test_classes_without_a_boundary_are_left_out():
    assert boundary_f(LABELS, TRUTH, classes=7) == boundary_f(LABELS, TRUTH, classes=2)


def test_nothing_compared_is_nan():
    plain = np.zeros((1, 3, 3), np.uint8)
    assert math.isnan(boundary_f(plain, plain, classes=2)[1])


def test_outlines_on_void_do_not_count():
    truth = np.uint8([[[0, 0, 1, 1, 1, 1, VOID, VOID, VOID]]])
    labels = np.uint8([[[0, 0, 1, 1, 1, 1, 1, 0, 1]]])
    assert boundary_f(labels, truth, classes=2, tolerances=(0,)) == {0: 1.0}


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match=r"label 3 is no class.*3 classes"):
        BoundaryF(3).update(np.uint8([[0, 3]]), np.uint8([[0, 1]]))


@pytest.mark.parametrize("tolerances", [(), (1, 1), (-1, 2)])
def test_tolerances_that_make_no_sense_are_refused(tolerances):
    with pytest.raises(ValueError, match="tolerances are"):
        BoundaryF(2, tolerances=tolerances)


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="tolerances is"):
        BoundaryF(2).merge(BoundaryF(2, tolerances=(1, 2)))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
def test_scores_follow_the_definition(sequences):
    frames = list(zip(*sequences, strict=True))
    for tolerance, value in boundary_f(*sequences, classes=CLASSES).items():
        expected = naive.boundary_f(frames, classes=CLASSES, tolerance=tolerance, void=VOID)
        np.testing.assert_allclose(value, expected)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 3))
def test_merged_parts_equal_one_pass(sequences, middle):
    labels, truth = sequences
    first = _gather(labels[:middle], truth[:middle])
    first.merge(_gather(labels[middle:], truth[middle:]))
    expected = _gather(labels, truth).compute()
    assert first.compute() == pytest.approx(expected, rel=1e-12, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.permutations(range(CLASSES)))
def test_renaming_classes_changes_nothing(sequences, names):
    renamed = np.array([*names, *range(CLASSES, 256)], np.uint8)[sequences]
    plain = boundary_f(*sequences, classes=CLASSES)
    assert boundary_f(*renamed, classes=CLASSES) == pytest.approx(plain, rel=1e-12, nan_ok=True)
