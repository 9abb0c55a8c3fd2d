"""TensorFlow Lite models."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import LiteRTSegmenter, SegmenterOptions
from tempseg.types import Frame, Placement, Prediction
from tests.segmenters.tiny import SIZE, TinyModels, colour_frame, colour_ids

FRAME = Frame.from_image(colour_frame())
# For models that know their colours, not their values: everything a class set of three names.
RGB = SegmenterOptions(classes=("red", "green", "blue"), threads=1)

UNIT = SegmenterOptions(mean=0.0, scale=1 / 255, output="probabilities", threads=1)


def mask_of(segmenter: LiteRTSegmenter, frame: Frame) -> np.ndarray:
    scores = segmenter.segment(frame).scores
    assert scores is not None
    return scores[..., 1] > 0.5


def classes_of(prediction: Prediction) -> np.ndarray:
    if prediction.labels is not None:
        return prediction.labels
    assert prediction.scores is not None
    return prediction.scores.argmax(axis=2)


@pytest.mark.parametrize("name", ["logits", "softmax", "ids", "half", "int8", "uint8"])
def test_colours_get_their_classes(tiny: TinyModels, name: str) -> None:
    prediction = LiteRTSegmenter(tiny.path(f"{name}.tflite"), RGB).segment(FRAME)
    grid = (4, 6) if name == "half" else SIZE
    np.testing.assert_array_equal(classes_of(prediction), colour_ids(grid))
    assert prediction.placement == Placement.stretch(grid, FRAME.size)


def test_logits_and_softmax_models_give_the_same_scores(tiny: TinyModels) -> None:
    scores = [
        LiteRTSegmenter(tiny.path(name), RGB).segment(FRAME).scores
        for name in ("logits.tflite", "softmax.tflite")
    ]
    assert scores[0] is not None
    assert scores[1] is not None
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


@pytest.mark.parametrize("name", ["int8.tflite", "uint8.tflite"])
def test_quantised_models_agree_with_the_float_model(tiny: TinyModels, name: str) -> None:
    options = SegmenterOptions(
        classes=RGB.classes, output="logits", mean=127.5, scale=1 / 127.5, threads=1
    )
    exact = LiteRTSegmenter(tiny.path("logits.tflite"), options).segment(FRAME).scores
    rough = LiteRTSegmenter(tiny.path(name), options).segment(FRAME).scores
    assert exact is not None
    assert rough is not None
    np.testing.assert_allclose(rough, exact, atol=0.02)


def test_a_quantised_softmax_is_read_as_probabilities(tiny: TinyModels) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    segmenter = LiteRTSegmenter(tiny.path("softmax_int8.tflite"), RGB)
    segmenter.segment(Frame.from_image(noise))
    assert any("taken as probabilities" in told for told in segmenter.info.assumptions)


def test_one_channel_becomes_background_and_person(tiny: TinyModels) -> None:
    segmenter = LiteRTSegmenter(tiny.path("person.tflite"))
    scores = segmenter.segment(FRAME).scores
    assert scores is not None
    assert segmenter.info.class_set.names == ("background", "person")
    np.testing.assert_array_equal(scores.argmax(axis=2), colour_ids(SIZE) == 0)


def test_an_open_size_comes_from_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=RGB.classes, input_size=(10, 6))
    scores = LiteRTSegmenter(tiny.path("dynamic.tflite"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (6, 10, 3)


def test_a_detector_is_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"detector\.tflite: is a detector: its outputs .*'"):
        LiteRTSegmenter(tiny.path("detector.tflite"))


def test_an_output_is_chosen_by_name(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"several outputs; set segmenter\.output_name") as found:
        LiteRTSegmenter(tiny.path("two_outputs.tflite"), RGB)
    name = str(found.value).split("one of ['")[1].split("'")[0]
    options = SegmenterOptions(classes=RGB.classes, output_name=name)
    prediction = LiteRTSegmenter(tiny.path("two_outputs.tflite"), options).segment(FRAME)
    np.testing.assert_array_equal(classes_of(prediction), colour_ids(SIZE))


def test_a_signature_of_the_graph_that_runs_names_its_outputs(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=RGB.classes, signature="ids", output_name="ids")
    prediction = LiteRTSegmenter(tiny.path("two_signatures.tflite"), options).segment(FRAME)
    np.testing.assert_array_equal(prediction.labels, colour_ids(SIZE))


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("two_signatures", {}, r"'serving_default' is not in .*first graph.*one of \['ids'\]"),
        ("two_signatures", {"signature": "no"}, r"no signature 'no'; set .* one of \['ids'\]"),
        ("two_signatures", {"signature": "ids", "output_name": "logits"}, "no output 'logits'"),
        ("logits", {"signature": "ids"}, r"no signature 'ids'; remove segmenter\.signature"),
    ],
)
def test_a_signature_that_is_not_run_is_refused(
    tiny: TinyModels, model: str, options: dict[str, str], told: str
) -> None:
    with pytest.raises(ModelError, match=rf"{model}\.tflite: .*{told}"):
        LiteRTSegmenter(tiny.path(f"{model}.tflite"), SegmenterOptions(**options))  # type: ignore[arg-type]


def test_an_unknown_output_is_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match="no output 'masks'"):
        LiteRTSegmenter(tiny.path("logits.tflite"), SegmenterOptions(output_name="masks"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("five.tflite", r"\[1, 8, 12, 5\].*expected one RGB image"),
        ("two_inputs.tflite", "takes 2 inputs"),
        ("dynamic.tflite", r"set segmenter\.input_size"),
        ("missing.tflite", "no such file"),
    ],
)
def test_models_that_cannot_be_used_are_refused(tiny: TinyModels, name: str, told: str) -> None:
    with pytest.raises(ModelError, match=rf"{name}.*{told}"):
        LiteRTSegmenter(tiny.path(name))


@pytest.mark.parametrize("content", [b"", b"no model at all" * 100])
def test_files_that_are_no_models_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.tflite: not a readable TensorFlow Lite model"):
        LiteRTSegmenter(path)


def test_a_truncated_model_is_refused(tiny: TinyModels, tmp_path: Path) -> None:
    whole = tiny.path("logits.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        LiteRTSegmenter(path)


def test_a_size_against_a_fixed_input_is_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"fixed at 12x8.*remove segmenter\.input_size"):
        LiteRTSegmenter(tiny.path("logits.tflite"), SegmenterOptions(input_size=(24, 16)))


def test_too_few_class_names_are_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match="tells 3 classes apart, but binary has 2"):
        LiteRTSegmenter(tiny.path("logits.tflite"), SegmenterOptions(classes="binary"))


def test_named_classes_stand_against_a_count_guessed_inside(tiny: TinyModels) -> None:
    path = tiny.path("features_ids.tflite")
    assert "6 channels" in " ".join(LiteRTSegmenter(path).info.assumptions)
    labels = LiteRTSegmenter(path, RGB).segment(FRAME).labels
    np.testing.assert_array_equal(labels, colour_ids(SIZE))


def test_not_a_number_is_refused_with_the_frame(tiny: TinyModels) -> None:
    frame = Frame.from_image(colour_frame(), index=41)
    with pytest.raises(ModelError, match=r"nan\.tflite: frame 41: .*not finite"):
        LiteRTSegmenter(tiny.path("nan.tflite"), RGB).segment(frame)


def test_an_assumed_input_range_is_told(tiny: TinyModels) -> None:
    told = " ".join(LiteRTSegmenter(tiny.path("logits.tflite")).info.assumptions)
    assert "[-1, 1]" in told
    assert "segmenter.mean and segmenter.scale" in told


def test_the_first_answer_adds_what_it_was_taken_for(tiny: TinyModels) -> None:
    segmenter = LiteRTSegmenter(tiny.path("logits.tflite"), RGB)
    before = segmenter.info.assumptions
    segmenter.segment(FRAME)
    (added,) = set(segmenter.info.assumptions) - set(before)
    assert "taken as logits" in added


def test_the_hash_is_the_files(tiny: TinyModels) -> None:
    path = tiny.path("logits.tflite")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert LiteRTSegmenter(path).info.sha256 == expected


def test_loading_prints_nothing(tiny: TinyModels, capfd: pytest.CaptureFixture[str]) -> None:
    LiteRTSegmenter(tiny.path("logits.tflite"))
    assert capfd.readouterr() == ("", "")


def test_a_model_gets_its_own_mask_back(tiny: TinyModels) -> None:
    segmenter = LiteRTSegmenter(tiny.path("remembers.tflite"), UNIT)
    assert segmenter.info.remembers
    assert not LiteRTSegmenter(tiny.path("logits.tflite")).info.remembers
    image = colour_frame()
    image[:, :, 0] = 0
    image[:, 6:8, 0] = 255  # one column of the network's twelve
    sparks = [image, np.zeros_like(image), np.zeros_like(image)]
    seen = [
        np.flatnonzero(mask_of(segmenter, Frame.from_image(spark, index=3 * index))[0])
        for index, spark in enumerate(sparks)
    ]
    # what was red stays foreground and moves on by a cell, as that network has it
    assert [places.tolist() for places in seen] == [[3], [4], [5]]


def test_that_a_fourth_channel_is_the_mask_before_is_said_to_be_assumed(tiny: TinyModels) -> None:
    told = "fourth channel taken for the model's own previous mask"
    assert told in " ".join(LiteRTSegmenter(tiny.path("remembers.tflite"), UNIT).info.assumptions)
    assert told not in " ".join(LiteRTSegmenter(tiny.path("logits.tflite")).info.assumptions)


def test_a_memory_starts_anew_with_a_new_source(tiny: TinyModels) -> None:
    segmenter = LiteRTSegmenter(tiny.path("remembers.tflite"), UNIT)
    black = np.zeros((16, 24, 3), np.uint8)
    assert mask_of(segmenter, Frame.from_image(colour_frame(), index=5)).any()
    assert not mask_of(segmenter, Frame.from_image(black, index=0)).any()


def test_a_memory_makes_no_answer_depend_on_what_was_tried(tiny: TinyModels) -> None:
    segmenter = LiteRTSegmenter(tiny.path("remembers.tflite"), UNIT)
    segmenter.raw_answer(colour_frame())
    assert not mask_of(segmenter, Frame.from_image(np.zeros((16, 24, 3), np.uint8))).any()
