"""From a frame's pixels to a model's input, and where that input lies on the frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.types import Placement, UInt8Array

__all__ = ["ModelInput", "Preprocessor", "onto_grid"]

ModelInput = NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.int8]
PerChannel = float | tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """Resizes, orders and scales pixels the way one model wants them.

    A pixel's input value is `(pixel - mean) * scale`. With `quantisation` the model takes
    `round(value / step) + zero` instead, clipped to its integer type. With neither mean nor scale
    an integer model takes raw pixels: as they are in uint8, less 128 in int8.

    Parameters
    ----------
    size : (int, int)
        Height and width of the model's input.
    colour_order : str
        `rgb` or `bgr`; what `mean` and `scale` are ordered by, too.
    mean, scale : float, tuple of three floats, or None
        None in both for raw pixels; one of them alone means a mean of 0 or a scale of 1.
    resize : str
        `stretch` to the size, or `letterbox`: keep the aspect, in the middle of a border of mean
        colour (mid gray for raw pixels).
    dtype : str
        `float32`, `uint8` or `int8`.
    quantisation : (float, int) or None
        Step and zero of an integer input.
    """

    size: tuple[int, int]
    colour_order: Literal["rgb", "bgr"] = "rgb"
    mean: PerChannel | None = None
    scale: PerChannel | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"
    dtype: Literal["float32", "uint8", "int8"] = "float32"
    quantisation: tuple[float, int] | None = None
    _table: NDArray[Any] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_table", self._value_table())

    def prepare(self, image: UInt8Array) -> tuple[ModelInput, Placement]:
        """Return the model's input, and where its grid lies on the frame.

        Parameters
        ----------
        image : ndarray, shape (H, W, 3), uint8
            RGB.

        Returns
        -------
        ndarray, shape (h, w, 3)
            float32, uint8 or int8; may be `image` itself where nothing is to be done.
        Placement
            From frame pixels to pixels of the input.
        """
        frame = (image.shape[0], image.shape[1])
        inner = self._inner_size(frame)
        top, left = (self.size[0] - inner[0]) // 2, (self.size[1] - inner[1]) // 2
        pixels = _resized(image, inner)
        if inner != self.size:
            pixels = self._bordered(pixels, top, left)
        if self.colour_order == "bgr":
            pixels = cast(UInt8Array, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        covered = Placement.stretch(inner, frame)
        placement = Placement(
            covered.scale_x, covered.offset_x + left, covered.scale_y, covered.offset_y + top
        )
        if self._table is None:
            return pixels, placement
        return cast(ModelInput, cv2.LUT(pixels, self._table)), placement

    def _inner_size(self, frame: tuple[int, int]) -> tuple[int, int]:
        if self.resize == "stretch":
            return self.size
        factor = min(self.size[0] / frame[0], self.size[1] / frame[1])
        return (
            min(max(round(frame[0] * factor), 1), self.size[0]),
            min(max(round(frame[1] * factor), 1), self.size[1]),
        )

    def _bordered(self, pixels: UInt8Array, top: int, left: int) -> UInt8Array:
        raw = self.mean is None and self.scale is None
        mean = _triple((127.5 if raw else 0.0) if self.mean is None else self.mean)
        border = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
        out = np.empty((*self.size, 3), np.uint8)
        out[:] = border if self.colour_order == "rgb" else border[::-1]
        out[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return out

    def _value_table(self) -> NDArray[Any] | None:
        # Pixels are bytes, so every normalisation and quantisation is a table of 256 values a
        # channel: one pass over the image, and no rounding that depends on the order of steps.
        raw = self.mean is None and self.scale is None
        if raw and self.dtype == "uint8":
            return None
        pixels = np.arange(256, dtype=np.float64)[:, None]
        if raw and self.dtype == "int8":
            values = np.repeat(pixels - 128, 3, axis=1)
        else:
            mean = _triple(0.0 if self.mean is None else self.mean)
            scale = _triple(1.0 if self.scale is None else self.scale)
            values = (pixels - mean) * scale
            if self.quantisation is not None:
                step, zero = self.quantisation
                values = values / step + zero
        if self.dtype != "float32":
            limits = np.iinfo(self.dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        return np.ascontiguousarray(values.astype(self.dtype)[None])


def onto_grid(
    placement: Placement, input_size: tuple[int, int], grid: tuple[int, int]
) -> Placement:
    """Return where an output grid lies, given where the input it answers for lies.

    Input and output cover the same area edge to edge.

    Parameters
    ----------
    placement : Placement
        Of the input on the frame.
    input_size, grid : (int, int)
        Height and width of the model's input and output.
    """
    if grid == input_size:
        return placement
    over = Placement.stretch(grid, input_size)
    return Placement(
        over.scale_x * placement.scale_x,
        over.scale_x * placement.offset_x + over.offset_x,
        over.scale_y * placement.scale_y,
        over.scale_y * placement.offset_y + over.offset_y,
    )


def _triple(value: PerChannel) -> tuple[float, float, float]:
    return value if isinstance(value, tuple) else (value, value, value)


def _resized(image: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    # Bilinear looks at two pixels a side: from a shrink of two on it skips some and flickers.
    shrink = min(height / size[0], width / size[1])
    method = cv2.INTER_AREA if shrink >= 2 else cv2.INTER_LINEAR
    resized = cv2.resize(image, (size[1], size[0]), interpolation=method)
    return cast(UInt8Array, resized)
