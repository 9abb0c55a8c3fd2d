"""A user's own function in place of a model file."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ConfigError, ModelError
from tempseg.segmenters.answers import AnswerDecoder, OutputKind, sum_tolerance
from tempseg.segmenters.options import SegmenterOptions, choose_classes
from tempseg.segmenters.ports import covers
from tempseg.types import (
    VOID_8,
    VOID_16,
    Frame,
    LabelArray,
    Placement,
    Prediction,
    Segment,
    SegmenterInfo,
    UInt8Array,
)

__all__ = ["CallableSegmenter", "imported_function"]

_DEFAULTS = SegmenterOptions()
_log = logging.getLogger(__name__)
_PREFIX = "python:"
_EXPECTED = "labels (h, w) of integers, scores (h, w, C) of floats, or a Prediction"


class CallableSegmenter:
    """Answers with what a function returns for a frame's pixels.

    The function gets RGB of its own, shape (H, W, 3), uint8, and returns one of: labels, shape
    (h, w), integers; class probabilities, shape (h, w, C), floats (logits or independent ones
    where `options.output` says so; without C, those of the foreground); or a `Prediction`. Arrays
    cover the frame edge to edge, on any grid, the same for all frames of a size. 255 among labels
    is void (65535 with more than 255 classes), not a mask's foreground; in a prediction with
    segments so is the highest number of its labels' type. Ids of a prediction that are no classes
    may be any that its `segments` have; in 16 bits if those of the first are, or show void so.

    Parameters
    ----------
    function : callable
        May have an attribute `classes`: names of the classes, or of a class set.
    options : SegmenterOptions
        `output`, `threshold` and `classes` are read; the function sees to everything else.
    name : str, optional
        How the model is called in errors and records; the function's own name by default.

    Raises
    ------
    ModelError
        When `classes` of the function are no class names.

    Examples
    --------
    >>> def bright(image):
    ...     return (image.mean(axis=2) > 128).astype("uint8")
    >>> segmenter = CallableSegmenter(bright, SegmenterOptions(classes="binary"))
    >>> segmenter.segment(Frame.from_image(np.full((2, 3, 3), 200, np.uint8))).labels.tolist()
    [[1, 1, 1], [1, 1, 1]]
    """

    def __init__(
        self,
        function: Callable[[UInt8Array], object],
        options: SegmenterOptions = _DEFAULTS,
        *,
        name: str | None = None,
    ) -> None:
        self._function = function
        self._name = name or _own_name(function)
        self._options = _with_classes(function, options, self._name)
        try:
            choice = choose_classes(self._options, path=self._name, channels=None)
        except ConfigError as error:
            raise ModelError(f"{self._name}: {error}") from error
        self._class_set = choice.class_set
        # One a size of frame: tiles and rescaled views may get grids of their own.
        self._decoders: dict[tuple[int, int], AnswerDecoder] = {}
        self._integers: bool | None = None
        # Of ids that are no classes: what the first of them take.
        self._id_bits: int | None = None
        self._perhaps_mask = self._options.output == "auto" and (
            self._options.classes == "auto" or len(choice.class_set.names) <= 2
        )
        self._info = SegmenterInfo(
            self._name,
            "python",
            choice.class_set,
            sha256=_source_hash(self._name),
            label_bits=AnswerDecoder(self._name, choice.class_set).label_bits,
            assumptions=choice.assumptions,
        )

    @property
    def info(self) -> SegmenterInfo:
        """What the function is; what its first answer was taken for is added by that answer."""
        added = [told for decoder in self._decoders.values() for told in decoder.assumptions]
        return replace(
            self._info,
            label_bits=self._id_bits or self._info.label_bits,
            assumptions=(*self._info.assumptions, *added[:1]),
        )

    def segment(self, frame: Frame) -> Prediction:
        """Return the function's answer for one frame, on the grid that it chose."""
        # A copy: the function may work in place, and the frame's pixels belong to others too.
        pixels = np.array(frame.image, order="C")
        try:
            returned = self._function(pixels)
            if hasattr(returned, "__array__"):
                # Tensors too; those that lie on another device raise here.
                returned = np.asarray(returned)
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"{self._name}: frame {frame.index}: the function raised {_one_line(error)}"
            ) from error
        if isinstance(returned, Prediction):
            answer = returned.labels if returned.labels is not None else returned.scores
            assert answer is not None
            segments = self._segments(returned, frame)
            if returned.labels is not None:
                self._settle_bits(returned.labels, frame, segments=segments)
                if _numbered(segments):
                    return replace(returned, labels=returned.labels.copy(), segments=segments)
                answer = self._with_own_void(returned.labels)
            decoded = self._decoded(answer, returned.placement, frame)
            return replace(decoded, segments=segments)
        if not isinstance(returned, np.ndarray):
            self._refuse(frame, type(returned).__name__, _EXPECTED)
        if returned.ndim not in (2, 3) or returned.size == 0 or returned.dtype.kind not in "iubf":
            self._refuse(frame, f"{returned.dtype} {returned.shape}", _EXPECTED)
        known = frame.size in self._decoders
        classes = len(self._class_set.names)
        if (
            returned.ndim == 3
            and not known
            and _begins_with_channels(returned, frame.size, classes=classes)
        ):
            self._refuse(
                frame,
                f"{returned.dtype} {returned.shape}",
                "labels (h, w) or scores (h, w, C): channels last, and no batch",
            )
        if self._perhaps_mask and returned.dtype.kind in "iu":
            self._look_for_mask(returned, frame)
        placement = Placement.stretch((returned.shape[0], returned.shape[1]), frame.size)
        return self._decoded(returned, placement, frame)

    def _segments(self, answer: Prediction, frame: Frame) -> dict[int, Segment]:
        """Return an answer's segments, and for ids that none stands for, those of their classes.

        Among ids that are no classes, only 0 may be left out. Refuses segments of no class, too.
        """
        segments = dict(answer.segments)
        if not segments:
            return segments
        classes = len(self._class_set.names)
        for key, segment in segments.items():
            if not 0 <= segment.class_id < classes:
                self._refuse(
                    frame,
                    f"id {key} for class {segment.class_id}",
                    f"classes 0 to {classes - 1} of {self._class_set.name}; set segmenter.classes",
                )
        if answer.labels is None:
            return segments
        numbered = _numbered(segments)
        void = int(np.iinfo(answer.labels.dtype).max) if numbered else self._void
        strays = set(np.unique(answer.labels).tolist()) - {*segments, void, VOID_16}
        most = 1 if numbered else classes
        for stray in sorted(strays):
            if stray >= most:
                self._refuse(
                    frame,
                    f"id {stray}, which no segment stands for",
                    f"ids of its segments, or {void} for void",
                )
            segments[stray] = Segment(segment_id=stray, class_id=stray)
        return segments

    @property
    def _void(self) -> int:
        """What stands for void among ids that are classes."""
        return VOID_8 if len(self._class_set.names) <= VOID_8 else VOID_16

    def _with_own_void(self, labels: LabelArray) -> LabelArray:
        """Return labels in which 65535, void in 16 bits, is what stands for void among classes."""
        if labels.dtype != np.uint16 or self._void == VOID_16:
            return labels
        return np.where(labels == VOID_16, np.uint16(self._void), labels)

    def _settle_bits(
        self, labels: LabelArray, frame: Frame, *, segments: Mapping[int, Segment]
    ) -> None:
        """Decide by the first prediction in how many bits ids are told, and hold others to it."""
        wide, numbered = labels.dtype == np.uint16, _numbered(segments)
        if self._id_bits is None:
            shows = wide and (numbered or bool((labels == VOID_16).any()))
            self._id_bits = 16 if shows else self._info.label_bits
        if numbered and wide and self._id_bits < 16:
            self._refuse(
                frame, "ids in uint16", "uint8 as before, or ids in uint16 on the first frame too"
            )

    def _decoded(self, answer: NDArray[Any], placement: Placement, frame: Frame) -> Prediction:
        integers = answer.dtype.kind != "f"
        if self._integers is None:
            self._integers = integers
        if integers != self._integers:
            before = "integers" if self._integers else "floats"
            self._refuse(frame, f"{answer.dtype} {answer.shape}", f"{before} as before")
        if frame.size not in self._decoders:
            kind: OutputKind = self._options.output
            if kind == "auto" and not integers:
                kind = "probabilities"
            self._decoders[frame.size] = AnswerDecoder(
                self._name, self._class_set, output=kind, threshold=self._options.threshold
            )
        # Grids of one row are grids here: the decoder takes a leading 1 for a batch.
        return self._decoders[frame.size].decode(
            answer[None], placement=placement, frame_index=frame.index
        )

    def _look_for_mask(self, labels: NDArray[Any], frame: Frame) -> None:
        """Tell of 0 and 255 for background and foreground; another id tells that ids are meant.

        Refused only where no classes are named and by the run's first frame, which every process
        sees first: later ones must not hang on what a process saw before.
        """
        if ((labels != 0) & (labels != VOID_8)).any():
            self._perhaps_mask = False
        elif (labels == VOID_8).any():
            self._perhaps_mask = False
            found = f"no id but 0 and {VOID_8}, which is void"
            fix = "return 1 for the foreground (mask > 0)"
            if self._integers is None and self._options.classes == "auto":
                self._refuse(
                    frame,
                    found,
                    f"ids; {fix}, or set segmenter.output = 'argmax' if void is meant",
                )
            _log.warning("%s: frame %d: got %s; %s", self._name, frame.index, found, fix)

    def _refuse(self, frame: Frame, actual: str, expected: str) -> NoReturn:
        raise ModelError(f"{self._name}: frame {frame.index}: got {actual}, expected {expected}")


