"""RGB to YUV by a picture's own colour tags, and from one picture's tags to another's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.types import ColourTags, Planes, UInt8Array

__all__ = ["rgb_to_yuv", "under_tags"]

LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""Red's and blue's share of the luma by matrix number (ITU-T H.273, table 4)."""

BT601_WEIGHTS = (0.299, 0.114)


def rgb_to_yuv(rgb: NDArray[np.floating] | UInt8Array, colour: ColourTags) -> NDArray[np.float64]:
    """Return (Y, U, V) of colours (..., 3) in [0, 255], as samples under these tags.

    Examples
    --------
    >>> import numpy as np
    >>> white = np.array([[255, 255, 255]], np.uint8)
    >>> rgb_to_yuv(white, ColourTags(matrix=1)).round().tolist()
    [[235.0, 128.0, 128.0]]
    """
    red_weight, blue_weight = LUMA_WEIGHTS.get(colour.matrix, BT601_WEIGHTS)
    red, green, blue = (rgb[..., c].astype(np.float64) for c in range(3))
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    u = (blue - luma) / (2 * (1 - blue_weight))
    v = (red - luma) / (2 * (1 - red_weight))
    if colour.full_range:
        return np.stack([luma, u + 128, v + 128], axis=-1)
    return np.stack([16 + luma * (219 / 255), 128 + u * (224 / 255), 128 + v * (224 / 255)], -1)


def under_tags(planes: Planes, colour: ColourTags) -> Planes:
    """Return planes that show the same under other tags; the same ones where nothing changes.

    Matrix and range are converted; primaries and transfer are taken as they are.
    """
    own = planes.colour
    if (own.matrix, own.full_range) == (colour.matrix, colour.full_range):
        return planes
    # Grays stay grays, so that chroma needs no luma, and the luma's share of it is smooth.
    step = _linear(colour) @ np.linalg.inv(_linear(own))
    chroma = np.stack([planes.u, planes.v]).astype(np.float32) - 128
    height, width = planes.y.shape
    added = np.tensordot(step[0, 1:].astype(np.float32), chroma, 1)
    added = added.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    y = (planes.y - np.float32(_black(own))) * np.float32(step[0, 0]) + added
    u, v = np.tensordot(step[1:, 1:].astype(np.float32), chroma, 1) + 128
    return Planes(_samples(y + np.float32(_black(colour))), _samples(u), _samples(v), colour)


def _linear(colour: ColourTags) -> NDArray[np.float64]:
    """Return what red, green and blue add to (Y, U, V), one a column."""
    return (rgb_to_yuv(np.eye(3), colour) - rgb_to_yuv(np.zeros(3), colour)).T


def _black(colour: ColourTags) -> int:
    return 0 if colour.full_range else 16


def _samples(values: NDArray[np.float32]) -> UInt8Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
