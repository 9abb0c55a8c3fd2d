"""What models that take their own previous mask are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tempseg.segmenters import OnnxSegmenter, SegmenterOptions
from tempseg.segmenters.previous_mask import MOST_KEPT, PreviousMask
from tempseg.types import Frame, Placement, Prediction
from tests.segmenters.tiny_onnx import write_onnx

SIZE = (4, 6)


def answer(foreground: float) -> Prediction:
    scores = np.empty((*SIZE, 2), np.float32)
    scores[..., 1] = foreground
    scores[..., 0] = 1 - scores[..., 1]
    return Prediction(Placement.stretch(SIZE, SIZE), scores=scores)


def before(memory: PreviousMask, frame_index: int) -> float:
    return round(float(memory.before(frame_index).mean()), 3)


def test_a_frame_asked_about_in_hindsight_gets_the_mask_from_before_it() -> None:
    memory = PreviousMask(SIZE)
    for index, foreground in ((10, 0.1), (24, 0.2), (39, 0.4)):
        memory.keep(answer(foreground), index)
    assert before(memory, 33) == 0.2
    memory.keep(answer(0.3), 33)
    assert before(memory, 28) == 0.2
    assert before(memory, 36) == 0.3


def test_an_answer_in_hindsight_does_not_take_the_place_of_a_later_one() -> None:
    memory = PreviousMask(SIZE)
    for index, foreground in ((24, 0.2), (39, 0.4), (33, 0.3)):
        memory.keep(answer(foreground), index)
    assert before(memory, 45) == 0.4


def test_nothing_is_known_before_the_first_frame() -> None:
    memory = PreviousMask(SIZE)
    memory.keep(answer(0.2), 7)
    assert before(memory, 7) == 0
    assert before(memory, 3) == 0


def test_however_far_back_frames_are_asked_about_few_masks_are_kept() -> None:
    memory = PreviousMask(SIZE)
    for index in reversed(range(4 * MOST_KEPT)):
        memory.keep(answer(0.5), index)
    assert sum(before(memory, index) > 0 for index in range(4 * MOST_KEPT)) == MOST_KEPT - 1


def test_a_threshold_decides_on_labels_and_not_on_what_the_model_is_given(tmp_path: Path) -> None:
    # The foreground is what is red, the more so where it was foreground before.
    weights = np.array([[0.5], [0.0], [0.0], [2.0]], np.float32)
    write_onnx(tmp_path / "red.onnx", weights, size=SIZE, channels=4, tail=["Sigmoid"])
    red = np.zeros((*SIZE, 3), np.uint8)
    red[:, 3:, 0] = 255

    def segmenter(threshold: float) -> OnnxSegmenter:
        options = SegmenterOptions(mean=0.0, scale=1 / 255, threads=1, threshold=threshold)
        return OnnxSegmenter(tmp_path / "red.onnx", options)

    own, strict = segmenter(0.5), segmenter(0.8)
    shown = 0
    for index in range(4):
        frame = Frame.from_image(red, index=index)
        probability, scores = own.segment(frame).scores, strict.segment(frame).scores
        assert probability is not None
        assert scores is not None
        np.testing.assert_array_equal(scores[..., 1] > 0.5, probability[..., 1] > 0.8)
        shown += int((scores[0, 5, 1] > 0.5) and (scores[0, 0, 1] < 0.5))
    assert 0 < shown < 4
