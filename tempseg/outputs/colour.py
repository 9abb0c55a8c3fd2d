"""RGB to YUV by a picture's own colour tags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.types import ColourTags, UInt8Array

__all__ = ["rgb_to_yuv"]

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
