"""What the scheduler asks of a policy, and what it makes of the answers."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tempseg import evidence as observing
from tempseg.class_sets import class_set
from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict
from tempseg.engine import Engine, EngineSettings
from tempseg.flows import DisFlow
from tempseg.forced import Forced
from tempseg.policies import IntervalPolicy
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Frame, Origin, Placement, Prediction, SegmenterInfo

from .scenes import Remembered


@dataclass
class Scripted:
    """Says what it is told to say, and notes what it is shown."""

    due: frozenset[int] = frozenset()
    """Ages at which there is doubt."""
    longest: int = 1000
    first: int = 0
    """Frames before the first keyframe of a shot."""
    at: int = 1000
    """The undecided frame that becomes the keyframe, the last where there are fewer."""
    opened: dict[Side, int] = field(default_factory=dict)
    """Places that become keyframes too, where the span holds them."""
    placed: list[tuple[Evidence, Span]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    decided: list[Evidence] = field(default_factory=list)
    power: float = 1.0
    unrest: list[float | None] = field(default_factory=list)
    every_frame = False
    by_age = False

    def border_power(self, unrest):
        self.unrest.append(unrest)
        return self.power

    def decide(self, evidence):
        self.decided.append(evidence)
        reason = KeyframeReason.DOUBT if evidence.age in self.due else None
        if evidence.age >= self.longest:
            reason = KeyframeReason.INTERVAL
        return Verdict(reason, "age", evidence.age)

    def head(self, evidence):
        return self.first

    def place(self, span):
        self.placed.append((self.decided[-1], span))
        return min(self.at, len(span.borders) - 1)

    def judge(self, span):
        return Verdict(KeyframeReason.SPAN, "churn", 0.25, 7.5)

    def accept(self, span):
        self.spans.append(span)
        at = self.opened.get(span.side)
        return at if at is not None and at < len(span.borders) else None


class Blinking:
    """Answers with the scene's labels, each time a little beside where they are."""

    info = SegmenterInfo("blinking", "masks", class_set("camvid"))

    def __init__(self, scene):
        self.asked = []
        self._scene = scene

    def segment(self, frame):
        self.asked.append(frame.index)
        labels = self._scene.render(frame.index).labels
        labels = np.roll(labels, 5 * len(self.asked) % 17, axis=1)
        return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)


@pytest.fixture(scope="module")
def film():
    shape = MovingShape((30, 40), (30, 30), velocity=(1.5, 0.5))
    return Remembered(moving_shapes([shape], width=96, height=64, frame_count=60, cuts=[40]))


@pytest.fixture(scope="module")
def frames(film):
    return [Frame.from_image(film.render(i).image, index=i, pts=i) for i in range(len(film))]


def _results(film, frames, policy, *, segmenter=None, **overrides):
    chosen = EngineSettings(**{"scene_threshold": 0.3, "matching": False, **overrides})
    engine = Engine(segmenter or Blinking(film), DisFlow("fast"), policy=policy, settings=chosen)
    return [r for frame in frames for r in engine.push(frame)] + engine.flush()


def _keyframes(results):
    return [(r.frame.index, r.reason) for r in results if r.origin is Origin.SEGMENTED]


def _frame(index, pts):
    """Return a frame of a video of 25 a second."""
    return replace(
        Frame.from_image(np.zeros((4, 4, 3), np.uint8), index=index, pts=pts),
        time_base=Fraction(1, 25),
    )


@pytest.mark.parametrize(
    ("last", "now", "taken"),
    [(None, 25, True), (24, 25, True), (23, 26, True), (25, 26, False), (12, 24, False)],
)
def test_a_forced_time_takes_the_one_frame_that_is_shown_then_or_next(last, now, taken):
    before = None if last is None else _frame(3, last)
    assert Forced(times_s=(1.0,)).takes(_frame(4, now), before) is taken


@pytest.mark.parametrize("time_base", [Fraction(1001, 30000), Fraction(1, 12800)], ids=str)
@pytest.mark.parametrize("number", range(1, 30))
def test_a_forced_time_as_written_takes_its_own_frame(number, time_base):
    before, now, after = (
        replace(_frame(place, place), time_base=time_base)
        for place in (number - 1, number, number + 1)
    )
    forced = Forced(times_s=(float(f"{now.time_s:.6f}"),))
    assert forced.takes(now, before)
    assert not forced.takes(before, None)
    assert not forced.takes(after, now)
    assert not forced.beyond(number, now.time_s)


