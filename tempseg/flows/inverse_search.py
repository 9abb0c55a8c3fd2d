"""Dense inverse search (Kroeger et al., ECCV 2016), as OpenCV implements it."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np

from tempseg.types import FloatArray, UInt8Array

__all__ = ["DisFlow", "DisPreset"]

DisPreset = Literal["fast", "medium", "slow"]

SETTINGS = {"fast": (8, 7, 8), "medium": (8, 6, 12), "slow": (5, 4, 12)}
"""Patch side, patch stride, steps of gradient descent.

Unlike OpenCV's presets these go down to the finest pyramid level, on a smaller grid, and leave the
variational refinement out: for carrying masks that is better and takes less time."""


class DisFlow:
    """DIS optical flow.

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
        patch, stride, steps = SETTINGS[preset]
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(0)
        self._dis.setPatchSize(patch)
        self._dis.setPatchStride(stride)
        self._dis.setGradientDescentIterations(steps)
        self._dis.setVariationalRefinementIterations(0)

    def estimate(self, target: UInt8Array, source: UInt8Array) -> FloatArray:
        """Return the pull field (h, w, 2): `target(p) = source(p + flow(p))`."""
        flow = self._dis.calc(target, source, np.zeros((*target.shape, 2), np.float32))
        return np.asarray(flow, np.float32)
