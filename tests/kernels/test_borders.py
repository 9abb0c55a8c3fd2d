"""Kernels on borders between carried labels against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels import borders
from tests import naive

GRIDS = [((12, 20), (12, 20), (12, 20)), ((9, 16), (36, 64), (13, 21)), ((1, 1), (5, 4), (3, 7))]


def _scene(working, frame, grid):
    rng = np.random.default_rng(3)
    winners = rng.integers(0, 5, grid, dtype=np.uint8)
    flow = rng.normal(0, 2, (*working, 2)).astype(np.float32)
    scale_y, scale_x = grid[0] / frame[0], grid[1] / frame[1]
    placement = (scale_x, 0.5 * scale_x - 0.5, scale_y, 0.5 * scale_y - 0.5)
    return rng, winners, flow, placement


@pytest.mark.parametrize(("working", "frame", "grid"), GRIDS)
def test_carried_labels_follow_the_definition(working, frame, grid):
    _, winners, flow, placement = _scene(working, frame, grid)
    out = np.empty(working, np.uint8)
    borders.carried_labels(winners, flow, frame, placement, out)
    np.testing.assert_array_equal(out, naive.carried_labels(winners, flow, frame, placement))


@pytest.mark.parametrize(("working", "frame", "grid"), GRIDS)
@pytest.mark.parametrize("reach", [1, 3])
def test_border_errors_follow_the_definition(working, frame, grid, reach):
    rng, winners, flow, placement = _scene(working, frame, grid)
    clearance = rng.integers(1, 6, grid, dtype=np.uint8)
    error = rng.choice(np.array([0, 1, 2, 90, 254, 255], np.uint8), working)
    new = rng.random(working) < 0.4
    found = np.zeros(5, np.int64), np.zeros(5, np.int64), np.zeros(2, np.int64)
    seen = winners, clearance, flow, frame, placement, reach, error, 1, new
    borders.border_errors(*seen, *found)
    for one, expected in zip(found, naive.border_errors(*seen, labels=5), strict=True):
        np.testing.assert_array_equal(one, expected)
