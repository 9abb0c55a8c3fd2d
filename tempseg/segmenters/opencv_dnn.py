"""TensorFlow graphs, ONNX and TensorFlow Lite files through OpenCV's dnn module.

OpenCV reads files that it then runs wrongly: another shape than the file declares, or the right
shape with other values. So a model is tried in a process of its own, its answer is held against
the declared shape, and compared with the format's own runtime where that is installed.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters import opencv_trial
from tempseg.segmenters.declarations import (
    Declared,
    Interface,
    onnx_declarations,
    placeholders,
)
from tempseg.segmenters.litert import LiteRTSegmenter, litert_interface
from tempseg.segmenters.native_log import quiet_native_log
from tempseg.segmenters.network import NetworkSegmenter, hashed
from tempseg.segmenters.onnx import OnnxSegmenter, onnx_hash
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.ports import input_port, output_port, pick
from tempseg.types import UInt8Array

__all__ = ["OpenCvSegmenter", "opencv_interface"]

_DEFAULTS = SegmenterOptions()
_ANY_IMAGE = (None, None, None, 3)
_MOST_DIFFERENCE = 0.02
"""Root mean square difference from another runtime, as a share of the answer's own spread."""

_logger = logging.getLogger(__name__)


class OpenCvSegmenter(NetworkSegmenter):
    """Runs a `.pb` with its `.pbtxt`, an `.onnx` or a `.tflite` file.

    Parameters
    ----------
    path : str or Path
        The text graph of a `.pb` is the `.pbtxt` of the same name beside it.
    options : SegmenterOptions
        `threads` does not reach OpenCV, whose threads are the whole process's.

    Raises
    ------
    ModelError
        When OpenCV cannot run the model, or runs it wrongly.
    """

    def __init__(self, path: str | Path, options: SegmenterOptions = _DEFAULTS) -> None:
        name = str(path)
        files = _files(name)
        if options.threads is not None:
            _logger.warning(
                "%s: OpenCV's threads are the whole process's, segmenter.threads = %d has no "
                "effect",
                name,
                options.threads,
            )
        declared = _declared(name)
        taken = _only_input(name, declared)
        port = input_port(name, taken.shape or _ANY_IMAGE, taken.dtype, options=options)
        # OpenCV turns TensorFlow's networks round: channels come first, whatever the file says.
        self._turned = files.suffix != ".onnx" and not port.channels_first
        fed = replace(port, channels_first=True) if self._turned else port
        # Text graphs leave out the cast from bytes, which OpenCV does not have.
        self._dtype = "float32" if files.text_graph else fed.dtype
        _try_apart(name, files.text_graph, dtype=self._dtype, shape=fed.shape)
        with quiet_native_log():
            self._net = opencv_trial.read_net(name, files.text_graph)
        self._output_name = pick(
            name, _outputs(declared, self._net.getUnconnectedOutLayersNames()), options.output_name
        )
        given = _output(declared, self._output_name)
        if given is None or given.shape is None:
            answer = self._infer(np.zeros(fed.shape, self._dtype), name)
            given = Declared(self._output_name, answer.dtype.name, answer.shape)
        super().__init__(
            path,
            "opencv",
            port=fed,
            output=output_port(given.shape, integer="float" not in given.dtype, port=port),
            sha256=files.sha256(),
            options=options,
        )
        self._compare(_reference(name, options))

    def _infer(self, tensor: NDArray[Any], where: str) -> NDArray[Any]:
        try:
            self._net.setInput(tensor.astype(self._dtype, copy=False))
            answer: NDArray[Any] = self._net.forward(self._output_name)
        except cv2.error as error:
            raise ModelError(f"{where}: the model failed ({error.err})") from error
        if self._turned and answer.ndim == 4:
            answer = answer.transpose(0, 2, 3, 1)
        return answer if answer.dtype.kind in "iub" else answer.astype(np.float32, copy=False)

    def _compare(self, reference: NetworkSegmenter | None) -> None:
        picture = _test_picture(self._port.size)
        mine, _ = self.raw_answer(picture)
        if reference is None:
            told = "runtime: OpenCV dnn's answers could be compared with no other runtime's"
            self._info = replace(self._info, assumptions=(*self._info.assumptions, told))
            return
        expected, _ = reference.raw_answer(picture)
        if mine.shape != expected.shape:
            right, told = False, f"is of shape {mine.shape}, not {expected.shape}"
        elif not np.isfinite(expected).all():
            # Where both are so, the first frame is refused, with what is wrong.
            right, told = not np.isfinite(mine).all(), "is finite where that one is not"
        elif expected.dtype.kind == "f":
            spread = float(expected.std())
            error = float(np.sqrt(np.mean((mine.astype(np.float64) - expected) ** 2)))
            right = error <= _MOST_DIFFERENCE * spread + 1e-6
            told = f"differs by {error:.3g}, where its values spread by {spread:.3g}"
        else:
            same = float(np.mean(mine == expected))
            right = same >= 0.999
            told = f"agrees on {same:.1%} of the pixels"
        if not right:
            raise ModelError(
                f"{self._name}: OpenCV dnn runs it wrongly: held against "
                f"{reference.info.runtime}'s, its answer to a test picture {told}; "
                "remove segmenter.runtime"
            )


