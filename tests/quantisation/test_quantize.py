"""Models that become smaller and stay themselves."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

import tempseg
from tempseg.build import build_segmenter, build_source
from tempseg.config import load_config
from tempseg.errors import ConfigError, ModelError, OutputError, SourceError
from tempseg.quantisation.scoring import compared, labels_of
from tempseg.segmenters import LiteRTSegmenter
from tempseg.types import Frame
from tests.quantisation.conftest import FRAMES, RGB
from tests.segmenters.tiny import colour_frame, colour_ids

KINDS = ("float16", "int8", "int8-weights")


@pytest.fixture(scope="module", params=["logits.keras", "fixed"])
def made(request, tiny, clip, tmp_path_factory):
    return tempseg.quantize(
        tiny.path(request.param),
        calibrate=clip,
        out=tmp_path_factory.mktemp("made"),
        kinds=KINDS,
        frames=6,
        held_out=3,
        config=RGB,
    )


def test_every_kind_runs_without_keys_and_labels_like_the_original(made):
    for model in made.models:
        segmenter = build_segmenter(load_config(overrides={"segmenter.model": str(model.path)}))
        labels = labels_of(segmenter.segment(Frame.from_image(colour_frame())))
        np.testing.assert_array_equal(labels, colour_ids((8, 12)))
        assert segmenter.info.class_set.names == ("red", "green", "blue")
        assert segmenter.info.assumptions == ()


def test_the_figures_are_those_of_the_files(made):
    assert [model.kind for model in made.models] == list(KINDS)
    for model in made.models:
        assert model.bytes == model.path.stat().st_size
        assert 0.97 < model.pixel_agreement <= 1
        assert 0.95 < model.miou <= 1
        assert model.ms > 0
    assert made.original.bytes > 0
    assert made.refused == ()


def test_frames_to_compare_on_are_others_than_those_to_calibrate_on(made):
    assert len(made.calibration_frames) == 6
    assert len(made.held_out_frames) == 3
    chosen = {*made.calibration_frames, *made.held_out_frames}
    assert len(chosen) == 9
    assert chosen <= set(range(FRAMES))


def test_int8_takes_bytes_and_float16_takes_float32(made):
    taken = {model.kind: LiteRTSegmenter(model.path).port.dtype for model in made.models}
    assert taken == {"float16": "float32", "int8": "int8", "int8-weights": "float32"}


def test_what_was_assumed_about_the_input_is_written_down(made):
    sidecar = tomllib.loads(made.models[1].path.with_suffix(".toml").read_text())
    assert sidecar["segmenter"]["mean"] == 127.5
    assert sidecar["segmenter"]["output"] == "logits"
    assert any("[-1, 1]" in assumption for assumption in made.assumptions)


def test_files_of_a_model_of_the_zoo_are_called_by_its_name(tiny, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempseg.zoo.obtain._embedded", lambda entry: tiny.path("fixed"))
    made = tempseg.quantize(
        "street-savedmodel",
        calibrate=clip,
        out=tmp_path,
        kinds=["float16"],
        frames=6,
        held_out=3,
        config=RGB,
    )
    assert [model.path.name for model in made.models] == ["street-savedmodel_float16.tflite"]
    assert made.original.bytes > 0


def test_only_the_files_are_left(made):
    out = made.models[0].path.parent
    assert len(list(out.iterdir())) == 2 * len(KINDS)


def test_calibration_sees_what_the_model_sees(tiny, clip):
    config = load_config(overrides={"segmenter.model": str(tiny.path("logits.keras"))})
    segmenter = build_segmenter(config)
    image = next(iter(build_source(str(clip), config))).image
    tensor = segmenter.tensor(image)
    assert tensor.shape == (1, 8, 12, 3)
    assert (tensor.min(), tensor.max()) == (-1, 1)


def test_a_model_of_open_size_needs_one_and_keeps_its_raw_bytes(tiny, clip, tmp_path):
    model = tiny.path("dynamic")
    with pytest.raises(ModelError, match=r"dynamic: .*segmenter\.input_size"):
        tempseg.quantize(model, calibrate=clip, out=tmp_path, config=RGB)
    sized = RGB | {"segmenter.input_size": [12, 8]}
    made = tempseg.quantize(model, calibrate=clip, out=tmp_path, config=sized)
    assert [found.kind for found in made.models] == ["float16", "int8"]
    assert LiteRTSegmenter(made.models[1].path).port.dtype == "uint8"
    assert min(found.pixel_agreement for found in made.models) > 0.97


@pytest.mark.parametrize("name", ["logits.tflite", "first.onnx"])
def test_what_is_no_tensorflow_model_is_refused_with_what_is_accepted(name, tiny, clip, tmp_path):
    with pytest.raises(ModelError, match=rf"{name}: .*SavedModel.*\.keras"):
        tempseg.quantize(tiny.path(name), calibrate=clip, out=tmp_path)
    function = "python:tests.segmenters.functions:colours"
    with pytest.raises(ModelError, match=r"python:.*SavedModel"):
        tempseg.quantize(function, calibrate=clip, out=tmp_path)


def test_a_missing_model_is_named(clip, tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.keras"):
        tempseg.quantize(tmp_path / "nowhere.keras", calibrate=clip, out=tmp_path)


def test_a_missing_video_is_named(tiny, tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.mp4"):
        tempseg.quantize(
            tiny.path("fixed"), calibrate=tmp_path / "nowhere.mp4", out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_an_operation_that_litert_lacks_is_named_and_nothing_is_left(odd, clip, tmp_path, capfd):
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=r"erf: float16: LiteRT has no operation for Erf"):
        tempseg.quantize(odd / "erf", calibrate=clip, out=out, kinds=["float16"], config=RGB)
    assert not out.exists()
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("int8_fails")
def test_one_kind_that_comes_out_wrong_is_refused_and_the_other_kept(tiny, clip, tmp_path):
    made = tempseg.quantize(tiny.path("fixed"), calibrate=clip, out=tmp_path, config=RGB)
    assert [model.kind for model in made.models] == ["float16"]
    (refusal,) = made.refused
    assert refusal.kind == "int8"
    assert "not finite" in refusal.reason
    assert str(tmp_path / "fixed_int8.tflite") in refusal.reason
    left = ["fixed_float16.tflite", "fixed_float16.toml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


@pytest.mark.usefixtures("int8_fails")
def test_where_no_file_comes_out_right_nothing_is_left(tiny, clip, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=r"int8: .*not finite"):
        tempseg.quantize(tiny.path("fixed"), calibrate=clip, out=out, kinds=["int8"], config=RGB)
    assert not out.exists()


def test_a_file_that_agrees_by_chance_only_is_found_out(odd, tiny, clip):
    def opened(path):
        keys = RGB | {"segmenter.model": str(path)}
        return build_segmenter(load_config(overrides=keys))

    frames = [Frame.from_image(colour_frame())]
    original = opened(tiny.path("fixed"))
    _, found = compared(
        original, {"rolled": opened(odd / "rolled"), "nan": opened(tiny.path("nan.tflite"))}, frames
    )
    assert found["rolled"].by_chance
    assert isinstance(found["nan"], ModelError)
    _, same = compared(original, {"same": opened(tiny.path("logits.keras"))}, frames)
    assert (same["same"].pixel_agreement, same["same"].by_chance) == (1.0, False)


def test_files_that_exist_are_not_replaced_unasked(tiny, clip, tmp_path):
    there = tmp_path / "logits_float16.tflite"
    there.write_text("mine")
    ask = {"calibrate": clip, "out": tmp_path, "kinds": ["float16"], "config": RGB}
    with pytest.raises(OutputError, match=r"logits_float16\.tflite: exists already; .*overwrite"):
        tempseg.quantize(tiny.path("logits.keras"), **ask)
    assert there.read_text() == "mine"
    tempseg.quantize(tiny.path("logits.keras"), **ask, overwrite=True)
    assert there.read_bytes() != b"mine"


def test_a_file_in_the_place_of_the_folder_is_refused(tiny, clip, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"file"):
            tempseg.quantize(tiny.path("fixed"), calibrate=clip, out=out, config=RGB)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kinds": ["int4"]}, "no kind 'int4'; accepted: float16, int8, int8-weights"),
        ({"kinds": []}, "no kind was asked for"),
        ({"frames": 0}, "frames is 0"),
        ({"config": {"segmenter.flip": True}}, r"segmenter\.flip .*leave them out"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_read(wrong, told, tiny, tmp_path):
    with pytest.raises(ConfigError, match=told):
        tempseg.quantize(tiny.path("fixed"), calibrate="nowhere", out=tmp_path, **wrong)
