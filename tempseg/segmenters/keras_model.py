"""Keras models, `.keras` and `.h5`, in safe mode: none of their code is run, only their layers."""

from __future__ import annotations

from itertools import count
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

__all__ = ["KerasSegmenter", "keras_interface"]

_DEFAULTS = SegmenterOptions()


class KerasSegmenter(NetworkSegmenter):
    """Runs a whole model saved by Keras.

    Parameters
    ----------
    path : str or Path
        A `.keras` or `.h5` file.
    options : SegmenterOptions

    Raises
    ------
    ModelError
        When the file is no usable segmentation model, or asks for code of its own to be run;
        says what it would have to be.
    """

    takes_batches = True

    def __init__(self, path: str | Path, options: SegmenterOptions = _DEFAULTS) -> None:
        name = str(path)
        keras, loaded = _load(name, options.threads)
        inputs = loaded.inputs
        if len(inputs) != 1:
            found = ", ".join(f"{taken.name} {taken.shape}" for taken in inputs)
            raise ModelError(
                f"{name}: takes {len(inputs)} inputs ({found}), expected one: an RGB image"
            )
        named = _outputs(loaded)
        declared = (_declared(key, given) for key, given in named.items())
        chosen = named[pick(name, declared, options.output_name)]
        # Only what leads to the wanted output is computed.
        self._model = keras.Model(inputs, chosen)
        port = input_port(name, list(inputs[0].shape), str(inputs[0].dtype), options=options)
        super().__init__(
            path,
            "keras",
            port=port,
            output=output_port(
                list(chosen.shape), integer="float" not in str(chosen.dtype), port=port
            ),
            sha256=hashed(Path(path), [Path(path)]),
            options=options,
        )

    def traced(self, image: Any) -> Any:
        """Return the output for a symbolic input, as TensorFlow traces functions."""
        return self._model(image, training=False)

    def _infer(self, tensor: NDArray[Any], where: str) -> NDArray[Any]:
        try:
            answer: NDArray[Any] = np.asarray(self._model.predict_on_batch(tensor))
        except Exception as error:
            # Each of Keras' back ends raises errors of its own.
            raise ModelError(f"{where}: the model failed ({first_line(error)})") from error
        return answer if answer.dtype.kind in "iub" else answer.astype(np.float32, copy=False)


def keras_interface(name: str, options: SegmenterOptions = _DEFAULTS) -> Interface:
    """Return what a Keras model declares.

    Raises
    ------
    ModelError
        When the file cannot be read, or asks for code of its own to be run.
    """
    _, loaded = _load(name, options.threads)
    return Interface(
        tuple(_declared(str(taken.name), taken) for taken in loaded.inputs),
        tuple(_declared(name, given) for name, given in _outputs(loaded).items()),
    )


def _outputs(loaded: Any) -> dict[str, Any]:
    """Return the outputs by the keys the model gives them, else by their layers' names."""
    keyed = loaded.output
    if isinstance(keyed, dict) and all(hasattr(given, "shape") for given in keyed.values()):
        return {str(key): given for key, given in keyed.items()}
    named: dict[str, Any] = {}
    for layer, given in zip(loaded.output_names, loaded.outputs, strict=True):
        # All outputs of a model inside this one have that model's name.
        numbered = (f"{layer}_{number}" for number in count(1))
        name = layer if layer not in named else next(n for n in numbered if n not in named)
        named[name] = given
    return named


def _declared(name: str, tensor: Any) -> Declared:
    return Declared(name, str(tensor.dtype), tuple(tensor.shape))


def _load(name: str, threads: int | None) -> tuple[Any, Any]:
    if not Path(name).is_file():
        raise ModelError(f"{name}: there is no such file; give the path of a Keras model")
    started_tensorflow(name, threads)
    with quiet_native_log():
        import keras
    try:
        with quiet_native_log():
            loaded = keras.models.load_model(name, compile=False, safe_mode=True)
    except Exception as error:
        # The loader raises whatever the broken part of the file happens to cause.
        told = str(error)
        if "Lambda" in told or "safe_mode" in told or "unsafe" in told:
            raise ModelError(
                f"{name}: holds Python code (a Lambda layer), which is not run; write it with "
                "Keras' own layers and operations, or export the model as a SavedModel"
            ) from error
        if "No model config" in told:
            raise ModelError(
                f"{name}: holds weights alone; save the whole model with model.save('NAME.keras')"
            ) from error
        problem = "cut short or no Keras model" if "File not found" in told else first_line(error)
        raise ModelError(
            f"{name}: not a readable Keras model ({problem}); is the file complete?"
        ) from error
    if not getattr(loaded, "inputs", None) or not getattr(loaded, "outputs", None):
        raise ModelError(
            f"{name}: declares neither input nor output; save it as a functional model, "
            "or after its first call"
        )
    if not hasattr(loaded, "output_names"):
        # A Sequential model names its output only as a functional one.
        loaded = keras.Model(loaded.inputs, loaded.outputs)
    return keras, loaded
