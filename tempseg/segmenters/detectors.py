"""Telling a detector, which gives objects one by one, from a network that gives a map of classes.

One of a detector's outputs may have the shape of a map of classes: a hundred masks, one an object,
or the prototypes that masks are mixed of. So it is told by its outputs together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tempseg.errors import ModelError
from tempseg.segmenters.declarations import Declared

__all__ = ["refuse_detector"]

Shape = tuple[int | None, ...]

# TensorFlow's Object Detection API; `detection_out…` in OpenCV's text graphs of its models.
_NAMED = re.compile(r"(raw_)?detection_\w+|num_detections")
_BOXES = re.compile(r"(raw_)?detection_boxes|num_detections|detection_out(_final)?")
# YOLO's and YOLACT's: each object's mask is a mixture of as many prototypes.
_PROTOTYPES = 32
_LEAST_ROW = 4 + 1 + _PROTOTYPES
"""Values of an object: its box, one class, and how much of each prototype."""


def refuse_detector(model: str, outputs: Iterable[Declared], wanted: str | None) -> None:
    """Refuse a detector, unless the wanted output has no part in what it detects, or may have none.

    As many prototypes may be classes: a map of them is taken where it is wanted by name.

    Parameters
    ----------
    model : str
        Begins the error's message.
    outputs : iterable of Declared
        All of the model's.
    wanted : str or None
        The output to read, where config names it.

    Raises
    ------
    ModelError
        When the outputs together are a detector's; says what is taken instead.
    """
    given = tuple(outputs)
    detections = _named(given) | _with_boxes(given)
    prototypes, rows = _with_prototypes(given)
    parts = detections | prototypes | rows
    refused = detections | rows
    if not parts or (wanted is not None and wanted not in refused):
        return
    others = sorted({output.name for output in given} - refused)
    choice = f", or set segmenter.output_name if one of {others} gives classes" if others else ""
    raise ModelError(
        f"{model}: is a detector: its outputs {sorted(parts)} tell of objects one by one, expected "
        "a class for each pixel of the input; give a semantic segmentation model, or a function "
        f"(python:MODULE:ATTRIBUTE) that makes labels of what it detects{choice}"
    )


def _named(outputs: Sequence[Declared]) -> set[str]:
    words = {output.name: re.split(r"[/:]", output.name) for output in outputs}
    named = {name for name, parts in words.items() if any(map(_NAMED.fullmatch, parts))}
    boxes = any(any(map(_BOXES.fullmatch, words[name])) for name in named)
    return named if boxes and len(named) > 1 else set()


def _with_boxes(outputs: Sequence[Declared]) -> set[str]:
    """Return what has a row for each box, of four values or with its score: scores and masks, too.

    Boxes and scores alone are enough where no other output could be a map.
    """
    shapes = {output.name: output.shape for output in outputs if output.shape is not None}
    for name, shape in shapes.items():
        # One box may be where the one object is that a mask shows.
        if len(shape) not in (2, 3) or shape[-1] not in (4, 5) or shape[-2] == 1:
            continue
        rows = shape[:-1]
        same = {other for other, sides in shapes.items() if sides[: len(rows)] == rows} - {name}
        scores = {other for other in same if _are_scores(shapes[other], rows)}
        masks = {other for other in same if _are_masks(shapes[other], rows)}
        # Without its number, a row of boxes is like a batch; detectors give classes and scores.
        if len(scores) < (2 if rows == (None,) else 1):
            continue
        # Five values may be no box, and where the number of rows is open, what looks like masks may
        # be a map of classes. One number a row, an object's class or score, tells.
        if (shape[-1] == 5 or rows[-1] is None) and rows not in map(shapes.get, scores):
            masks = set()
        maps = {other for other, sides in shapes.items() if len(sides) > 2} - {name} - scores
        if masks or (shape[-1] == 4 and not maps and len(shapes) == len(outputs)):
            return {name} | scores | masks
    return set()


def _are_scores(shape: Shape, rows: Shape) -> bool:
    return len(shape) == len(rows) or (len(shape) == len(rows) + 1 and rows != (None,))


def _are_masks(shape: Shape, rows: Shape) -> bool:
    sides = shape[len(rows) :]
    if rows == (None,):
        return len(sides) == 3 and sides[0] == 1
    if rows[-1] is None:
        # A map of classes in the last place may leave its height open, but then its width, too.
        return len(sides) == 2 and None not in sides
    # As many rows as columns are a map's.
    return len(sides) >= 2 and sides[0] != rows[-1]


def _with_prototypes(outputs: Sequence[Declared]) -> tuple[set[str], set[str]]:
    """Return the maps of prototypes and the rows that mix them, where there are both."""
    shapes = {output.name: output.shape or () for output in outputs}
    prototypes = {name for name, shape in shapes.items() if _are_prototypes(shape)}
    rows = {
        name
        for name, shape in shapes.items()
        if _are_rows(shape) and not any(_are_pixels(shape, shapes[other]) for other in prototypes)
    }
    return (prototypes, rows) if prototypes and rows else (set(), set())


def _are_prototypes(shape: Shape) -> bool:
    if len(shape) != 4:
        return False
    # A last side like the one before it is a width.
    return shape[1] == _PROTOTYPES or shape[3] == _PROTOTYPES != shape[2]


def _are_pixels(shape: Shape, prototypes: Shape) -> bool:
    """Return whether a table is a map of the same height and width, or has a row for each pixel."""
    height, width = prototypes[2:] if prototypes[1] == _PROTOTYPES else prototypes[1:3]
    if shape[1:] == (height, width):
        return True
    return height is not None and width is not None and height * width in shape[1:]


def _are_rows(shape: Shape) -> bool:
    """Return whether an output is a long table, an object a row or a column."""
    if len(shape) != 3:
        return False
    sides = sorted(side for side in shape[1:] if side)
    # One side alone is open, or far longer than the other: no map over a picture is like that.
    return bool(sides) and sides[0] >= _LEAST_ROW and sides[-1] > 4 * sides[0] * (len(sides) - 1)
