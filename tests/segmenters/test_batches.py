"""Several images shown at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.protocols import Segmenter
from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.segmenters.batches import in_batches
from tempseg.segmenters.network import NetworkSegmenter
from tempseg.types import Frame, Prediction
from tests.segmenters.tiny import TinyModels, colour_frame

RGB = SegmenterOptions(classes=("red", "green", "blue"), input_size=(12, 8))
OPEN = ["logits.keras", "dynamic", "many.onnx"]


class Counting:
    """Notes how many images each call of a model held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Segmenter) -> None:
        assert isinstance(model, NetworkSegmenter)
        self.sizes: list[int] = []
        infer = model._infer

        def noted(tensor: Any, where: str) -> Any:
            self.sizes.append(len(tensor))
            return infer(tensor, where)

        monkeypatch.setattr(model, "_infer", noted)


def frames(count: int) -> list[Frame]:
    return [
        Frame.from_image(np.roll(colour_frame(), 3 * index, axis=1), index=index)
        for index in range(count)
    ]


def assert_alike(made: Prediction, expected: Prediction) -> None:
    assert made.placement == expected.placement
    assert made.scores is not None
    assert expected.scores is not None
    np.testing.assert_allclose(made.scores, expected.scores, atol=1e-6)


@pytest.mark.parametrize("name", OPEN)
def test_models_with_an_open_batch_answer_as_they_do_alone(
    monkeypatch: pytest.MonkeyPatch, tiny: TinyModels, name: str
) -> None:
    alone = open_segmenter(str(tiny.path(name)), RGB)
    batched = open_segmenter(str(tiny.path(name)), replace(RGB, batch=3))
    counting = Counting(monkeypatch, batched)
    for frame, answer in zip(frames(7), in_batches(batched, frames(7)), strict=True):
        assert_alike(answer, alone.segment(frame))
    assert counting.sizes == [3, 3, 1]


def test_by_default_nothing_is_shown_together(
    monkeypatch: pytest.MonkeyPatch, tiny: TinyModels
) -> None:
    model = open_segmenter(str(tiny.path("logits.keras")), RGB)
    counting = Counting(monkeypatch, model)
    assert len(list(in_batches(model, frames(3)))) == 3
    assert counting.sizes == [1, 1, 1]


@pytest.mark.parametrize(
    ("wrapper", "sizes"),
    [
        ({"tiles": (10, 10)}, [4, 2]),
        ({"flip": True}, [2]),
        ({"flip": True, "scales": (1.0, 0.5)}, [2, 2]),
        ({"scales": (2.0,)}, [4, 4, 1]),
    ],
)
def test_parts_and_views_of_a_frame_are_shown_together(
    monkeypatch: pytest.MonkeyPatch,
    tiny: TinyModels,
    wrapper: dict[str, Any],
    sizes: list[int],
) -> None:
    options = replace(RGB, **wrapper)
    model = str(tiny.path("logits.keras"))
    batched = open_segmenter(model, replace(options, batch=4))
    counting = Counting(monkeypatch, batched._segmenter)  # type: ignore[attr-defined]
    (frame,) = frames(1)
    assert_alike(batched.segment(frame), open_segmenter(model, options).segment(frame))
    assert counting.sizes == sizes


@pytest.mark.parametrize("name", ["fixed", "logits.tflite", "dynamic.tflite", "first.onnx"])
def test_a_batch_for_a_model_of_one_image_is_refused(tiny: TinyModels, name: str) -> None:
    with pytest.raises(ModelError, match=rf"{name}: takes one image at a time; .*batch"):
        open_segmenter(str(tiny.path(name)), replace(RGB, batch=2))


def test_functions_and_masks_take_no_batch(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes one image at a time"):
        open_segmenter("python:tests.segmenters.functions:colours", replace(RGB, batch=2))
