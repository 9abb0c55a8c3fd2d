"""Keyframes that are decided in hindsight, on rendered scenes with exact labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempseg.class_sets import class_set
from tempseg.decisions import KeyframeReason
from tempseg.engine import Engine, EngineSettings
from tempseg.errors import ModelError, SourceError
from tempseg.flows import DisFlow
from tempseg.forced import Forced
from tempseg.policies import EveryPolicy, IntervalPolicy, Limits, SharePolicy, SpanPolicy
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Frame, Origin, Placement, Prediction, SegmenterInfo

from .scenes import Remembered

NOISE_CUT = 0.3


class Truth:
    """Answers with exact labels, or what `answer` makes of them; fails at its nth call."""

    def __init__(self, scene, *, answer=None, fails_at=None):
        self.info = SegmenterInfo("truth", "masks", class_set("camvid"))
        self.asked = []
        self.fails_at = fails_at
        self._scene, self._answer = scene, answer

    def segment(self, frame):
        if len(self.asked) == self.fails_at:
            raise ModelError("no answer")
        self.asked.append(frame.index)
        labels = self._scene.render(frame.index).labels
        if self._answer:
            labels = self._answer(frame.index, labels)
        return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)


def _scene(frame_count, *, cuts=(), velocity=(2.5, 0.75)):
    shape = MovingShape((30, 40), (30, 30), velocity=velocity)
    made = moving_shapes([shape], width=96, height=64, frame_count=frame_count, cuts=list(cuts))
    return Remembered(made)


@pytest.fixture(scope="module")
def film():
    return _scene(40, cuts=[17, 19, 20])


def _frames(scene):
    return [Frame.from_image(scene.render(i).image, index=i, pts=i) for i in range(len(scene))]


def _engine(segmenter, policy, **overrides):
    chosen = EngineSettings(**{"scene_threshold": NOISE_CUT, "matching": False, **overrides})
    return Engine(segmenter, DisFlow("fast"), policy=policy, settings=chosen)


def _pushed(engine, scene):
    return [r for f in _frames(scene) for r in engine.push(f)] + engine.flush()


def _told(results):
    return [
        (r.frame.index, r.reason, r.origin, r.shot, r.evidence, r.segmentation.labels.tobytes())
        for r in results
    ]


def _by_reason(results, reason):
    return [r.frame.index for r in results if r.reason is reason]


BUSY = SpanPolicy(doubt_threshold=0.8, span_threshold=0.1, limits=Limits(2, 12))
LATE = SharePolicy(0.05)
POLICIES = [SharePolicy(0.2), LATE, SpanPolicy(), BUSY]


@pytest.mark.parametrize("lookahead", [0, 1, 2, 3, 5, 12, 40])
@pytest.mark.parametrize("policy", POLICIES)
def test_each_frame_comes_once_in_order_and_no_later_than_the_lookahead(film, policy, lookahead):
    engine = _engine(Truth(film), policy, lookahead=lookahead)
    found = []
    for frame in _frames(film):
        found += [result.frame.index for result in engine.push(frame)]
        assert frame.index + 1 - len(found) <= lookahead
    found += [result.frame.index for result in engine.flush()]
    assert found == list(range(len(film)))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("lookahead", [0, 3, 40])
def test_a_whole_video_gives_what_its_frames_one_by_one_give(film, policy, lookahead):
    expected = _pushed(_engine(Truth(film), policy, lookahead=lookahead), film)
    engine = _engine(Truth(film), policy, lookahead=lookahead)
    assert _told(engine.results(_frames(film))) == _told(expected)


def test_first_keyframe_of_a_shot_may_come_late_and_is_carried_back(film):
    results = _pushed(_engine(Truth(film), LATE), film)
    (first,) = _by_reason(results, KeyframeReason.FIRST)
    assert first > 0
    assert {r.origin for r in results[:first]} == {Origin.PROPAGATED}


@pytest.mark.parametrize("policy", POLICIES)
def test_every_shot_has_one_first_keyframe_and_nothing_crosses_a_cut(film, policy):
    borders = [0, 17, 19, 20, 40]
    shot_of = np.repeat(np.arange(4), np.diff(borders))

    def by_shot(index, labels):
        return np.full_like(labels, 1 + shot_of[index])

    results = _pushed(_engine(Truth(film, answer=by_shot), policy), film)
    assert [r.shot for r in results] == shot_of.tolist()
    for shot in range(4):
        inside = [r for r in results if r.shot == shot]
        assert all(np.all(r.segmentation.labels == 1 + shot) for r in inside)
        first = KeyframeReason.SCENE_CUT if shot else KeyframeReason.FIRST
        assert next(r.reason for r in inside if r.reason) is first
        assert sum(r.reason is first for r in inside) == 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("frame_count", [1, 2, 3])
def test_videos_of_few_frames_are_labelled(policy, frame_count):
    scene = _scene(frame_count)
    segmenter = Truth(scene)
    results = _pushed(_engine(segmenter, policy), scene)
    assert [r.frame.index for r in results] == list(range(frame_count))
    assert len(segmenter.asked) == 1


def test_evidence_of_a_cut_tells_its_scene_change(film):
    results = _pushed(_engine(Truth(film), SharePolicy(0.2)), film)
    cuts = {r.frame.index for r in results if r.evidence and r.evidence.scene_change > NOISE_CUT}
    assert cuts == {17, 19, 20}


def test_ends_that_disagree_are_asked_inside_down_to_the_shortest_interval():
    scene = _scene(40, velocity=(0, 0))

    def blinking(index, labels):
        return np.full_like(labels, 1 + index % 7)

    policy = SpanPolicy(doubt_threshold=50, span_threshold=-1.0, limits=Limits(3, 12))
    segmenter = Truth(scene, answer=blinking)
    results = _pushed(_engine(segmenter, policy), scene)
    keyframes = [r.frame.index for r in results if r.reason]
    # What its span's ends contradicted, not what was seen at the frame.
    verdicts = [results[i].verdict for i in _by_reason(results, KeyframeReason.SPAN)]
    assert {verdict.measure for verdict in verdicts} == {"churn"}
    assert all(verdict.measured > verdict.threshold for verdict in verdicts)
    assert np.diff(keyframes).min() >= 3
    assert np.diff(keyframes).max() <= 5


def test_ends_that_agree_are_not_asked_inside():
    scene = _scene(40, velocity=(0, 0))
    results = _pushed(_engine(Truth(scene), SpanPolicy(limits=Limits(3, 12))), scene)
    assert _by_reason(results, KeyframeReason.SPAN) == []


def test_contradictions_that_are_usual_are_not_asked_inside_for():
    scene = _scene(180, velocity=(0, 0))

    def mostly_blinking(index, labels):
        # Of four answers one is that of the keyframe before.
        return np.full_like(labels, 1 + index // 9 * 3 // 4 % 7)

    policy = SpanPolicy(doubt_threshold=50, limits=Limits(3, 9))
    results = _pushed(_engine(Truth(scene, answer=mostly_blinking), policy), scene)
    churns = [r.evidence.churn for r in results if r.reason is KeyframeReason.INTERVAL]
    assert {0.0, 1.0} <= set(churns)
    assert len(_by_reason(results, KeyframeReason.SPAN)) <= 3


def test_the_first_span_tells_how_much_keyframes_contradict_anyhow():
    scene = _scene(46, velocity=(0, 0))

    def blinking(index, labels):
        return np.full_like(labels, 1 + index % 7)

    policy = SpanPolicy(doubt_threshold=1.4, limits=Limits(3, 9))
    results = _pushed(_engine(Truth(scene, answer=blinking), policy), scene)
    assert {r.evidence.churn for r in results if r.reason is KeyframeReason.INTERVAL} == {1.0}
    assert _by_reason(results, KeyframeReason.SPAN) == []


def _appearing(policy, *, at):
    """Return a still scene of 60 frames in which a thing appears."""
    shape = MovingShape((30, 40), (30, 30), velocity=(0, 0), appears_at=at)
    scene = moving_shapes([shape], width=96, height=64, frame_count=60)
    return _pushed(_engine(Truth(scene), policy, scene_threshold=1.0), scene)


def test_what_came_in_asks_for_a_keyframe():
    policy = SpanPolicy(0.1, limits=Limits(2, 90))
    assert _by_reason(_appearing(policy, at=60), KeyframeReason.DOUBT) == []
    seen, *_ = _by_reason(_appearing(policy, at=30), KeyframeReason.DOUBT)
    assert seen > 30


@pytest.mark.parametrize("policy", [SpanPolicy(50, limits=Limits(2, 90)), SharePolicy(0.02)])
def test_what_came_in_raises_doubt_at_every_frame_until_it_is_seen(policy):
    results = _appearing(policy, at=30)
    first, *later = (r.frame.index for r in results if r.reason)
    seen = min((index for index in later if index > 30), default=60)
    assert max(r.evidence.border for r in results[first + 1 : 30]) == 0
    assert min(r.evidence.border for r in results[30:seen]) > 0.015


def test_doubt_at_the_edges_of_a_shot_gets_keyframes_of_its_own():
    scene = _scene(60, velocity=(1.5, 0.3))
    reasons = set()
    for threshold in (0.2, 0.4, 0.8, 1.6):
        policy = SpanPolicy(threshold, span_threshold=1.0, limits=Limits(2, 60))
        results = _pushed(_engine(Truth(scene), policy), scene)
        assert next(r.reason for r in results if r.reason) is KeyframeReason.FIRST
        keyframes = [r.frame.index for r in results if r.reason]
        assert len(keyframes) == len(set(keyframes))
        reasons |= {r.reason for r in results}
        for verdict in (results[i].verdict for i in _by_reason(results, KeyframeReason.EDGE)):
            assert verdict.measure == "doubt"
            assert verdict.measured > verdict.threshold
    assert KeyframeReason.EDGE in reasons


@pytest.mark.parametrize("policy", [*POLICIES, EveryPolicy()])
@pytest.mark.parametrize("lookahead", [0, 3, 40])
def test_forced_frames_are_keyframes_by_number_and_time(film, policy, lookahead):
    time_s = _frames(film)[29].time_s
    forced = Forced(frozenset({0, 11, 17}), (time_s - 1e-4,))
    results = _pushed(_engine(Truth(film), policy, forced=forced, lookahead=lookahead), film)
    assert {0, 11, 17, 29} <= {r.frame.index for r in results if r.origin is Origin.SEGMENTED}


@pytest.mark.parametrize("lookahead", [0, 4, 40])
@pytest.mark.parametrize("longest", [1, 2, 6])
@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_no_policy_can_freeze_the_output(kind, longest, lookahead):
    scene = _scene(30, velocity=(0, 0))
    policy = replace(kind(), limits=Limits(1, longest))
    results = _pushed(_engine(Truth(scene), policy, lookahead=lookahead), scene)
    keyframes = [r.frame.index for r in results if r.reason]
    assert np.diff([-1, *keyframes]).max() <= longest
    assert len(scene) - keyframes[-1] <= longest


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("lookahead", [0, 4, 40])
def test_a_second_video_has_nothing_of_the_first(film, policy, lookahead):
    engine = _engine(Truth(film), policy, lookahead=lookahead)
    first = _told(_pushed(engine, film))
    assert _told(_pushed(engine, film)) == first
    assert _told(engine.results(_frames(film))) == first


@pytest.mark.parametrize("policy", [*POLICIES, IntervalPolicy(4)])
@pytest.mark.parametrize("lookahead", [0, 4, 40])
def test_a_source_that_fails_costs_no_frame_that_was_read(film, policy, lookahead):
    for read in (1, 3, 8, 18, 30):
        engine = _engine(Truth(film), policy, lookahead=lookahead)
        whole = [r for frame in _frames(film)[:read] for r in engine.push(frame)] + engine.flush()

        def frames(read=read):
            yield from _frames(film)[:read]
            raise SourceError("is gone")

        results = []
        with pytest.raises(SourceError, match="is gone"):  # noqa: PT012 - what comes before it
            for result in engine.results(frames()):
                results.append(result)
        assert _told(results) == _told(whole)


@pytest.mark.parametrize("policy", [*POLICIES, IntervalPolicy(4)])
@pytest.mark.parametrize("lookahead", [0, 1, 4, 40])
def test_after_a_model_that_failed_the_next_frame_starts_afresh(film, policy, lookahead):
    frames = _frames(film)
    for call in range(3):
        segmenter = Truth(film, fails_at=call)
        engine = _engine(segmenter, policy, lookahead=lookahead)
        results, failed_at = [], None
        for place, frame in enumerate(frames):
            try:
                results += engine.push(frame)
            except ModelError:
                failed_at, segmenter.fails_at = place, None
        if failed_at is None:
            continue
        results += engine.flush()
        found = [r.frame.index for r in results]
        assert found == sorted(set(found))
        again = _engine(Truth(film), policy, lookahead=lookahead)
        rest = [r for frame in frames[failed_at + 1 :] for r in again.push(frame)] + again.flush()
        assert _told(results[len(results) - len(rest) :]) == _told(rest)


def test_a_share_of_all_keeps_the_shortest_interval():
    scene = _scene(20)
    results = _pushed(_engine(Truth(scene), SharePolicy(1.0, Limits(5, 1000))), scene)
    assert np.diff([r.frame.index for r in results if r.reason]).min() >= 5


def test_a_share_of_all_is_every_frame():
    scene = _scene(6)
    results = _pushed(_engine(Truth(scene), SharePolicy(1.0)), scene)
    assert {r.origin for r in results} == {Origin.SEGMENTED}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("lookahead", [0, 4, 40])
def test_a_model_that_fails_costs_no_frame_that_has_a_keyframe(film, policy, lookahead):
    whole = Truth(film)
    _pushed(_engine(whole, policy, lookahead=lookahead), film)
    shots = np.array([0, 17, 19, 20, 40])
    for call, asked in enumerate(whole.asked):
        segmenter = Truth(film, fails_at=call)
        engine = _engine(segmenter, policy, lookahead=lookahead)
        results = []
        with pytest.raises(ModelError):  # noqa: PT012 - wherever it is asked
            for frame in _frames(film):
                results += engine.push(frame)
            results += engine.flush()
        results += engine.flush(asking=False)
        found = [r.frame.index for r in results]
        assert found == list(range(len(found)))
        begin = int(shots[np.searchsorted(shots, asked, side="right") - 1])
        answered = any(begin <= frame for frame in segmenter.asked)
        assert len(found) >= (asked if answered else begin)


@settings(max_examples=40, deadline=None)
@given(
    lookahead=st.integers(0, 20),
    cuts=st.sets(st.integers(1, 23), max_size=4),
    forced=st.sets(st.integers(0, 23), max_size=3),
    threshold=st.sampled_from([0.1, 0.5, 2.0]),
    shortest=st.integers(1, 4),
    share=st.booleans(),
)
def test_any_settings_give_each_frame_once(lookahead, cuts, forced, threshold, shortest, share):
    limits = Limits(shortest, 9)
    policy = SharePolicy(threshold / 2, limits) if share else SpanPolicy(threshold, -1.0, limits)
    scene = _scene(24, cuts=sorted(cuts))
    segmenter = Truth(scene)
    engine = _engine(segmenter, policy, lookahead=lookahead, forced=Forced(frozenset(forced)))
    results = _pushed(engine, scene)
    assert [r.frame.index for r in results] == list(range(24))
    assert sorted(segmenter.asked) == [r.frame.index for r in results if r.reason]
    assert forced <= set(segmenter.asked)
