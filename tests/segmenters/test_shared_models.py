"""Real models on real frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from tempseg.errors import ModelError
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


UNIT = SegmenterOptions(mean=0.0, scale=1 / 255, threads=2)
# As its authors train it: BGR, less the mean, over the deviation, over 255.
SINET = SegmenterOptions(
    mean=(102.890434, 111.25247, 126.91212),
    scale=(1 / (62.93292 * 255), 1 / (62.82138 * 255), 1 / (66.355705 * 255)),
    colour_order="bgr",
    classes="person",
)
DESK = "data/videos/volcomix_doctor.mp4"


def first_picture(path: Path) -> Frame:
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    return Frame.from_image(picture.to_ndarray(format="rgb24"))


def foreground(answer: Prediction) -> np.ndarray:
    """Return where the first class loses, on a grid for comparing models."""
    mask = (classes_of(answer) != 0).astype(np.float32)
    return cv2.resize(mask, (256, 256)) > 0.5


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


def test_a_network_gives_the_same_labels_in_every_format(shared: Path) -> None:
    stem = str(shared / "models/espnetv2/espnetv2_s_2.0_city_512x256")
    frame = read(shared / STREET)
    saved, *others = (
        classes_of(open_segmenter(f"{stem}{suffix}", IMAGENET).segment(frame))
        for suffix in ("", ".keras", ".tflite", "_float16.tflite")
    )
    for other in others:
        assert np.mean(saved == other) >= 0.999


def test_a_network_that_normalises_inside_gives_the_same_labels(shared: Path) -> None:
    stem = str(shared / "models/espnetv2/espnetv2_s_2.0_city_1024x512")
    frame = read(shared / STREET)
    outside = classes_of(open_segmenter(f"{stem}.tflite", IMAGENET).segment(frame))
    inside = {
        "_uint8": replace(PLAIN, input_size=(1024, 512)),
        "_uint8.tflite": PLAIN,
    }
    for suffix, options in inside.items():
        found = classes_of(open_segmenter(f"{stem}{suffix}", options).segment(frame))
        assert np.mean(found == outside) >= 0.999


def test_onnx_runtime_and_opencv_agree(shared: Path) -> None:
    model = str(shared / "models/onnx/SINet_Softmax_simple.onnx")
    frame = first_picture(shared / DESK)
    one, other = (
        open_segmenter(model, replace(SINET, runtime=runtime)).segment(frame)
        for runtime in ("auto", "opencv")
    )
    assert np.mean(classes_of(one) == classes_of(other)) >= 0.999


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("onnx/mediapipe.onnx", UNIT),
        ("selfie/selfiesegmentation_mlkit-256x256-2021_01_19-v1215.f16.tflite", UNIT),
    ],
)
def test_models_of_the_same_person_agree(
    shared: Path, model: str, options: SegmenterOptions
) -> None:
    frame = first_picture(shared / DESK)
    one, other = (
        foreground(open_segmenter(str(shared / "models" / name), options).segment(frame))
        for name in ("onnx/selfie_segmentation.onnx", model)
    )
    assert (one & other).sum() / (one | other).sum() > 0.85


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            "onnx/mediapipe.onnx",
            r"got an answer of \[1, 145, 257, 2\], expected \[1, 144, 256, 2\]",
        ),
        ("onnx/selfie_segmentation.onnx", "OpenCV dnn cannot run it"),
        ("hair/hair_segmentation.tflite", "OpenCV dnn runs it wrongly"),
        ("deeplabv3_257/deeplabv3_257_mv_gpu.tflite", "OpenCV dnn crashes on it"),
    ],
)
def test_what_opencv_runs_wrongly_is_refused(shared: Path, model: str, told: str) -> None:
    with pytest.raises(ModelError, match=f"{Path(model).name}: {told}"):
        open_segmenter(str(shared / "models" / model), replace(UNIT, runtime="opencv"))


def test_hair_follows_from_the_mask_before(shared: Path) -> None:
    frame = first_picture(shared / DESK)
    segmenter = open_segmenter(str(shared / "models/hair/hair_segmentation.tflite"), UNIT)
    alone = classes_of(segmenter.segment(frame))
    after = classes_of(segmenter.segment(Frame.from_image(frame.image, index=1)))
    assert 0.005 < alone.mean() < 0.1
    # The same hair, but not the same bytes: the mask before is seen and not obeyed.
    assert (alone & after).sum() / (alone | after).sum() > 0.8
    assert (alone != after).any()


def test_human_masks_are_binary_and_fit_their_frames(shared: Path) -> None:
    segmenter = open_segmenter(f"masks:{shared / 'data/davis/Annotations/car-roundabout'}")
    answer = segmenter.segment(read(shared / CAR))
    assert segmenter.info.class_set.name == "binary"
    assert set(np.unique(classes_of(answer))) == {0, 1}