def test_what_is_forced_on_the_last_frame_is_not_beyond_it():
    forced = Forced(frozenset({3, 9, 40, 17, 8}), (0.5, 0.36, 2.25))
    assert forced.beyond(9, 0.36) == ["17", "40", "0.5 s", "2.25 s"]


def test_joined_frames_are_those_of_both():
    joined = Forced(frozenset({1}), (0.5,)).joined(Forced(frozenset({7}), (2.0,)))
    assert joined == Forced(frozenset({1, 7}), (0.5, 2.0))


@pytest.mark.parametrize("lookahead", [4, 8, 40])
def test_a_tail_tells_of_every_frame_since_the_keyframe_and_of_all_their_doubt(
    film, frames, lookahead
):
    policy = Scripted(due=frozenset({11, 12, 13, 14}), longest=15, at=2)
    _results(film, frames, policy, lookahead=lookahead)
    assert len(policy.placed) > 2
    assert any(span.age for _, span in policy.placed) == (lookahead < 11)
    for evidence, span in policy.placed:
        assert span.age + len(span.borders) == evidence.age
        assert span.doubt + sum(span.borders) == pytest.approx(evidence.doubt)


def test_a_frame_placed_before_the_newest_is_the_keyframe_and_ages_count_from_it(film, frames):
    policy = Scripted(due=frozenset({8}), at=5)
    results = _results(film, frames[:30], policy)
    # Eight frames after a keyframe the sixth of them becomes the next.
    assert [index for index, _ in _keyframes(results)] == [0, 6, 12, 18, 24]
    ages = [r.evidence.age for r in results[1:]]
    assert ages == [1, 2, 3, 4, 5, 6] * 4 + [1, 2, 3, 4, 5]


def test_a_shot_begins_with_nothing_of_the_shot_before(film, frames):
    for lookahead in (0, 40):
        results = _results(film, frames, Scripted(longest=6), lookahead=lookahead)
        seen = results[40].evidence
        assert results[40].shot == 1
        assert results[39].evidence.doubt > 0
        assert (seen.age, seen.doubt, seen.churn, seen.border) == (0, 0.0, 0.0, 0.0)


def test_frames_keyframes_and_mean_border_are_those_of_the_run_so_far(film, frames):
    results = _results(film, frames[:40], Scripted(longest=7), lookahead=0)
    borders = [0.0, *(r.evidence.border for r in results[1:])]
    assert min(borders[1:]) > 0
    for index, result in enumerate(results[1:], 1):
        seen = result.evidence
        assert seen.frames == index + 1
        assert seen.keyframes == len([k for k, _ in _keyframes(results) if k < index])
        assert seen.mean_border == pytest.approx(sum(borders[: index + 1]) / (index + 1))


def test_a_border_that_is_measured_again_counts_once(film, frames):
    results = _results(film, frames[:30], Scripted(due=frozenset({8}), at=5))
    total = sum(r.evidence.border for r in results[1:])
    assert results[-1].evidence.mean_border == pytest.approx(total / 30)


def _closed(results):
    """Return what the ends of each closed span contradict one another by, and its doubt."""
    places = [index for index, _ in _keyframes(results)]
    return [
        (results[b].evidence.churn, sum(r.evidence.border for r in results[a + 1 : b + 1]))
        for a, b in pairwise(places)
    ]


def _unrest(closed):
    return sum(churn for churn, _ in closed) / sum(doubt for _, doubt in closed)


def test_unrest_is_what_the_last_eight_spans_contradict_for_their_doubt(film, frames):
    policy = Scripted(longest=4)
    results = _results(film, frames[:40], policy)
    closed = _closed(results)
    assert len(closed) == 9
    assert len({churn for churn, _ in closed}) > 3
    assert results[3].evidence.unrest == 0
    for span in range(9):
        expected = pytest.approx(_unrest(closed[max(span - 7, 0) : span + 1]))
        assert results[4 * (span + 1) + 1].evidence.unrest == expected
    told = [span.unrest for span in policy.spans if span.side is Side.BETWEEN]
    assert told[0] == 0
    assert told[1:] == pytest.approx([_unrest(closed[:n]) for n in range(1, 9)])


