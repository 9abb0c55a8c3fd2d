"""The id that is no class where nobody says which."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg import metrics

CLASSES = 300
TRUTH = np.where(np.arange(80).reshape(1, 8, 10) % 10 < 5, 255, 7).astype(np.uint16)
WRONG = np.full_like(TRUTH, 7)
STILL = np.zeros((1, 8, 10, 2), np.float32)


def test_class_255_of_many_counts_in_accuracy():
    assert metrics.mean_iou(WRONG, TRUTH, classes=CLASSES) == 0.25
    assert metrics.fidelity(WRONG, TRUTH, classes=CLASSES).fidelity == 0.25
    assert metrics.boundary_iou(WRONG, TRUTH, classes=CLASSES).boundary_iou < 1
    assert metrics.trimap_iou(WRONG, TRUTH, classes=CLASSES)[1] < 1


def test_class_255_of_many_counts_in_steadiness():
    both = np.concatenate([TRUTH, WRONG])
    assert metrics.temporal_consistency(both, STILL, classes=CLASSES) == 0.25
    assert metrics.fidelity_floor(both, STILL, classes=CLASSES) == 0.25
    assert metrics.area_jitter(both, classes=CLASSES).per_class[255] > 0


@pytest.mark.parametrize("ids", [(255, 300), (300, 255)])
def test_id_255_beside_higher_ids_counts_where_no_number_of_classes_is_told(ids):
    labels = np.uint16([[[id_]] for id_ in (*ids, ids[0])])
    truth = np.full_like(labels, ids[0])
    assert metrics.flip_rate(labels) == 1.0
    assert metrics.blink(labels) == 1.0
    assert metrics.static_flip_rate(labels, truth) == 1.0
    assert metrics.video_consistency(labels, truth, window=3).windows == 1


def test_id_255_beside_higher_ids_is_consistent_with_none_of_them():
    labels = np.uint16([[[255]], [[300]], [[255]]])
    assert metrics.temporal_consistency(labels, STILL[[0, 0], :1, :1]) == 0.0


def test_65535_beside_255_is_void_where_no_number_of_classes_is_told():
    labels = np.uint16([[[255, 255]], [[255, 65535]], [[255, 255]]])
    assert metrics.flip_rate(labels) == 0.0
    assert metrics.blink(labels) == 0.0
    assert metrics.static_flip_rate(labels, labels) == 0.0
    assert metrics.video_consistency(labels, labels, window=3).vc == 1.0
    assert metrics.temporal_consistency(labels, STILL[[0, 0], :1, :2]) == 1.0


def test_no_maps_have_no_flips():
    assert np.isnan(metrics.flip_rate([]))
    assert np.isnan(metrics.blink([]))


def test_object_255_of_many_is_an_object():
    found = metrics.region_similarity(WRONG, TRUTH, objects=CLASSES)
    assert found.j_mean < 1


def test_65535_is_void_beside_many_classes():
    truth = np.where(TRUTH == 255, 65535, TRUTH).astype(np.uint16)
    assert metrics.mean_iou(WRONG, truth, classes=CLASSES) == 1.0


def test_255_stays_void_beside_few_classes():
    assert metrics.mean_iou(WRONG, TRUTH, classes=8) == 1.0


@pytest.mark.parametrize(("highest", "consistency"), [(7, 0.25), (255, 1.0), (300, 0.25)])
def test_consistency_counts_classes_over_all_maps_of_a_list(highest, consistency):
    first, last = np.full((8, 10), 1, np.uint8), np.full((8, 10), highest, np.uint16)
    flow = np.repeat(STILL, 2, axis=0)
    assert metrics.temporal_consistency([first, first, last], flow) == consistency
