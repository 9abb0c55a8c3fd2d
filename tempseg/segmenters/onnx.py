"""ONNX models through ONNX Runtime, on the CPU; channels first or last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.declarations import Declared, Interface, onnx_data_files
from tempseg.segmenters.network import NetworkSegmenter, available_threads, hashed
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.ports import input_port, output_port, pick

__all__ = ["OnnxSegmenter", "onnx_hash", "onnx_interface"]

_DEFAULTS = SegmenterOptions()
_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}
_HALF = "tensor(float16)"
_FATAL_ONLY = 4


class OnnxSegmenter(NetworkSegmenter):
    """Runs an `.onnx` file.

    Parameters
    ----------
    path : str or Path
    options : SegmenterOptions

    Raises
    ------
    ModelError
        When ONNX Runtime is not installed, or the file is no usable segmentation model; says
        what it would have to be.
    """

    takes_batches = True

    def __init__(self, path: str | Path, options: SegmenterOptions = _DEFAULTS) -> None:
        name = str(path)
        self._session = _load(name, options.threads or available_threads())
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            found = ", ".join(f"{i.name} {i.shape}" for i in inputs)
            raise ModelError(
                f"{name}: takes {len(inputs)} inputs ({found or 'none'}), "
                "expected one: an RGB image"
            )
        taken = inputs[0]
        self._input_name = taken.name
        self._half = taken.type == _HALF
        # Half precision is fed from single: pixels have fewer digits than either.
        dtype = "float32" if self._half else _DTYPES.get(taken.type, taken.type)
        port = input_port(name, _sides(taken.shape), dtype, options=options)
        outputs = {o.name: o for o in self._session.get_outputs()}
        self._output_name = pick(name, map(_declared, outputs.values()), options.output_name)
        given = outputs[self._output_name]
        super().__init__(
            path,
            "onnx",
            port=port,
            output=output_port(
                # An undeclared shape and a single number's shape both come as no sides.
                _sides(given.shape) or None,
                integer="float" not in given.type and "double" not in given.type,
                port=port,
            ),
            sha256=onnx_hash(Path(path)),
            options=options,
        )

    def _infer(self, tensor: NDArray[Any], where: str) -> NDArray[Any]:
        taken = tensor.astype(np.float16) if self._half else tensor
        try:
            (answer,) = self._session.run([self._output_name], {self._input_name: taken})
        except Exception as error:
            # ONNX Runtime's errors have no common base but this.
            raise ModelError(f"{where}: the model failed ({_one_line(error)})") from error
        found: NDArray[Any] = np.asarray(answer)
        return found.astype(np.float32, copy=False) if found.dtype.kind == "f" else found


def onnx_interface(name: str) -> Interface:
    """Return what an `.onnx` file declares.

    Raises
    ------
    ModelError
        When ONNX Runtime is not installed, or the file cannot be read.
    """
    session = _load(name, 1)
    return Interface(
        tuple(map(_declared, session.get_inputs())), tuple(map(_declared, session.get_outputs()))
    )


def onnx_hash(path: Path) -> str:
    """Return the SHA-256 of an `.onnx` file, with those that hold its weights where it has such."""
    weights = [path.parent / name for name in onnx_data_files(path.read_bytes())]
    return hashed(path.parent if weights else path, [path, *weights])


def _declared(tensor: Any) -> Declared:
    kind = tensor.type.removeprefix("tensor(").removesuffix(")")
    # An undeclared shape and a single number's shape both come as no sides.
    return Declared(
        tensor.name, "float32" if kind == "float" else kind, tuple(_sides(tensor.shape)) or None
    )


def _load(name: str, threads: int) -> Any:
    if not Path(name).is_file():
        raise ModelError(f"{name}: there is no such file; give the path of an .onnx model")
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"{name}: needs ONNX Runtime, which is not installed; run: pip install 'tempseg[onnx]'"
        ) from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = _FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(name, settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        # As above; a broken file can fail in any part of the loader.
        if "External data" in str(error):
            raise ModelError(
                f"{name}: its weights are in a file of their own that is not beside it "
                f"({_one_line(error)}); put it there"
            ) from error
        raise ModelError(
            f"{name}: not a readable ONNX model ({_one_line(error)}); is the file complete?"
        ) from error


def _sides(shape: list[int | str | None]) -> list[int | None]:
    return [side if isinstance(side, int) else None for side in shape]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
