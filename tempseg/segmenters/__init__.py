"""Segmentation models: one module a runtime, and what finds the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tempseg.errors import ModelError
from tempseg.protocols import Segmenter
from tempseg.segmenters.augmentation import AugmentingSegmenter
from tempseg.segmenters.callable_model import CallableSegmenter, imported_function
from tempseg.segmenters.declarations import Declared, Interface
from tempseg.segmenters.keras_model import KerasSegmenter, keras_interface
from tempseg.segmenters.litert import LiteRTSegmenter, litert_interface
from tempseg.segmenters.network import NetworkSegmenter
from tempseg.segmenters.onnx import OnnxSegmenter, onnx_interface
from tempseg.segmenters.opencv_dnn import OpenCvSegmenter, opencv_interface
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.precomputed import PrecomputedSegmenter
from tempseg.segmenters.saved_model import SavedModelSegmenter, saved_model_interface
from tempseg.segmenters.tiling import TilingSegmenter
from tempseg.segmenters.time_limit import TimeLimitedSegmenter, time_limited
from tempseg.types import UInt8Array

__all__ = [
    "AugmentingSegmenter",
    "CallableSegmenter",
    "Declared",
    "Interface",
    "KerasSegmenter",
    "LiteRTSegmenter",
    "NetworkSegmenter",
    "OnnxSegmenter",
    "OpenCvSegmenter",
    "PrecomputedSegmenter",
    "SavedModelSegmenter",
    "SegmenterOptions",
    "TilingSegmenter",
    "TimeLimitedSegmenter",
    "model_interface",
    "open_segmenter",
    "wrap_function",
]

_MASKS = "masks:"
_WRAPPING = "segmenter.tiles, segmenter.flip and segmenter.scales"
_DEFAULTS = SegmenterOptions()


@dataclass(frozen=True, slots=True)
class _Runtime:
    accepted: str
    accepts: Callable[[str], bool]
    open: Callable[[str, SegmenterOptions], Segmenter]
    interface: Callable[[str, SegmenterOptions], Interface] | None = None
    sees_parts: bool = True


_OPENCV = _Runtime(
    "a .pb file with its .pbtxt",
    lambda model: model.lower().endswith(".pb"),
    OpenCvSegmenter,
    lambda model, _: opencv_interface(model),
)
_RUNTIMES = (
    _Runtime(
        "masks:FOLDER",
        lambda model: model.startswith(_MASKS),
        lambda model, options: PrecomputedSegmenter(model.removeprefix(_MASKS), options),
        sees_parts=False,
    ),
    _Runtime(
        "python:MODULE:ATTRIBUTE",
        lambda model: model.startswith("python:"),
        lambda model, options: CallableSegmenter(imported_function(model), options, name=model),
    ),
    _Runtime(
        "a .tflite file",
        lambda model: model.lower().endswith(".tflite"),
        LiteRTSegmenter,
        lambda model, _: litert_interface(model),
    ),
    _Runtime(
        "a .keras or .h5 file",
        lambda model: model.lower().endswith((".keras", ".h5", ".hdf5")),
        KerasSegmenter,
        keras_interface,
    ),
    _Runtime(
        "an .onnx file",
        lambda model: model.lower().endswith(".onnx"),
        OnnxSegmenter,
        lambda model, _: onnx_interface(model),
    ),
    _OPENCV,
    _Runtime(
        "a SavedModel folder",
        lambda model: (Path(model) / "saved_model.pb").is_file(),
        SavedModelSegmenter,
        saved_model_interface,
    ),
)


def open_segmenter(model: str, options: SegmenterOptions = _DEFAULTS) -> Segmenter:
    """Return the segmenter that a model's name stands for.

    Parameters
    ----------
    model : str
        `masks:FOLDER`, `python:MODULE:ATTRIBUTE`, a model's file or a SavedModel folder. Its form
        decides which runtime runs it, and `options.runtime`; none stands in for another.
    options : SegmenterOptions

    Raises
    ------
    ModelError
        When no runtime takes it, or it cannot be loaded.
    """
    runtime = _runtime(model, options)
    return _completed(runtime.open(model, options), options, model, sees_parts=runtime.sees_parts)


def wrap_function(
    function: Callable[[UInt8Array], object], options: SegmenterOptions = _DEFAULTS
) -> Segmenter:
    """Return the segmenter that asks a function; see `CallableSegmenter`.

    Raises
    ------
    ModelError
        When its classes are no class names, or it is to take several images at a time.
    """
    segmenter = CallableSegmenter(function, options)
    return _completed(segmenter, options, segmenter.info.name)


def _completed(
    segmenter: Segmenter, options: SegmenterOptions, model: str, *, sees_parts: bool = True
) -> Segmenter:
    """Return a segmenter with all around it that options ask for: parts, copies, a time limit."""
    if options.batch > 1 and not (isinstance(segmenter, NetworkSegmenter) and segmenter.batch > 1):
        raise ModelError(f"{model}: takes one image at a time; remove segmenter.batch")
    wrapped = _wrapped(segmenter, options)
    if wrapped is not segmenter and not sees_parts:
        raise ModelError(f"{model}: holds answers for whole frames; remove {_WRAPPING}")
    if wrapped is not segmenter and segmenter.info.remembers:
        raise ModelError(
            f"{model}: takes its own previous mask, which has no sense for parts of a frame; "
            f"remove {_WRAPPING}"
        )
    if options.timeout_s is not None:
        wrapped = time_limited(wrapped, timeout_s=options.timeout_s)
    return wrapped


def model_interface(model: str, options: SegmenterOptions = _DEFAULTS) -> Interface | None:
    """Return what a model declares of its inputs and outputs; none for what is no network.

    Parameters
    ----------
    model, options
        As for `open_segmenter`; sides that the model leaves open need no value here.

    Raises
    ------
    ModelError
        When no runtime takes it, or it cannot be read.
    """
    runtime = _runtime(model, options)
    return None if runtime.interface is None else runtime.interface(model, options)


def _runtime(model: str, options: SegmenterOptions) -> _Runtime:
    if options.runtime == "opencv":
        _refuse_empty(model)
        return _OPENCV
    for runtime in _RUNTIMES:
        if runtime.accepts(model):
            _refuse_empty(model)
            return runtime
    if model.lower().endswith(".pbtxt"):
        graph = Path(model).with_suffix(".pb")
        there = f"give {graph}" if graph.is_file() else f"put {graph.name} beside it and give that"
        raise ModelError(f"{model}: is a graph's text alone, its weights are in a .pb; {there}")
    problem = "no model that can be run" if Path(model).exists() else "there is no such model"
    accepted = ", ".join(runtime.accepted for runtime in _RUNTIMES)
    raise ModelError(f"{model}: {problem}; accepted: {accepted}")


def _refuse_empty(model: str) -> None:
    try:
        path = Path(model)
        empty = path.is_file() and path.stat().st_size == 0
    except (OSError, ValueError):
        # No path that a file could have: what opens it says so.
        return
    if empty:
        raise ModelError(f"{model}: is an empty file; was it copied or downloaded completely?")


def _wrapped(segmenter: Segmenter, options: SegmenterOptions) -> Segmenter:
    if options.tiles is not None:
        segmenter = TilingSegmenter(segmenter, tile=options.tiles, overlap=options.tile_overlap)
    if options.flip or options.scales != (1.0,):
        segmenter = AugmentingSegmenter(segmenter, flip=options.flip, scales=options.scales)
    return segmenter
