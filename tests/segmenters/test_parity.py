"""One network in every format, on every runtime."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.types import Frame
from tests.segmenters.tiny import TinyModels

OPTIONS = SegmenterOptions(classes=("red", "green", "blue"), mean=127.5, scale=1 / 127.5)
OPENCV = SegmenterOptions(
    classes=("red", "green", "blue"), mean=127.5, scale=1 / 127.5, runtime="opencv"
)


@pytest.mark.parametrize(
    ("name", "options", "runtime"),
    [
        ("logits.keras", OPTIONS, "keras"),
        ("logits.h5", OPTIONS, "keras"),
        ("logits.tflite", OPTIONS, "litert"),
        ("first.onnx", OPTIONS, "onnx"),
        ("last.onnx", OPTIONS, "onnx"),
        ("half.onnx", OPTIONS, "onnx"),
        ("graph.pb", OPTIONS, "opencv"),
        ("first.onnx", OPENCV, "opencv"),
    ],
)
def test_the_same_network_gives_the_saved_models_labels(
    tiny: TinyModels, name: str, options: SegmenterOptions, runtime: str
) -> None:
    image = np.random.default_rng(7).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    reference = open_segmenter(str(tiny.path("fixed")), OPTIONS).segment(Frame.from_image(image))
    segmenter = open_segmenter(str(tiny.path(name)), options)
    found = segmenter.segment(Frame.from_image(image))
    assert segmenter.info.runtime == runtime
    assert reference.scores is not None
    assert found.scores is not None
    assert np.mean(found.scores.argmax(2) == reference.scores.argmax(2)) >= 0.999
    assert found.placement == reference.placement
