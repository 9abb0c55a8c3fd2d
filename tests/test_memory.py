"""Models that remember what they were asked, in the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tempseg.class_sets import class_set
from tempseg.engine import Engine, EngineSettings
from tempseg.flows import DisFlow
from tempseg.policies import IntervalPolicy, Limits, SharePolicy, SpanPolicy
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Frame, Placement, Prediction, SegmenterInfo

from .scenes import Remembered

CUTS = [17, 19, 20]
SHOTS = np.repeat(np.arange(4), np.diff([0, *CUTS, 40]))
POLICIES = [
    IntervalPolicy(4),
    SharePolicy(0.05),
    SpanPolicy(doubt_threshold=0.8, span_threshold=0.1, limits=Limits(2, 12)),
]
FORGET = "forget"


class Remembering:
    """Answers with exact labels; notes what it is told, and in which groups it is asked."""

    batch = 4

    def __init__(self, scene, *, remembers=True, fails_at=None):
        self.info = SegmenterInfo("noted", "masks", class_set("camvid"), remembers=remembers)
        self.told = []
        self.sizes = []
        self._scene, self._fails_at = scene, fails_at

    def segment(self, frame):
        self.told.append(frame.index)
        if frame.index == self._fails_at:
            self._fails_at = None
            raise MemoryError("no memory on the card")
        labels = self._scene.render(frame.index % len(self._scene)).labels
        return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)

    def segment_batch(self, frames):
        self.sizes.append(len(frames))
        return [self.segment(frame) for frame in frames]

    def forget(self):
        self.told.append(FORGET)

    @property
    def lives(self):
        """What was asked between one forgetting and the next."""
        lives = [[]]
        for one in self.told:
            if one == FORGET:
                lives.append([])
            else:
                lives[-1].append(one)
        return lives


@pytest.fixture(scope="module")
def film():
    shape = MovingShape((30, 40), (30, 30), velocity=(2.5, 0.75))
    return Remembered(moving_shapes([shape], width=96, height=64, frame_count=40, cuts=CUTS))


def _frames(scene):
    return [Frame.from_image(scene.render(i).image, index=i, pts=i) for i in range(len(scene))]


def _engine(segmenter, policy=POLICIES[0], *, lookahead=20):
    settings = EngineSettings(scene_threshold=0.3, matching=False, lookahead=lookahead)
    return Engine(segmenter, DisFlow("fast"), policy=policy, settings=settings)


def _push(engine, frames):
    return [result for frame in frames for result in engine.push(frame)] + engine.flush()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
@pytest.mark.parametrize("lookahead", [0, 20])
def test_what_is_remembered_does_not_cross_a_scene_cut(film, policy, lookahead):
    segmenter = Remembering(film)
    list(_engine(segmenter, policy, lookahead=lookahead).results(_frames(film)))
    before, *lives = segmenter.lives
    assert before == []
    assert [{int(SHOTS[index]) for index in life} for life in lives] == [{0}, {1}, {2}, {3}]


def test_what_is_remembered_ends_with_its_video(film):
    segmenter = Remembering(film)
    engine = _engine(segmenter)
    _push(engine, _frames(film)[:10])
    _push(engine, [replace(frame, index=frame.index + 40) for frame in _frames(film)[:10]])
    assert segmenter.lives == [[], [0, 4, 8], [40, 44, 48]]


def test_what_is_remembered_ends_with_a_failure(film):
    segmenter = Remembering(film, fails_at=8)
    engine = _engine(segmenter, lookahead=0)
    frames = _frames(film)[:16]
    with pytest.raises(MemoryError):
        _push(engine, frames)
    _push(engine, frames[9:])
    assert segmenter.lives == [[], [0, 4, 8], [9, 13]]


def test_models_that_remember_are_asked_one_by_one_so_that_no_batch_reaches_over_a_cut(film):
    batched, alone = (Remembering(film, remembers=remembers) for remembers in (False, True))
    for segmenter in (batched, alone):
        list(_engine(segmenter).results(_frames(film)))
    assert max(batched.sizes) > 1
    assert alone.sizes == []
    assert [len({int(SHOTS[index]) for index in life}) for life in alone.lives[1:]] == [1] * 4
