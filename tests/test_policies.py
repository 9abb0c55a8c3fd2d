"""Keyframe policies: pure functions of the evidence, within their limits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict
from tempseg.policies import (
    AdaptivePolicy,
    EveryPolicy,
    IntervalPolicy,
    Limits,
    SharePolicy,
    SpanPolicy,
)
from tempseg.policies.spacing import Spacing, evened, mean_border, place

QUIET = Evidence(1, 0.0, 0.0, 0.0, 0.0)
BORDERS = st.lists(st.floats(0, 1), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("policy", "by_age", "every_frame"),
    [
        (EveryPolicy(), True, True),
        (IntervalPolicy(3), True, False),
        (IntervalPolicy(1), True, True),
        (AdaptivePolicy(), False, False),
        (AdaptivePolicy(limits=Limits(4, 4)), True, False),
        (AdaptivePolicy(limits=Limits(1, 1)), True, True),
        (SharePolicy(0.1), False, False),
        (SharePolicy(1.0), False, True),
        (SharePolicy(0.1, Limits(1, 1)), False, True),
        (SpanPolicy(), False, False),
        (SpanPolicy(limits=Limits(1, 1)), False, True),
    ],
)
def test_policies_tell_what_they_go_by(policy, by_age, every_frame):
    assert (policy.by_age, policy.every_frame) == (by_age, every_frame)
    assert (policy.decide(QUIET).reason is KeyframeReason.INTERVAL) == every_frame


@given(borders=BORDERS, share=st.floats(0.01, 0.9))
def test_a_share_is_never_exceeded_by_more_than_what_may_be_lent(borders, share):
    policy = SharePolicy(share, Limits(1, 10_000))
    keyframes, doubt, total, age = 1, 0.0, 0.0, 0
    for frames, border in enumerate(borders, start=2):
        doubt, total, age = doubt + border, total + border, age + 1
        seen = Evidence(
            age,
            *(0.0,) * 4,
            border=border,
            doubt=doubt,
            frames=frames,
            keyframes=keyframes,
            mean_border=total / frames,
        )
        if policy.decide(seen).reason:
            keyframes, doubt, age = keyframes + 1, 0.0, 0
        assert keyframes <= math.ceil(share * frames) + 2


@given(doubt=st.floats(0, 1e6), age=st.integers(0, 30))
@pytest.mark.parametrize("kind", [AdaptivePolicy, SharePolicy, SpanPolicy])
def test_limits_hold_whatever_the_evidence(kind, doubt, age):
    policy = replace(kind(), limits=Limits(5, 20))
    reason = policy.decide(replace(QUIET, age=age, doubt=doubt)).reason
    if age < 5:
        assert reason is None
    if age >= 20:
        assert reason is KeyframeReason.INTERVAL


@pytest.mark.parametrize(("shortest", "longest"), [(0, 3), (4, 3)])
def test_limits_that_cross_are_refused(shortest, longest):
    with pytest.raises(ValueError, match="expected 1 <= shortest <= longest"):
        Limits(shortest, longest)


def test_an_interval_of_no_frame_is_refused():
    with pytest.raises(ValueError, match="interval is 0, expected at least 1"):
        IntervalPolicy(0)


def test_a_verdict_within_the_limits_passes_as_it_is():
    verdict = Verdict(KeyframeReason.DOUBT, "doubt", 2.0)
    assert Limits(2, 9).apply(verdict, replace(QUIET, age=5)) is verdict


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
@given(borders=BORDERS, side=st.sampled_from([Side.HEAD, Side.TAIL]), age=st.integers(0, 20))
def test_places_lie_in_the_span_and_keep_the_shortest_interval(kind, borders, side, age):
    policy = replace(kind(), limits=Limits(4, 10_000))
    doubt = 0.1 * age
    span = Span(side, tuple(borders), age=age, doubt=doubt, frames=1000)
    at = policy.accept(span)
    if at is not None:
        assert 0 <= at < len(borders)
        between = len(borders) - at if side is Side.HEAD else age + at + 1
        assert between >= 4


def test_doubt_of_frames_that_are_decided_already_counts_for_the_place():
    policy = SpanPolicy(2.0)
    whole = Span(Side.TAIL, (0.1,) * 40)
    rest = Span(Side.TAIL, (0.1,) * 30, age=10, doubt=1.0)
    assert policy.place(whole) == 10 + policy.place(rest) == 19


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_the_more_a_segmenter_flickers_the_more_keyframes_go_by_frames(kind):
    policy = kind()
    borders = (0.02,) * 24 + (0.5,) * 12
    span = Span(Side.TAIL, borders, frames=4000, keyframes=400, mean_border=0.1)
    places = [policy.place(replace(span, unrest=unrest)) for unrest in (0.0, 0.2, 0.3, 0.5, 9.0)]
    evenly = policy.place(replace(span, borders=(0.1,) * 36))
    # Doubt lies at the end of the span.
    assert evenly < places[4]
    assert places == sorted(places, reverse=True)
    assert places[0] == places[1] > places[2] > places[3] == places[4]


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_with_a_segmenter_that_flickers_frames_alone_make_a_keyframe_due(kind):
    policy = kind(limits=Limits(1, 10_000))
    seen = replace(QUIET, doubt=0.2, frames=4000, keyframes=400, mean_border=0.1)
    due = {
        unrest: next(
            age
            for age in range(1, 1000)
            if policy.decide(replace(seen, age=age, unrest=unrest)).reason is KeyframeReason.DOUBT
        )
        for unrest in (0.3, 0.5)
    }
    assert due[0.5] < due[0.3] < 200
    calm = policy.decide(replace(seen, age=15, unrest=0.1))
    assert calm.reason is None
    # What the table tells of a frame is what its doubt was held against.
    flickering = policy.decide(replace(seen, age=due[0.5], unrest=0.5))
    assert seen.doubt >= flickering.threshold
    assert flickering.threshold < calm.threshold


def test_ends_of_a_span_that_agree_within_noise_are_left():
    policy = SpanPolicy(span_threshold=0.2, limits=Limits(3, 60))
    span = Span(Side.BETWEEN, (0.1,) * 10, churn=0.5, noise=0.31)
    assert policy.accept(span) is None
    assert policy.accept(replace(span, noise=0.29)) == 4
    assert policy.accept(replace(span, noise=0.29, borders=(0.1,) * 4)) is None


def test_in_a_short_span_the_ends_must_disagree_by_more():
    # Usually a span has 12.5 frames: this one is 0.8 of half as long.
    policy = SpanPolicy(span_threshold=0.2, limits=Limits(1, 60))
    span = Span(Side.BETWEEN, (0.1,) * 4, churn=0.5, noise=0.26)
    assert policy.accept(span) is None
    assert policy.accept(replace(span, noise=0.24)) == 1
    assert policy.accept(replace(span, borders=(0.1,) * 6)) == 2


def test_the_first_keyframes_of_a_budget_do_not_wait_for_all_of_the_doubt():
    policy = SharePolicy(0.1)
    quiet = replace(QUIET, frames=25, keyframes=1, mean_border=0.02, doubt=0.6)
    assert policy.decide(replace(quiet, age=19)).reason is None
    assert policy.decide(replace(quiet, age=20)).reason is KeyframeReason.DOUBT
    assert policy.decide(replace(quiet, age=20, doubt=0.0)).reason is KeyframeReason.DOUBT
    known = replace(quiet, frames=500, keyframes=40, mean_border=0.1)
    assert policy.decide(replace(known, age=20)).reason is None
    spent = replace(quiet, keyframes=9)
    assert policy.decide(replace(spent, age=20)).reason is None


@pytest.mark.parametrize(
    ("drift", "doubt", "verdict"),
    [
        (0.10, 1.0, Verdict(None, "drift", 0.15)),
        (0.10, 1.9, Verdict(None, "doubt", 2.0)),
        (0.15, 0.0, Verdict(None, "drift", 0.15)),
        (0.16, 2.05, Verdict(KeyframeReason.DRIFT, "drift", 0.15)),
        (0.16, 2.2, Verdict(KeyframeReason.DOUBT, "doubt", 2.0)),
    ],
)
def test_of_drift_and_doubt_the_one_nearer_to_its_threshold_decides(drift, doubt, verdict):
    seen = replace(QUIET, age=5, drift=drift, doubt=doubt)
    assert AdaptivePolicy(0.15, 2.0).decide(seen) == verdict


EAGER = Verdict(KeyframeReason.DOUBT, "doubt", 2.0)


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (3, Verdict(None, "age", 4)),
        (4, EAGER),
        (8, EAGER),
        (9, Verdict(KeyframeReason.INTERVAL, "age", 9)),
    ],
)
def test_a_verdict_says_which_limit_overruled_it(age, verdict):
    assert Limits(4, 9).apply(EAGER, replace(QUIET, age=age)) == verdict


def test_a_verdict_that_asks_for_nothing_is_not_overruled_for_coming_early():
    calm = Verdict(None, "doubt", 2.0)
    assert Limits(4, 9).apply(calm, replace(QUIET, age=1)) is calm


@pytest.mark.parametrize(
    ("side", "age", "places"),
    [(Side.HEAD, 0, range(7)), (Side.TAIL, 0, range(3, 10)), (Side.TAIL, 2, range(1, 10))],
)
def test_every_place_is_allowed_that_keeps_the_shortest_interval(side, age, places):
    span = Span(side, (0.1,) * 10, age=age)
    limits = Limits(4, 100)
    assert [at for at in range(10) if limits.allow(at, span) == at] == list(places)


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_no_head_is_longer_than_the_longest_interval(kind):
    policy = replace(kind(), limits=Limits(1, 3))
    assert kind().head(QUIET) > 2
    assert policy.head(QUIET) == 2


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_a_keyframe_is_not_placed_too_near_the_last_whatever_the_doubt(kind):
    policy = replace(kind(), limits=Limits(6, 100))
    # All of the doubt is in the first frame.
    borders = (99.0,) + (0.0,) * 19
    assert policy.place(Span(Side.TAIL, borders)) == 5
    assert policy.place(Span(Side.TAIL, borders, age=2)) == 3


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_doubt_of_frames_that_are_decided_already_is_shared_out_too(kind):
    policy = replace(kind(), limits=Limits(1, 1000))
    known = {"frames": 4000, "keyframes": 400, "mean_border": 0.1, "unrest": 0.35}
    whole = Span(Side.TAIL, (0.05,) * 10 + (0.15,) * 40, **known)
    rest = replace(whole, borders=whole.borders[10:], age=10, doubt=0.5)
    assert policy.place(whole) == 10 + policy.place(rest)


@pytest.mark.parametrize(
    ("keyframes", "affords"), [(10, True), (11, True), (12, False), (40, False)]
)
def test_a_budget_asks_for_nothing_beyond_its_share_and_two(keyframes, affords):
    policy = SharePolicy(0.1)
    seen = replace(QUIET, age=5, doubt=99.0, frames=95, keyframes=keyframes)
    assert (policy.decide(seen).reason is KeyframeReason.DOUBT) == affords
    tail = Span(Side.TAIL, (2.0,) * 20, frames=95, keyframes=keyframes)
    assert (policy.accept(tail) is not None) == affords


def test_a_budget_opens_no_span_that_is_closed():
    span = Span(Side.BETWEEN, (9.0,) * 20, churn=1.0, frames=1000)
    assert SharePolicy(0.1).accept(span) is None


def test_a_budget_that_is_overdrawn_waits_longer_and_one_that_is_saved_less():
    seen = replace(QUIET, frames=1000, mean_border=0.1)
    frames = [Spacing.of_share(0.1, replace(seen, keyframes=n)).frames for n in (90, 100, 110)]
    assert frames[0] < frames[1] < frames[2]
    assert frames[1] == pytest.approx(10)
    spent, saved = (Spacing.of_share(0.1, replace(seen, keyframes=n)).frames for n in (999, 1))
    assert (saved, spent) == pytest.approx((5, 20))


@pytest.mark.parametrize(("cuts", "kept_back"), [(0, 0), (1, 1), (2, 2), (3, 3), (400, 3)])
def test_a_budget_of_many_shots_keeps_up_to_three_keyframes_back(cuts, kept_back):
    seen = replace(QUIET, frames=1000, mean_border=0.1, cuts=cuts)
    spacing = Spacing.of_share(0.1, replace(seen, keyframes=100 - kept_back))
    assert spacing.frames == pytest.approx(10)


@pytest.mark.parametrize("kind", [SharePolicy, SpanPolicy])
def test_a_head_gets_the_keyframe_that_its_mirror_image_as_a_tail_gets(kind):
    policy = replace(kind(), limits=Limits(1, 1000))
    borders = tuple(0.05 * (1 + i % 3) for i in range(40))
    known = {"frames": 1000, "keyframes": 50, "mean_border": 0.1}
    tail = policy.accept(Span(Side.TAIL, borders, **known))
    head = policy.accept(Span(Side.HEAD, borders[::-1], **known))
    assert tail > 20
    assert abs(head - (len(borders) - 1 - tail)) <= 1


def test_an_end_with_plainly_more_doubt_than_its_part_gets_a_keyframe():
    spacing = Spacing(10.0, 100.0)
    little, enough = (spacing.judge_edge(Span(Side.TAIL, (0.1,) * n)) for n in (59, 60))
    assert little.reason is None
    assert enough.reason is KeyframeReason.EDGE
    assert (enough.measured, enough.threshold) == pytest.approx((6.0, 5.95))
    rest = Span(Side.TAIL, (0.1,) * 40, age=20, doubt=2.0)
    assert spacing.judge_edge(rest).reason is KeyframeReason.EDGE


def test_an_edge_leaves_about_a_third_as_much_doubt_behind_it_as_before():
    at = Spacing(10.0, 100.0).edge(Span(Side.TAIL, (0.1,) * 135))
    assert at == 99
    rest = Span(Side.TAIL, (0.1,) * 115, age=20, doubt=2.0)
    assert Spacing(10.0, 100.0).edge(rest) == 79


def test_an_edge_of_a_restless_run_is_placed_by_frames_too():
    borders = (0.0,) * 20 + (0.5,) * 20
    calm = Span(Side.TAIL, borders, frames=400, keyframes=4, mean_border=0.1)
    policy = SharePolicy(0.02, Limits(1, 1000))
    assert policy.accept(replace(calm, unrest=1.0)) < policy.accept(calm)


def test_of_places_that_fit_alike_the_first_is_taken():
    assert place((1.0, 0.0, 0.0, 1.0), 1.0) == 0


def test_a_usual_border_stands_for_a_hundred_frames_until_more_are_known():
    assert mean_border(QUIET) == pytest.approx(0.16)
    assert mean_border(replace(QUIET, frames=100, mean_border=0.1)) == pytest.approx(0.13)
    assert mean_border(replace(QUIET, frames=300, mean_border=0.1)) == pytest.approx(0.115)


def test_evening_out_keeps_what_borders_are_on_average():
    span = Span(Side.TAIL, (0.05, 0.1, 0.15), frames=10**9, mean_border=0.1, unrest=0.35)
    found = evened(replace(span, age=10, doubt=1.0))
    assert found.borders == pytest.approx((0.075, 0.1, 0.125))
    assert found.doubt == pytest.approx(1.0)


def test_due_at_is_the_doubt_less_what_frames_alone_made():
    spacing = Spacing(2.0, 20.0)
    seen = replace(QUIET, frames=10**9, mean_border=0.1, age=10)
    assert spacing.due_at(seen) == pytest.approx(2.0 * 1.595)
    assert spacing.due_at(replace(seen, unrest=0.35)) == pytest.approx((3.19 - 0.5) / 0.5)
    assert spacing.due_at(replace(seen, unrest=0.35, age=1000)) == 0


@pytest.mark.parametrize(
    ("borders", "at"),
    [
        ((0.1,) * 5, 2),
        ((9.0,) + (0.0,) * 9, 2),
        ((0.0,) * 8 + (4.0, 9.0), 7),
        ((0.1,) * 4, None),
    ],
)
def test_a_span_is_opened_in_the_middle_of_its_doubt_and_away_from_its_ends(borders, at):
    policy = SpanPolicy(0.01, span_threshold=0.2, limits=Limits(3, 60))
    assert policy.accept(Span(Side.BETWEEN, borders, churn=1.0)) == at


def test_a_long_span_is_opened_for_no_smaller_a_contradiction_than_a_usual_one():
    # Twelve and a half frames are usual.
    policy = SpanPolicy(2.0, span_threshold=0.2, limits=Limits(1, 200))
    span = Span(Side.BETWEEN, (0.1,) * 100, churn=0.4, noise=0.21)
    assert policy.accept(span) is None


def test_a_contradiction_on_the_threshold_opens_no_span():
    span = Span(Side.BETWEEN, (0.1,) * 10, churn=0.5, noise=0.25)
    assert SpanPolicy(span_threshold=0.25).accept(span) is None
    assert SpanPolicy(span_threshold=0.2499).accept(span) is not None


def test_doubt_that_has_just_added_up_makes_a_keyframe_due():
    seen = replace(QUIET, age=30)
    policy = SpanPolicy(2.0)
    needed = policy.decide(seen).threshold
    assert policy.decide(replace(seen, doubt=needed)).reason is KeyframeReason.DOUBT


@pytest.mark.parametrize("policy", [SharePolicy(), SpanPolicy()])
def test_errors_at_borders_count_the_more_steeply_the_less_a_segmenter_contradicts_itself(policy):
    powers = [policy.border_power(unrest) for unrest in (0.0, 0.2, 0.32, 0.44, 9.0)]
    assert powers == pytest.approx([3.0, 3.0, 2.0, 1.0, 1.0])
    assert policy.border_power(None) == 1.0
