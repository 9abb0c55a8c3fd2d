"""What ONNX files and TensorFlow graphs declare, read without the packages that made them.

OpenCV's importers keep no declared shapes, and the check against them must not hang on a package
that may be missing; the few fields it needs are one small part of the format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Declared", "Interface", "onnx_data_files", "onnx_declarations", "placeholders"]

_ONNX_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16"}
_TENSORFLOW_TYPES = {1: "float32", 4: "uint8", 6: "int8", 3: "int32", 9: "int64", 19: "float16"}


@dataclass(frozen=True, slots=True)
class Declared:
    """A tensor's name, type and shape (none for an open side, and in all where unknown)."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Interface:
    """All that a model declares, before anything is asked of it.

    Parameters
    ----------
    inputs, outputs : tuple of Declared
        No outputs where the format does not name them.
    """

    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...] = ()


def onnx_declarations(data: bytes) -> tuple[list[Declared], list[Declared]]:
    """Return the inputs and outputs that an ONNX file declares.

    Field numbers as in onnx.proto (https://github.com/onnx/onnx). Initializers that are listed
    among the inputs, as old files do, are left out.

    Raises
    ------
    ValueError
        When the bytes are no such file.
    """
    graph = _one(memoryview(data), 7)
    fixed = {_text(tensor, 8) for tensor in _all(graph, 5)}
    inputs = [_onnx_value(value) for value in _all(graph, 11)]
    outputs = [_onnx_value(value) for value in _all(graph, 12)]
    if not outputs:
        raise ValueError("declares no output")
    return [value for value in inputs if value.name not in fixed], outputs


def onnx_data_files(data: bytes) -> list[str]:
    """Return the files that hold weights of an ONNX file, relative to its folder, in name order.

    Raises
    ------
    ValueError
        When the bytes are no such file.
    """
    tensors = _onnx_tensors(_one(memoryview(data), 7))
    entries = (entry for tensor in tensors for entry in _all(tensor, 13))
    return sorted({_text(entry, 2) for entry in entries if _text(entry, 1) == "location"})


def placeholders(data: bytes) -> list[Declared]:
    """Return the inputs of a TensorFlow graph.

    Field numbers as in tensorflow/core/framework: graph, node_def, attr_value, tensor_shape.

    Raises
    ------
    ValueError
        When the bytes are no graph.
    """
    nodes = list(_all(memoryview(data), 1))
    if not nodes:
        raise ValueError("holds no graph")
    return [_placeholder(node) for node in nodes if _text(node, 2) == "Placeholder"]


def _onnx_tensors(graph: memoryview) -> Iterator[memoryview]:
    """Yield a graph's weights: initializers, and those in its nodes and the graphs inside them."""
    yield from _all(graph, 5)
    for node in _all(graph, 1):
        for attribute in _all(node, 5):
            yield from _all(attribute, 5)
            for inner in _all(attribute, 6):
                yield from _onnx_tensors(inner)


def _onnx_value(value: memoryview) -> Declared:
    tensor = _one(_one(value, 2), 1)
    shapes = list(_all(tensor, 2))
    shape = None
    if shapes:
        shape = tuple(_number(dimension, 1) or None for dimension in _all(shapes[0], 1))
    code = _number(tensor, 1)
    return Declared(_text(value, 1), _ONNX_TYPES.get(code or 0, f"type {code}"), shape)


def _placeholder(node: memoryview) -> Declared:
    attributes = {_text(entry, 1): _one(entry, 2) for entry in _all(node, 5)}
    shape = None
    if "shape" in attributes:
        declared = _one(attributes["shape"], 7)
        if not _number(declared, 3):
            sides = [_number(dimension, 1) or 0 for dimension in _all(declared, 2)]
            # An open side is -1, which is written as an unsigned number of 64 bits.
            shape = tuple(side if 0 < side < 1 << 63 else None for side in sides)
    code = _number(attributes["dtype"], 6) if "dtype" in attributes else None
    return Declared(_text(node, 1), _TENSORFLOW_TYPES.get(code or 0, f"type {code}"), shape)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a protocol buffer: number, and value or bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire = key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if wire == 2:
            size, place = _varint(message, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"no protocol buffer (wire type {wire})")
        if place + size > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError("cut short")


def _all(message: memoryview, number: int) -> Iterator[memoryview]:
    return (
        value
        for found, value in _fields(message)
        if found == number and isinstance(value, memoryview)
    )


def _one(message: memoryview, number: int) -> memoryview:
    return next(_all(message, number), memoryview(b""))


def _text(message: memoryview, number: int) -> str:
    return bytes(_one(message, number)).decode("utf-8", "replace")


def _number(message: memoryview, number: int) -> int | None:
    numbers = (value for found, value in _fields(message) if found == number)
    return next((value for value in numbers if isinstance(value, int)), None)
