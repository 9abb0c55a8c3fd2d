"""What all segmenters that run a network share: prepare, infer, decode."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.answers import AnswerDecoder
from tempseg.segmenters.options import SegmenterOptions, choose_classes
from tempseg.segmenters.preprocessing import ModelInput, Preprocessor, onto_grid
from tempseg.types import Frame, Prediction, SegmenterInfo

__all__ = ["InputPort", "NetworkSegmenter", "available_threads", "hashed", "input_port", "pick"]

_INPUT_DTYPES: dict[str, Literal["float32", "uint8", "int8"]] = {
    "float32": "float32",
    "uint8": "uint8",
    "int8": "int8",
}


@dataclass(frozen=True, slots=True)
class InputPort:
    """What a network's one input takes: height and width, type, and step and zero if quantised."""

    size: tuple[int, int]
    dtype: Literal["float32", "uint8", "int8"]
    quantisation: tuple[float, int] | None = None


def input_port(
    model: str,
    shape: Sequence[int | None],
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
        As the model declares it; none for a side it leaves open.
    dtype : str
        Name of the input's type.
    options : SegmenterOptions
    quantisation : (float, int) or None

    Raises
    ------
    ModelError
        When the input is no batch of RGB images, or its size stays unknown.
    """
    told = ["any" if side is None else side for side in shape]
    if len(shape) != 4 or shape[3] != 3 or shape[0] not in (None, 1):
        hint = ""
        if len(shape) == 4 and shape[1] == 3:
            hint = "; channels come first here: export it with channels last"
        elif len(shape) == 4 and shape[3] == 4:
            hint = "; models that take a previous mask as fourth channel are not supported"
        raise ModelError(f"{model}: its input is {told}, expected [1, height, width, 3]{hint}")
    if dtype not in _INPUT_DTYPES:
        raise ModelError(
            f"{model}: its input is {dtype}, expected one of {', '.join(_INPUT_DTYPES)}; "
            "export it with one of these"
        )
    sides: list[int] = []
    wanted = options.input_size[::-1] if options.input_size else (None, None)
    for fixed, asked in zip(shape[1:3], wanted, strict=True):
        if fixed is None and asked is None:
            raise ModelError(
                f"{model}: takes images of any size ({told}); "
                "set segmenter.input_size = [width, height]"
            )
        if fixed is not None and asked not in (None, fixed):
            raise ModelError(
                f"{model}: its input is fixed at {shape[2]}x{shape[1]}, but segmenter.input_size "
                f"is {list(options.input_size or ())}; remove segmenter.input_size"
            )
        sides.append(fixed or asked or 0)
    scaled = options.mean is not None or options.scale is not None
    if scaled and dtype != "float32" and quantisation is None:
        raise ModelError(
            f"{model}: takes raw {dtype} pixels; remove segmenter.mean and segmenter.scale"
        )
    return InputPort((sides[0], sides[1]), _INPUT_DTYPES[dtype], quantisation)


class NetworkSegmenter(ABC):
    """A segmenter around a network with one image in and one tensor out.

    Parameters
    ----------
    path : str or Path
        The model, as the user named it.
    runtime : str
        The adapter's name.
    port : InputPort
    channels : int or None
        Classes that the output tells apart, where the model declares them; one for a single
        foreground channel.
    sha256 : str
    options : SegmenterOptions
    """

    def __init__(
        self,
        path: str | Path,
        runtime: str,
        *,
        port: InputPort,
        channels: int | None,
        sha256: str,
        options: SegmenterOptions,
    ) -> None:
        name = str(path)
        assumptions: list[str] = []
        mean, scale = options.mean, options.scale
        if port.dtype == "float32" and mean is None and scale is None:
            mean, scale = 127.5, 1 / 127.5
            assumptions.append(
                "input: pixels scaled to [-1, 1]; set segmenter.mean and segmenter.scale "
                "if that is wrong: value = (pixel - mean) * scale"
            )
        choice = choose_classes(options, path=path, channels=channels)
        count, names = max(channels or 0, 2 if channels == 1 else 0), len(choice.class_set.names)
        if count > names:
            raise ModelError(
                f"{name}: tells {count} classes apart, but {choice.class_set.name} has "
                f"{names}; set segmenter.classes"
            )
        self._preprocessor = Preprocessor(
            port.size,
            colour_order=options.colour_order,
            mean=mean,
            scale=scale,
            resize=options.resize,
            dtype=port.dtype,
            quantisation=port.quantisation,
        )
        self._decoder = AnswerDecoder(
            name, choice.class_set, output=options.output, threshold=options.threshold
        )
        self._info = SegmenterInfo(
            name,
            runtime,
            choice.class_set,
            sha256=sha256,
            label_bits=self._decoder.label_bits,
            assumptions=(*assumptions, *choice.assumptions),
        )

    @property
    def info(self) -> SegmenterInfo:
        """What the model is; what its first answer was taken for is added by that answer."""
        assumptions = (*self._info.assumptions, *self._decoder.assumptions)
        return replace(self._info, assumptions=assumptions)

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame, on the model's own grid."""
        prepared, placement = self._preprocessor.prepare(frame.image)
        answer = self._infer(prepared, frame.index)
        sides = answer.shape[1:3] if answer.ndim > 2 and answer.shape[0] == 1 else answer.shape[:2]
        if len(sides) == 2 and min(sides) > 0:
            placement = onto_grid(placement, self._preprocessor.size, (sides[0], sides[1]))
        return self._decoder.decode(answer, placement=placement, frame_index=frame.index)

    @abstractmethod
    def _infer(self, prepared: ModelInput, frame_index: int) -> NDArray[Any]:
        """Return the output tensor for an input (h, w, 3); it may be overwritten by the next."""


def pick(model: str, names: Iterable[str], wanted: str | None) -> str:
    """Return the output to read: the wanted one, or the only one.

    Raises
    ------
    ModelError
        When the wanted one is not there, or there are several and none is wanted.
    """
    available = sorted(names)
    if wanted is None and len(available) == 1:
        return available[0]
    if wanted in available:
        return wanted
    problem = "has several outputs" if wanted is None else f"has no output {wanted!r}"
    raise ModelError(f"{model}: {problem}; set segmenter.output_name to one of {available}")


def hashed(root: Path, files: Sequence[Path]) -> str:
    """Return the SHA-256 of files: of the bytes alone for a file, with relative names for more."""
    digest = hashlib.sha256()
    for file in files:
        if file != root:
            digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def available_threads() -> int:
    """Return the number of CPUs that this process may use, at most eight."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), 8)
    return min(os.cpu_count() or 1, 8)
