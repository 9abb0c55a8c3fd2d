"""Kernels on planes seen in perspective against their definition."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels.planes import plane_extents, plane_window

OVERLAP = 2e-4


def _seen(to_screen, left, top, size):
    """Return u, v, depth, whether u and v are inside, and nearness, each sample solved alone."""
    u, v, nearness = np.empty((3, *size))
    for y, x in np.ndindex(*size):
        across, down, nearness[y, x] = np.linalg.solve(to_screen, [left + x, top + y, 1.0])
        u[y, x], v[y, x] = across / nearness[y, x], down / nearness[y, x]
    low, high = -OVERLAP, 1 + OVERLAP
    return u, v, 1 / nearness, (low <= u) & (u <= high) & (low <= v) & (v <= high), nearness


@pytest.mark.parametrize(
    ("to_screen", "behind"),
    [
        # Facing the camera, half the size of the window.
        ([[16.0, 0, 6.0], [0, 12.0, 4.0], [0, 0, 2.0]], False),
        # Receding: the depth grows with u and v.
        ([[40.0, 3.0, 4.0], [10.0, 30.0, 2.0], [1.5, 0.5, 1.0]], False),
        # It goes through the camera: what lies behind would fall on these samples too.
        ([[12.0, 2.0, -5.0], [4.0, 12.0, -5.0], [-3.0, 0.1, 1.0]], True),
    ],
)
def test_a_window_follows_the_definition(to_screen, behind):
    matrix, left, top, size = np.array(to_screen), -8, -5, (20, 24)
    u, v, depth = np.empty((3, *size), np.float32)
    covered = np.empty(size, np.bool_)
    plane_window(np.linalg.inv(matrix), left, top, OVERLAP, u, v, depth, covered)
    *fields, inside, nearness = _seen(matrix, left, top, size)
    assert np.array_equal(covered, inside & (nearness > 0))
    assert (inside & (nearness < 0)).any() == behind
    assert covered.any()
    assert not covered.all()
    for found, right in zip((u, v, depth), fields, strict=True):
        np.testing.assert_allclose(found[covered], right[covered], rtol=1e-4, atol=1e-5)


def test_a_plane_reaches_a_little_over_its_edge_and_no_further():
    # u is the column over 10 at depth 1: column 10 lies on the edge, and within the overlap of a
    # plane that ends a hundredth of a percent before it.
    for shrunk, expected in ((1.0, True), (1 - 1e-4, True), (1 - 1e-3, False)):
        u, v, depth = np.empty((3, 1, 11), np.float32)
        covered = np.empty((1, 11), np.bool_)
        back = np.diag([1 / (10 * shrunk), 1.0, 1.0])
        plane_window(back, 0, 0, OVERLAP, u, v, depth, covered)
        assert covered[0].tolist() == [True] * 10 + [expected]


def test_extents_are_the_first_and_last_pixels_of_each_plane():
    owner = np.full((5, 7), -1, np.int32)
    owner[1:3, 2:6] = 0
    owner[2, 4] = 2
    owner[4, 0] = owner[0, 6] = 3
    low, high = np.full((4, 2), 99), np.full((4, 2), -1)
    plane_extents(owner, low, high)
    assert low.tolist() == [[2, 1], [99, 99], [4, 2], [0, 0]]
    assert high.tolist() == [[5, 2], [-1, -1], [4, 2], [6, 4]]