def test_a_policy_says_how_steeply_errors_count_once_a_span_has_told_of_unrest(film, frames):
    policy = Scripted(longest=4)
    plain = _results(film, frames[:40], policy)
    assert policy.unrest[:4] == [None] * 4
    known = {r.evidence.unrest for r in plain[5:]}
    assert known >= {unrest for unrest in policy.unrest if unrest is not None}
    flat = _results(film, frames[:40], Scripted(longest=4, power=0.0))
    steep = _results(film, frames[:40], Scripted(longest=4, power=3.0))
    for results in zip(plain[1:], flat[1:], steep[1:], strict=True):
        as_it_is, same, border = (result.evidence.border for result in results)
        # To the power of 0 all errors are usual ones: the rest is what is new.
        new = same - 0.5 * 0.14
        error = (as_it_is - new) / 0.5
        assert border == pytest.approx(new + 0.5 * 0.14 * (error / 0.14) ** 3)


def test_policies_are_told_how_many_cuts_there_were(film, frames):
    policy = Scripted(longest=8)
    results = _results(film, frames, policy)
    assert [r.evidence.cuts for r in results[1:]] == [0] * 39 + [1] * 20
    assert {span.cuts for span in policy.spans if span.side is Side.TAIL} == {0, 1}


def test_noise_is_the_median_contradiction_of_the_spans_before(film, frames):
    policy = Scripted(longest=3)
    results = _results(film, frames[:40], policy)
    churns = [churn for churn, _ in _closed(results)]
    spans = [span for span in policy.spans if span.side is Side.BETWEEN]
    assert [span.churn for span in spans] == churns
    before = [churns[max(n - 8, 0) : n] or churns[:1] for n in range(len(churns))]
    assert [span.noise for span in spans] == [statistics.median(some) for some in before]


class Turning:
    """Names another class from a frame on."""

    info = Blinking.info

    def __init__(self, film, turns_at):
        self._shape, self._turns_at = film.render(0).labels.shape, turns_at

    def segment(self, frame):
        labels = np.full(self._shape, 1 + (frame.index >= self._turns_at), np.uint8)
        return Prediction(Placement.stretch(self._shape, frame.size), labels=labels)


@pytest.mark.parametrize(("turns_at", "left", "right"), [(1, 1.0, 0.0), (3, 0.0, 1.0)])
def test_both_halves_of_an_opened_span_are_judged_by_their_own_ends(
    film, frames, turns_at, left, right
):
    policy = Scripted(longest=4, opened={Side.BETWEEN: 1})
    results = _results(film, frames[:5], policy, segmenter=Turning(film, turns_at))
    assert _keyframes(results) == [
        (0, KeyframeReason.FIRST),
        (2, KeyframeReason.SPAN),
        (4, KeyframeReason.INTERVAL),
    ]
    told = [(len(span.borders), span.churn) for span in policy.spans]
    assert told == [(3, 1.0), (1, left), (1, right)]
    assert results[2].evidence.churn == left


@pytest.mark.parametrize(
    ("wanted", "lookahead", "forced", "first"),
    [(6, 40, (), 6), (1000, 10, (), 4), (6, 40, (2,), 2), (6, 0, (), 0)],
)
def test_the_first_keyframe_waits_as_long_as_wanted_allowed_and_not_forced(
    film, frames, wanted, lookahead, forced, first
):
    results = _results(
        film,
        frames[:20],
        Scripted(first=wanted),
        lookahead=lookahead,
        forced=Forced(frozenset(forced)),
    )
    assert _keyframes(results)[0] == (first, KeyframeReason.FIRST)


def test_a_keyframe_that_is_put_before_the_first_becomes_the_first(film, frames):
    policy = Scripted(first=6, opened={Side.HEAD: 2})
    results = _results(film, frames[:12], policy)
    assert _keyframes(results) == [(2, KeyframeReason.FIRST), (6, KeyframeReason.EDGE)]


def test_the_borders_of_a_head_are_measured_and_count_in_the_mean(film, frames):
    policy = Scripted(first=6)
    results = _results(film, frames[:12], policy)
    (head,) = [span for span in policy.spans if span.side is Side.HEAD]
    assert len(head.borders) == 6
    # Nothing is known of how the first frame came about.
    assert head.borders[0] == 0
    assert min(head.borders[1:]) > 0
    total = sum(head.borders) + sum(r.evidence.border for r in results[7:])
    assert results[-1].evidence.mean_border == pytest.approx(total / 12)


def test_a_keyframe_after_the_last_is_told_with_what_it_contradicts(film, frames):
    policy = Scripted(longest=8, opened={Side.TAIL: 2})
    segmenter = Turning(film, 10)
    results = _results(film, frames[:14], policy, segmenter=segmenter)
    assert _keyframes(results)[-1] == (11, KeyframeReason.EDGE)
    assert results[11].evidence.churn == 1.0


