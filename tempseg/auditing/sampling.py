"""Which frames are audited."""

from __future__ import annotations

import random
from itertools import pairwise

__all__ = ["draw", "strata"]


def strata(population: int, count: int) -> list[range]:
    """Return the places 0 to `population - 1` in `count` neighbouring runs, as even as can be.

    Examples
    --------
    >>> strata(7, 3)
    [range(0, 2), range(2, 4), range(4, 7)]
    """
    edges = [population * part // count for part in range(count + 1)]
    return [range(a, b) for a, b in pairwise(edges)]


def draw(population: int, count: int, *, seed: int) -> list[int]:
    """Return `count` of the places 0 to `population - 1`, rising; all where there are fewer.

    One is drawn from each stratum of time, so that no part of a video goes unseen and frames that
    resemble their neighbours are not drawn twice. Every place is as likely as any other, but for
    what uneven strata make of it.

    Examples
    --------
    >>> draw(4, 10, seed=0)
    [0, 1, 2, 3]
    >>> len(draw(1000, 10, seed=0))
    10
    """
    if population < 0 or count < 0:
        raise ValueError(f"population is {population}, count {count}, expected at least 0")
    if count >= population:
        return list(range(population))
    # Only `random()` promises the same numbers in every version of Python.
    chance = random.Random(seed)
    return [part[int(chance.random() * len(part))] for part in strata(population, count)]
