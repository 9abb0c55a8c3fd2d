"""The ways in which published models want their pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tempseg.segmenters import SegmenterOptions

__all__ = ["Candidate", "candidates_for", "habit_of"]

PerChannel = float | tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One preprocessing: input value = (pixel - mean) * scale, in the colour order.

    Parameters
    ----------
    name : str
        What people call it, without the colour order.
    colour_order : str
    mean, scale : float, tuple of three floats, or None
        Ordered as the colours are; none where the model takes its integers raw.
    """

    name: str
    colour_order: Literal["rgb", "bgr"] = "rgb"
    mean: PerChannel | None = None
    scale: PerChannel | None = None

    @property
    def words(self) -> str:
        """The name with the colour order."""
        return f"{self.name}, {self.colour_order.upper()}"

    def applied(self, options: SegmenterOptions) -> SegmenterOptions:
        """Return options that prepare pixels this way."""
        return replace(options, colour_order=self.colour_order, mean=self.mean, scale=self.scale)


_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_SCALE = (1 / 58.395, 1 / 57.12, 1 / 57.375)
_FLOAT: tuple[tuple[str, PerChannel, PerChannel], ...] = (
    ("[-1, 1]", 127.5, 1 / 127.5),
    ("[0, 1]", 0.0, 1 / 255),
    ("ImageNet mean and deviation", _IMAGENET_MEAN, _IMAGENET_SCALE),
    ("0 to 255", 0.0, 1.0),
    # Caffe's habit, which TensorFlow's ResNet and VGG took over: only the mean goes.
    ("less the ImageNet mean", (123.68, 116.779, 103.939), 1.0),
    # ExtremeC3Net and SINet normalise pixels and then divide by 255 as well.
    (
        "portrait mean and deviation over 255",
        (126.91212, 111.25247, 102.890434),
        (1 / (66.355705 * 255), 1 / (62.82138 * 255), 1 / (62.93292 * 255)),
    ),
)
_IMAGENET_RANGE = (-2.118, 2.64)
_RANGE_TOLERANCE = 0.25


def candidates_for(
    dtype: str, quantisation: tuple[float, int] | None = None
) -> tuple[Candidate, ...]:
    """Return what an input of a type may want.

    Parameters
    ----------
    dtype : str
        `float32`, `uint8` or `int8`.
    quantisation : (float, int) or None
        Step and zero of an integer input. Where they span what ImageNet's mean and deviation
        give, the model may want pixels normalised first.

    Examples
    --------
    >>> [candidate.words for candidate in candidates_for("uint8")]
    ['raw uint8, RGB', 'raw uint8, BGR']
    """
    named = _FLOAT
    if dtype != "float32":
        plain = tuple(Candidate(f"raw {dtype}", order) for order in ("rgb", "bgr"))
        if quantisation is None or not _spans_imagenet(dtype, quantisation):
            return plain
        named = _FLOAT[2:3]
        return (*_both_orders(named), *plain)
    return _both_orders(named)


_HABITS = {
    "deeplab": "[-1, 1]",
    "mobilenet": "[-1, 1]",
    "selfie": "[0, 1]",
    "mediapipe": "[0, 1]",
    "hair": "[0, 1]",
    "sinet": "portrait mean and deviation over 255",
    "extremec": "portrait mean and deviation over 255",
}
"""How the publishers of some families prepare pixels."""


def habit_of(model: str) -> tuple[str, str] | None:
    """Return a word in a model's name and the candidate's name that its family goes with.

    Examples
    --------
    >>> habit_of("models/deeplabv3_257_mv_gpu.tflite")
    ('deeplab', '[-1, 1]')
    """
    name = Path(model).name.lower()
    return next(((word, habit) for word, habit in _HABITS.items() if word in name), None)


def _both_orders(
    named: tuple[tuple[str, PerChannel, PerChannel], ...],
) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(name, order, _ordered(mean, order), _ordered(scale, order))
        for name, mean, scale in named
        for order in ("rgb", "bgr")
    )


def _ordered(value: PerChannel, order: str) -> PerChannel:
    if order == "rgb" or not isinstance(value, tuple):
        return value
    return value[2], value[1], value[0]


def _spans_imagenet(dtype: str, quantisation: tuple[float, int]) -> bool:
    step, zero = quantisation
    first = 0 if dtype == "uint8" else -128
    span = ((first - zero) * step, (first + 255 - zero) * step)
    return all(
        abs(side - wanted) <= _RANGE_TOLERANCE
        for side, wanted in zip(span, _IMAGENET_RANGE, strict=True)
    )
