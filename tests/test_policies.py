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
        (SharePolicy(0.1), False, False),
        (SharePolicy(1.0), False, True),
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
    assert policy.decide(replace(quiet, age=20, doubt=0.1)).reason is None
    known = replace(quiet, frames=500, keyframes=40, mean_border=0.1)
    assert policy.decide(replace(known, age=20)).reason is None
    spent = replace(quiet, keyframes=9)
    assert policy.decide(replace(spent, age=20)).reason is None
