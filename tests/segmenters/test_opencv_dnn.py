"""Models through OpenCV dnn, which is trusted with nothing."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import (
    LiteRTSegmenter,
    OpenCvSegmenter,
    SegmenterOptions,
    open_segmenter,
    opencv_dnn,
    opencv_trial,
)
from tempseg.types import Frame
from tests.segmenters.tiny import TinyModels, colour_frame, colour_ids

FRAME = Frame.from_image(colour_frame(), index=41)
NAMES = ("red", "green", "blue")
RGB = SegmenterOptions(classes=NAMES, runtime="opencv")


@pytest.mark.parametrize("name", ["graph.pb", "first.onnx", "last.onnx", "logits.tflite"])
def test_every_format_gives_the_converted_models_scores(tiny: TinyModels, name: str) -> None:
    segmenter = open_segmenter(str(tiny.path(name)), RGB)
    mine = segmenter.segment(FRAME).scores
    converted = LiteRTSegmenter(tiny.path("logits.tflite"), RGB).segment(FRAME).scores
    assert segmenter.info.runtime == "opencv"
    assert mine is not None
    assert converted is not None
    np.testing.assert_allclose(mine, converted, atol=1e-5)


def test_a_graph_that_takes_bytes_gets_them_as_floats(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, input_size=(12, 8), output="logits")
    scores = OpenCvSegmenter(tiny.path("bytes.pb"), options).segment(FRAME).scores
    assert scores is not None
    np.testing.assert_array_equal(scores.argmax(axis=2), colour_ids((8, 12)))


def test_numbers_made_of_none_are_found_out(tiny: TinyModels) -> None:
    # OpenCV's convolution drops weights that are no numbers.
    with pytest.raises(ModelError, match=r"nan\.onnx: .*wrongly.*is finite where that one is not"):
        OpenCvSegmenter(tiny.path("nan.onnx"), RGB)


def test_ids_are_labels(tiny: TinyModels) -> None:
    labels = OpenCvSegmenter(tiny.path("ids.onnx"), RGB).segment(FRAME).labels
    assert labels is not None
    np.testing.assert_array_equal(labels, colour_ids(labels.shape))


def test_an_open_size_comes_from_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, input_size=(10, 6))
    scores = OpenCvSegmenter(tiny.path("open.onnx"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (6, 10, 3)


def test_an_output_is_chosen_by_name(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"several outputs.*\['logits', 'scores'\]"):
        OpenCvSegmenter(tiny.path("two_outputs.onnx"), RGB)


def test_a_detector_is_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"detector\.onnx: is a detector: its outputs .*masks'"):
        OpenCvSegmenter(tiny.path("detector.onnx"), RGB)


def test_a_graph_without_its_text_is_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"alone\.pb: its text graph alone\.pbtxt is not beside"):
        open_segmenter(str(tiny.path("alone.pb")))


def test_a_part_of_a_saved_model_leads_to_its_folder(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"part of a SavedModel; give its folder, .*fixed$"):
        open_segmenter(str(tiny.path("fixed") / "saved_model.pb"))


@pytest.mark.parametrize("name", ["fixed", "logits.keras"])
def test_what_opencv_does_not_read_is_refused(tiny: TinyModels, name: str) -> None:
    with pytest.raises(ModelError, match=r"OpenCV dnn runs .* files; remove segmenter\.runtime"):
        open_segmenter(str(tiny.path(name)), RGB)


def test_an_operation_that_opencv_lacks_is_told(
    tiny: TinyModels, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"ids\.tflite: OpenCV dnn cannot run it .*ARG_MAX"):
        OpenCvSegmenter(tiny.path("ids.tflite"), RGB)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["graph.pb", "first.onnx", "logits.tflite"])
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_truncated_file_is_refused(
    tiny: TinyModels, tmp_path: Path, name: str, share: float
) -> None:
    whole = tiny.path(name).read_bytes()
    path = tmp_path / f"cut{Path(name).suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    if path.suffix == ".pb":
        shutil.copy(tiny.path("graph.pbtxt"), tmp_path / "cut.pbtxt")
    with pytest.raises(ModelError, match=rf"cut\{path.suffix}: "):
        OpenCvSegmenter(path, RGB)


def test_a_crash_stays_in_a_process_of_its_own(
    tiny: TinyModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "crash.py"
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(opencv_trial, "__file__", str(script))
    with pytest.raises(ModelError, match=r"first\.onnx: OpenCV dnn crashes on it .*-11"):
        OpenCvSegmenter(tiny.path("first.onnx"), RGB)


def test_wrong_values_of_the_right_shape_are_found_out(
    tiny: TinyModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LiteRTSegmenter(tiny.path("softmax.tflite"), RGB)
    monkeypatch.setattr(opencv_dnn, "_reference", lambda *given: other)
    with pytest.raises(ModelError, match=r"first\.onnx: OpenCV dnn runs it wrongly: .*litert"):
        OpenCvSegmenter(tiny.path("first.onnx"), RGB)


def test_answers_of_another_shape_than_the_other_runtimes_are_found_out(
    tiny: TinyModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LiteRTSegmenter(tiny.path("half.tflite"), RGB)
    monkeypatch.setattr(opencv_dnn, "_reference", lambda *given: other)
    with pytest.raises(ModelError, match=r"is of shape \(1, 8, 12, 3\), not \(1, 4, 6, 3\)"):
        OpenCvSegmenter(tiny.path("first.onnx"), RGB)


def test_what_could_not_be_compared_is_told(
    tiny: TinyModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "compared with no other runtime's"
    assert told not in " ".join(OpenCvSegmenter(tiny.path("first.onnx"), RGB).info.assumptions)
    assert told in " ".join(OpenCvSegmenter(tiny.path("graph.pb"), RGB).info.assumptions)


def test_the_hash_follows_the_text_graph(tiny: TinyModels, tmp_path: Path) -> None:
    for suffix in (".pb", ".pbtxt"):
        shutil.copy(tiny.path(f"graph{suffix}"), tmp_path / f"graph{suffix}")
    before = OpenCvSegmenter(tmp_path / "graph.pb", RGB).info.sha256
    assert before == OpenCvSegmenter(tiny.path("graph.pb"), RGB).info.sha256
    with (tmp_path / "graph.pbtxt").open("a") as text:
        text.write("\n")
    assert before != OpenCvSegmenter(tmp_path / "graph.pb", RGB).info.sha256


def test_threads_without_effect_are_told(
    tiny: TinyModels, caplog: pytest.LogCaptureFixture
) -> None:
    options = SegmenterOptions(classes=NAMES, threads=1)
    with caplog.at_level(logging.WARNING):
        OpenCvSegmenter(tiny.path("graph.pb"), options)
    assert "segmenter.threads = 1 has no effect" in caplog.text
