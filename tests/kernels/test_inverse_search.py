"""Dense inverse search: patches found again, their motion spread, and the flow they make."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tempseg.flows import DisFlow
from tempseg.kernels.inverse_search import MARGIN, PATCH, search, spread
from tests import naive


def _texture(seed: int, size: tuple[int, int]):
    """Return a smooth picture, so that parts of a pixel can be told."""
    noise = np.random.default_rng(seed).normal(0, 1, size).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(128 + 50 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def _moved(picture, dx: float, dy: float):
    """Return what a camera sees that pulls every pixel from (dx, dy) further on."""
    shift = np.float32([[1, 0, -dx], [0, 1, -dy]])
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(
        picture, shift, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def _wide(picture):
    return cv2.copyMakeBorder(picture, *(MARGIN,) * 4, cv2.BORDER_REPLICATE).astype(np.float32)


def _grid(size: tuple[int, int], stride: int) -> tuple[int, int]:
    return 1 + (size[0] - PATCH) // stride, 1 + (size[1] - PATCH) // stride


@pytest.mark.parametrize("preset", ["fast", "medium", "slow"])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.25), (3.3, 1.6), (-6.0, 3.5)])
def test_a_shift_is_found_to_a_twentieth_of_a_pixel(preset, shift):
    source = _texture(1, (61, 90))
    flow = DisFlow(preset).estimate(_moved(source, *shift), source)
    inner = flow[12:-12, 12:-12] - np.float32(shift)
    assert np.median(np.abs(inner)) < 0.05
    assert np.mean(np.abs(inner) < 0.25) > 0.95


def test_each_of_two_things_keeps_its_motion():
    ground, thing = _texture(2, (80, 120)), _texture(3, (80, 120))
    source, target = ground.copy(), _moved(ground, -2.0, 0.0)
    source[20:60, 30:70] = thing[20:60, 30:70]
    target[20:60, 36:76] = thing[20:60, 30:70]
    flow = DisFlow("medium").estimate(target, source)
    assert np.median(np.abs(flow[26:54, 42:70] - np.float32((-6, 0)))) < 0.1
    assert np.median(np.abs(flow[8:72, 88:112] - np.float32((-2, 0)))) < 0.1


def test_a_change_of_light_is_no_motion():
    source = _texture(4, (64, 64)) // 2 + 20
    flow = DisFlow("medium").estimate(source + np.uint8(40), source)
    assert np.abs(flow).max() < 0.05


def test_flat_pictures_do_not_move():
    flat = np.full((40, 56), 77, np.uint8)
    assert not DisFlow("fast").estimate(flat, flat).any()


def test_what_is_remembered_of_pictures_changes_nothing():
    pictures = [_texture(seed, (48, 64)) for seed in range(5)]
    kept = DisFlow("medium")
    for target, source in [(0, 1), (1, 0), (1, 2), (3, 4), (0, 4), (2, 0)]:
        fresh = DisFlow("medium").estimate(pictures[target], pictures[source])
        assert np.array_equal(kept.estimate(pictures[target], pictures[source]), fresh)


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (48, 49)])
def test_any_size_from_one_patch_on_is_answered(size):
    flow = DisFlow("fast").estimate(_texture(5, size), _texture(6, size))
    assert flow.shape == (*size, 2)
    assert np.isfinite(flow).all()


def test_a_picture_smaller_than_a_patch_is_refused():
    small = np.zeros((7, 40), np.uint8)
    with pytest.raises(ValueError, match=r"pictures are \(7, 40\), expected 8 pixels a side"):
        DisFlow("fast").estimate(small, small)


@pytest.mark.parametrize("far", [-1e6, 1e6])
def test_a_patch_that_begins_far_outside_finds_its_way_back(far):
    size, stride = (32, 40), 6
    picture = _texture(7, size)
    found = np.empty((*_grid(size, stride), 2), np.float32)
    coarse = np.full((1, 1, 2), far, np.float32)
    wide = _wide(picture)
    search(wide, wide, *cv2.spatialGradient(picture), coarse, stride, 4, found)
    assert not found.any()


@pytest.mark.parametrize(("size", "stride"), [((8, 8), 6), ((23, 30), 6), ((24, 29), 5)])
def test_spreading_follows_the_definition(size, stride):
    rng = np.random.default_rng(9)
    target, source = rng.integers(0, 256, (2, *size)).astype(np.uint8)
    found = rng.normal(0, 4, (*_grid(size, stride), 2)).astype(np.float32)
    out = np.empty((*size, 2), np.float32)
    spread(_wide(target), _wide(source), found, stride, out)
    expected = naive.spread_motion(target, source, found, stride, PATCH)
    np.testing.assert_allclose(out, expected, atol=1e-3)
