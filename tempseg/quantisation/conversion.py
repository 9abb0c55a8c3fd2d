"""From a TensorFlow or Keras model to the bytes of a LiteRT file."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError
from tempseg.quantisation.results import Kind
from tempseg.segmenters import KerasSegmenter, SavedModelSegmenter
from tempseg.segmenters.native_log import quiet_native_log

__all__ = ["Converter"]

_NOT_BUILTIN = (
    re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op"),
    re.compile(r"tf\.(\w+)\(tensor<"),
)


class Converter:
    """Writes one model as LiteRT files of several kinds.

    Parameters
    ----------
    segmenter : SavedModelSegmenter or KerasSegmenter

    Raises
    ------
    ModelError
        When the model cannot be traced for an input of its size.
    """

    def __init__(self, segmenter: SavedModelSegmenter | KerasSegmenter) -> None:
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        self._name = segmenter.info.name
        self._float_input = segmenter.port.dtype == "float32"
        spec = tf.TensorSpec(segmenter.port.shape, segmenter.port.dtype, name="image")
        try:
            with _quietly():
                traced = tf.function(lambda image: _answer(segmenter, image, tf), autograph=False)
                # Variables that stay variables are left out of the file without a word, and it
                # answers not-a-number.
                self._frozen = convert_variables_to_constants_v2(traced.get_concrete_function(spec))
        except Exception as error:
            # Tracing runs the model's own code, which raises what it likes.
            size = f"{segmenter.port.size[1]}x{segmenter.port.size[0]}"
            raise ModelError(
                f"{self._name}: cannot be fixed at an input of {size} ({_short(error)}); "
                "set segmenter.input_size to a size that it takes"
            ) from error

    def convert(self, kind: Kind, calibration: Iterable[NDArray[Any]]) -> bytes:
        """Return the file.

        `float16`: weights of 16 bits, float32 in and out. `int8-weights`: weights of 8 bits a
        channel, float32 from layer to layer; layers take ranges of their own afresh. `int8`:
        weights and activations of 8 bits; int8 in where the model takes float32, and float32 (or
        ids) out.

        Parameters
        ----------
        kind : str
        calibration : iterable of ndarray
            Inputs that the ranges of activations are taken of; read for `int8` only.

        Raises
        ------
        ModelError
            When the model has operations that LiteRT lacks, or cannot be converted otherwise.
        """
        import tensorflow as tf

        with _quietly():
            converter = tf.lite.TFLiteConverter.from_concrete_functions([self._frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        elif kind == "int8":
            converter.representative_dataset = lambda: _batches(calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            if self._float_input:
                converter.inference_input_type = tf.int8
        try:
            with _quietly():
                written: bytes = converter.convert()
        except Exception as error:
            # The converter and its quantiser raise errors of no common kind.
            raise ModelError(f"{self._name}: {kind}: {_reason(error)}") from error
        return written


def _answer(segmenter: SavedModelSegmenter | KerasSegmenter, image: Any, tf: Any) -> Any:
    answer = segmenter.traced(image)
    return tf.cast(answer, tf.float32) if answer.dtype in (tf.float16, tf.bfloat16) else answer


def _batches(calibration: Iterable[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
    for tensor in calibration:
        yield [np.ascontiguousarray(tensor)]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what the converter tells about its own insides off the user's screen."""
    absl = logging.getLogger("absl")
    before = absl.level
    absl.setLevel(logging.ERROR)
    try:
        with quiet_native_log(everything=True), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        absl.setLevel(before)


def _reason(error: Exception) -> str:
    told = str(error)
    missing = sorted({name for pattern in _NOT_BUILTIN for name in pattern.findall(told)})
    if missing:
        return (
            f"LiteRT has no operation for {', '.join(missing)}; write that part of the model with "
            "others, or run the model as it is"
        )
    return f"cannot be converted ({_short(error)})"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
