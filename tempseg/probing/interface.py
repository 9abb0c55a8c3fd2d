"""Which output to read, and at what size to run, by what a model declares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tempseg.probing.results import Guess, TensorRow
from tempseg.segmenters import Declared, Interface, SegmenterOptions

__all__ = ["chosen_output", "chosen_size", "rows"]

_LONG_SIDE = 512
_STEP = 32
_NAME_SIZE = re.compile(r"(?<!\d)(\d{2,4})x(\d{2,4})(?!\d)")
# Thousands of steps of training are no side.
_NAME_SIDE = re.compile(r"(?<![\d.])([1-9]\d{2,3})(?![\dkK]|\.\d)")
_SIDES = range(64, 2049)
# One number alone may be anything: sides are steps of 32, DeepLab's are one over a step of 64, and
# PSPNet and ICNet have their own; from 1984 on they would be years.
_LONE_SIDES = frozenset(range(128, 1984, 32)) | frozenset(range(129, 1984, 64)) | {473, 713}


def rows(
    interface: Interface, options: SegmenterOptions
) -> tuple[tuple[TensorRow, ...], tuple[TensorRow, ...]]:
    """Return the rows of inputs and outputs, with what each is taken for."""
    inputs = tuple(
        TensorRow(taken.name, taken.dtype, taken.shape, _input_role(taken))
        for taken in interface.inputs
    )
    outputs = tuple(
        TensorRow(
            given.name,
            given.dtype,
            given.shape,
            "read" if options.output_name in (None, given.name) else "not read",
        )
        for given in interface.outputs
    )
    return inputs, outputs


def chosen_output(
    interface: Interface, options: SegmenterOptions
) -> tuple[SegmenterOptions, Guess | None]:
    """Return options that name the output to read, where a model has several."""
    if options.output_name is not None or len(interface.outputs) < 2:
        return options, None
    order = sorted(interface.outputs, key=_suitability, reverse=True)
    best, second = order[0], order[1]
    sure = _suitability(best) > _suitability(second)
    guess = Guess(
        "output read",
        best.name,
        "likely" if sure else "undecided",
        (f"{_told(best)}: {_why(best)}",),
        runner_up=f"{second.name}, {_told(second)}",
    )
    return replace(options, output_name=best.name), guess


def chosen_size(
    model: str,
    interface: Interface,
    options: SegmenterOptions,
    *,
    frame_size: tuple[int, int],
) -> tuple[SegmenterOptions, Guess | None]:
    """Return options that fix the size of the input, where a model leaves it open.

    Parameters
    ----------
    model : str
    interface : Interface
    options : SegmenterOptions
    frame_size : (int, int)
        Height and width of the pictures at hand.
    """
    shape = interface.inputs[0].shape if len(interface.inputs) == 1 else None
    if shape is None or len(shape) != 4 or options.input_size is not None:
        return options, None
    declared = shape[2:4] if _channels_first(shape) else shape[1:3]
    if None not in declared:
        return options, None
    name = Path(model).name
    named, lone = _size_in(name), _side_in(name)
    frame = _size_of_frames(frame_size)
    size = named or lone or frame
    filled = tuple(
        fixed or asked for fixed, asked in zip(declared, (size[1], size[0]), strict=True)
    )
    height, width = filled[0], filled[1]
    told = f"{frame[0]}x{frame[1]}: the pictures' aspect, long side {_LONG_SIDE}"
    if named:
        why, runner_up = f"{named[0]}x{named[1]} in its name", told
    elif lone:
        why, runner_up = f"{lone[0]} in its name, which may be the side of a square", told
    else:
        why = f"nothing in its name tells; {told}, in steps of {_STEP}"
        runner_up = "the size it was trained at"
    guess = Guess(
        "input size",
        f"{width}x{height}",
        "likely" if named else "undecided",
        ("the model takes any size", why),
        runner_up=runner_up,
    )
    return replace(options, input_size=(width, height)), guess


def _input_role(taken: Declared) -> str:
    shape = taken.shape
    if shape is None or len(shape) != 4:
        return "image" if shape is None else "no image"
    if shape[3] in (3, 4):
        order, channels = "height, width, channels (NHWC)", shape[3]
    elif shape[1] in (3, 4):
        order, channels = "channels, height, width (NCHW)", shape[1]
    else:
        return "no image"
    words = ["image", order]
    if channels == 4:
        words.append("the fourth channel taken for its own previous mask")
    if shape[0] is None:
        words.append("any batch, run with 1")
    return "; ".join(words)


def _suitability(given: Declared) -> tuple[int, int, int]:
    """Return how well an output suits: scores before ids, then the finer grid."""
    shape = given.shape
    if shape is None:
        return 0, 0, 0
    floats = given.dtype.startswith(("float", "bfloat"))
    if len(shape) == 4:
        sides = shape[2:4] if _channels_first(shape) else shape[1:3]
        channels = shape[1] if _channels_first(shape) else shape[3]
        kind = 3 if floats and channels != 1 else 2
    elif len(shape) == 3:
        sides, kind = shape[1:3], 1
    else:
        return 0, 0, 0
    area = 1
    for side in sides:
        area *= side or _LONG_SIDE
    # A few channels on a coarse grid may be boxes or edges; classes are more.
    return kind, area, 0


def _why(given: Declared) -> str:
    kind = _suitability(given)[0]
    return (
        "no grid over the picture",
        "ids on a grid over the picture",
        "one value a pixel",
        "values a class on the finest grid over the picture",
    )[kind]


def _told(given: Declared) -> str:
    if given.shape is None:
        return f"{given.dtype} of no declared shape"
    return f"{given.dtype} [{', '.join('any' if s is None else str(s) for s in given.shape)}]"


def _channels_first(shape: Sequence[int | None]) -> bool:
    last, first = shape[3], shape[1]
    if last in (3, 4):
        return False
    if first in (3, 4):
        return True
    # Grids are larger than the number of classes, mostly.
    return (
        first is not None and last is not None and first < last and first < (shape[2] or first + 1)
    )


def _size_in(name: str) -> tuple[int, int] | None:
    """Return the width and height that a file name tells, where it does."""
    found = _NAME_SIZE.findall(name)
    pairs = [(int(width), int(height)) for width, height in found]
    return next((pair for pair in pairs if pair[0] in _SIDES and pair[1] in _SIDES), None)


def _side_in(name: str) -> tuple[int, int] | None:
    """Return the square whose side a number in a file name may be, where there is one."""
    sides = [int(side) for side in _NAME_SIDE.findall(name)]
    return next(((side, side) for side in sides if side in _LONE_SIDES), None)


def _size_of_frames(size: tuple[int, int]) -> tuple[int, int]:
    factor = _LONG_SIDE / max(size)
    height, width = (max(round(side * factor / _STEP), 1) * _STEP for side in size)
    return width, height
