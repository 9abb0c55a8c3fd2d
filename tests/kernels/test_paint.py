"""Drawing kernels against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels.paint import count_labels, paint
from tests import naive


@pytest.mark.parametrize("size", [(8, 10), (7, 9), (1, 1), (5, 2)])
@pytest.mark.parametrize("reach", [1, 2])
def test_paint_follows_the_definition(size, reach):
    rng = np.random.default_rng(0)
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    planes = tuple(rng.integers(0, 256, s, dtype=np.uint8) for s in (size, half, half))
    labels = rng.integers(0, 3, size, dtype=np.uint8)
    colours = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    alphas = np.zeros(256, np.uint16)
    alphas[1:3] = 128, 256
    out = tuple(np.empty_like(plane) for plane in planes)
    paint(planes, labels, colours, alphas, 230, reach, out)
    for drawn, expected in zip(
        out, naive.paint(planes, labels, colours, alphas, 230, reach), strict=True
    ):
        np.testing.assert_allclose(drawn, expected, atol=1.01)


def test_untinted_labels_leave_the_picture_alone():
    rng = np.random.default_rng(1)
    planes = tuple(rng.integers(0, 256, s, dtype=np.uint8) for s in ((6, 6), (3, 3), (3, 3)))
    out = tuple(np.empty_like(plane) for plane in planes)
    nothing = np.zeros(256, np.uint16)
    colours = np.zeros((256, 3), np.uint8)
    paint(planes, np.zeros((6, 6), np.uint8), colours, nothing, 230, 1, out)
    for drawn, plane in zip(out, planes, strict=True):
        np.testing.assert_array_equal(drawn, plane)


def test_every_pixel_is_counted_once():
    labels = np.random.default_rng(2).integers(0, 256, (31, 17), dtype=np.uint8)
    counts = np.empty(256, np.int64)
    count_labels(labels, counts)
    np.testing.assert_array_equal(counts, np.bincount(labels.ravel(), minlength=256))
