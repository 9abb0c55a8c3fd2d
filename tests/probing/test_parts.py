"""The parts of a probe that need no model."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from tempseg.class_sets import class_set, custom, generic
from tempseg.errors import OutputError
from tempseg.probing import Candidate, CandidateScore, save_block
from tempseg.probing.answers import class_value
from tempseg.probing.behaviour import ranked, shared_information
from tempseg.probing.candidates import candidates_for
from tempseg.probing.interface import chosen_output, chosen_size
from tempseg.segmenter_block import segmenter_block
from tempseg.segmenters import Declared, Interface, SegmenterOptions

OPEN = Interface((Declared("image", "float32", (None, None, None, 3)),))


@pytest.mark.parametrize(
    ("model", "size", "sure"),
    [
        ("street_1024x512.onnx", (1024, 512), "likely"),
        ("deeplabv3_513.onnx", (513, 513), "undecided"),
        ("deeplabv3-257_mv_gpu.onnx", (257, 257), "undecided"),
        ("unet_512_1024x512.onnx", (1024, 512), "likely"),
        ("unet512.onnx", (512, 512), "undecided"),
        ("pspnet_473px.onnx", (473, 473), "undecided"),
        ("espnetv2_s_2.0_city.onnx", (512, 288), "undecided"),
        ("road_v1.10000x4.onnx", (512, 288), "undecided"),
    ],
)
def test_an_open_size_comes_from_the_name_before_the_pictures(
    model: str, size: tuple[int, int], sure: str
) -> None:
    options, guess = chosen_size(model, OPEN, SegmenterOptions(), frame_size=(720, 1280))
    assert options.input_size == size
    assert guess is not None
    assert guess.confidence == sure


@pytest.mark.parametrize(
    "model",
    [
        "fcn_resnet101.onnx",
        "voc2012_net.onnx",
        "model_2024_03_01.onnx",
        "coco_2017_seg.onnx",
        "coco2017_seg.onnx",
        "epoch_100.onnx",
        "mobilenet_v3_075.onnx",
        "densenet_161.onnx",
        "segformer_b0_160k_ade20k.onnx",
        "road_v2.320.onnx",
    ],
)
def test_other_numbers_in_a_name_are_no_size(model: str) -> None:
    options, guess = chosen_size(model, OPEN, SegmenterOptions(), frame_size=(720, 1280))
    assert options.input_size == (512, 288)
    assert guess is not None
    assert guess.evidence[1].startswith("nothing in its name tells")


def test_a_number_that_may_be_a_side_leaves_the_pictures_aspect_to_choose() -> None:
    _, guess = chosen_size("net_512.onnx", OPEN, SegmenterOptions(), frame_size=(720, 1280))
    assert guess is not None
    assert guess.evidence[1] == "512 in its name, which may be the side of a square"
    assert guess.runner_up.startswith("512x288: the pictures' aspect")


def test_a_fixed_size_needs_no_guess() -> None:
    fixed = Interface((Declared("image", "float32", (1, 48, 64, 3)),))
    options, guess = chosen_size("a_32x32.onnx", fixed, SegmenterOptions(), frame_size=(9, 16))
    assert (options.input_size, guess) == (None, None)


def test_scores_are_read_before_ids_and_coarse_scores() -> None:
    outputs = (
        Declared("boxes", "float32", (1, 100, 4)),
        Declared("ids", "int64", (1, 64, 64)),
        Declared("coarse", "float32", (1, 16, 16, 21)),
        Declared("fine", "float32", (1, 64, 64, 21)),
    )
    options, guess = chosen_output(Interface(OPEN.inputs, outputs), SegmenterOptions())
    assert options.output_name == "fine"
    assert guess is not None
    assert (guess.confidence, guess.runner_up[:6]) == ("likely", "coarse")


def test_answers_that_know_nothing_of_one_another_share_nothing() -> None:
    one = np.zeros((2, 2, 2), np.float32)
    one[0, :, 0] = one[1, :, 1] = 1
    assert shared_information(one, np.rot90(one)) == pytest.approx(0)
    assert shared_information(np.full((2, 2, 2), 0.5, np.float32), one) == pytest.approx(0)


def test_borders_without_doubt_count_nothing() -> None:
    soft, hard = Candidate("soft"), Candidate("hard")
    scores = ranked(
        [
            CandidateScore(hard, 0.9, confidence=0.99, border_confidence=0.95),
            CandidateScore(soft, 0.3, confidence=0.9, border_confidence=0.55),
        ]
    )
    assert [(score.candidate.name, score.score) for score in scores] == [("soft", 0.3), ("hard", 0)]


def test_what_fails_comes_last() -> None:
    scores = ranked(
        [CandidateScore(Candidate("fails"), 0.0, problem="no"), CandidateScore(Candidate("a"), 0.0)]
    )
    assert [score.candidate.name for score in scores] == ["a", "fails"]


def test_an_integer_input_is_raw_unless_its_steps_say_otherwise() -> None:
    assert {one.mean for one in candidates_for("uint8", (1 / 255, 0))} == {None}
    imagenet = candidates_for("uint8", (0.0187, 114))[0]
    assert imagenet.mean == (123.675, 116.28, 103.53)


def test_bgr_orders_the_mean_too() -> None:
    (bgr,) = (
        one
        for one in candidates_for("float32")
        if one.name.startswith("ImageNet") and one.colour_order == "bgr"
    )
    assert bgr.mean == (103.53, 116.28, 123.675)


def test_a_block_is_toml_whatever_it_holds() -> None:
    keys = {"mean": (1.5, 2.0, 3e-7), "classes": ['a "b"', "ü\\"], "flip": True, "threads": 2}
    block = segmenter_block(keys, {"mean": "undecided", "output": "not known"})
    assert tomllib.loads(block)["segmenter"] == {**keys, "mean": [1.5, 2.0, 3e-7]}
    assert "# output: not known" in block


def test_classes_are_named_as_config_would() -> None:
    assert class_value(class_set("voc")) == "voc"
    assert class_value(custom(["a", "b"])) == ["a", "b"]
    assert class_value(generic(7)) is None


def test_a_file_that_differs_is_kept_unless_told(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.touch()
    assert save_block(str(model), "[segmenter]\n") == tmp_path / "model.toml"
    save_block(str(model), "[segmenter]\n")
    with pytest.raises(OutputError, match=r"model\.toml.*--overwrite"):
        save_block(str(model), "[segmenter]\nmean = 1.0\n")
    assert (tmp_path / "model.toml").read_text() == "[segmenter]\n"
    save_block(str(model), "[segmenter]\nmean = 1.0\n", overwrite=True)
    assert "mean" in (tmp_path / "model.toml").read_text()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.touch()
    (tmp_path / "model.toml").mkdir()
    with pytest.raises(OutputError, match=r"model\.toml: cannot be written.*paste"):
        save_block(str(model), "[segmenter]\n", overwrite=True)
    with pytest.raises(OutputError, match="paste the block"):
        save_block("python:a:b", "[segmenter]\n")


def test_a_familys_habit_decides_a_tie_and_no_more() -> None:
    tied = [CandidateScore(Candidate("[0, 1]"), 0.5), CandidateScore(Candidate("[-1, 1]"), 0.49)]
    assert ranked(tied, habit="[-1, 1]")[0].candidate.name == "[-1, 1]"
    clear = [CandidateScore(Candidate("[0, 1]"), 0.5), CandidateScore(Candidate("[-1, 1]"), 0.4)]
    assert ranked(clear, habit="[-1, 1]")[0].candidate.name == "[0, 1]"
