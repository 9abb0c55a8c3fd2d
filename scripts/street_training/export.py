"""The trained network as LiteRT and as SavedModel, and proof that they are the same function."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

__all__ = ["agreement", "saved_answers", "write_litert", "write_saved_model"]


def write_saved_model(network: keras.Model, folder: Path) -> None:
    """Write a SavedModel that takes one uint8 picture and holds its weights as float16.

    The weights are constants of the graph, half as large as variables, and exact where float16
    can hold them, as `folded` sees to.
    """
    shape = network.input_shape
    held = [tf.constant(value.value.numpy(), tf.float16) for value in network.variables]

    def answer(picture: tf.Tensor) -> dict[str, tf.Tensor]:
        weights = [tf.cast(value, tf.float32) for value in held]
        scores, _ = network.stateless_call(weights, [], tf.cast(picture, tf.float32))
        return {"logits": scores}

    module = tf.Module()
    signature = tf.function(answer, input_signature=[tf.TensorSpec(shape, tf.uint8, "picture")])
    module.serve = signature
    if folder.exists():
        shutil.rmtree(folder)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})
    # Neither is read back: there are no variables, and the fingerprint differs by the day.
    shutil.rmtree(folder / "assets", ignore_errors=True)
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def write_litert(saved_model: Path, path: Path) -> None:
    """Convert a SavedModel to a `.tflite` file with float16 weights."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / path.name
        part.write_bytes(converter.convert())
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part, path)


def saved_answers(
    network: keras.Model, saved_model: Path, litert: Path, images: NDArray[np.uint8]
) -> dict[str, NDArray[np.intp]]:
    """Return the class ids that each form gives for each picture, by the form's name.

    Parameters
    ----------
    network : keras.Model
    saved_model, litert : Path
    images : ndarray, shape (N, H, W, 3), uint8
        Of the network's size.
    """
    from ai_edge_litert.interpreter import Interpreter

    serve = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    interpreter = Interpreter(model_path=str(litert), num_threads=2)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]["index"]
    given = interpreter.get_output_details()[0]["index"]
    found: dict[str, list[NDArray[np.intp]]] = {"keras": [], "saved_model": [], "litert": []}
    for image in images:
        found["keras"].append(network(image[None].astype(np.float32), training=False).numpy()[0])
        found["saved_model"].append(serve(tf.constant(image[None]))["logits"].numpy()[0])
        interpreter.set_tensor(taken, image[None])
        interpreter.invoke()
        found["litert"].append(interpreter.get_tensor(given)[0])
    return {form: np.argmax(np.stack(scores), -1) for form, scores in found.items()}


def agreement(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """Return the share of places that two answers name alike."""
    return float(np.mean(one == other))
