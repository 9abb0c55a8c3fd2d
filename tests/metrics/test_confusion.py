from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.confusion import ConfusionMatrix, mean_iou
from tests.metrics import naive_counts as naive

VOID = 255
CLASSES = 4
IDS = st.sampled_from([0, 1, 2, 3, VOID])
SEQUENCES = arrays(np.uint8, (2, 4, 3, 5), elements=IDS)
"""Labels and truth of four frames."""

# Class 0: 2 right, 1 taken for 1, 1 void. Class 1: 1 right, 1 taken for 2. Class 2 is only
# predicted, class 3 nowhere. Void truth does not count.
LABELS = np.uint8([[0, 0, 1, VOID], [1, 2, 2, 0]])
TRUTH = np.uint8([[0, 0, 0, 0], [1, 1, VOID, VOID]])


def _confusion(labels, truth, **options):
    confusion = ConfusionMatrix(options.pop("classes", CLASSES), **options)
    for ours, theirs in zip(labels, truth, strict=True):
        confusion.update(ours, theirs)
    return confusion


def test_matrix_has_truth_in_rows_and_void_labels_last():
    expected = [[2, 1, 0, 0, 1], [0, 1, 1, 0, 0], [0] * 5, [0] * 5]
    np.testing.assert_array_equal(_confusion([LABELS], [TRUTH]).matrix, expected)


def test_scores_of_a_case_worked_by_hand():
    scores = _confusion([LABELS], [TRUTH]).compute()
    assert scores.iou_per_class[:3] == (2 / 4, 1 / 3, 0)
    assert math.isnan(scores.iou_per_class[3])
    assert scores.miou == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert scores.pixel_accuracy == 3 / 6
    assert scores.class_accuracy == (2 / 4 + 1 / 2) / 2
    assert scores.fw_iou == pytest.approx(4 / 6 * 1 / 2 + 2 / 6 * 1 / 3)


def test_semseg_averages_over_all_classes():
    scores = _confusion([LABELS], [TRUTH]).compute(compat="semseg")
    assert scores.miou == pytest.approx((1 / 2 + 1 / 3) / 4)
    assert scores.class_accuracy == pytest.approx((1 / 2 + 1 / 2) / 4)


def test_vspw_averages_over_the_classes_of_the_truth():
    scores = _confusion([LABELS], [TRUTH]).compute(compat="vspw")
    assert scores.miou == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert scores.class_accuracy == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_unknown_compat_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'coco'.*semseg, vspw"):
        ConfusionMatrix(2).compute(compat="coco")


def test_perfect_labels_score_one():
    assert set(_confusion([TRUTH], [TRUTH]).compute().iou_per_class[:2]) == {1.0}
    assert mean_iou(TRUTH, TRUTH, classes=CLASSES) == 1.0


@pytest.mark.parametrize("compat", [None, "semseg", "vspw"])
def test_nothing_compared_is_nan(compat):
    scores = _confusion([LABELS], [np.full_like(TRUTH, VOID)]).compute(compat=compat)
    assert math.isnan(scores.miou)
    assert math.isnan(scores.pixel_accuracy)
    assert math.isnan(scores.class_accuracy)
    assert math.isnan(scores.fw_iou)


def test_void_may_be_a_number_below_the_classes():
    labels, truth = np.uint8([[0, 1, 2, 1]]), np.uint8([[0, 0, 2, 1]])
    scores = _confusion([labels], [truth], classes=3, void=0).compute()
    assert math.isnan(scores.iou_per_class[0])
    assert scores.iou_per_class[1:] == (1.0, 1.0)


def test_an_id_that_is_no_class_is_refused_and_leaves_the_counts_alone():
    confusion = _confusion([LABELS], [TRUTH])
    before = confusion.matrix
    with pytest.raises(ValueError, match=r"label 9 is no class.*4 classes.*255"):
        confusion.update(np.uint8([[0, 9]]), np.uint8([[0, VOID]]))
    with pytest.raises(ValueError, match="label 4 is no class"):
        confusion.update(np.uint16([[0, 0]]), np.uint16([[0, 4]]))
    np.testing.assert_array_equal(confusion.matrix, before)


