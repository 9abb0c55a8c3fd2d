"""The motion that judges: against exact motion, and its habits."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from tempseg.metrics import Judge
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import RgbPicture


@pytest.fixture(scope="module")
def scene():
    shape = MovingShape((96, 150), (70, 90), velocity=(4.0, 1.5))
    return moving_shapes(
        [shape], width=320, height=192, frame_count=4, background_velocity=(-1.0, 0.5)
    )


def _luma(scene, index):
    return RgbPicture(scene.render(index).image).luma()


def test_both_directions_follow_exact_motion(scene):
    with Judge() as judge:
        # A scene's motion pulls the frame before onto a frame: the backward one of the pair.
        pair = judge.pair(_luma(scene, 1), _luma(scene, 2))
    exact = scene.render(2)
    errors = np.linalg.norm(pair.backward - exact.flow, axis=2)[exact.visible]
    assert np.median(errors) < 0.15
    assert np.mean(errors) < 0.5
    inner = (slice(140, 165), slice(90, 115))
    np.testing.assert_allclose(
        np.median(pair.forward[inner].reshape(-1, 2), axis=0), (4.0, 1.5), atol=0.2
    )


def test_stripes_that_move_by_their_own_period_do_not_stand_still():
    rng = np.random.default_rng(0)
    clouds = cv2.GaussianBlur(rng.normal(0, 1, (192, 400)), (0, 0), 12)
    wide = 128 + 25 * clouds / clouds.std() + 20 * np.sin(2 * np.pi * np.arange(400) / 12)
    luma, following = (
        np.clip(wide[:, start : start + 320] + rng.normal(0, 2, (192, 320)), 0, 255).astype(
            np.uint8
        )
        for start in (20, 8)
    )
    with Judge() as judge:
        forward = judge.pair(luma, following).forward[32:-32, 32:-32]
    assert np.mean(np.abs(forward[..., 0] - 12) < 1) > 0.99


def test_what_a_thing_covers_is_occluded(scene):
    with Judge() as judge:
        pair = judge.pair(_luma(scene, 1), _luma(scene, 2))
    assert 0 < pair.occluded.mean() < 0.1


def test_new_content_is_a_scene_change_and_motion_is_none(scene):
    noise = np.random.default_rng(1).integers(0, 256, (192, 320), dtype=np.uint8)
    with Judge() as judge:
        moved = judge.pair(_luma(scene, 1), _luma(scene, 2)).scene_change
        changed = judge.pair(_luma(scene, 1), noise).scene_change
    assert moved < 0.1 < 0.3 < changed


def test_same_pictures_give_the_same_fields(scene):
    with Judge() as judge:
        first, second = (judge.pair(_luma(scene, 0), _luma(scene, 1)) for _ in range(2))
    assert first.forward.tobytes() == second.forward.tobytes()
    assert first.backward.tobytes() == second.backward.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (40, 40), (97, 65)])
def test_any_size_is_judged(size):
    luma = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    with Judge() as judge:
        pair = judge.pair(luma, luma)
    assert pair.forward.shape == (*size, 2)
    assert np.abs(pair.forward).max() < 0.5
    assert not pair.occluded.any()


def test_no_thread_is_left_behind():
    before = set(threading.enumerate())
    luma = np.zeros((60, 80), np.uint8)
    with Judge() as judge:
        judge.pair(luma, luma)
    assert set(threading.enumerate()) == before


def test_pictures_of_two_sizes_are_refused():
    with Judge() as judge, pytest.raises(ValueError, match="expected one size"):
        judge.pair(np.zeros((60, 80), np.uint8), np.zeros((60, 81), np.uint8))
