"""Kernels on the working grid against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels import fields
from tests import naive

SIZES = [(1, 1), (7, 5), (16, 33), (40, 24)]


def _scene(seed: int, size: tuple[int, int], reach: float = 6.0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 256, size, dtype=np.uint8)
    source = rng.integers(0, 256, size, dtype=np.uint8)
    flow = rng.normal(0, reach, (*size, 2)).astype(np.float32)
    return target, source, flow


@pytest.mark.parametrize("size", SIZES)
def test_compose_follows_the_definition(size):
    rng = np.random.default_rng(1)
    step, motion = rng.normal(0, 5, (2, *size, 2)).astype(np.float32)
    out = np.empty_like(step)
    fields.compose(step, motion, out)
    np.testing.assert_allclose(out, naive.compose(step, motion), atol=1e-4)


def test_composing_two_shifts_adds_them():
    step = np.full((9, 11, 2), (1.5, -2.0), np.float32)
    motion = np.full((9, 11, 2), (0.25, 4.0), np.float32)
    out = np.empty_like(step)
    fields.compose(step, motion, out)
    assert np.all(out == np.float32((1.75, 2.0)))


@pytest.mark.parametrize("size", SIZES)
def test_disagreement_is_the_share_that_does_not_come_back(size):
    rng = np.random.default_rng(7)
    there = rng.normal(0, 5, (*size, 2)).astype(np.float32)
    back = (rng.normal(0, 2, (*size, 2)) - there.mean(axis=(0, 1))).astype(np.float32)
    miss = np.abs(naive.compose(there, back)).max(axis=2)
    missed = miss > 1.5 + 0.2 * np.abs(there).max(axis=2)
    assert fields.disagreement(there, back, 1.5, 0.2) == pytest.approx(missed[::2, ::2].mean())


@pytest.mark.parametrize("size", SIZES)
def test_residual_follows_the_definition(size):
    target, source, flow = _scene(2, size)
    out = np.empty_like(target)
    fields.residual(target, source, flow, out)
    np.testing.assert_allclose(out, naive.residual(target, source, flow), atol=0.51)


def test_residual_of_the_right_motion_is_zero():
    rng = np.random.default_rng(3)
    wide = rng.integers(0, 256, (20, 40), dtype=np.uint8)
    source, target = wide[:, :30], wide[:, 4:34]
    flow = np.full((20, 30, 2), (4.0, 0.0), np.float32)
    out = np.empty((20, 30), np.uint8)
    fields.residual(np.ascontiguousarray(target), np.ascontiguousarray(source), flow, out)
    assert not out[:, :26].any()
    assert np.all(out[:, 27:] == fields.OUTSIDE)


@pytest.mark.parametrize(("here", "there"), [(0, 255), (255, 0)])
def test_black_against_white_is_not_outside_the_picture(here, there):
    target, source = np.full((5, 9), here, np.uint8), np.full((5, 9), there, np.uint8)
    flow = np.zeros((5, 9, 2), np.float32)
    out = np.empty_like(target)
    fields.residual(target, source, flow, out)
    assert np.all(out == 254)
    np.testing.assert_array_equal(out, naive.residual(target, source, flow))


@pytest.mark.parametrize("size", [(7, 5), (16, 33), (40, 24)])
def test_structure_follows_the_definition(size):
    target, source, flow = _scene(4, size, reach=2.0)
    out = np.empty((-(-size[0] // 16), -(-size[1] // 16), 2), np.float32)
    fields.structure(target, source, flow, 16, out)
    np.testing.assert_allclose(out, naive.structure(target, source, flow, 16), atol=1e-4)


def test_pull_weights_looks_the_residual_up():
    flow = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    blurred = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    table = np.linspace(1, 0, 256).astype(np.float32)
    out = np.empty((2, 3, 3), np.float32)
    fields.pull_weights(flow, blurred, table, 0.5, out)
    np.testing.assert_array_equal(out[..., :2], flow)
    np.testing.assert_allclose(out[..., 2], table[blurred] * 0.5)
