"""Real models on real frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.types import Frame, Prediction

pytestmark = pytest.mark.shared

IMAGENET = SegmenterOptions(
    mean=(123.675, 116.28, 103.53), scale=(1 / 58.395, 1 / 57.12, 1 / 57.375), threads=2
)
PLAIN = SegmenterOptions(threads=2)
STREET = "data/camvid/val/0016E5_07959.jpg"
CAR = "data/davis/JPEGImages/car-roundabout/00000.jpg"
MODELS = [
    # model, options, frame, a class that covers much of it
    ("coral/deeplabv3_mnv2_pascal_quant.tflite", PLAIN, CAR, "car"),
    ("coral/deeplabv3_mnv2_dm05_pascal_quant.tflite", PLAIN, CAR, "car"),
    ("deeplabv3_257/deeplabv3_257_mv_gpu.tflite", PLAIN, CAR, "car"),
    ("espnetv2/espnetv2_s_2.0_pascal_256x256.tflite", IMAGENET, CAR, "car"),
    ("coral/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite", PLAIN, STREET, "road"),
    ("espnetv2/espnetv2_s_2.0_city_1024x512.tflite", IMAGENET, STREET, "road"),
    ("espnetv2/espnetv2_s_2.0_city_1024x512_uint8.tflite", PLAIN, STREET, "road"),
    ("espnetv2/espnetv2_s_2.0_city_512x256.tflite", IMAGENET, STREET, "road"),
    ("espnetv2/espnetv2_s_2.0_city_512x256_float16.tflite", IMAGENET, STREET, "road"),
    ("espnetv2/espnetv2_s_0.5_city_512x256.tflite", IMAGENET, STREET, "road"),
    ("mlperf_ade20k/deeplabv3_mnv2_ade20k_int8.tflite", PLAIN, STREET, "road"),
    ("mlperf_ade20k/deeplabv3_mnv2_ade20k_uint8.tflite", PLAIN, STREET, "road"),
]


def read(path: Path) -> Frame:
    return Frame.from_image(np.asarray(Image.open(path).convert("RGB")))


def classes_of(answer: Prediction) -> np.ndarray:
    if answer.labels is not None:
        return answer.labels
    assert answer.scores is not None
    return answer.scores.argmax(axis=2)


@pytest.mark.parametrize(("model", "options", "image", "expected"), MODELS)
def test_the_expected_class_covers_much_of_the_frame(
    shared: Path, model: str, options: SegmenterOptions, image: str, expected: str
) -> None:
    segmenter = open_segmenter(str(shared / "models" / model), options)
    found = classes_of(segmenter.segment(read(shared / image)))
    names = segmenter.info.class_set.names
    assert np.mean(found == names.index(expected)) > 0.1


def test_an_argmax_models_classes_are_counted_inside_it(shared: Path) -> None:
    path = shared / "models/mlperf_ade20k/deeplabv3_mnv2_ade20k_int8.tflite"
    assert "32 channels taken as ade20k32" in open_segmenter(str(path)).info.assumptions[0]


def test_saved_model_and_tflite_agree(shared: Path) -> None:
    stem = str(shared / "models/espnetv2/espnetv2_s_2.0_city_1024x512")
    frame = read(shared / STREET)
    saved, lite = (
        classes_of(open_segmenter(model, IMAGENET).segment(frame))
        for model in (stem, f"{stem}.tflite")
    )
    assert np.mean(saved == lite) >= 0.999


def test_human_masks_are_binary_and_fit_their_frames(shared: Path) -> None:
    segmenter = open_segmenter(f"masks:{shared / 'data/davis/Annotations/car-roundabout'}")
    answer = segmenter.segment(read(shared / CAR))
    assert segmenter.info.class_set.name == "binary"
    assert set(np.unique(classes_of(answer))) == {0, 1}
