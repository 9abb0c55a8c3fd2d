"""Answers brought from one grid over a frame to another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.types import FloatArray, LabelArray, Placement

__all__ = ["labels_on", "scores_on", "shifted"]


def scores_on(
    scores: FloatArray, source: Placement, *, size: tuple[int, int], target: Placement
) -> FloatArray:
    """Return scores on another grid, bilinear between cells, the outermost ones continued.

    Parameters
    ----------
    scores : ndarray, shape (h, w, C), float32
    source : Placement
        Where `scores` lie on the frame.
    size : (int, int)
        Height and width of the grid wanted.
    target : Placement
        Where that grid lies.

    Returns
    -------
    ndarray, shape (*size, C), float32

    Examples
    --------
    >>> ramp = np.float32([[[0], [1]]])
    >>> one, two = Placement(1, 0, 1, 0), Placement(2, 0, 1, 0)
    >>> scores_on(ramp, one, size=(1, 3), target=two)[..., 0].tolist()
    [[0.0, 0.5, 1.0]]
    """
    ys, xs = _coordinates(source, size, target)
    return _along(_along(scores, ys, axis=0), xs, axis=1)


def labels_on(
    labels: LabelArray, source: Placement, *, size: tuple[int, int], target: Placement
) -> LabelArray:
    """Return labels on another grid, each from the nearest cell; parameters as `scores_on`."""
    ys, xs = _coordinates(source, size, target)
    rows = np.clip(np.rint(ys), 0, labels.shape[0] - 1).astype(np.intp)
    columns = np.clip(np.rint(xs), 0, labels.shape[1] - 1).astype(np.intp)
    return labels[rows[:, None], columns]


def shifted(placement: Placement, *, down: float, right: float) -> Placement:
    """Return where a grid lies on a frame that the given placement's picture is a part of.

    `down` and `right` say where in the frame that picture begins, in pixels.
    """
    return Placement(
        placement.scale_x,
        placement.offset_x - placement.scale_x * right,
        placement.scale_y,
        placement.offset_y - placement.scale_y * down,
    )


def _coordinates(
    source: Placement, size: tuple[int, int], target: Placement
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ys: NDArray[Any] = (np.arange(size[0]) - target.offset_y) / target.scale_y
    xs: NDArray[Any] = (np.arange(size[1]) - target.offset_x) / target.scale_x
    return ys * source.scale_y + source.offset_y, xs * source.scale_x + source.offset_x


def _along(values: FloatArray, places: NDArray[np.float64], *, axis: int) -> FloatArray:
    last = values.shape[axis] - 1
    clipped = np.clip(places, 0, last)
    # Rounding must not make neighbours of cells that fall on one another.
    whole = np.rint(clipped)
    if len(places) == last + 1 and np.abs(clipped - np.arange(last + 1)).max() < 1e-6:
        return values
    clipped = np.where(np.abs(clipped - whole) < 1e-6, whole, clipped)
    before = clipped.astype(np.intp)
    after = np.minimum(before + 1, last)
    share: NDArray[Any] = (clipped - before).astype(np.float32)
    share = share[:, None, None] if axis == 0 else share[None, :, None]
    mixed: FloatArray = values.take(after, axis=axis)
    first = values.take(before, axis=axis)
    np.subtract(mixed, first, out=mixed)
    np.multiply(mixed, share, out=mixed)
    np.add(mixed, first, out=mixed)
    return mixed
