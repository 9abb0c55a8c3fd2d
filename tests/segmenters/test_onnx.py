"""ONNX models."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import LiteRTSegmenter, OnnxSegmenter, SegmenterOptions
from tempseg.types import Frame, Placement
from tests.segmenters.tiny import SIZE, TinyModels, colour_frame, colour_ids

FRAME = Frame.from_image(colour_frame(), index=41)
RGB = SegmenterOptions(classes=("red", "green", "blue"), threads=1)


@pytest.mark.parametrize("name", ["first", "last", "half"])
def test_either_order_of_channels_gives_the_converted_models_scores(
    tiny: TinyModels, name: str
) -> None:
    mine = OnnxSegmenter(tiny.path(f"{name}.onnx"), RGB).segment(FRAME)
    converted = LiteRTSegmenter(tiny.path("logits.tflite"), RGB).segment(FRAME).scores
    assert mine.scores is not None
    assert converted is not None
    np.testing.assert_allclose(mine.scores, converted, atol=1e-3 if name == "half" else 1e-5)
    assert mine.placement == Placement.stretch(SIZE, FRAME.size)


def test_ids_are_labels(tiny: TinyModels) -> None:
    labels = OnnxSegmenter(tiny.path("ids.onnx"), RGB).segment(FRAME).labels
    np.testing.assert_array_equal(labels, colour_ids(SIZE))


def test_one_channel_becomes_background_and_person(tiny: TinyModels) -> None:
    segmenter = OnnxSegmenter(tiny.path("person.onnx"))
    scores = segmenter.segment(FRAME).scores
    assert scores is not None
    assert segmenter.info.class_set.names == ("background", "person")
    np.testing.assert_array_equal(scores.argmax(axis=2), colour_ids(SIZE) == 0)


def test_an_open_size_comes_from_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=RGB.classes, input_size=(10, 6))
    scores = OnnxSegmenter(tiny.path("open.onnx"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (6, 10, 3)


def test_an_output_is_chosen_by_name(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"several outputs.*\['logits', 'scores'\]"):
        OnnxSegmenter(tiny.path("two_outputs.onnx"), RGB)
    options = SegmenterOptions(classes=RGB.classes, output_name="scores")
    scores = OnnxSegmenter(tiny.path("two_outputs.onnx"), options).segment(FRAME).scores
    assert scores is not None
    np.testing.assert_array_equal(scores.argmax(axis=2), colour_ids(SIZE))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gray.onnx", r"its input is \[1, 1, 8, 12\], expected one RGB image"),
        ("open.onnx", r"any size \(\[1, 3, any, any\]\); set segmenter\.input_size"),
        ("missing.onnx", "no such file"),
        ("detector.onnx", r"is a detector: its outputs \['detection_boxes', 'detection_masks', "),
    ],
)
def test_models_that_cannot_be_used_are_refused(tiny: TinyModels, name: str, told: str) -> None:
    with pytest.raises(ModelError, match=rf"{name}.*{told}"):
        OnnxSegmenter(tiny.path(name))


def test_not_a_number_is_refused_with_the_frame(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"nan\.onnx: frame 41: .*not finite"):
        OnnxSegmenter(tiny.path("nan.onnx"), RGB).segment(FRAME)


@pytest.mark.parametrize("kept", [0, 20, -1])
def test_broken_files_are_refused_without_a_word_on_stderr(
    tiny: TinyModels, tmp_path: Path, capfd: pytest.CaptureFixture[str], kept: int
) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny.path("first.onnx").read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"cut\.onnx: not a readable ONNX model .*complete\?$"):
        OnnxSegmenter(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_package_is_told_with_the_line_that_installs_it(
    tiny: TinyModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"first\.onnx: .*pip install 'tempseg\[onnx\]'"):
        OnnxSegmenter(tiny.path("first.onnx"))


def test_the_hash_is_the_files(tiny: TinyModels) -> None:
    path = tiny.path("first.onnx")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert OnnxSegmenter(path).info.sha256 == expected


def test_the_hash_follows_weights_in_a_file_of_their_own(tiny: TinyModels, tmp_path: Path) -> None:
    path = tmp_path / "apart.onnx"
    onnx.save(
        onnx.load(tiny.path("first.onnx")),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    before = OnnxSegmenter(path).info.sha256
    assert OnnxSegmenter(path).info.sha256 == before
    weights = tmp_path / "weights.bin"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert OnnxSegmenter(path).info.sha256 != before
