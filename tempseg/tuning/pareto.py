"""What nothing else beats in everything at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["front", "layers"]

Point = tuple[float, float]
"""A cost, less is better, and a worth, more is better."""


def front(points: Sequence[Point]) -> list[int]:
    """Return the places of the points that no other beats, by rising cost.

    A point is beaten by one that costs no more and is worth no less, and differs in one of them.
    Of equal points the first stands for all; a point with nan is never on the front.

    Examples
    --------
    >>> front([(1.0, 0.5), (2.0, 0.4), (3.0, 0.9), (3.0, 0.9)])
    [0, 2]
    """
    known = [i for i, (cost, worth) in enumerate(points) if not math.isnan(cost + worth)]
    order = sorted(known, key=lambda i: (points[i][0], -points[i][1], i))
    found: list[int] = []
    for i in order:
        if not found or points[i][1] > points[found[-1]][1]:
            found.append(i)
    return found


def layers(points: Sequence[Point]) -> list[list[int]]:
    """Return the front, then the front of the rest, and so on, until all points have a place.

    Examples
    --------
    >>> layers([(1.0, 0.5), (2.0, 0.4), (3.0, 0.9)])
    [[0, 2], [1]]
    """
    rest = list(range(len(points)))
    found = []
    while rest:
        first = [rest[i] for i in front([points[i] for i in rest])]
        if not first:
            found.append(rest)
            break
        found.append(first)
        taken = set(first)
        rest = [i for i in rest if i not in taken]
    return found
