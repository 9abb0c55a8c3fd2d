"""Real models, whose documented preprocessing has to come first."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import tempseg
from tempseg.errors import ModelError
from tempseg.probing.pictures import pictures_of

pytestmark = pytest.mark.shared

DESK = "data/videos/volcomix_doctor.mp4"
STREET = "data/camvid/val/0016E5_07959.jpg"


def first_frame(source: Path, path: Path) -> Path:
    """Write one frame alone, which takes a third of the time of three."""
    Image.fromarray(pictures_of(source).images[0]).save(path)
    return path


@pytest.mark.parametrize(
    ("model", "image", "first", "output", "classes"),
    [
        ("hair/hair_segmentation.tflite", DESK, "[0, 1], RGB", "logits", "hair"),
        ("onnx/mediapipe.onnx", DESK, "[0, 1], RGB", "logits", "binary"),
        (
            "onnx/SINet_Softmax_simple.onnx",
            DESK,
            "portrait mean and deviation over 255, BGR",
            "probabilities",
            "binary",
        ),
        (
            "espnetv2/espnetv2_s_0.5_city_512x256.tflite",
            STREET,
            "ImageNet mean and deviation, RGB",
            "logits",
            "cityscapes",
        ),
        (
            "coral/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
            STREET,
            "raw uint8, RGB",
            "argmax",
            "cityscapes",
        ),
    ],
)
def test_the_documented_preprocessing_comes_first(
    shared: Path, tmp_path: Path, model: str, image: str, first: str, output: str, classes: str
) -> None:
    found = tempseg.probe(
        shared / "models" / model,
        image=first_frame(shared / image, tmp_path / "frame.png"),
        threads=(),
        known=False,
    )
    assert found.candidates[0].candidate.words == first
    assert found.segmenter["output"] == output
    assert found.class_set.name == classes


def test_a_well_known_file_is_known_under_any_name(shared: Path, tmp_path: Path) -> None:
    original = shared / "models/selfie/selfiesegmentation_mlkit-256x256-2021_01_19-v1215.f16.tflite"
    copy = tmp_path / "unnamed.tflite"
    copy.write_bytes(original.read_bytes())
    found = tempseg.probe(copy, image=shared / DESK, threads=())
    assert {guess.confidence for guess in found.guesses} == {"given"}
    assert found.class_set.name == "person"
    assert (found.segmenter["mean"], found.segmenter["output"]) == (0.0, "probabilities")


def test_a_runtime_that_runs_a_model_wrongly_is_refused(shared: Path) -> None:
    with pytest.raises(ModelError, match=r"mediapipe\.onnx.*\[1, 145, 257, 2\], expected"):
        tempseg.probe(
            shared / "models/onnx/mediapipe.onnx",
            image=shared / DESK,
            settings={"segmenter.runtime": "opencv"},
            threads=(),
        )
