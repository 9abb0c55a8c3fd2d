"""Segmentation models: one module a runtime, and what finds the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tempseg.errors import ModelError
from tempseg.protocols import Segmenter
from tempseg.segmenters.litert import LiteRTSegmenter
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.precomputed import PrecomputedSegmenter
from tempseg.segmenters.saved_model import SavedModelSegmenter

__all__ = [
    "LiteRTSegmenter",
    "PrecomputedSegmenter",
    "SavedModelSegmenter",
    "SegmenterOptions",
    "open_segmenter",
]

_MASKS = "masks:"
_DEFAULTS = SegmenterOptions()


@dataclass(frozen=True, slots=True)
class _Runtime:
    accepted: str
    accepts: Callable[[str], bool]
    open: Callable[[str, SegmenterOptions], Segmenter]


_RUNTIMES = (
    _Runtime(
        "masks:FOLDER",
        lambda model: model.startswith(_MASKS),
        lambda model, options: PrecomputedSegmenter(model.removeprefix(_MASKS), options),
    ),
    _Runtime("a .tflite file", lambda model: model.lower().endswith(".tflite"), LiteRTSegmenter),
    _Runtime(
        "a SavedModel folder",
        lambda model: (Path(model) / "saved_model.pb").is_file(),
        SavedModelSegmenter,
    ),
)


def open_segmenter(model: str, options: SegmenterOptions = _DEFAULTS) -> Segmenter:
    """Return the segmenter that a model's name stands for.

    Parameters
    ----------
    model : str
        `masks:FOLDER`, a `.tflite` file or a SavedModel folder.
    options : SegmenterOptions

    Raises
    ------
    ModelError
        When no runtime takes it, or it cannot be loaded.
    """
    for runtime in _RUNTIMES:
        if runtime.accepts(model):
            return runtime.open(model, options)
    problem = "no model that can be run" if Path(model).exists() else "there is no such model"
    accepted = ", ".join(runtime.accepted for runtime in _RUNTIMES)
    raise ModelError(f"{model}: {problem}; accepted: {accepted}")
