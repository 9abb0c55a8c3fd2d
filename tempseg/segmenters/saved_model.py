"""TensorFlow SavedModels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.segmenters.declarations import Declared, Interface
from tempseg.segmenters.native_log import quiet_native_log
from tempseg.segmenters.network import NetworkSegmenter, hashed
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.ports import input_port, output_port, pick
from tempseg.segmenters.tensorflow_start import first_line, started_tensorflow

__all__ = ["SavedModelSegmenter", "saved_model_interface"]

_DEFAULTS = SegmenterOptions()


class SavedModelSegmenter(NetworkSegmenter):
    """Runs a signature of a SavedModel folder.

    Parameters
    ----------
    path : str or Path
    options : SegmenterOptions

    Raises
    ------
    ModelError
        When the folder is no usable segmentation model; says what it would have to be.
    """

    takes_batches = True

    def __init__(self, path: str | Path, options: SegmenterOptions = _DEFAULTS) -> None:
        name = str(path)
        # Kept: the signatures' variables live as long as the loaded object.
        self._loaded, self._call = _signature(name, options)
        inputs = self._call.structured_input_signature[1]
        if len(inputs) != 1:
            found = ", ".join(f"{key} {spec.shape}" for key, spec in sorted(inputs.items()))
            raise ModelError(
                f"{name}: takes {len(inputs)} inputs ({found or 'none'}), "
                "expected one: an RGB image"
            )
        ((self._input_name, taken),) = inputs.items()
        outputs = self._call.structured_outputs
        self._output_name = pick(name, _all_declared(outputs), options.output_name)
        output = outputs[self._output_name]
        port = input_port(name, _sides(taken.shape) or [], taken.dtype.name, options=options)
        super().__init__(
            path,
            "saved_model",
            port=port,
            output=output_port(_sides(output.shape), integer=output.dtype.is_integer, port=port),
            sha256=hashed(
                Path(path), sorted(file for file in Path(path).rglob("*") if file.is_file())
            ),
            options=options,
        )

    def traced(self, image: Any) -> Any:
        """Return the output for a symbolic input, as TensorFlow traces functions."""
        return self._call(**{self._input_name: image})[self._output_name]

    def _infer(self, tensor: NDArray[Any], where: str) -> NDArray[Any]:
        import tensorflow as tf

        try:
            answers = self._call(**{self._input_name: tf.constant(tensor)})
            answer: NDArray[Any] = answers[self._output_name].numpy()
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise ModelError(f"{where}: the model failed ({first_line(error)})") from error
        # Half-precision answers exist; everything after here counts on single.
        return answer if answer.dtype.kind in "iub" else answer.astype(np.float32, copy=False)


def saved_model_interface(name: str, options: SegmenterOptions = _DEFAULTS) -> Interface:
    """Return what the wanted signature of a SavedModel declares.

    Raises
    ------
    ModelError
        When the folder cannot be read, or has no such signature.
    """
    _, call = _signature(name, options)
    inputs = call.structured_input_signature[1]
    return Interface(_all_declared(inputs), _all_declared(call.structured_outputs))


def _all_declared(specs: Any) -> tuple[Declared, ...]:
    return tuple(_declared(key, spec) for key, spec in sorted(specs.items()))


def _declared(name: str, spec: Any) -> Declared:
    sides = _sides(spec.shape)
    return Declared(name, spec.dtype.name, None if sides is None else tuple(sides))


def _signature(name: str, options: SegmenterOptions) -> tuple[Any, Any]:
    """Return the loaded folder and the function in it that is wanted."""
    if not (Path(name) / "saved_model.pb").is_file():
        raise ModelError(f"{name}: no saved_model.pb in it; give a SavedModel's folder")
    loaded = _load(name, options.threads)
    if not loaded.signatures:
        raise ModelError(
            f"{name}: has no signature, and so nothing that can be run; export it with one: "
            "tf.saved_model.save(model, folder, signatures=function)"
        )
    if options.signature not in loaded.signatures:
        raise ModelError(
            f"{name}: has no signature {options.signature!r}; "
            f"set segmenter.signature to one of {sorted(loaded.signatures)}"
        )
    return loaded, loaded.signatures[options.signature]


def _load(name: str, threads: int | None) -> Any:
    tf = started_tensorflow(name, threads)
    try:
        with quiet_native_log():
            return tf.saved_model.load(name)
    except Exception as error:
        # The loader raises whatever the broken part of the folder happens to cause.
        raise ModelError(
            f"{name}: not a readable SavedModel ({first_line(error)}); is the folder complete, "
            "with saved_model.pb and variables/?"
        ) from error


def _sides(shape: Any) -> list[int | None] | None:
    return None if shape.rank is None else list(shape.as_list())
