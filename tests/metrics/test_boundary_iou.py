from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.boundary_iou import (
    BoundaryIou,
    boundary_iou,
    class_numbers,
    mask_boundary_iou,
)
from tests.metrics import naive_tubes as naive

VOID = 255
CLASSES = 3
SEQUENCES = arrays(np.uint8, (2, 3, 5, 7), elements=st.sampled_from([0, 0, 0, 1, 1, 2, VOID]))
"""Labels and truth of three frames."""

SQUARE = np.zeros((60, 80), bool)
"""On a diagonal of 100 px, so that boundaries are 2 deep; that of this holds 30² - 26² = 224."""
SQUARE[10:40, 20:50] = True


def _gather(labels, truth):
    metric = BoundaryIou(CLASSES)
    for ours, theirs in zip(labels, truth, strict=True):
        metric.update(ours, theirs)
    return metric


def test_a_hole_adds_its_rim_to_the_boundary():
    mask = SQUARE.copy()
    mask[22:28, 32:38] = False
    # The rim of the hole is 10² - 6² = 64 pixels.
    assert mask_boundary_iou(mask, SQUARE) == 224 / (224 + 64)


def test_a_square_within_the_depth_of_its_boundary_is_all_boundary():
    mask = np.zeros((60, 80), bool)
    mask[10:14, 20:24] = True
    assert mask_boundary_iou(mask, SQUARE) == (16 - 4) / (224 + 4)


def test_the_frame_border_counts_as_boundary():
    whole = np.ones((60, 80), bool)
    mask = whole.copy()
    mask[:, 40:] = False
    # 2 deep: 4800 - 56 * 76 = 544 of the whole; 2400 - 56 * 36 = 384 of the half, of which all
    # but the 2 by 56 pixels along the middle are of the whole's boundary.
    assert mask_boundary_iou(mask, whole) == (384 - 112) / (544 + 112)


def test_coco_takes_the_smaller_of_boundary_and_mask_iou():
    ring = SQUARE.copy()
    ring[12:38, 22:48] = False
    assert mask_boundary_iou(ring, SQUARE) == 1.0
    assert mask_boundary_iou(ring, SQUARE, compat="coco") == 224 / 900


def test_coco_takes_the_smaller_a_frame_and_class():
    ring = SQUARE.copy()
    ring[12:38, 22:48] = False
    hole = SQUARE.copy()
    hole[22:28, 32:38] = False
    labels, truth = np.stack([ring, hole]).astype(np.uint8), np.stack([SQUARE] * 2).astype(np.uint8)
    found = boundary_iou(labels, truth, classes=2, compat="coco").per_class[1]
    assert found == pytest.approx((224 / 900 + 224 / 288) / 2)


def test_empty_masks_score_zero():
    nothing = np.zeros((4, 5), bool)
    assert mask_boundary_iou(nothing, nothing) == 0.0
    assert mask_boundary_iou(nothing, nothing, compat="coco") == 0.0


def test_perfect_labels_score_one_and_absent_classes_nan():
    scores = boundary_iou(np.uint8([[[0, 1]]]), np.uint8([[[0, 1]]]), classes=3)
    assert scores.boundary_iou == 1.0
    assert scores.per_class[:2] == (1.0, 1.0)
    assert math.isnan(scores.per_class[2])


def test_a_class_is_averaged_over_the_frames_that_show_it():
    labels, truth = (
        np.uint8([[[0, 1]], [[0, 0]], [[0, 1]]]),
        np.uint8([[[0, 1]], [[0, 0]], [[0, 0]]]),
    )
    assert boundary_iou(labels, truth, classes=2).per_class == ((1 + 1 + 1 / 2) / 3, 1 / 2)


def test_labels_on_void_do_not_count():
    labels, truth = np.uint8([[[0, 1, 2]]]), np.uint8([[[0, 1, VOID]]])
    scores = boundary_iou(labels, truth, classes=3)
    assert scores.boundary_iou == 1.0
    assert math.isnan(scores.per_class[2])


