"""Tiny networks with answers known by hand."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.segmenters.tiny_keras import write_all_keras
from tests.segmenters.tiny_onnx import write_all_onnx

SIZE = (8, 12)
WEIGHTS = np.array([[4.0, -2.0, -2.0], [-2.0, 4.0, -2.0], [-2.0, -2.0, 4.0]], dtype=np.float32)
"""Logits of red, green and blue from values in [-1, 1]: each class likes its own channel."""


@dataclass(frozen=True, slots=True)
class TinyModels:
    """A folder with one model a kind."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name


def colour_frame() -> np.ndarray:
    """Return an image of four quarters: red, green, blue, red."""
    image = np.zeros((16, 24, 3), np.uint8)
    image[:8, :12, 0] = image[:8, 12:, 1] = image[8:, :12, 2] = image[8:, 12:, 0] = 255
    return image


def colour_ids(grid: tuple[int, int]) -> np.ndarray:
    """Return the class of every cell of a grid over `colour_frame`."""
    ids = np.zeros(grid, np.uint8)
    ids[: grid[0] // 2, grid[1] // 2 :] = 1
    ids[grid[0] // 2 :, : grid[1] // 2] = 2
    return ids


def make_tiny_models(folder: Path) -> TinyModels:
    """Write every tiny model into a folder, unless they are there already."""
    if folder.exists():
        return TinyModels(folder)
    folder.mkdir()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with warnings.catch_warnings():
        # tensorflow's own imports use what newer Pythons and numpys deprecate
        warnings.simplefilter("ignore")
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        class Colour(tf.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.weights = tf.Variable(WEIGHTS[None, None])

            def logits(self, image: Any) -> Any:
                return tf.nn.conv2d(image, self.weights, strides=1, padding="SAME")

        model = Colour()

        def spec(*shape: int | None, dtype: Any = tf.float32) -> Any:
            return tf.TensorSpec(shape, dtype, name="image")

        def traced(function: Any, *specs: Any) -> Any:
            return tf.function(function).get_concrete_function(*specs)

        fixed = spec(1, *SIZE, 3)
        save = tf.saved_model.save
        save(
            model,
            str(folder / "fixed"),
            {
                "serving_default": traced(lambda image: {"logits": model.logits(image)}, fixed),
                "ids": traced(lambda image: {"ids": tf.argmax(model.logits(image), -1)}, fixed),
                "several": traced(
                    lambda image: {
                        "logits": model.logits(image),
                        "half": model.logits(image)[:, ::2, ::2],
                    },
                    fixed,
                ),
                "objects": traced(
                    lambda image: {
                        "detection_boxes": tf.zeros([1, 5, 4]),
                        "detection_scores": tf.zeros([1, 5]),
                        "detection_masks": tf.zeros([1, 5, *SIZE]) + image[:, :1, :1, :1],
                    },
                    fixed,
                ),
                "two_inputs": traced(
                    lambda image, other: {"logits": model.logits(image + other)},
                    fixed,
                    tf.TensorSpec((1, *SIZE, 3), tf.float32, name="other"),
                ),
            },
        )
        save(model, str(folder / "unsigned"))
        save(
            model,
            str(folder / "dynamic"),
            {
                "serving_default": traced(
                    lambda image: {"logits": model.logits(tf.cast(image, tf.float32) - 127.5)},
                    spec(None, None, None, 3, dtype=tf.uint8),
                )
            },
        )

        def convert(name: str, function: Any, *specs: Any, int8: type | None = None) -> None:
            # Variables are silently lost in conversion unless they are frozen first.
            frozen = convert_variables_to_constants_v2(traced(function, *specs))
            converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
            if int8 is not None:
                random = np.random.default_rng(5)
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: (
                    [random.uniform(-1, 1, (1, *SIZE, 3)).astype(np.float32)] for _ in range(20)
                )
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = int8
            (folder / name).write_bytes(converter.convert())

        convert("logits.tflite", model.logits, fixed)
        convert("softmax.tflite", lambda image: tf.nn.softmax(model.logits(image)), fixed)
        convert("ids.tflite", lambda image: tf.argmax(model.logits(image), -1), fixed)
        convert(
            "features_ids.tflite",
            # As large as the answer, and of six channels that are no classes.
            lambda image: tf.argmax(
                model.logits(tf.nn.relu(tf.concat([image, -image], -1))[..., :3]), -1
            ),
            fixed,
        )
        convert("half.tflite", lambda image: model.logits(image)[:, ::2, ::2], fixed)
        convert("person.tflite", lambda image: tf.sigmoid(model.logits(image)[..., :1]), fixed)
        convert("dynamic.tflite", model.logits, spec(1, None, None, 3))
        convert("five.tflite", lambda image: image[..., :3] + image[..., 4:], spec(1, *SIZE, 5))
        # Foreground is what is red or was foreground before, shifted by a pixel.
        convert(
            "remembers.tflite",
            lambda image: tf.maximum(
                tf.sigmoid(20 * image[..., :1] - 10), tf.roll(image[..., 3:], 1, axis=2)
            ),
            spec(1, *SIZE, 4),
        )
        convert(
            "two_inputs.tflite",
            lambda image, other: model.logits(image + other),
            fixed,
            tf.TensorSpec((1, *SIZE, 3), tf.float32, name="other"),
        )
        convert(
            "two_outputs.tflite",
            lambda image: (model.logits(image), tf.argmax(model.logits(image), -1)),
            fixed,
        )
        convert(
            "detector.tflite",
            lambda image: (
                tf.zeros([1, 5, 4]) + image[:, :1, :1, 0],
                tf.zeros([1, 5]) + image[:, :1, 0, 0],
                tf.zeros([1, 5, *SIZE]) + image[:, :1, :1, :1],
            ),
            fixed,
        )
        several = tf.lite.TFLiteConverter.from_saved_model(
            str(folder / "fixed"), signature_keys=["ids", "serving_default"]
        )
        (folder / "two_signatures.tflite").write_bytes(several.convert())
        convert("nan.tflite", lambda image: model.logits(image) / 0.0 * 0.0, fixed)
        convert("int8.tflite", model.logits, fixed, int8=tf.int8)
        convert("uint8.tflite", model.logits, fixed, int8=tf.uint8)
        convert(
            "softmax_int8.tflite",
            lambda image: tf.nn.softmax(model.logits(image)),
            fixed,
            int8=tf.int8,
        )
        constants = convert_variables_to_constants_v2(traced(model.logits, fixed))
        graph = constants.graph.as_graph_def()
        (folder / "graph.pb").write_bytes(graph.SerializeToString())
        # What OpenCV builds from is the text; the numbers come from the binary file.
        for place in reversed(range(len(graph.node))):
            if graph.node[place].op in ("Const", "NoOp"):
                del graph.node[place]
        (folder / "graph.pbtxt").write_text(str(graph))
        # A graph that takes bytes: its text leaves out the cast, as OpenCV needs it.
        constants = convert_variables_to_constants_v2(
            traced(
                lambda image: model.logits(tf.cast(image, tf.float32)),
                spec(None, None, None, 3, dtype=tf.uint8),
            )
        )
        (folder / "bytes.pb").write_bytes(constants.graph.as_graph_def().SerializeToString())
        (folder / "bytes.pbtxt").write_text((folder / "graph.pbtxt").read_text())
        (folder / "alone.pb").write_bytes((folder / "graph.pb").read_bytes())
        write_all_keras(folder, WEIGHTS, SIZE)
        write_all_onnx(folder, WEIGHTS, SIZE)
    return TinyModels(folder)
