"""TensorFlow Lite models through LiteRT, on the CPU with XNNPACK."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.answers import dequantised
from tempseg.segmenters.declarations import Declared, Interface
from tempseg.segmenters.native_log import quiet_native_log
from tempseg.segmenters.network import NetworkSegmenter, available_threads, hashed
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.ports import input_port, output_port, pick

__all__ = ["LiteRTSegmenter", "litert_interface"]

_DEFAULTS = SegmenterOptions()


class LiteRTSegmenter(NetworkSegmenter):
    """Runs a `.tflite` file.

    Parameters
    ----------
    path : str or Path
    options : SegmenterOptions

    Raises
    ------
    ModelError
        When the file is no usable segmentation model; says what it would have to be.
    """

    def __init__(self, path: str | Path, options: SegmenterOptions = _DEFAULTS) -> None:
        name = str(path)
        interpreter = _load(name, options.threads or available_threads())
        inputs = interpreter.get_input_details()
        if len(inputs) != 1:
            found = ", ".join(f"{i['name']} {i['shape_signature'].tolist()}" for i in inputs)
            raise ModelError(
                f"{name}: takes {len(inputs)} inputs ({found}), expected one: an RGB image"
            )
        taken = inputs[0]
        declared = _declared(taken)
        port = input_port(
            name,
            declared.shape or (),
            declared.dtype,
            options=options,
            quantisation=_quantisation(taken),
        )
        _allocate(name, interpreter, int(taken["index"]), port.shape)
        output = _chosen_output(name, interpreter, options)
        self._interpreter = interpreter
        self._input_index = int(taken["index"])
        self._output_index = int(output["index"])
        self._quantisation = _output_quantisation(output, options.output)
        ids = np.dtype(output["dtype"]).kind != "f" and self._quantisation is None
        given = output_port(_declared(output).shape, integer=ids, port=port)
        if ids and options.classes == "auto":
            # A guess, and so no reason to refuse the classes that config names.
            given = replace(given, channels=_hidden_channels(interpreter, output))
        if self._quantisation is not None:
            given = replace(given, step=self._quantisation[0])
        super().__init__(
            path,
            "litert",
            port=port,
            output=given,
            sha256=hashed(Path(path), [Path(path)]),
            options=options,
        )

    def _infer(self, tensor: NDArray[Any], where: str) -> NDArray[Any]:
        try:
            self._interpreter.set_tensor(self._input_index, tensor)
            self._interpreter.invoke()
            # A copy: a view of the interpreter's memory, kept by anyone, stops its next run.
            answer: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{where}: the model failed ({_one_line(error)})") from error
        if self._quantisation is not None:
            return dequantised(answer, *self._quantisation)
        return answer


def litert_interface(name: str) -> Interface:
    """Return what a `.tflite` file declares.

    Raises
    ------
    ModelError
        When there is no such file, or it cannot be read.
    """
    interpreter = _load(name, 1)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return Interface(tuple(map(_declared, inputs)), tuple(map(_declared, outputs)))


def _declared(detail: dict[str, Any]) -> Declared:
    signature = [int(side) for side in detail["shape_signature"]]
    shape = tuple(None if side < 0 else side for side in signature)
    return Declared(str(detail["name"]), np.dtype(detail["dtype"]).name, shape or None)


def _load(name: str, threads: int) -> Any:
    if not Path(name).is_file():
        raise ModelError(f"{name}: there is no such file; give the path of a .tflite model")
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet_native_log():
            return Interpreter(model_path=name, num_threads=threads)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"{name}: not a readable TensorFlow Lite model ({_one_line(error)}); "
            "is the file complete?"
        ) from error


def _allocate(name: str, interpreter: Any, index: int, shape: tuple[int, ...]) -> None:
    try:
        with quiet_native_log():
            if interpreter.get_input_details()[0]["shape"].tolist() != list(shape):
                interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{name}: cannot be set up for an input of {list(shape)} ({_one_line(error)})"
        ) from error


def _chosen_output(name: str, interpreter: Any, options: SegmenterOptions) -> dict[str, Any]:
    outputs = {str(o["name"]): o for o in interpreter.get_output_details()}
    signatures = {key: _run_outputs(interpreter, key) for key in interpreter.get_signature_list()}
    run = sorted(key for key, found in signatures.items() if found)
    fix = f"set segmenter.signature to one of {run}" if run else "remove segmenter.signature"
    if options.signature in signatures and options.signature not in run:
        raise ModelError(
            f"{name}: signature {options.signature!r} is not in the file's first graph, which "
            f"alone is run; convert it to a file of its own, or {fix}"
        )
    if options.signature not in (*signatures, _DEFAULTS.signature):
        raise ModelError(f"{name}: has no signature {options.signature!r}; {fix}")
    if options.output_name is not None and options.output_name not in outputs:
        for key in run:
            outputs.update(signatures[key])
    declared = (replace(_declared(detail), name=key) for key, detail in outputs.items())
    return dict(outputs[pick(name, declared, options.output_name)])


def _run_outputs(interpreter: Any, signature: str) -> dict[str, Any]:
    """Return a signature's outputs by name; none where a graph other than the first gives them."""
    runner = interpreter.get_signature_runner(signature)
    first = (interpreter.get_input_details(), interpreter.get_output_details())
    own = (runner.get_input_details().values(), runner.get_output_details().values())
    # Each graph numbers its tensors anew, and only names tell them apart.
    known, asked = (
        {(str(detail["name"]), int(detail["index"])) for part in parts for detail in part}
        for parts in (first, own)
    )
    return dict(runner.get_output_details()) if asked <= known else {}


def _quantisation(detail: dict[str, Any]) -> tuple[float, int] | None:
    step, zero = detail["quantization"]
    return (float(step), int(zero)) if step else None


def _output_quantisation(output: dict[str, Any], kind: str) -> tuple[float, int] | None:
    quantisation = _quantisation(output)
    # Step 1 and zero 0 is how some converters label plain ids.
    if kind == "argmax" or quantisation == (1.0, 0) or output["dtype"] == np.float32:
        return None
    return quantisation


def _hidden_channels(interpreter: Any, output: dict[str, Any]) -> int | None:
    # An argmax hides how many classes there were; the tensor it was taken of still tells, where
    # it is the only one of the answer's size besides the picture.
    shape = [int(side) for side in output["shape"]]
    grid = shape[1:3] if len(shape) > 2 else shape
    pictures = {int(i["index"]) for i in interpreter.get_input_details()}
    counts = {
        int(detail["shape"][3])
        for detail in interpreter.get_tensor_details()
        if len(detail["shape"]) == 4
        and detail["shape"][1:3].tolist() == grid
        and detail["shape"][3] not in (1, 3)
        and detail["index"] not in pictures
    }
    return counts.pop() if len(counts) == 1 else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