@pytest.mark.parametrize(("begin", "reason"), [(0, "first"), (36, "scene_cut")])
def test_a_shot_that_ends_before_its_first_keyframe_is_asked_about_in_its_middle(
    film, frames, begin, reason
):
    end = 5 if begin == 0 else 45
    results = _results(film, frames[begin:end], Scripted(first=1000))
    last = [r for r in results if r.shot == results[-1].shot]
    assert [(r.frame.index, r.reason) for r in last if r.reason] == [(last[2].frame.index, reason)]


def test_what_only_came_into_the_picture_from_outside_raises_no_doubt(monkeypatch):
    wide = np.kron(np.random.default_rng(3).integers(60, 200, (24, 90)), np.ones((4, 4))).astype(
        np.uint8
    )
    shown = [np.ascontiguousarray(wide[:96, 5 * i : 5 * i + 128]) for i in range(9)]
    pan = [
        Frame.from_image(np.repeat(one[..., None], 3, axis=2), index=i, pts=i)
        for i, one in enumerate(shown)
    ]

    class Plain:
        info = Blinking.info

        def segment(self, frame):
            labels = np.ones(frame.size, np.uint8)
            return Prediction(Placement.stretch(frame.size, frame.size), labels=labels)

    results = _results(None, pan, IntervalPolicy(50), segmenter=Plain(), scene_threshold=1.0)
    last = results[-1].evidence
    assert last.outside > 0.2
    assert last.drift > 0.2
    # Were it all new in sight, a fifth of the frame would add this much.
    assert last.border < observing.NEW * 0.2**0.5 / 2


def test_frames_seen_before_their_keyframe_was_placed_are_told_of_what_it_contradicted(
    film, frames
):
    results = _results(film, frames[:30], Scripted(due=frozenset({8}), at=5))
    closed = _closed(results)
    for number, place in enumerate((6, 12, 18)):
        for later in results[place + 1 : place + 3]:
            assert later.evidence.age == later.frame.index - place
            assert later.verdict.threshold == later.evidence.age
            assert later.evidence.churn == results[place].evidence.churn
            assert later.evidence.unrest == pytest.approx(_unrest(closed[: number + 1]))


def test_unrest_outlives_a_cut(film, frames):
    results = _results(film, frames[:42], Scripted(longest=4))
    closed = _closed(results[:37])
    assert results[40].evidence.unrest == pytest.approx(_unrest(closed[-8:]))


def test_nothing_is_told_of_the_first_frame(film, frames):
    assert _results(film, frames[:3], Scripted())[0].evidence is None


def test_a_forced_frame_is_called_so_though_it_was_due_anyway(film, frames):
    results = _results(film, frames[:14], Scripted(longest=6), forced=Forced(frozenset({6})))
    assert _keyframes(results)[1:] == [(6, KeyframeReason.FORCED), (12, KeyframeReason.INTERVAL)]
    assert results[6].verdict.reason is KeyframeReason.INTERVAL


@pytest.mark.parametrize("lookahead", [0, 40])
def test_what_is_hidden_is_told_where_motion_back_is_known(film, frames, lookahead):
    results = _results(film, frames[:10], Scripted(), lookahead=lookahead)
    assert any(r.evidence.occluded > 0 for r in results[1:]) == (lookahead > 0)


def test_what_appears_in_sight_is_drift_and_does_not_come_from_outside():
    shape = MovingShape((30, 40), (30, 30), velocity=(0, 0), appears_at=5)
    scene = moving_shapes([shape], width=96, height=64, frame_count=8)
    shown = [Frame.from_image(scene.render(i).image, index=i, pts=i) for i in range(8)]
    last = _results(scene, shown, Scripted(), scene_threshold=1.0)[-1].evidence
    assert last.drift > 0.01
    assert last.outside == 0


def test_behind_a_keyframe_inside_a_span_its_answer_is_carried(film, frames):
    policy = Scripted(longest=4, opened={Side.BETWEEN: 1})
    results = _results(film, frames[:5], policy, segmenter=Turning(film, 1))
    assert results[2].reason is KeyframeReason.SPAN
    assert np.unique(results[3].segmentation.labels).tolist() == [2]


def test_behind_a_keyframe_at_the_end_of_a_shot_its_answer_is_carried(film, frames):
    policy = Scripted(longest=8, opened={Side.TAIL: 2})
    results = _results(film, frames[:14], policy, segmenter=Turning(film, 10))
    assert results[11].reason is KeyframeReason.EDGE
    for result in results[12:]:
        assert np.unique(result.segmentation.labels).tolist() == [2]
