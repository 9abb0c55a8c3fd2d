"""Keras models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import KerasSegmenter, LiteRTSegmenter, SegmenterOptions
from tempseg.segmenters.keras_model import keras_interface
from tempseg.types import Frame
from tests.segmenters.tiny import TinyModels, colour_frame

FRAME = Frame.from_image(colour_frame(), index=41)
NAMES = ("red", "green", "blue")
RGB = SegmenterOptions(classes=NAMES)


@pytest.mark.parametrize("name", ["logits.keras", "logits.h5", "sequential.keras", "sequential.h5"])
def test_either_format_gives_the_converted_models_scores(tiny: TinyModels, name: str) -> None:
    mine = KerasSegmenter(tiny.path(name), RGB).segment(FRAME).scores
    converted = LiteRTSegmenter(tiny.path("logits.tflite"), RGB).segment(FRAME).scores
    assert mine is not None
    assert converted is not None
    np.testing.assert_allclose(mine, converted, atol=1e-5)


def test_an_open_size_comes_from_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, input_size=(10, 6))
    scores = KerasSegmenter(tiny.path("open.keras"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (6, 10, 3)


def test_an_output_is_chosen_by_its_layers_name(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, output_name="half")
    scores = KerasSegmenter(tiny.path("two_outputs.keras"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (4, 6, 3)


@pytest.mark.parametrize(("model", "name"), [("keyed.keras", "coarse"), ("nested.keras", "net_1")])
def test_every_output_has_a_name_of_its_own(tiny: TinyModels, model: str, name: str) -> None:
    options = SegmenterOptions(classes=NAMES, output_name=name)
    scores = KerasSegmenter(tiny.path(model), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (4, 6, 3)
    shapes = {given.name: given.shape for given in keras_interface(str(tiny.path(model))).outputs}
    assert shapes[name] == (None, 4, 6, 3)


def test_an_undeclared_answer_that_is_no_grid_is_refused(tiny: TinyModels) -> None:
    segmenter = KerasSegmenter(
        tiny.path("open_flat.keras"), SegmenterOptions(classes=NAMES, input_size=(10, 6))
    )
    with pytest.raises(ModelError, match=r"frame 41: its output is \[1, 60, 3\], .*reshape"):
        segmenter.segment(FRAME)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_code_inside_a_model_is_not_run(tiny: TinyModels, suffix: str) -> None:
    told = rf"lambda\.{suffix}: holds Python code \(a Lambda layer\), which is not run"
    with pytest.raises(ModelError, match=told):
        KerasSegmenter(tiny.path(f"lambda.{suffix}"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("two_outputs.keras", r"several outputs.*\['half', 'logits'\]"),
        ("keyed.keras", r"several outputs.*\['coarse', 'fine'\]"),
        ("nested.keras", r"several outputs.*\['net', 'net_1'\]"),
        ("two_inputs.keras", "takes 2 inputs"),
        ("detector.keras", r"is a detector: its outputs \['boxes', 'masks', 'scores'\]"),
        ("flat.keras", r"\[any, 96, 3\], expected a grid over the 12x8 input.*reshape"),
        ("pooled.keras", r"\[any, 3\], expected a grid over the 12x8 input"),
        ("open.keras", r"any size.*set segmenter\.input_size"),
        ("only.weights.h5", r"holds weights alone; save the whole model"),
        ("missing.keras", "no such file"),
    ],
)
def test_models_that_cannot_be_used_are_refused(tiny: TinyModels, name: str, told: str) -> None:
    with pytest.raises(ModelError, match=rf"{name}: .*{told}"):
        KerasSegmenter(tiny.path(name))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_truncated_model_is_refused(tiny: TinyModels, tmp_path: Path, suffix: str) -> None:
    whole = tiny.path(f"logits.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=rf"cut\.{suffix}: not a readable Keras model .*complete"):
        KerasSegmenter(path)


def test_loading_prints_nothing(tiny: TinyModels, capfd: pytest.CaptureFixture[str]) -> None:
    KerasSegmenter(tiny.path("logits.keras"), RGB).segment(FRAME)
    assert capfd.readouterr() == ("", "")
