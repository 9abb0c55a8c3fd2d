"""Kernels that follow the outlines of numbered areas.

Maps hold a number a pixel; 0 belongs to no area. A pixel lies on an area's boundary where it and
its right, lower or lower right neighbour are not all in the area or all outside; neighbours
beyond the frame do not count. So a pixel lies on the boundaries of all areas that it and these
neighbours belong to, unless they all belong to one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import UInt8Array

__all__ = ["boundary_distances", "edges"]

NumberArray = NDArray[np.uint16]
IntArray = NDArray[np.int64]


@kernel
def edges(numbers: NumberArray, out: UInt8Array) -> None:
    """Write 1 where the right, lower or lower right neighbour holds another number, else 0."""
    height, width = numbers.shape
    for y in range(height):
        own, below = numbers[y], numbers[min(y + 1, height - 1)]
        for x in range(width):
            right = min(x + 1, width - 1)
            number = own[x]
            out[y, x] = (own[right] != number) | (below[x] != number) | (below[right] != number)


@inlined
def _touches(numbers: NumberArray, y: int, x: int, number: int) -> bool:
    """Return whether the pixel or one of its three neighbours holds the number."""
    height, width = numbers.shape
    below, right = min(y + 1, height - 1), min(x + 1, width - 1)
    return bool(
        (numbers[y, x] == number)
        | (numbers[y, right] == number)
        | (numbers[below, x] == number)
        | (numbers[below, right] == number)
    )


@kernel
def boundary_distances(
    numbers: NumberArray,
    others: NumberArray,
    number_edges: UInt8Array,
    other_edges: UInt8Array,
    offsets: IntArray,
    ranks: IntArray,
    out: IntArray,
) -> None:
    """Count, an area, its boundary pixels by how near the other map's boundary of it is.

    Parameters
    ----------
    numbers, others : array, shape (H, W)
        The map whose boundary pixels are counted, and the one they are held against.
    number_edges, other_edges : array, shape (H, W)
        What `edges` writes of them.
    offsets : array, shape (n, 2)
        (dy, dx) of the places looked at, nearest first.
    ranks : array, shape (n,)
        Which column of `out` a boundary found at that offset counts for, rising.
    out : array, shape (areas + 1, ranks + 1)
        Row: the area's number; last column: nothing found. Is added to.
    """
    height, width = numbers.shape
    nowhere = out.shape[1] - 1
    found = np.zeros(4, np.int64)
    for y in range(height):
        below = min(y + 1, height - 1)
        for x in range(width):
            if number_edges[y, x] == 0:
                continue
            right = min(x + 1, width - 1)
            found[0] = numbers[y, x]
            found[1] = numbers[y, right]
            found[2] = numbers[below, x]
            found[3] = numbers[below, right]
            for i in range(4):
                number = found[i]
                known = number == 0
                for j in range(i):
                    known = known or found[j] == number
                if known:
                    continue
                column = nowhere
                for k in range(offsets.shape[0]):
                    oy, ox = y + offsets[k, 0], x + offsets[k, 1]
                    if oy < 0 or ox < 0 or oy >= height or ox >= width:
                        continue
                    if other_edges[oy, ox] != 0 and _touches(others, oy, ox, number):
                        column = ranks[k]
                        break
                out[number, column] += 1
