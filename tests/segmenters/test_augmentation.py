"""Several views of one frame."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import (
    AugmentingSegmenter,
    CallableSegmenter,
    LiteRTSegmenter,
    SegmenterOptions,
    open_segmenter,
)
from tempseg.types import Frame, Placement, Prediction, Segment
from tests.segmenters import functions
from tests.segmenters.tiny import TinyModels, colour_frame, colour_ids

RGB = SegmenterOptions(classes=("red", "green", "blue"))
TWO = SegmenterOptions(classes="binary")


@pytest.fixture
def frame() -> Frame:
    random = np.random.default_rng(3)
    return Frame.from_image(random.integers(0, 256, (48, 60, 3), dtype=np.uint8))


def red(image: np.ndarray) -> np.ndarray:
    return image[..., 0] / 255


def left(image: np.ndarray) -> np.ndarray:
    """Return foreground in the left half, whatever is seen."""
    return np.tile(np.arange(image.shape[1]) < image.shape[1] // 2, (image.shape[0], 1)) * 1.0


@pytest.mark.parametrize("scales", [(1.0,), (2.0, 1.0), (1.0, 0.5, 1.3), (0.75,)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_model_of_single_pixels_answers_as_without(
    frame: Frame, scales: tuple[float, ...], flip: bool
) -> None:
    plain = CallableSegmenter(red, TWO).segment(frame)
    model = CallableSegmenter(red, TWO)
    made = AugmentingSegmenter(model, flip=flip, scales=scales).segment(frame)
    assert made.scores is not None
    assert plain.scores is not None
    place = made.placement
    top, start = round(place.offset_y), round(place.offset_x)
    inside = made.scores[top : top + 48, start : start + 60]
    np.testing.assert_allclose(inside, plain.scores, atol=1e-6)


def test_mirrored_answers_are_turned_back() -> None:
    frame = Frame.from_image(np.zeros((4, 10, 3), np.uint8))
    made = AugmentingSegmenter(CallableSegmenter(left, TWO), flip=True).segment(frame).scores
    assert made is not None
    np.testing.assert_allclose(made, 0.5)


def test_votes_that_are_level_go_to_the_plain_view() -> None:
    frame = Frame.from_image(np.zeros((4, 10, 3), np.uint8))
    model = CallableSegmenter(lambda image: left(image).astype(int), TWO)
    labels = AugmentingSegmenter(model, flip=True).segment(frame).labels
    np.testing.assert_array_equal(labels, left(frame.image))


def test_the_most_frequent_label_wins() -> None:
    answers = iter([0, 2, 2])
    model = CallableSegmenter(lambda image: np.full((4, 4), next(answers)), RGB)
    frame = Frame.from_image(np.zeros((8, 8, 3), np.uint8))
    labels = AugmentingSegmenter(model, scales=(1.0, 0.5, 0.8)).segment(frame).labels
    np.testing.assert_array_equal(labels, np.full((4, 4), 2))


def test_the_first_answer_is_not_written_into() -> None:
    model = CallableSegmenter(red, TWO)
    kept = []

    class Keeping:
        info = model.info

        def segment(self, frame: Frame) -> Prediction:
            kept.append(model.segment(frame))
            return kept[-1]

    frame = Frame.from_image(colour_frame())
    AugmentingSegmenter(Keeping(), flip=True).segment(frame)
    np.testing.assert_array_equal(kept[0].scores[..., 1], np.float32(red(frame.image)))


def test_larger_views_see_what_the_network_is_too_coarse_for(tiny: TinyModels) -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    image[..., 0] = 255
    image[5, 7] = (0, 0, 255)
    model = LiteRTSegmenter(tiny.path("logits.tflite"), RGB)
    plain = model.segment(Frame.from_image(image)).scores
    close = AugmentingSegmenter(model, scales=(2.0,)).segment(Frame.from_image(image)).scores
    assert plain is not None
    assert close is not None
    assert (plain.argmax(axis=2) == 0).all()
    assert close[5, 7].argmax() == 2


def test_views_are_asked_for_by_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=RGB.classes, flip=True, scales=(1.0, 2.0))
    segmenter = open_segmenter(str(tiny.path("logits.tflite")), options)
    assert isinstance(segmenter, AugmentingSegmenter)
    scores = segmenter.segment(Frame.from_image(colour_frame())).scores
    assert scores is not None
    np.testing.assert_array_equal(scores.argmax(axis=2), colour_ids((8, 12)))


def shown(pixels: np.ndarray) -> Prediction:
    """Answer with what is seen on the left alone, and name it."""
    label = 1 + int(pixels[0, 0, 0] > 128)
    labels = np.full(pixels.shape[:2], label, np.uint8)
    placement = Placement.stretch(labels.shape, labels.shape)
    return Prediction(placement, labels, segments={label: Segment(label, label)})


def test_segments_of_a_frame_are_those_of_its_views() -> None:
    image = np.zeros((8, 12, 3), np.uint8)
    image[:, 6:] = 255
    made = AugmentingSegmenter(CallableSegmenter(shown, RGB), flip=True)
    assert made.segment(Frame.from_image(image)).segments == {1: Segment(1, 1), 2: Segment(2, 2)}


@pytest.mark.parametrize("wish", [{"flip": True}, {"scales": (2.0,)}, {"scales": (0.5, 1.0)}])
def test_ids_that_are_no_classes_are_not_put_to_the_vote(frame: Frame, wish: dict) -> None:
    model = AugmentingSegmenter(CallableSegmenter(functions.counted, RGB, name="counted"), **wish)
    with pytest.raises(ModelError, match=r"counted: frame 0: id 2 stands for class 1.*\.flip and"):
        model.segment(frame)


def test_one_view_keeps_its_ids(frame: Frame) -> None:
    model = AugmentingSegmenter(CallableSegmenter(functions.counted, RGB), scales=(0.5,))
    assert model.segment(frame).segments == {2: Segment(2, 1)}