@dataclass(frozen=True, slots=True)
class _Files:
    suffix: str
    text_graph: str
    all: tuple[Path, ...]

    def sha256(self) -> str:
        """Return the hash of all that the model is read from."""
        if self.suffix == ".onnx":
            return onnx_hash(self.all[0])
        return hashed(self.all[0].parent if self.text_graph else self.all[0], self.all)


def opencv_interface(name: str) -> Interface:
    """Return what a `.pb`, `.onnx` or `.tflite` file declares; a graph does not name its outputs.

    Raises
    ------
    ModelError
        When a file is missing or cannot be read.
    """
    _files(name)
    return _declared(name)


def _output(interface: Interface, name: str) -> Declared | None:
    # OpenCV may call a single one by another name.
    if len(interface.outputs) == 1:
        return interface.outputs[0]
    return next((given for given in interface.outputs if given.name == name), None)


def _outputs(interface: Interface, names: Sequence[str]) -> list[Declared]:
    found = ((name, _output(interface, name)) for name in names)
    return [
        replace(given, name=name) if given else Declared(name, "unknown", None)
        for name, given in found
    ]


def _files(name: str) -> _Files:
    path = Path(name)
    suffix = path.suffix.lower()
    if suffix not in (".pb", ".onnx", ".tflite"):
        raise ModelError(
            f"{name}: OpenCV dnn runs .pb with .pbtxt, .onnx and .tflite files; "
            "remove segmenter.runtime"
        )
    if not path.is_file():
        raise ModelError(f"{name}: there is no such file; give the path of a {suffix} model")
    if suffix != ".pb":
        return _Files(suffix, "", (path,))
    if path.name == "saved_model.pb":
        raise ModelError(f"{name}: part of a SavedModel; give its folder, {path.parent}")
    text_graph = path.with_suffix(".pbtxt")
    if not text_graph.is_file():
        raise ModelError(
            f"{name}: its text graph {text_graph.name} is not beside it; put it there, or convert "
            "the model to .tflite, .onnx or a SavedModel"
        )
    return _Files(suffix, str(text_graph), (path, text_graph))


def _declared(name: str) -> Interface:
    suffix = Path(name).suffix.lower()
    if suffix == ".tflite":
        return litert_interface(name)
    data = Path(name).read_bytes()
    try:
        onnx = suffix == ".onnx"
        inputs, outputs = onnx_declarations(data) if onnx else (placeholders(data), [])
    except ValueError as error:
        kind = "ONNX model" if onnx else "TensorFlow graph"
        raise ModelError(
            f"{name}: not a readable {kind} ({error}); is the file complete?"
        ) from error
    return Interface(tuple(inputs), tuple(outputs))


def _only_input(name: str, interface: Interface) -> Declared:
    if len(interface.inputs) != 1:
        found = ", ".join(taken.name for taken in interface.inputs) or "none"
        raise ModelError(
            f"{name}: takes {len(interface.inputs)} inputs ({found}), expected one: an RGB image"
        )
    return interface.inputs[0]


def _try_apart(name: str, text_graph: str, *, dtype: str, shape: tuple[int, ...]) -> None:
    script = str(opencv_trial.__file__)
    sides = ",".join(str(side) for side in shape)
    # -P: the script's own folder is no place to import from.
    command = [sys.executable, "-P", script, name, text_graph, dtype, sides]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    lines = done.stdout.splitlines()
    if done.returncode == 1 and lines:
        raise ModelError(f"{name}: OpenCV dnn cannot run it ({lines[-1][:300]}){_advice(name)}")
    raise ModelError(
        f"{name}: OpenCV dnn crashes on it (exit status {done.returncode}){_advice(name)}"
    )


def _advice(name: str) -> str:
    if name.lower().endswith(".pb"):
        return "; convert the model to .tflite, .onnx or a SavedModel"
    return "; is the file complete? If so, remove segmenter.runtime"


def _reference(name: str, options: SegmenterOptions) -> NetworkSegmenter | None:
    same = replace(options, threads=None)
    if name.lower().endswith(".tflite"):
        return LiteRTSegmenter(name, same)
    if name.lower().endswith(".onnx") and importlib.util.find_spec("onnxruntime") is not None:
        return OnnxSegmenter(name, same)
    return None


def _test_picture(size: tuple[int, int]) -> UInt8Array:
    """Return coloured patches with grain: what blurs, shifts or lacks a layer shows on it."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    patches = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    grain = random.integers(-12, 13, patches.shape)
    picture: UInt8Array = np.clip(patches + grain, 0, 255).astype(np.uint8)
    return picture
