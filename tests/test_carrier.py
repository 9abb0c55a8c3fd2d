"""What is carried from keyframe to keyframe, and what ends with a shot and with a video."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.class_sets import class_set
from tempseg.decisions import KeyframeReason, Verdict
from tempseg.engine import Engine, EngineSettings
from tempseg.flows import DisFlow
from tempseg.policies import IntervalPolicy
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Frame, Placement, Prediction, SegmenterInfo

from .scenes import Remembered

CUT = 22


class Late:
    """Makes keyframes at an interval, and the first of a shot some frames late."""

    every_frame = by_age = False

    def __init__(self, first, interval):
        self._first, self._interval = first, interval

    def border_power(self, unrest):
        return 1.0

    def decide(self, evidence):
        due = evidence.age >= self._interval
        return Verdict(KeyframeReason.INTERVAL if due else None, "age", self._interval)

    def head(self, evidence):
        return self._first

    def place(self, span):
        return len(span.borders) - 1

    def judge(self, span):
        return Verdict(None, "churn", 1.0, span.churn)

    def accept(self, span):
        return None


class Flickering:
    """Often calls one of two classes by the other's name; after the cut it is the other of them."""

    info = SegmenterInfo("flickering", "callable", class_set("camvid"))

    def __init__(self, scene):
        self._scene = scene

    def segment(self, frame):
        labels = self._scene.render(frame.index).labels.copy()
        rng = np.random.default_rng(frame.index)
        missed = np.kron(rng.random((16, 10)) < 0.3, np.ones((4, 4), bool))
        own, other = (2, 1) if frame.index < CUT else (1, 2)
        labels[:, :40] = np.where(missed, other, own)
        return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)


class Widening:
    """Answers with two classes and a border that moves with every frame."""

    info = Flickering.info

    def __init__(self, label):
        self._label = label

    def segment(self, frame):
        labels = np.full(frame.size, self._label, np.uint8)
        labels[:, frame.index + 20 :] += 1
        return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)


class Exchanged:
    """One segmenter now, another later."""

    info = Flickering.info

    def __init__(self, now):
        self.now = now

    def segment(self, frame):
        return self.now.segment(frame)


@pytest.fixture(scope="module")
def two_shots():
    shape = MovingShape((30, 60), (26, 26), velocity=(0.5, 0.5))
    return Remembered(moving_shapes([shape], width=96, height=64, frame_count=44, cuts=[CUT]))


def _frames(scene, start, count, *, first=0):
    """Return frames of a scene, numbered from `first` on."""
    images = [scene.render(start + i).image for i in range(count)]
    return [Frame.from_image(image, index=first + i, pts=i) for i, image in enumerate(images)]


def _engine(segmenter, policy, **overrides):
    settings = EngineSettings(**{"scene_threshold": 0.3, **overrides})
    return Engine(segmenter, DisFlow("fast"), policy=policy, settings=settings)


def _told(results):
    return [(r.frame.index, r.origin, r.segmentation.labels.tobytes()) for r in results]


@pytest.mark.parametrize("policy", [IntervalPolicy(4), Late(3, 5)], ids=["interval", "late"])
def test_a_shot_is_labelled_as_if_there_had_been_none_before(two_shots, policy):
    both, second = (
        list(_engine(Flickering(two_shots), policy).results(frames))
        for frames in (
            _frames(two_shots, 0, 44),
            _frames(two_shots, CUT, 44 - CUT, first=CUT),
        )
    )
    assert [r.frame.index for r in both if r.shot == 1] == list(range(CUT, 44))
    assert _told(both[CUT:]) == _told(second)


@pytest.mark.parametrize("lookahead", [0, 40])
@pytest.mark.parametrize("matching", [False, True])
def test_another_video_after_a_flush_is_labelled_as_by_a_new_engine(two_shots, lookahead, matching):
    def pushed(engine, frames):
        return _told([r for frame in frames for r in engine.push(frame)] + engine.flush())

    def made(segmenter):
        return _engine(segmenter, IntervalPolicy(4), lookahead=lookahead, matching=matching)

    segmenter = Exchanged(Widening(1))
    used = made(segmenter)
    pushed(used, _frames(two_shots, 0, 14))
    segmenter.now = Widening(5)
    # Both begin with frame 0, as every video does.
    second = _frames(two_shots, 25, 14)
    assert pushed(used, second) == pushed(made(Widening(5)), second)
