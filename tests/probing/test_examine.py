"""What a probe finds out about models made for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tempseg
from tempseg.config import load_config
from tempseg.errors import ConfigError, ModelError
from tempseg.probing import Guess, Probe, save_block
from tests.probing.conftest import write_levels
from tests.segmenters.tiny import TinyModels


def guess(found: Probe, subject: str) -> Guess:
    return next(guess for guess in found.guesses if guess.subject == subject)


@pytest.mark.parametrize(
    ("mean", "scale", "told"),
    [(127.5, 1 / 127.5, "[-1, 1]"), (0.0, 1 / 255, "[0, 1]"), (0.0, 1.0, "0 to 255")],
)
def test_the_range_that_a_model_was_made_for_is_found(
    tmp_path: Path, picture: Path, mean: float, scale: float, told: str
) -> None:
    model = write_levels(tmp_path / "levels.onnx", mean=mean, scale=scale)
    found = tempseg.probe(model, image=picture, threads=())
    assert guess(found, "pixel values").value == told
    assert guess(found, "pixel values").confidence == "likely"
    assert (found.segmenter["mean"], found.segmenter["scale"]) == (mean, pytest.approx(scale))


@pytest.mark.parametrize(("channel", "order"), [(0, "rgb"), (2, "bgr")])
def test_the_colour_order_that_a_model_was_made_for_is_found(
    tmp_path: Path, picture: Path, channel: int, order: str
) -> None:
    model = write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5, channel=channel)
    found = tempseg.probe(model, image=picture, threads=())
    assert found.segmenter["colour_order"] == order
    assert guess(found, "colour order").confidence == "likely"


def test_what_shows_a_model_nothing_decides_nothing(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "flat.png")
    model = write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5)
    found = tempseg.probe(model, image=tmp_path / "flat.png", threads=())
    assert guess(found, "pixel values").confidence == "undecided"
    assert "give a picture" in " ".join(guess(found, "pixel values").evidence)
    assert "mean = " in found.block
    assert "# undecided; else" in found.block


@pytest.mark.parametrize(
    ("softmax", "kind", "evidence"),
    [(False, "logits", "values from"), (True, "probabilities", "sum to 1 over 4 channels")],
)
def test_logits_and_probabilities_are_told_apart(
    tmp_path: Path, picture: Path, softmax: bool, kind: str, evidence: str
) -> None:
    model = write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5, softmax=softmax)
    found = tempseg.probe(model, image=picture, threads=())
    assert found.segmenter["output"] == kind
    assert evidence in " ".join(guess(found, "output").evidence)


def test_a_saved_probe_lets_a_run_need_no_keys(tmp_path: Path, picture: Path) -> None:
    model = write_levels(
        tmp_path / "levels_64x48.onnx", mean=127.5, scale=1 / 127.5, size=("height", "width")
    )
    found = tempseg.probe(model, image=picture, settings={"segmenter.threshold": 0.25}, threads=())
    save_block(model, found.block)
    saved = load_config(overrides={"segmenter.model": model})
    set_keys = {key.removeprefix("segmenter."): value for key, value in saved.set_keys().items()}
    assert set_keys == {**found.segmenter, "model": model}
    (result,) = tempseg.segment(str(picture.parent), model=model)
    assert len(np.unique(result.segmentation.labels)) == 4


def test_what_is_set_is_not_guessed(tmp_path: Path, picture: Path) -> None:
    model = write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5)
    found = tempseg.probe(
        model,
        image=picture,
        settings=[
            "segmenter.mean=0.0",
            "segmenter.colour_order=bgr",
            'segmenter.classes=["a", "b", "c", "d"]',
        ],
        threads=(),
    )
    assert {guess.confidence for guess in found.guesses if guess.subject != "output"} == {"given"}
    assert found.segmenter["mean"] == 0.0
    assert found.segmenter["colour_order"] == "bgr"
    assert found.class_set.names == ("a", "b", "c", "d")
    assert found.candidates == ()


def test_everything_but_pictures_goes_into_json(tmp_path: Path, picture: Path) -> None:
    model = write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5)
    found = tempseg.probe(model, image=picture, threads=())
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["segmenter"] == dict(found.segmenter)
    assert len(told["candidates"]) == len(found.candidates) == 12


@pytest.mark.parametrize(
    ("name", "output", "kind"),
    [
        ("ids.tflite", "class ids (argmax)", "argmax"),
        ("person.tflite", "foreground probability (sigmoid)", "sigmoid"),
        ("uint8.tflite", "logits", "logits"),
        ("softmax_int8.tflite", "probabilities (softmax)", "probabilities"),
    ],
)
def test_tiny_models_give_what_they_give(
    tiny: TinyModels, picture: Path, name: str, output: str, kind: str
) -> None:
    found = tempseg.probe(tiny.path(name), image=picture, threads=())
    assert guess(found, "output").value == output
    assert found.segmenter["output"] == kind


def test_integers_are_certain_of_their_range(tiny: TinyModels, picture: Path) -> None:
    found = tempseg.probe(tiny.path("uint8.tflite"), image=picture, threads=())
    assert guess(found, "pixel values").value == "raw uint8"
    assert guess(found, "pixel values").confidence == "certain"
    assert "mean" not in found.segmenter


def test_of_several_outputs_the_finest_scores_are_read(tiny: TinyModels, picture: Path) -> None:
    found = tempseg.probe(tiny.path("two_outputs.onnx"), image=picture, threads=())
    assert found.segmenter["output_name"] in ("logits", "scores")
    assert guess(found, "output read").confidence == "undecided"
    assert [row.role for row in found.outputs].count("read") == 1


def test_a_previous_mask_is_told(tiny: TinyModels, picture: Path) -> None:
    found = tempseg.probe(tiny.path("remembers.tflite"), image=picture, threads=())
    assert "previous mask" in found.inputs[0].role


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nan.onnx", "not finite, whatever pixels it is fed"),
        ("gray.onnx", "expected one RGB image"),
        ("two_inputs.tflite", "takes 2 inputs"),
        ("detector.onnx", "is a detector: its outputs"),
        ("alone.pb", "its text graph alone.pbtxt is not beside it"),
    ],
)
def test_models_that_cannot_be_used_are_refused_by_name(
    tiny: TinyModels, picture: Path, name: str, told: str
) -> None:
    with pytest.raises(ModelError, match=f"{name}.*{told}"):
        tempseg.probe(tiny.path(name), image=picture, threads=())


def test_a_function_is_asked_for_its_answer(picture: Path) -> None:
    found = tempseg.probe("python:tests.segmenters.functions:net", image=picture)
    assert found.class_set.names == ("red", "green", "blue")
    assert found.segmenter["classes"] == ["red", "green", "blue"]
    assert found.sidecar is None
    assert found.timings[0].median_ms > 0


def test_a_function_that_ends_its_process_ends_no_other(
    tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing_model.py").write_text(
        "import os\n\ndef segment(image):\n    os.abort()\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"crashing_model.*ends the process .*SIGABRT"):
        tempseg.probe("python:crashing_model:segment", image=picture)


def test_masks_are_read_as_a_run_would(tmp_path: Path) -> None:
    Image.fromarray(np.eye(16, 24, dtype=np.uint8) * 255).save(tmp_path / "0.png")
    found = tempseg.probe(f"masks:{tmp_path}")
    assert found.class_set.name == "binary"
    assert found.timings == ()


def test_masks_without_a_folder_are_refused_as_a_run_refuses_them() -> None:
    with pytest.raises(ModelError, match=r"^masks: names no folder; give masks:FOLDER"):
        tempseg.probe("masks:")


def test_a_folder_without_masks_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"^{tmp_path}: holds no label images"):
        tempseg.probe(f"masks:{tmp_path}")


def test_a_model_among_the_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"segmenter\.model"):
        tempseg.probe(tmp_path / "a.onnx", settings={"segmenter.model": "b.onnx"})
