from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.confusion import mean_iou
from tempseg.metrics.trimap import TrimapIou, trimap_iou
from tests.metrics import naive_counts as naive

VOID = 255
CLASSES = 3
DISTANCES = (1, 2, 4)
SEQUENCES = arrays(np.uint8, (2, 3, 3, 6), elements=st.sampled_from([0, 0, 0, 1, 1, 2, VOID]))
"""Labels and truth of three frames."""


def _gather(labels, truth):
    trimap = TrimapIou(CLASSES, distances=DISTANCES)
    for ours, theirs in zip(labels, truth, strict=True):
        trimap.update(ours, theirs)
    return trimap


def test_bands_of_a_case_worked_by_hand():
    truth = np.uint8([[[0, 0, 0, 0, 1, 1, 1, 1]]])
    labels = np.uint8([[[0, 0, 1, 0, 1, 1, 1, 0]]])
    found = trimap_iou(labels, truth, classes=2, distances=(1, 2, 4))
    # Within 1 px both are right. Within 2, class 0 has 1 of 2 and class 1 has 2 of 3. Within 4,
    # class 0 has 3 of 5 and class 1 has 3 of 5.
    assert found == pytest.approx({1: 1.0, 2: (1 / 2 + 2 / 3) / 2, 4: 3 / 5})


def test_errors_far_from_borders_do_not_count():
    truth = np.zeros((1, 8, 40), np.uint8)
    truth[:, :, 20:] = 1
    labels = truth.copy()
    labels[:, :, :5] = 1
    labels[:, :, 35:] = VOID
    assert set(trimap_iou(labels, truth, classes=2).values()) == {1.0}


def test_a_border_counts_through_void():
    truth = np.uint8([[[0, 0, VOID, VOID, 1, 1]]])
    labels = np.uint8([[[0, 1, 0, 0, 1, 1]]])
    found = trimap_iou(labels, truth, classes=2, distances=(2, 3))
    assert math.isnan(found[2])
    # Pixels 1 and 4 face each other at 3 px: class 0 has 0 of 1, class 1 has 1 of 2.
    assert found[3] == (0 + 1 / 2) / 2


def test_void_alone_makes_no_border():
    truth = np.uint8([[[0, VOID, 0, 0]]])
    assert math.isnan(trimap_iou(truth, truth, classes=2, distances=(5,))[5])


def test_a_void_label_is_a_miss():
    truth, labels = np.uint8([[[0, 0, 1, 1]]]), np.uint8([[[0, VOID, 1, 1]]])
    assert trimap_iou(labels, truth, classes=2, distances=(1,)) == {1: (0 + 1) / 2}


def test_a_band_as_wide_as_the_frame_gives_the_plain_miou():
    rng = np.random.default_rng(0)
    labels, truth = rng.integers(0, CLASSES, (2, 2, 9, 9), dtype=np.uint8)
    found = trimap_iou(labels, truth, classes=CLASSES, distances=(20,))
    assert found[20] == mean_iou(labels, truth, classes=CLASSES)


def test_an_id_that_is_no_class_is_refused_even_far_from_borders():
    with pytest.raises(ValueError, match="label 9 is no class"):
        TrimapIou(2, distances=(1,)).update(np.uint8([[9, 0, 0]]), np.uint8([[0, 0, 0]]))


@pytest.mark.parametrize("distances", [(), (0, 1), (3, 1), (1, 1), (1, 1001)])
def test_distances_must_rise(distances):
    with pytest.raises(ValueError, match="expected rising from 1 to 1000 px"):
        TrimapIou(2, distances=distances)


def test_metrics_of_other_settings_do_not_merge():
    with pytest.raises(ValueError, match="distances"):
        TrimapIou(2, distances=(1,)).merge(TrimapIou(2, distances=(2,)))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
def test_trimap_follows_the_definition(sequences):
    found = trimap_iou(*sequences, classes=CLASSES, distances=DISTANCES)
    assert tuple(found) == DISTANCES
    for distance, miou in found.items():
        expected = naive.trimap_iou(*sequences, distance, CLASSES, VOID)
        np.testing.assert_allclose(miou, expected)


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 3))
def test_merged_parts_equal_one_pass(sequences, middle):
    labels, truth = sequences
    first = _gather(labels[:middle], truth[:middle])
    first.merge(_gather(labels[middle:], truth[middle:]))
    np.testing.assert_equal(first.compute(), _gather(labels, truth).compute())


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.permutations(range(CLASSES)))
def test_renaming_classes_changes_nothing(sequences, names):
    renamed = np.array([*names, *range(CLASSES, 256)], np.uint8)[sequences]
    np.testing.assert_equal(
        trimap_iou(*renamed, classes=CLASSES, distances=DISTANCES),
        trimap_iou(*sequences, classes=CLASSES, distances=DISTANCES),
    )
