"""TensorFlow SavedModels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import LiteRTSegmenter, SavedModelSegmenter, SegmenterOptions
from tempseg.types import Frame
from tests.segmenters.tiny import SIZE, TinyModels, colour_frame, colour_ids

FRAME = Frame.from_image(colour_frame())
NAMES = ("red", "green", "blue")
RGB = SegmenterOptions(classes=NAMES)


def test_it_agrees_with_the_converted_model(tiny: TinyModels) -> None:
    mine = SavedModelSegmenter(tiny.path("fixed"), RGB).segment(FRAME).scores
    converted = LiteRTSegmenter(tiny.path("logits.tflite"), RGB).segment(FRAME).scores
    assert mine is not None
    assert converted is not None
    np.testing.assert_allclose(mine, converted, atol=1e-5)


def test_a_signature_is_chosen_by_name(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, signature="ids")
    labels = SavedModelSegmenter(tiny.path("fixed"), options).segment(FRAME).labels
    assert labels is not None
    np.testing.assert_array_equal(labels, colour_ids(SIZE))


def test_an_unknown_signature_is_refused_with_the_list(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"no signature 'predict'.*'ids'.*'serving_default'"):
        SavedModelSegmenter(tiny.path("fixed"), SegmenterOptions(signature="predict"))


def test_a_model_without_a_signature_is_to_be_exported_with_one(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"unsigned: has no signature, .*export it with one"):
        SavedModelSegmenter(tiny.path("unsigned"))


def test_one_of_several_outputs_is_chosen_by_name(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, signature="several", output_name="half")
    scores = SavedModelSegmenter(tiny.path("fixed"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (4, 6, 3)


def test_several_outputs_without_a_name_are_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"several outputs.*\['half', 'logits'\]"):
        SavedModelSegmenter(tiny.path("fixed"), SegmenterOptions(signature="several"))


@pytest.mark.parametrize("output", [None, "detection_masks"])
def test_a_detector_is_refused(tiny: TinyModels, output: str | None) -> None:
    options = SegmenterOptions(signature="objects", output_name=output)
    with pytest.raises(ModelError, match=r"fixed: is a detector: its outputs \['detection_boxes',"):
        SavedModelSegmenter(tiny.path("fixed"), options)


def test_two_inputs_are_refused(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match="takes 2 inputs"):
        SavedModelSegmenter(tiny.path("fixed"), SegmenterOptions(signature="two_inputs"))


def test_an_open_size_comes_from_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=NAMES, input_size=(10, 6))
    scores = SavedModelSegmenter(tiny.path("dynamic"), options).segment(FRAME).scores
    assert scores is not None
    assert scores.shape == (6, 10, 3)


def test_an_open_size_must_be_given(tiny: TinyModels) -> None:
    with pytest.raises(ModelError, match=r"any size.*segmenter\.input_size"):
        SavedModelSegmenter(tiny.path("dynamic"), RGB)


def test_raw_pixels_take_no_mean(tiny: TinyModels) -> None:
    options = SegmenterOptions(input_size=(10, 6), mean=127.5)
    with pytest.raises(ModelError, match=r"raw uint8 pixels; remove segmenter\.mean"):
        SavedModelSegmenter(tiny.path("dynamic"), options)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no saved_model\.pb"):
        SavedModelSegmenter(tmp_path)


def test_missing_variables_are_refused(tiny: TinyModels, tmp_path: Path) -> None:
    shutil.copytree(tiny.path("fixed"), tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "variables")
    with pytest.raises(ModelError, match=r"cut: not a readable SavedModel.*variables"):
        SavedModelSegmenter(tmp_path / "cut")


def test_the_hash_follows_the_variables(tiny: TinyModels, tmp_path: Path) -> None:
    shutil.copytree(tiny.path("fixed"), tmp_path / "same")
    same = SavedModelSegmenter(tmp_path / "same", RGB).info.sha256
    assert same == SavedModelSegmenter(tiny.path("fixed"), RGB).info.sha256
    assert (
        same
        != SavedModelSegmenter(
            tiny.path("dynamic"), SegmenterOptions(classes=NAMES, input_size=(10, 6))
        ).info.sha256
    )
