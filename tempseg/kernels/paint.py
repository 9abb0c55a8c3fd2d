"""Kernels that draw label maps over a picture's planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import LabelArray, UInt8Array

__all__ = ["count_labels", "paint"]


@inlined
def _tint(
    labels: LabelArray, y: int, x: int, reach: int, alphas: NDArray[np.uint16], outline: int
) -> tuple[int, int]:
    """Return the label that tints a pixel, and how strongly (0..256).

    Next to a border between labels the tinted side of it is drawn with the outline's strength.
    """
    height, width = labels.shape
    label = labels[y, x]
    alpha = int(alphas[label])
    right = labels[y, min(x + reach, width - 1)]
    below = labels[min(y + reach, height - 1), x]
    if right != label or below != label:
        other = right if right != label else below
        if alpha == 0 and alphas[other] != 0:
            return int(other), outline
        if alpha != 0:
            return int(label), outline
    return int(label), alpha


@kernel
def paint(
    planes: tuple[UInt8Array, UInt8Array, UInt8Array],
    labels: LabelArray,
    colours: UInt8Array,
    alphas: NDArray[np.uint16],
    outline: int,
    reach: int,
    out: tuple[UInt8Array, UInt8Array, UInt8Array],
) -> None:
    """Blend each label's colour over 4:2:0 planes.

    Parameters
    ----------
    planes, out : (y, u, v)
        y (H, W); u and v ((H+1)//2, (W+1)//2).
    labels : array, shape (H, W)
    colours : array, shape (n, 3)
        (Y, U, V) of each label.
    alphas : array, shape (n,)
        Strength of each label's tint in 1/256.
    outline : int
        Strength of the tint along borders between labels in 1/256.
    reach : int
        Width of that line in pixels.
    """
    height, width = labels.shape
    rows, columns = planes[1].shape
    for row in range(rows):
        for column in range(columns):
            count = 0
            sum_u = 0
            sum_v = 0
            sum_a = 0
            for y in range(2 * row, min(2 * row + 2, height)):
                for x in range(2 * column, min(2 * column + 2, width)):
                    label, alpha = _tint(labels, y, x, reach, alphas, outline)
                    luma = int(planes[0][y, x])
                    out[0][y, x] = (luma * (256 - alpha) + int(colours[label, 0]) * alpha) >> 8
                    sum_u += int(colours[label, 1]) * alpha
                    sum_v += int(colours[label, 2]) * alpha
                    sum_a += alpha
                    count += 1
            rest = 256 * count - sum_a
            out[1][row, column] = (int(planes[1][row, column]) * rest + sum_u) // (256 * count)
            out[2][row, column] = (int(planes[2][row, column]) * rest + sum_v) // (256 * count)


@kernel
def count_labels(labels: LabelArray, out: NDArray[np.int64]) -> None:
    """Write how many pixels hold each label; `out` has a place for every value of the dtype."""
    out[:] = 0
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            out[labels[y, x]] += 1
