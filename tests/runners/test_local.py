"""The local pipeline: order, sinks side by side, and no thread left when a stage raises."""

from __future__ import annotations

import threading
from fractions import Fraction

import numpy as np
import pytest

from tempseg.build import build_engine
from tempseg.config import load_config
from tempseg.errors import ModelError
from tempseg.runners.local import stream, write_all
from tempseg.runners.timing import StageTimes
from tempseg.segmenters import CallableSegmenter
from tempseg.types import Frame, FrameResult, Origin, Segment, Segmentation, VideoInfo

FRAMES = 30
STAGES = ("decode", "motion", "segment", "masks", "overlay", "table", "observer")


class _BrokenError(RuntimeError):
    """What nobody foresaw."""


class _Source:
    damaged = 0
    info = VideoInfo("frames", 64, 48, Fraction(1, 25), Fraction(25))

    def __init__(self, fails_on: int | None) -> None:
        self.closed = False
        self._fails_on = fails_on

    def __iter__(self):
        for index in range(FRAMES):
            if index == self._fails_on:
                raise _BrokenError("decode")
            yield Frame.from_image(np.full((48, 64, 3), 7 * index, np.uint8), index=index)

    def close(self) -> None:
        self.closed = True


class _Sink:
    def __init__(self, name: str, fails_on: int | None) -> None:
        self.name = name
        self.written: list[int] = []
        self.threads: set[str] = set()
        self.ended = ""
        self._fails_on = fails_on

    def write(self, result) -> None:
        if result.frame.index == self._fails_on:
            raise _BrokenError(self.name)
        self.written.append(result.frame.index)
        self.threads.add(threading.current_thread().name)

    def finish(self) -> None:
        if self._fails_on == FRAMES:
            raise _BrokenError(self.name)
        self.ended += "finished"

    def abandon(self) -> None:
        self.ended += "abandoned"


def _run(failing: str = "", *, on: int = 11):
    """Run the pipeline with one stage that fails; return source and sinks."""
    place = {stage: on if stage == failing else None for stage in STAGES}
    source = _Source(place["decode"])

    def segment(image: np.ndarray) -> np.ndarray:
        if failing == "segment" and image[0, 0, 0] >= 7 * on:
            raise _BrokenError("segment")
        return (image[::4, ::4, 0] > 90).astype(np.uint8)

    def observe(result) -> None:
        if result.frame.index == place["observer"]:
            raise _BrokenError("observer")

    times = StageTimes()
    config = load_config(overrides={"keyframe.policy": "interval", "keyframe.interval": 4})
    engine = build_engine(config, CallableSegmenter(segment), timer=times)
    if failing == "motion":
        steps = engine.steps

        def failing_steps(frames):
            for step in steps(frames):
                if step.frame.index == on:
                    raise _BrokenError("motion")
                yield step

        engine.steps = failing_steps  # type: ignore[method-assign]
    sinks = {name: _Sink(name, place[name]) for name in ("masks", "overlay", "table")}
    error = None
    try:
        with stream(source, engine, times=times) as results:
            write_all(results, sinks, times=times, observers=[observe])
    except (_BrokenError, ModelError) as caught:
        error = caught
    return source, sinks, error


def _threads() -> list[str]:
    # A model that hangs, as others' tests have them, keeps its own for good.
    names = [t.name for t in threading.enumerate() if t.name.startswith("tempseg-")]
    return [name for name in names if name != "tempseg-hung"]


def test_segments_that_files_cannot_hold_are_refused():
    sink, labels = _Sink("masks", None), np.ones((48, 64), np.uint8)
    frame = Frame.from_image(np.zeros((48, 64, 3), np.uint8), index=4)
    told = []
    for class_id in (1, 7):
        answer = Segmentation(labels, {1: Segment(1, class_id)})
        results = iter([FrameResult(frame, answer, Origin.SEGMENTED)])
        try:
            write_all(results, {"masks": sink}, times=StageTimes())
        except ModelError as error:
            told.append(str(error))
    assert len(told) == 1
    assert told[0].startswith("frame 4: id 1 stands for class 7, and files hold classes")


def test_every_sink_gets_every_frame_in_order_and_heavy_ones_have_a_thread():
    source, sinks, error = _run()
    assert error is None
    assert source.closed
    for sink in sinks.values():
        assert (sink.written, sink.ended) == (list(range(FRAMES)), "finished")
    assert sinks["masks"].threads == {"tempseg-masks"}
    assert sinks["overlay"].threads == {"tempseg-overlay"}
    assert sinks["table"].threads == {threading.current_thread().name}
    assert _threads() == []


def test_sinks_are_let_go_of_where_one_cannot_be_completed():
    _, sinks, error = _run("overlay", on=FRAMES)
    assert str(error) == "overlay"
    assert [sink.ended for sink in sinks.values()] == [
        "finishedabandoned",
        "abandoned",
        "abandoned",
    ]
    assert _threads() == []


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("on", [0, 11, FRAMES - 2])
def test_no_thread_is_left_when_a_stage_raises(stage, on):
    source, sinks, error = _run(stage, on=on)
    assert stage in str(error)
    assert source.closed
    assert {sink.ended for sink in sinks.values()} == {"abandoned"}
    assert _threads() == []
    # What one sink has, those before it have; nothing comes out of order.
    done = [sink.written for sink in sinks.values()]
    for written in done:
        assert written == list(range(len(written)))
    assert len(done[0]) >= len(done[1]) >= len(done[2])