def _numbered(segments: Mapping[int, Segment]) -> bool:
    """Tell whether ids are no classes but numbers of their own."""
    return any(key != segment.class_id for key, segment in segments.items())


def _begins_with_channels(answer: NDArray[Any], size: tuple[int, int], *, classes: int) -> bool:
    """Tell whether an answer has its classes first: there its values sum to one, on any grid.

    Where nothing sums to one, whether its last two sides lie over the frame, and its first two
    cannot be meant.
    """
    shape = answer.shape
    if _sums_to_one(answer, 2):
        return False
    if _sums_to_one(answer, 0):
        return True
    if not covers(shape[1:], size) or shape[2] == classes:
        return False
    if shape[0] > 1 and shape[1:] == size != shape[:2]:
        return True
    # A square grid may be a network's own, whatever the frame's aspect.
    return not (shape[0] == shape[1] or covers(shape[:2], size))


def _sums_to_one(answer: NDArray[Any], axis: int) -> bool:
    count = answer.shape[axis]
    if answer.dtype.kind != "f" or count == 1:
        return False
    off = np.abs(answer.sum(axis=axis, dtype=np.float32) - 1)
    return bool(off.max() <= sum_tolerance(count))


def imported_function(model: str) -> Callable[[UInt8Array], object]:
    """Return what `python:module:attribute` names; a class is called once, without arguments.

    Modules of the working folder can be imported, as in `python -m`.

    Raises
    ------
    ModelError
        When there is no such module or attribute, or it cannot be called.
    """
    module_name, colon, attribute = model.removeprefix(_PREFIX).partition(":")
    if not module_name or not colon or not attribute:
        raise ModelError(f"{model}: expected python:MODULE:ATTRIBUTE, such as python:net:segment")
    found: Any = _module(model, module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ModelError(f"{model}: {module_name} has no attribute {attribute!r}{hint}")
        found = getattr(found, part)
    if isinstance(found, type):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise ModelError(f"{model}: {attribute}() raised {_one_line(error)}") from error
    if not callable(found):
        raise ModelError(
            f"{model}: {attribute} is {type(found).__name__}, expected a function that takes an "
            "RGB image"
        )
    function: Callable[[UInt8Array], object] = found
    return function


def _module(model: str, name: str) -> Any:
    folder = os.getcwd()
    if folder not in sys.path:
        # For good: the module may import its neighbours only when it is called.
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        parents = tuple(name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1))
        if isinstance(error, ModuleNotFoundError) and error.name in parents:
            raise ModelError(
                f"{model}: there is no module {error.name!r}, neither in {folder} nor among the "
                "installed packages"
            ) from error
        raise ModelError(f"{model}: importing {name} raised {_one_line(error)}") from error


def _with_classes(
    function: Callable[[UInt8Array], object], options: SegmenterOptions, name: str
) -> SegmenterOptions:
    own = getattr(function, "classes", None)
    if own is None or options.classes != "auto":
        return options
    if isinstance(own, str):
        return replace(options, classes=own)
    if isinstance(own, Sequence) and all(isinstance(entry, str) for entry in own):
        return replace(options, classes=tuple(own))
    raise ModelError(
        f"{name}: its attribute classes is {type(own).__name__}, expected a list of names or the "
        "name of a class set"
    )


def _own_name(function: Callable[[UInt8Array], object]) -> str:
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{_PREFIX}{named.__module__}:{named.__qualname__}"


def _source_hash(name: str) -> str:
    """Return the hash of the file that a function's module was imported from; empty without one."""
    module = sys.modules.get(name.removeprefix(_PREFIX).partition(":")[0])
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_file():
        return ""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _one_line(error: BaseException) -> str:
    told = " ".join(str(error).split())[:300]
    # A bare `assert` and a MemoryError say nothing of themselves.
    return f"{type(error).__name__}: {told}" if told else type(error).__name__
