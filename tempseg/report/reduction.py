"""Long curves made short enough to draw."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tempseg.report.records import FloatColumn

__all__ = ["CURVE_POINTS", "bucket_edges", "bucket_means", "extremes", "rounded"]

CURVE_POINTS = 2000
"""More than a screen has columns."""


def bucket_edges(count: int, buckets: int) -> NDArray[np.intp]:
    """Return where `count` values are cut into at most `buckets` even parts; ends included.

    Examples
    --------
    >>> bucket_edges(7, 3).tolist()
    [0, 2, 4, 7]
    """
    parts = min(buckets, count)
    return np.arange(parts + 1) * count // max(parts, 1)


def extremes(
    time_s: FloatColumn, values: FloatColumn, *, points: int = CURVE_POINTS
) -> tuple[FloatColumn, FloatColumn]:
    """Return times and values of at most `points` points that keep every peak and dip.

    A curve that is short enough comes back as it is. Of a longer one, every bucket gives its
    least and its greatest value, at their own times and in their order.

    Parameters
    ----------
    time_s, values : ndarray, shape (N,), float64
        Values may be nan; a bucket of nothing else gives one nan.

    Examples
    --------
    >>> time_s = np.arange(6.0)
    >>> extremes(time_s, np.array([0, 9, 1, 2, -5, 3.0]), points=4)[1].tolist()
    [0.0, 9.0, -5.0, 3.0]
    """
    if len(values) <= points:
        return time_s, values
    edges = bucket_edges(len(values), points // 2)
    kept: list[int] = []
    for start, end in pairwise(edges):
        part = values[start:end]
        if np.isnan(part).all():
            kept.append(int(start))
            continue
        least, greatest = int(np.nanargmin(part)), int(np.nanargmax(part))
        kept.extend(int(start) + place for place in sorted({least, greatest}))
    return time_s[kept], values[kept]


def bucket_means(values: FloatColumn, edges: NDArray[np.intp]) -> FloatColumn:
    """Return the mean of each part of the values.

    Examples
    --------
    >>> bucket_means(np.array([1.0, 3.0, 8.0]), np.array([0, 2, 3])).tolist()
    [2.0, 8.0]
    """
    sums: FloatColumn = np.add.reduceat(values, edges[:-1])
    return sums / np.diff(edges)


def rounded(values: FloatColumn, digits: int = 4) -> list[float | None]:
    """Return numbers for JSON: so many significant digits, none for nan.

    Examples
    --------
    >>> rounded(np.array([0.123456, np.nan]))
    [0.1235, None]
    """
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]
