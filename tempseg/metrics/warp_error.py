"""Warp error: how far pictures are from the next one, brought back along the motion."""

from __future__ import annotations

import numpy as np

from tempseg.kernels import warps
from tempseg.metrics.confusion import mean_known
from tempseg.metrics.temporal_consistency import check_field
from tempseg.types import FloatArray, UInt8Array

__all__ = ["WarpError", "warp_error"]


class WarpError:
    """Gathers the warp error of a video, a pair of frames at a time.

    Mean over pairs of the mean over visible pixels and channels of `(W(I_{t+1}) - I_t)²`, RGB in
    [0, 1], W bilinear with a clamped border (Lai et al. 2018). Hidden are the pixels on which the
    two flows disagree, and those where motion jumps. Lower is steadier.

    Range [0, 1], lower is better. Source: Lai et al. 2018, "Learning Blind Video Temporal
    Consistency".

    Examples
    --------
    >>> image = np.full((4, 4, 3), 51, np.uint8)
    >>> still = np.zeros((4, 4, 2), np.float32)
    >>> metric = WarpError()
    >>> metric.update(image, image * 2, still, still)
    >>> round(metric.compute(), 6)
    0.04
    """

    def __init__(self) -> None:
        self._pairs: list[float] = []

    def update(
        self,
        image: UInt8Array,
        following: UInt8Array,
        forward: FloatArray,
        backward: FloatArray,
    ) -> None:
        """Take a frame and the next one.

        Parameters
        ----------
        image, following : ndarray, shape (H, W, 3), uint8
            RGB.
        forward, backward : ndarray, shape (H, W, 2), float32
            (dx, dy) in pixels, to the next frame and back; of the source video, not of a picture
            whose colours are what is judged.

        Raises
        ------
        ValueError
            When the shapes do not fit.
        """
        for name, picture in (("image", image), ("following", following)):
            if picture.shape != (*image.shape[:2], 3) or picture.dtype != np.uint8:
                raise ValueError(
                    f"{name} is {picture.dtype} {picture.shape}, expected uint8 (H, W, 3), one size"
                )
        check_field("forward", forward, image.shape[:2])
        check_field("backward", backward, image.shape[:2])
        hidden = np.empty(image.shape[:2], np.bool_)
        jumps = np.empty(image.shape[:2], np.bool_)
        warps.occlusion(forward, backward, hidden)
        warps.motion_boundaries(forward, jumps)
        sums = np.empty(2)
        warps.square_error(image, following, forward, hidden | jumps, sums)
        if sums[1]:
            self._pairs.append(float(sums[0] / sums[1]) / 255**2)

    def merge(self, other: WarpError) -> None:
        """Add other pairs."""
        self._pairs += other._pairs

    def compute(self) -> float:
        """Return the mean over pairs, in [0, 1]; nan without any."""
        return mean_known(self._pairs)


def warp_error(images: UInt8Array, forward: FloatArray, backward: FloatArray) -> float:
    """Return the warp error of a sequence of pictures, in [0, 1]; lower is steadier.

    Range [0, 1], lower is better. Formula and source as in `WarpError`.

    Parameters
    ----------
    images : ndarray, shape (T, H, W, 3), uint8
        RGB.
    forward, backward : ndarray, shape (T-1, H, W, 2), float32
        As in `WarpError.update`, of each frame and the next.

    Examples
    --------
    >>> still = np.zeros((2, 4, 4, 2), np.float32)
    >>> warp_error(np.zeros((3, 4, 4, 3), np.uint8), still, still)
    0.0
    """
    if not len(forward) == len(backward) == len(images) - 1:
        raise ValueError(
            f"{len(images)} images with {len(forward)} forward and {len(backward)} backward "
            f"fields, expected {len(images) - 1} of each"
        )
    metric = WarpError()
    for i in range(len(forward)):
        metric.update(images[i], images[i + 1], forward[i], backward[i])
    return metric.compute()