@pytest.mark.parametrize(
    ("labels", "truth", "message"),
    [
        (np.zeros((2, 3), np.int64), np.zeros((2, 3), np.uint8), "labels is int64"),
        (np.zeros((2, 3), np.uint8), np.zeros((1, 2, 3), np.uint8), "truth is uint8"),
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), "expected one size"),
        (np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.uint8), "not empty"),
    ],
)
def test_arrays_that_are_no_label_maps_are_refused(labels, truth, message):
    with pytest.raises(ValueError, match=message):
        ConfusionMatrix(2).update(labels, truth)


@pytest.mark.parametrize(("classes", "void"), [(0, VOID), (5000, VOID), (3, -1), (3, 65536)])
def test_settings_out_of_range_are_refused(classes, void):
    with pytest.raises(ValueError, match="expected"):
        ConfusionMatrix(classes, void=void)


def test_metrics_of_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="classes is 3 on one side and 4"):
        ConfusionMatrix(3).merge(ConfusionMatrix(4))
    with pytest.raises(ValueError, match="void is 255 on one side and 0"):
        ConfusionMatrix(3).merge(ConfusionMatrix(3, void=0))


def test_the_matrix_handed_out_is_a_copy():
    confusion = _confusion([LABELS], [TRUTH])
    confusion.matrix[:] = 0
    assert confusion.compute().miou > 0


def test_views_count_like_copies():
    wide_labels, wide_truth = np.repeat(LABELS, 2, axis=1), np.repeat(TRUTH, 2, axis=1)
    confusion = _confusion([wide_labels[:, ::2]], [wide_truth[:, ::2]])
    np.testing.assert_array_equal(confusion.matrix, _confusion([LABELS], [TRUTH]).matrix)


@settings(max_examples=40, deadline=None)
@given(SEQUENCES)
def test_scores_follow_the_definition(sequences):
    labels, truth = sequences
    scores = _confusion(labels, truth).compute()
    found = naive.pairs(labels, truth)
    expected = naive.ious(found, CLASSES, VOID)
    np.testing.assert_allclose(scores.iou_per_class, expected)
    np.testing.assert_allclose(scores.miou, naive.mean(expected))
    np.testing.assert_allclose(mean_iou(labels, truth, classes=CLASSES), scores.miou)
    known = [(t, p) for t, p in found if t != VOID]
    right = [t == p for t, p in known]
    np.testing.assert_allclose(scores.pixel_accuracy, naive.mean(map(float, right)))


@settings(max_examples=25, deadline=None)
@given(SEQUENCES, st.integers(0, 4))
def test_merged_parts_equal_one_pass(sequences, middle):
    labels, truth = sequences
    first = _confusion(labels[:middle], truth[:middle])
    first.merge(_confusion(labels[middle:], truth[middle:]))
    np.testing.assert_array_equal(first.matrix, _confusion(labels, truth).matrix)


@settings(max_examples=25, deadline=None)
@given(SEQUENCES, st.permutations(range(CLASSES)), st.sampled_from([None, "semseg", "vspw"]))
def test_renaming_classes_changes_nothing(sequences, names, compat):
    renamed = np.array([*names, *range(CLASSES, 256)], np.uint8)[sequences]
    plain = _confusion(*sequences).compute(compat=compat)
    other = _confusion(*renamed).compute(compat=compat)
    np.testing.assert_array_equal(other.miou, plain.miou)
    np.testing.assert_array_equal(other.class_accuracy, plain.class_accuracy)
    np.testing.assert_array_equal(other.fw_iou, plain.fw_iou)
    np.testing.assert_array_equal(np.array(other.iou_per_class)[names], plain.iou_per_class)
