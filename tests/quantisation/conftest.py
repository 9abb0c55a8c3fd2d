"""Tiny models to quantise, and a clip to calibrate on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tempseg.quantisation.conversion import Converter
from tests.segmenters.tiny import SIZE, WEIGHTS, TinyModels, colour_frame, make_tiny_models

FRAMES = 10
RGB = {"segmenter.classes": ["red", "green", "blue"]}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModels:
    """Return the folder of tiny models."""
    return make_tiny_models(tmp_path_factory.getbasetemp() / "tiny")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of images: four coloured quarters that wander, never half a cell."""
    folder = tmp_path_factory.mktemp("clip")
    for index in range(FRAMES):
        moved = np.roll(colour_frame(), (2 * index, 4 * index), axis=(0, 1))
        Image.fromarray(moved).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of SavedModels that do not come out right."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("odd")
    spec = tf.TensorSpec((1, *SIZE, 3), tf.float32, name="image")

    def save(name, answer):
        function = tf.function(lambda image: {"logits": answer(image)}, autograph=False)
        signatures = {"serving_default": function.get_concrete_function(spec)}
        tf.saved_model.save(tf.Module(), str(folder / name), signatures)

    rolled = tf.constant(np.roll(WEIGHTS, 1, axis=1)[None, None])
    save("rolled", lambda image: tf.nn.conv2d(image, rolled, strides=1, padding="SAME"))
    save("erf", lambda image: 4 * tf.math.erf(image))
    return folder


@pytest.fixture
def int8_fails(monkeypatch: pytest.MonkeyPatch, tiny: TinyModels) -> None:
    """Let int8 files come out as models that answer with no numbers."""
    convert = Converter.convert
    broken = tiny.path("nan.tflite").read_bytes()
    monkeypatch.setattr(
        Converter,
        "convert",
        lambda self, kind, tensors: broken if kind == "int8" else convert(self, kind, tensors),
    )
