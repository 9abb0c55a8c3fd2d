"""What a network's input takes and its output gives, as the model declares them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.declarations import Declared
from tempseg.segmenters.detectors import refuse_detector
from tempseg.segmenters.options import SegmenterOptions

__all__ = [
    "InputPort",
    "OutputPort",
    "covers",
    "input_port",
    "output_port",
    "pick",
    "require_grid",
]

Shape = Sequence[int | None]

_MOST_PIXELS = 1 << 26
"""No picture that a network takes is larger than 8192x8192; a broken file's may be."""

_INPUT_DTYPES: dict[str, Literal["float32", "uint8", "int8"]] = {
    "float32": "float32",
    "uint8": "uint8",
    "int8": "int8",
}


@dataclass(frozen=True, slots=True)
class InputPort:
    """What a network's one input takes.

    Parameters
    ----------
    size : (int, int)
        Height and width.
    dtype : str
    quantisation : (float, int) or None
        Step and zero of an integer input.
    channels_first : bool
        Whether the tensor is (1, C, h, w), not (1, h, w, C).
    previous_mask : bool
        Whether a fourth channel takes the model's own previous answer.
    open_batch : bool
        Whether the tensor may hold several images.
    """

    size: tuple[int, int]
    dtype: Literal["float32", "uint8", "int8"]
    quantisation: tuple[float, int] | None = None
    channels_first: bool = False
    previous_mask: bool = False
    open_batch: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The whole tensor's shape, for one image."""
        channels = 4 if self.previous_mask else 3
        if self.channels_first:
            return 1, channels, *self.size
        return 1, *self.size, channels

    def tensor(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values (h, w, C) as the tensor that the model takes."""
        if self.channels_first:
            return np.ascontiguousarray(values.transpose(2, 0, 1))[None]
        return values[None]


@dataclass(frozen=True, slots=True)
class OutputPort:
    """What a network's output is declared to give.

    Parameters
    ----------
    shape : sequence of int or None, or None
        None for a side that the model leaves open, and in all for a shape that is not declared.
    channels : int or None
        Classes that the output tells apart, where that is declared; one for a single foreground
        channel.
    channels_first : bool
        Whether the tensor is (1, C, h, w), not (1, h, w, C).
    step : float
        Of the values, where they are quantised; 0 where they are not.
    """

    shape: tuple[int | None, ...] | None = None
    channels: int | None = None
    channels_first: bool = False
    step: float = 0.0

    def channels_last(self, answer: NDArray[Any], where: str) -> NDArray[Any]:
        """Return an answer with its channels last; `where` begins the error's message.

        Raises
        ------
        ModelError
            When the answer is of another shape than declared.
        """
        if self.shape is not None and not _fits(answer.shape, self.shape):
            raise ModelError(
                f"{where}: got an answer of {_told(answer.shape)}, expected {_told(self.shape)} "
                "as the model declares: this runtime does not run it rightly, or the file was "
                "exported wrongly; give the model in another format"
            )
        if self.channels_first and answer.ndim == 4:
            return answer.transpose(0, 2, 3, 1)
        return answer


def input_port(
    model: str,
    shape: Shape,
    dtype: str,
    *,
    options: SegmenterOptions,
    quantisation: tuple[float, int] | None = None,
) -> InputPort:
    """Return what an input of a declared shape and type takes, with open sides from config.

    Parameters
    ----------
    model : str
        Named in errors.
    shape : sequence of int or None
        As the model declares it, channels first or last; none for a side it leaves open.
    dtype : str
        Name of the input's type.
    options : SegmenterOptions
    quantisation : (float, int) or None

    Raises
    ------
    ModelError
        When the input is no batch of RGB images, or its size stays unknown.
    """
    told = _told(shape)
    places = [place for place in (3, 1) if len(shape) == 4 and shape[place] in (3, 4)]
    if not places or shape[0] not in (None, 1):
        raise ModelError(
            f"{model}: its input is {told}, expected one RGB image: [1, height, width, 3] or "
            "[1, 3, height, width] (4 channels where the previous mask is one)"
        )
    channels_first = places[0] == 1
    previous_mask = shape[places[0]] == 4
    declared = shape[2:4] if channels_first else shape[1:3]
    if dtype not in _INPUT_DTYPES or (previous_mask and dtype != "float32"):
        accepted = "float32" if previous_mask else ", ".join(_INPUT_DTYPES)
        raise ModelError(
            f"{model}: its input is {dtype}, expected one of {accepted}; "
            "export it with one of these"
        )
    scaled = options.mean is not None or options.scale is not None
    if scaled and dtype != "float32" and quantisation is None:
        raise ModelError(
            f"{model}: takes raw {dtype} pixels; remove segmenter.mean and segmenter.scale"
        )
    return InputPort(
        _size(model, declared, told, options.input_size),
        _INPUT_DTYPES[dtype],
        quantisation,
        channels_first=channels_first,
        previous_mask=previous_mask,
        open_batch=shape[0] is None,
    )


def output_port(shape: Shape | None, *, integer: bool, port: InputPort) -> OutputPort:
    """Return what an output of a declared shape gives.

    Channels come first where only then the grid has the input's aspect; where both ways have
    it, as in the input.

    Parameters
    ----------
    shape : sequence of int or None, or None
        As the model declares it.
    integer : bool
        Whether its values are class ids.
    port : InputPort
        Of the same model.
    """
    if shape is None:
        return OutputPort(channels_first=port.channels_first)
    channels_first = False
    if len(shape) == 4:
        first, last = (covers(shape[place : place + 2], port.size) for place in (2, 1))
        channels_first = first if first != last else port.channels_first
    channels = 1
    if len(shape) == 4:
        channels = shape[1 if channels_first else 3] or 0
    return OutputPort(tuple(shape), None if integer else channels or None, channels_first)


def require_grid(
    shape: Shape, size: tuple[int, int], where: str, *, channels_first: bool = False
) -> None:
    """Refuse an output that is no grid over the input: a classifier's, a detector's, a flat one's.

    Parameters
    ----------
    shape : sequence of int or None
        Declared or given; an open side may be anything.
    size : (int, int)
        Height and width of the input.
    where : str
        Begins the error's message.
    channels_first : bool
        Of an output with four sides.

    Raises
    ------
    ModelError
        When the output cannot be a picture of the input.
    """
    if _may_be_grid(shape, size, channels_first=channels_first):
        return
    in_a_row = any(side and side % math.prod(size) == 0 for side in shape[1:])
    fix = (
        "its pixels are in a row, reshape them to one of these before the export"
        if in_a_row
        else "give a segmentation model, or name another output in segmenter.output_name"
    )
    raise ModelError(
        f"{where}: its output is {_told(shape)}, expected a grid over the {size[1]}x{size[0]} "
        "input: [1, height, width, classes], [1, classes, height, width] or [1, height, width]; "
        f"{fix}"
    )


def covers(grid: Shape, size: tuple[int, int]) -> bool:
    """Return whether a grid has a picture's aspect, but for rounding; open sides may have any."""
    rows, columns = grid
    if rows is None or columns is None:
        return rows in (None, size[0]) and columns in (None, size[1])
    return abs(columns * size[0] - rows * size[1]) <= max(size)


def pick(model: str, outputs: Iterable[Declared], wanted: str | None) -> str:
    """Return the name of the output to read: the wanted one, or the only one.

    Raises
    ------
    ModelError
        When the wanted one is not there, there are several and none is wanted, or they are a
        detector's.
    """
    given = tuple(outputs)
    refuse_detector(model, given, wanted)
    available = sorted(output.name for output in given)
    if wanted is None and len(available) == 1:
        return available[0]
    if wanted in available:
        return wanted
    problem = "has several outputs" if wanted is None else f"has no output {wanted!r}"
    raise ModelError(f"{model}: {problem}; set segmenter.output_name to one of {available}")


def _size(
    model: str, declared: Shape, told: str, wanted: tuple[int, int] | None
) -> tuple[int, int]:
    sides: list[int] = []
    for fixed, asked in zip(declared, wanted[::-1] if wanted else (None, None), strict=True):
        if fixed is None and asked is None:
            raise ModelError(
                f"{model}: takes images of any size ({told}); "
                "set segmenter.input_size = [width, height]"
            )
        if fixed is not None and asked not in (None, fixed):
            raise ModelError(
                f"{model}: its input is fixed at {declared[1]}x{declared[0]}, but "
                f"segmenter.input_size is {list(wanted or ())}; remove segmenter.input_size"
            )
        sides.append(fixed or asked or 0)
    if sides[0] * sides[1] > _MOST_PIXELS:
        raise ModelError(
            f"{model}: takes images of {sides[1]}x{sides[0]}, expected at most {_MOST_PIXELS} "
            "pixels; export it for a smaller input"
        )
    return sides[0], sides[1]


def _may_be_grid(shape: Shape, size: tuple[int, int], *, channels_first: bool) -> bool:
    batch = len(shape) == 3 and shape[0] in (None, 1)
    if len(shape) == 4 or batch:
        first = 2 if channels_first and not batch else 1
        rows, columns = shape[first : first + 2]
        if rows is None or columns is None:
            return True
        # There is no doubt which sides are the grid's, and some networks enlarge to one size
        # whatever they are given. A single cell is what classifiers that pool end in, a row those
        # of two classes.
        aspect = (columns * size[0]) / (rows * size[1]) if rows else 0
        least = min(rows, columns) if batch else max(rows, columns)
        return 0.5 <= aspect <= 2 and (least > 1 or 1 in size)
    if len(shape) == 3:
        rows, columns = shape[:2]
        if rows is None or columns is None:
            return True
    elif len(shape) == 2:
        # An open side is a batch's as a rule, so the other must be the input's.
        rows, columns = shape
    else:
        return False
    return covers((rows, columns), size) and (1 not in (rows, columns) or 1 in size)


def _fits(shape: Shape, declared: Shape) -> bool:
    return len(shape) == len(declared) and all(
        side is None or side == actual for actual, side in zip(shape, declared, strict=True)
    )


def _told(shape: Shape) -> str:
    return "[" + ", ".join("any" if side is None else str(side) for side in shape) + "]"
