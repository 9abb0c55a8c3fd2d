"""Models whose wants are known because they were made for them, and a picture to see."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.segmenters.tiny import TinyModels, make_tiny_models

SIZE = (48, 64)
LEVELS = (32.0, 96.0, 160.0, 224.0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModels:
    """Return the folder of tiny models."""
    return make_tiny_models(tmp_path_factory.getbasetemp() / "tiny")


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture with much to see in red, and nothing in blue."""
    random = np.random.default_rng(3)
    image = np.full((96, 128, 3), 90, np.uint8)
    for channel in (0, 1):
        soft = cv2.GaussianBlur(random.normal(size=image.shape[:2]), (0, 0), 7)
        ranks = soft.ravel().argsort().argsort().reshape(soft.shape)
        image[..., channel] = ranks * 256 // soft.size
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    Image.fromarray(image).save(path)
    return path


def write_levels(
    path: Path,
    *,
    mean: float = 0.0,
    scale: float = 1.0,
    channel: int = 0,
    size: tuple[int | str, int | str] = SIZE,
    softmax: bool = False,
) -> str:
    """Write a network that tells four levels of one channel apart; return its path.

    Each class likes the values around its own level, so a wrong range or the wrong channel shows
    it fewer of them: its logits are -(x - level)², less what is the same for all.
    """
    levels = (np.array(LEVELS, np.float32) - mean) * scale
    sharpness = 0.0008 / scale**2
    weights = np.zeros((4, 3, 1, 1), np.float32)
    weights[:, channel, 0, 0] = 2 * sharpness * levels
    bias = -sharpness * levels**2
    tail = [helper.make_node("Softmax", ["logits"], ["answer"], axis=1)]
    if not softmax:
        tail = [helper.make_node("Identity", ["logits"], ["answer"])]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["logits"]), *tail],
        "levels",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, *size))],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, (1, 4, *size))],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return str(path)
