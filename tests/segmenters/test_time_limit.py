"""A limit to how long a model may take."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tempseg.errors import ModelError, ModelTimeoutError
from tempseg.protocols import BatchSegmenter, Segmenter
from tempseg.segmenters import CallableSegmenter, SegmenterOptions, open_segmenter
from tempseg.segmenters.time_limit import time_limited
from tempseg.types import Frame, Placement, Prediction, SegmenterInfo
from tests.segmenters.tiny import colour_frame, make_tiny_models

OPTIONS = SegmenterOptions(classes=("red", "green", "blue"))


class Hanging:
    """A function that hangs on one frame until it is let go."""

    def __init__(self, *, on: int) -> None:
        self.calls = 0
        self.let_go = threading.Event()
        self._on = on

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls - 1 == self._on:
            self.let_go.wait(60)
        return image.argmax(axis=2)


def _frames(count: int) -> list[Frame]:
    return [Frame.from_image(colour_frame(), index=index, pts=index) for index in range(count)]


def _limited(function: Hanging) -> Segmenter:
    model = CallableSegmenter(function, OPTIONS, name="python:net:hangs")
    return time_limited(model, timeout_s=0.05)


def test_a_call_that_hangs_is_given_up_by_model_frame_seconds_and_fix():
    model = Hanging(on=2)
    segmenter = _limited(model)
    frames = _frames(3)
    for frame in frames[:2]:
        segmenter.segment(frame)
    with pytest.raises(ModelTimeoutError) as caught:
        segmenter.segment(frames[2])
    model.let_go.set()
    for told in ("python:net:hangs", "frame 2 (at 2.00 s)", "within 0.05 s", "segmenter.timeout_s"):
        assert told in str(caught.value)


def test_a_model_that_hung_is_not_called_again():
    model = Hanging(on=0)
    segmenter = _limited(model)
    for frame in _frames(3):
        with pytest.raises(ModelTimeoutError, match=f"frame {frame.index} "):
            segmenter.segment(frame)
    assert model.calls == 1
    model.let_go.set()


def test_what_the_model_raises_is_raised_here():
    def fails(image: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory")

    segmenter = time_limited(CallableSegmenter(fails, OPTIONS, name="fails"), timeout_s=60)
    with pytest.raises(ModelError, match=r"frame 0: the function raised RuntimeError: out of"):
        segmenter.segment(_frames(1)[0])


def test_every_call_comes_from_one_thread_that_ends_with_the_segmenter():
    seen = set()

    def notes(image: np.ndarray) -> np.ndarray:
        seen.add(threading.current_thread())
        return image.argmax(axis=2)

    segmenter = time_limited(CallableSegmenter(notes, OPTIONS, name="notes"), timeout_s=60)
    for frame in _frames(5):
        segmenter.segment(frame)
    (thread,) = seen
    assert thread is not threading.current_thread()
    del segmenter
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


class Batching:
    """A segmenter of batches that hangs from a certain number of frames on."""

    batch = 4
    info = SegmenterInfo("batching", "test", CallableSegmenter(len, OPTIONS).info.class_set)

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def segment(self, frame: Frame) -> Prediction:
        labels = np.full((2, 2), frame.index, np.uint8)
        return Prediction(Placement.stretch((2, 2), frame.size), labels)

    def segment_batch(self, frames: list[Frame]) -> list[Prediction]:
        if len(frames) > 2:
            self.let_go.wait(60)
        return [self.segment(frame) for frame in frames]


def test_batches_go_through_and_may_take_a_limit_a_frame():
    model = Batching()
    segmenter = time_limited(model, timeout_s=0.02)
    assert isinstance(segmenter, BatchSegmenter)
    assert segmenter.batch == 4
    labels = [answer.labels[0, 0] for answer in segmenter.segment_batch(_frames(2))]
    assert labels == [0, 1]
    with pytest.raises(ModelTimeoutError, match=r"frames 0–2 \(at 0\.00 s\): .* within 0\.06 s"):
        segmenter.segment_batch(_frames(3))
    model.let_go.set()


def test_what_takes_single_frames_takes_no_batches_with_a_limit(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tiny = make_tiny_models(Path(tmp_path_factory.getbasetemp()) / "tiny")
    options = replace(OPTIONS, timeout_s=60.0)
    with pytest.raises(ModelError, match="one image at a time"):
        open_segmenter(str(tiny.path("logits.tflite")), replace(options, batch=2))
    limited = open_segmenter(str(tiny.path("logits.tflite")), options)
    answer = limited.segment(_frames(1)[0])
    plain = open_segmenter(str(tiny.path("logits.tflite")), OPTIONS).segment(_frames(1)[0])
    np.testing.assert_array_equal(answer.scores, plain.scores)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_limit_that_is_none_is_refused(timeout_s):
    with pytest.raises(ValueError, match="timeout_s is"):
        SegmenterOptions(timeout_s=timeout_s)
