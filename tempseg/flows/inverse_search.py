"""Dense inverse search (Kroeger et al., ECCV 2016)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.kernels.inverse_search import MARGIN, PATCH, search, spread
from tempseg.types import FloatArray, UInt8Array

__all__ = ["DisFlow", "DisPreset"]

DisPreset = Literal["fast", "medium", "slow"]

SETTINGS = {"fast": (6, 4), "medium": (5, 6), "slow": (3, 6)}
"""Pixels from patch to patch, and steps of descent in each of two turns.

Down to the full size of the working grid, and without variational refinement: for carrying masks
that is better than a larger grid, and takes less time."""

COARSEST_PX = 4 * PATCH
"""The longer side at the coarsest level: motion by a quarter of the picture is still found."""

KEPT = 3
"""Pyramids kept: each picture is the target, the source, and compared with the next."""


class DisFlow:
    """DIS optical flow.

    Each level of a pyramid finds patches of 8×8 pixels again, from where the coarser level found
    them, and spreads their motion to the pixels. Differs from the paper in that patches also try
    their neighbours' places and no motion, as OpenCV's implementation does.

    Parameters
    ----------
    preset : {'fast', 'medium', 'slow'}
        Trade-off of speed against care.

    Examples
    --------
    >>> import numpy as np
    >>> texture = np.random.default_rng(0).integers(0, 255, (64, 96), dtype=np.uint8)
    >>> flow = DisFlow("fast").estimate(texture, np.roll(texture, 3, axis=1))
    >>> int(np.median(flow[..., 0]).round())
    3
    """

    def __init__(self, preset: DisPreset = "medium") -> None:
        if preset not in get_args(DisPreset):
            raise ValueError(f"preset is {preset!r}, expected one of {get_args(DisPreset)}")
        self._stride, self._steps = SETTINGS[preset]
        self._known: tuple[tuple[bytes, list[_Level]], ...] = ()

    def estimate(self, target: UInt8Array, source: UInt8Array) -> FloatArray:
        """Return the pull field (h, w, 2): `target(p) = source(p + flow(p))`.

        Raises
        ------
        ValueError
            When a side is shorter than a patch.
        """
        if min(target.shape) < PATCH:
            raise ValueError(
                f"pictures are {target.shape}, expected {PATCH} pixels a side at least"
            )
        flow: FloatArray = np.zeros((1, 1, 2), np.float32)
        levels = zip(self._pyramid(target), self._pyramid(source), strict=True)
        for here, there in reversed(list(levels)):
            height, width = here.slopes_x.shape
            rows, columns = (1 + (side - PATCH) // self._stride for side in (height, width))
            found: FloatArray = np.empty((rows, columns, 2), np.float32)
            search(
                here.luma,
                there.luma,
                here.slopes_x,
                here.slopes_y,
                flow,
                self._stride,
                self._steps,
                found,
            )
            flow = np.empty((height, width, 2), np.float32)
            spread(here.luma, there.luma, found, self._stride, flow)
        return flow

    def _pyramid(self, luma: UInt8Array) -> list[_Level]:
        """Return a picture's levels, the finest first, made once for both directions."""
        # By its samples: whoever gave the array may have filled it anew.
        samples = luma.tobytes()
        for known, pyramid in self._known:
            if known == samples and pyramid[0].slopes_x.shape == luma.shape:
                return pyramid
        pyramid = _pyramid(luma)
        self._known = (*self._known, (samples, pyramid))[-KEPT:]
        return pyramid


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """A picture at one size.

    Parameters
    ----------
    luma : ndarray, shape (h + 2 MARGIN, w + 2 MARGIN), float32
        With the border repeated.
    slopes_x, slopes_y : ndarray, shape (h, w), int16
        Its derivatives, of Sobel's filter.
    """

    luma: FloatArray
    slopes_x: NDArray[np.int16]
    slopes_y: NDArray[np.int16]


def _pyramid(luma: UInt8Array) -> list[_Level]:
    longer, shorter = max(luma.shape), min(luma.shape)
    halvings = min(int(math.log2(longer / COARSEST_PX) + 0.5), int(math.log2(shorter / PATCH)))
    levels = []
    for level in range(max(halvings, 0) + 1):
        if level > 0:
            half = (luma.shape[1] // 2, luma.shape[0] // 2)
            luma = np.asarray(cv2.resize(luma, half, interpolation=cv2.INTER_AREA), np.uint8)
        slopes_x, slopes_y = cv2.spatialGradient(luma)
        margins = (MARGIN,) * 4
        wide = cv2.copyMakeBorder(luma, *margins, cv2.BORDER_REPLICATE)
        levels.append(
            _Level(
                np.asarray(wide, np.float32),
                np.asarray(slopes_x, np.int16),
                np.asarray(slopes_y, np.int16),
            )
        )
    return levels
