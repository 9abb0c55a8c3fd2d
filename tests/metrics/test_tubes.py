"""The kernels that follow outlines, against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels import tubes
from tests.metrics import naive_tubes as naive

SIZES = [(1, 1), (1, 9), (7, 1), (8, 11)]


def _numbers(seed: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, size).astype(np.uint16)


@pytest.mark.parametrize("size", SIZES)
def test_edges_are_the_boundaries_of_all_numbers(size):
    numbers = _numbers(1, size)
    out = np.full(size, 7, np.uint8)
    tubes.edges(numbers, out)
    assert naive.pixels(out) == set().union(*(naive.boundary(numbers == i) for i in range(4)))


@pytest.mark.parametrize("size", SIZES)
def test_boundary_pixels_count_by_the_distance_of_the_nearest(size):
    numbers, others = _numbers(2, size), _numbers(3, size)
    edges, other_edges = np.empty(size, np.uint8), np.empty(size, np.uint8)
    tubes.edges(numbers, edges)
    tubes.edges(others, other_edges)
    offsets = np.array([[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]])
    out = np.zeros((4, 3), np.int64)
    tubes.boundary_distances(
        numbers, others, edges, other_edges, offsets, np.array([0, 1, 1, 1, 1]), out
    )
    expected = np.zeros((4, 3), np.int64)
    for number in range(1, 4):
        other = naive.boundary(others == number)
        for pixel in naive.boundary(numbers == number):
            reached = [naive.near({pixel}, other, reach) for reach in (0, 1)]
            expected[number, reached.index(1.0) if 1.0 in reached else 2] += 1
    np.testing.assert_array_equal(out, expected)


def test_counts_are_added_to_what_is_there():
    numbers = np.array([[1, 0]], np.uint16)
    edges = np.array([[1, 0]], np.uint8)
    out = np.full((2, 2), 5, np.int64)
    offsets = np.zeros((1, 2), np.int64)
    tubes.boundary_distances(numbers, numbers, edges, edges, offsets, np.zeros(1, np.int64), out)
    assert out.tolist() == [[5, 5], [6, 5]]
