"""What all segmenters that run a network share: prepare, infer, decode."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.answers import AnswerDecoder, OutputKind
from tempseg.segmenters.options import SegmenterOptions, choose_classes
from tempseg.segmenters.ports import InputPort, OutputPort, require_grid
from tempseg.segmenters.preprocessing import Preprocessor, onto_grid
from tempseg.segmenters.previous_mask import PreviousMask
from tempseg.types import FloatArray, Frame, Placement, Prediction, SegmenterInfo, UInt8Array

__all__ = ["NetworkSegmenter", "available_threads", "hashed"]


class NetworkSegmenter(ABC):
    """A segmenter around a network with one image in and one tensor out.

    Parameters
    ----------
    path : str or Path
        The model, as the user named it.
    runtime : str
        The adapter's name.
    port : InputPort
    output : OutputPort
    sha256 : str
    options : SegmenterOptions
    """

    takes_batches: ClassVar[bool] = False
    """Whether the runtime can be given several images at once."""

    def __init__(
        self,
        path: str | Path,
        runtime: str,
        *,
        port: InputPort,
        output: OutputPort,
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
        if port.previous_mask:
            assumptions.append(
                "input: its fourth channel taken for the model's own previous mask; give a model "
                "of three channels if it is another thing, such as depth or transparency"
            )
        if output.shape is not None:
            require_grid(output.shape, port.size, name, channels_first=output.channels_first)
        channels = output.channels
        choice = choose_classes(options, path=path, channels=channels)
        count, names = max(channels or 0, 2 if channels == 1 else 0), len(choice.class_set.names)
        if count > names:
            raise ModelError(
                f"{name}: tells {count} classes apart, but {choice.class_set.name} has "
                f"{names}; set segmenter.classes"
            )
        self._name = name
        self._batch = options.batch
        self._port = port
        self._output = output
        self._preprocessor = self.preprocessor(replace(options, mean=mean, scale=scale))
        self._memory = PreviousMask(port.size) if port.previous_mask else None
        self._decoder = AnswerDecoder(
            name,
            choice.class_set,
            output=options.output,
            threshold=options.threshold,
            step=output.step,
        )
        self._info = SegmenterInfo(
            name,
            runtime,
            choice.class_set,
            sha256=sha256,
            label_bits=self._decoder.label_bits,
            assumptions=(*assumptions, *choice.assumptions),
            remembers=port.previous_mask,
        )

    @property
    def info(self) -> SegmenterInfo:
        """What the model is; what its first answer was taken for is added by that answer."""
        assumptions = (*self._info.assumptions, *self._decoder.assumptions)
        return replace(self._info, assumptions=assumptions)

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame, on the model's own grid."""
        mask = None if self._memory is None else self._memory.before(frame.index)
        answer, placement = self._placed(
            frame.image, self._preprocessor, mask, f"{self._name}: frame {frame.index}"
        )
        own = self._decoder.unthresholded(answer, placement=placement, frame_index=frame.index)
        if self._memory is not None:
            self._memory.keep(own, frame.index)
        return self._decoder.thresholded(own)

    @property
    def batch(self) -> int:
        """How many frames `segment_batch` is to be given at once; 1 where the model takes one."""
        return self._batch if self.takes_batches and self._port.open_batch else 1

    def segment_batch(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return the answers for several frames; at once, where the model takes that."""
        if len(frames) < 2 or self.batch == 1 or self._memory is not None:
            return [self.segment(frame) for frame in frames]
        prepared = [self._preprocessor.prepare(frame.image) for frame in frames]
        tensor = np.concatenate([self._port.tensor(values) for values, _ in prepared])
        where = f"{self._name}: frames {', '.join(str(frame.index) for frame in frames)}"
        answers = self._output.channels_last(self._infer(tensor, where), where)
        if answers.ndim < 3 or len(answers) != len(frames):
            raise ModelError(
                f"{where}: got one answer of {answers.shape}, expected {len(frames)}; "
                "remove segmenter.batch"
            )
        require_grid(answers[:1].shape, self._port.size, where)
        return [
            self._decoder.decode(
                answer[None],
                placement=_onto_answer(placement, self._preprocessor, answer[None]),
                frame_index=frame.index,
            )
            for frame, (_, placement), answer in zip(frames, prepared, answers, strict=True)
        ]

    @property
    def port(self) -> InputPort:
        """What the input takes."""
        return self._port

    @property
    def output(self) -> OutputPort:
        """What the output is declared to give."""
        return self._output

    @property
    def preprocessing(self) -> Preprocessor:
        """How pixels become what it takes."""
        return self._preprocessor

    @property
    def output_kind(self) -> OutputKind:
        """What the first answer was read as; what config says before it."""
        return self._decoder.output_kind

    def tensor(self, image: UInt8Array) -> NDArray[Any]:
        """Return what the network is given for an image, before any previous mask joins it.

        Parameters
        ----------
        image : ndarray, shape (H, W, 3), uint8
            RGB.
        """
        prepared, _ = self._preprocessor.prepare(image)
        return self._port.tensor(prepared)

    def preprocessor(self, options: SegmenterOptions) -> Preprocessor:
        """Return what makes this network's input by other options than its own."""
        return Preprocessor(
            self._port.size,
            colour_order=options.colour_order,
            mean=options.mean,
            scale=options.scale,
            resize=options.resize,
            dtype=self._port.dtype,
            quantisation=self._port.quantisation,
        )

    def raw_answer(
        self, image: UInt8Array, *, preprocessor: Preprocessor | None = None
    ) -> tuple[NDArray[Any], Placement]:
        """Return what the model gives for an image, channels last, before it is read.

        Parameters
        ----------
        image : ndarray, shape (H, W, 3), uint8
            RGB.
        preprocessor : Preprocessor, optional
            In place of the model's own.

        Returns
        -------
        ndarray
        Placement
            Where its grid lies on the image.

        Raises
        ------
        ModelError
            When the model fails, or answers in another shape than it declares.
        """
        mask = np.zeros(self._port.size, np.float32) if self._port.previous_mask else None
        return self._placed(image, preprocessor or self._preprocessor, mask, self._name)

    def _placed(
        self, image: UInt8Array, preprocessor: Preprocessor, mask: FloatArray | None, where: str
    ) -> tuple[NDArray[Any], Placement]:
        prepared, placement = preprocessor.prepare(image)
        values: NDArray[Any] = prepared if mask is None else np.dstack((prepared, mask))
        answer = self._output.channels_last(self._infer(self._port.tensor(values), where), where)
        require_grid(answer.shape, self._port.size, where)
        return answer, _onto_answer(placement, preprocessor, answer)

    def forget(self) -> None:
        """Answer the next frame as if none had been answered before."""
        if self._memory is not None:
            self._memory = PreviousMask(self._port.size)

    @abstractmethod
    def _infer(self, tensor: NDArray[Any], where: str) -> NDArray[Any]:
        """Return the output for an input of the port's shape; the next may overwrite it.

        Where the runtime takes batches the input may hold several images.

        `where` begins the message of whatever goes wrong.
        """


def _onto_answer(
    placement: Placement, preprocessor: Preprocessor, answer: NDArray[Any]
) -> Placement:
    """Return where an answer's grid lies, given where the network's input does."""
    sides = answer.shape[1:3] if answer.ndim > 2 and answer.shape[0] == 1 else answer.shape[:2]
    if len(sides) == 2 and min(sides) > 0:
        return onto_grid(placement, preprocessor.size, (sides[0], sides[1]))
    return placement


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
    """Return the number of CPUs that this process may use, at most eight.

    `TEMPSEG_THREADS` says how many of them are its share, where several processes work.
    """
    share = os.environ.get("TEMPSEG_THREADS", "")
    if share.isdecimal():
        return max(1, int(share))
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), 8)
    return min(os.cpu_count() or 1, 8)