def test_a_void_label_is_a_miss():
    labels, truth = np.uint8([[[0, VOID, 1]]]), np.uint8([[[0, 0, 1]]])
    assert boundary_iou(labels, truth, classes=2).per_class == (1 / 2, 1.0)


def test_nothing_compared_is_nan():
    assert math.isnan(BoundaryIou(2).compute().boundary_iou)


def test_sixteen_bits_hold_more_classes():
    truth = np.uint16([[[300, 300, 7, 65535]]])
    labels = np.uint16([[[300, 7, 7, 7]]])
    scores = boundary_iou(labels, truth, classes=301, void=65535)
    assert (scores.per_class[7], scores.per_class[300]) == (1 / 2, 1 / 2)


def test_numbers_are_classes_from_one_with_void_as_zero():
    labels, truth = np.uint8([[0, 2, VOID, 1]]), np.uint16([[2, VOID, 0, 1]])
    numbers, truth_numbers = class_numbers(labels, truth, classes=3, void=VOID)
    assert numbers.tolist() == [[1, 0, 0, 2]]
    assert truth_numbers.tolist() == [[3, 0, 1, 2]]


def test_a_label_that_is_no_class_is_refused_and_leaves_the_sums_alone():
    metric = BoundaryIou(2)
    metric.update(np.uint8([[0, 1]]), np.uint8([[0, 1]]))
    with pytest.raises(ValueError, match=r"label 2 is no class.*2 classes.*255"):
        metric.update(np.uint8([[0, 2]]), np.uint8([[0, VOID]]))
    assert metric.compute().boundary_iou == 1.0


def test_maps_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="expected one size"):
        BoundaryIou(2).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
    with pytest.raises(ValueError, match="expected one size"):
        mask_boundary_iou(SQUARE, SQUARE[1:])


def test_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="classes is 2 on one side and 3"):
        BoundaryIou(2).merge(BoundaryIou(3))


def test_an_unknown_compat_is_refused():
    with pytest.raises(ValueError, match=r"'davis'.*coco"):
        BoundaryIou(2).compute(compat="davis")
    with pytest.raises(ValueError, match=r"'davis'.*coco"):
        mask_boundary_iou(SQUARE, SQUARE, compat="davis")


@settings(max_examples=30, deadline=None)
@given(SEQUENCES, st.sampled_from([None, "coco"]))
def test_scores_follow_the_definition(sequences, compat):
    frames = list(zip(*sequences, strict=True))
    expected = naive.boundary_iou(frames, classes=CLASSES, void=VOID, coco=compat == "coco")
    scores = boundary_iou(*sequences, classes=CLASSES, compat=compat)
    np.testing.assert_allclose(scores.per_class, expected)
    np.testing.assert_allclose(scores.boundary_iou, naive.mean(expected))


def test_deeper_boundaries_follow_the_definition():
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, CLASSES, (2, 8, 10)).astype(np.uint8)
    labels, truth = (np.kron(each, np.ones((9, 9), np.uint8)) for each in coarse)
    expected = naive.boundary_iou([(labels, truth)], classes=CLASSES, void=VOID)
    found = boundary_iou(labels[None], truth[None], classes=CLASSES).per_class
    np.testing.assert_allclose(found, expected)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 3))
def test_merged_parts_equal_one_pass(sequences, middle):
    labels, truth = sequences
    first = _gather(labels[:middle], truth[:middle])
    first.merge(_gather(labels[middle:], truth[middle:]))
    expected = _gather(labels, truth).compute()
    np.testing.assert_allclose(first.compute().per_class, expected.per_class, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.permutations(range(CLASSES)))
def test_renaming_classes_changes_nothing(sequences, names):
    renamed = np.array([*names, *range(CLASSES, 256)], np.uint8)[sequences]
    plain = boundary_iou(*sequences, classes=CLASSES)
    other = boundary_iou(*renamed, classes=CLASSES)
    np.testing.assert_array_equal(np.array(other.per_class)[names], plain.per_class)
    np.testing.assert_array_equal(other.boundary_iou, plain.boundary_iou)
