"""Kernels that draw label maps over a picture's planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import LabelArray, UInt8Array

__all__ = ["count_labels", "paint"]

BLOCK = 32
"""Pixels that are looked at together for edges."""


@inlined
def _mix(
    plane: UInt8Array, out: UInt8Array, row: int, start: int, end: int, colour: int, alpha: int
) -> None:
    """Blend a colour over part of a row; alpha in 1/256."""
    # Slices, because only indices that cannot be negative let the loop become vector code.
    source, target = plane[row, start:end], out[row, start:end]
    if alpha == 0:
        for x in range(target.shape[0]):
            target[x] = source[x]
        return
    added = np.uint16(int(colour) * int(alpha))
    kept = np.uint16(256 - alpha)
    for x in range(target.shape[0]):
        target[x] = np.uint8((np.uint16(source[x]) * kept + added) >> np.uint16(8))


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

    A pixel whose right or lower neighbour at `reach` holds another label is drawn as outline: in
    its own label's colour, or the neighbour's where its own is untinted. Chroma takes the tint
    of every other pixel of every other row.

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
        Strength of the tint of outlines in 1/256.
    reach : int
        Width of an outline in pixels.
    """
    height, width = labels.shape
    edge = np.empty(width, np.uint8)
    for y in range(height):
        below = min(y + reach, height - 1)
        line, under, ahead = labels[y], labels[below], labels[y, reach:]
        for x in range(width):
            edge[x] = line[x] != under[x]
        for x in range(ahead.shape[0]):
            edge[x] |= line[x] != ahead[x]
        for x in range(ahead.shape[0], width):
            edge[x] |= line[x] != line[width - 1]
        x = 0
        while x < width:
            label = labels[y, x]
            tint, alpha = int(label), int(alphas[label])
            if edge[x]:
                end = x + 1
                right = labels[y, min(x + reach, width - 1)]
                other = right if right != label else labels[below, x]
                if alpha != 0:
                    alpha = outline
                    while end < width and edge[end] and labels[y, end] == label:
                        end += 1
                elif alphas[other] != 0:
                    tint, alpha = int(other), outline
            else:
                # Most pixels lie in runs of one label, which are found and mixed at once.
                end = x
                while end + BLOCK <= width and labels[y, end] == label:
                    edges = np.uint8(0)
                    for found in edge[end : end + BLOCK]:
                        edges |= found
                    if edges:
                        break
                    end += BLOCK
                while end < width and labels[y, end] == label and not edge[end]:
                    end += 1
            _mix(planes[0], out[0], y, x, end, colours[tint, 0], alpha)
            if y % 2 == 0:
                left, stop = (x + 1) // 2, (end + 1) // 2
                _mix(planes[1], out[1], y // 2, left, stop, colours[tint, 1], alpha)
                _mix(planes[2], out[2], y // 2, left, stop, colours[tint, 2], alpha)
            x = end


@kernel
def count_labels(labels: LabelArray, out: NDArray[np.int64]) -> None:
    """Write how many pixels hold each label; `out` has a place for every value of the dtype."""
    out[:] = 0
    height, width = labels.shape
    for y in range(height):
        start = 0
        for x in range(1, width):
            if labels[y, x] != labels[y, start]:
                out[labels[y, start]] += x - start
                start = x
        out[labels[y, start]] += width - start
