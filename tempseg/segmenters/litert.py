"""TensorFlow Lite models through LiteRT, on the CPU with XNNPACK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.answers import dequantised
from tempseg.segmenters.native_log import quiet_native_log
from tempseg.segmenters.network import (
    NetworkSegmenter,
    available_threads,
    hashed,
    input_port,
    pick,
)
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.preprocessing import ModelInput

__all__ = ["LiteRTSegmenter"]

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
        signature = [int(side) for side in taken["shape_signature"]]
        port = input_port(
            name,
            [None if side < 0 else side for side in signature],
            np.dtype(taken["dtype"]).name,
            options=options,
            quantisation=_quantisation(taken),
        )
        _allocate(name, interpreter, int(taken["index"]), (1, *port.size, 3))
        output = _chosen_output(name, interpreter, options.output_name)
        self._name = name
        self._interpreter = interpreter
        self._input_index = int(taken["index"])
        self._output_index = int(output["index"])
        self._quantisation = _output_quantisation(output, options.output)
        super().__init__(
            path,
            "litert",
            port=port,
            channels=_channels(interpreter, output, quantised=self._quantisation is not None),
            sha256=hashed(Path(path), [Path(path)]),
            options=options,
        )

    def _infer(self, prepared: ModelInput, frame_index: int) -> NDArray[Any]:
        try:
            self._interpreter.set_tensor(self._input_index, prepared[None])
            self._interpreter.invoke()
            # A copy: a view of the interpreter's memory, kept by anyone, stops its next run.
            answer: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self._name}: frame {frame_index}: the model failed ({_one_line(error)})"
            ) from error
        if self._quantisation is not None:
            return dequantised(answer, *self._quantisation)
        return answer


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


def _chosen_output(name: str, interpreter: Any, wanted: str | None) -> dict[str, Any]:
    outputs = {str(o["name"]): o for o in interpreter.get_output_details()}
    if wanted is not None and wanted not in outputs:
        for signature in interpreter.get_signature_list():
            runner = interpreter.get_signature_runner(signature)
            outputs.update(runner.get_output_details())
    return dict(outputs[pick(name, outputs, wanted)])


def _quantisation(detail: dict[str, Any]) -> tuple[float, int] | None:
    step, zero = detail["quantization"]
    return (float(step), int(zero)) if step else None


def _output_quantisation(output: dict[str, Any], kind: str) -> tuple[float, int] | None:
    quantisation = _quantisation(output)
    # Step 1 and zero 0 is how some converters label plain ids.
    if kind == "argmax" or quantisation == (1.0, 0) or output["dtype"] == np.float32:
        return None
    return quantisation


def _channels(interpreter: Any, output: dict[str, Any], *, quantised: bool) -> int | None:
    shape = [int(side) for side in output["shape"]]
    if np.dtype(output["dtype"]).kind == "f" or quantised:
        return shape[3] if len(shape) == 4 else 1
    # An argmax hides how many classes there were; the tensor it was taken of still tells, where
    # it is the only one of the answer's size besides the picture.
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
