"""What a promise makes of its attempts, with runs and audits in their places."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from tempseg import promise as promises
from tempseg.auditing import Audit, AuditedFrame, Estimate
from tempseg.config import load_config
from tempseg.promise import MOST_ATTEMPTS, Attempt, Promise, run_within, tightened


def _audit(mean, low=None, high=None, *, between=90):
    """Return an audit whose difference is so many points."""
    gap = Estimate(
        mean / 100,
        (mean if low is None else low) / 100,
        (mean if high is None else high) / 100,
    )
    sure = Estimate(0.9, 0.9, 0.9)
    return Audit(0, between, (AuditedFrame(1, 0.04, 0.9, 0.9),), sure, sure, gap, 0.9, 0.1)


@pytest.fixture
def within(monkeypatch, tmp_path):
    """Keep a promise with audits that are given; tell what was run and written down."""
    ran, written = [], []

    def within(max_drop, audits, *, fixed=(), overwrite=False, **keys):
        left = iter(audits)

        def run(source, out, *, config, overwrite, **_):
            ran.append((config, overwrite))
            totals = SimpleNamespace(keyframe_share=0.01 * len(ran))
            # The guard decides in the run.
            guarded = {"keyframe.policy": "every"} if config.keyframe.guard else {}
            done = load_config(overrides=config.set_keys() | guarded)
            folder = Path(out)
            return SimpleNamespace(audit=next(left), totals=totals, folder=folder, config=done)

        def choose(studies, target, *, config, **_):
            ran.append(target)
            return SimpleNamespace(config=config)

        monkeypatch.setattr(promises, "run", run)
        monkeypatch.setattr(promises, "choose", choose)
        monkeypatch.setattr(promises, "studies_of", lambda *_, **__: [])
        monkeypatch.setattr(promises, "amend_record", lambda path, promise: written.append(promise))
        base = {"keyframe.policy": "interval", "keyframe.interval": 20} | keys
        found = run_within(
            "clip.mp4",
            tmp_path / "run",
            max_drop=max_drop,
            model="street",
            config=base,
            fixed=fixed,
            overwrite=overwrite,
            cache=tmp_path,
        )
        return found, ran[1:], written

    return within


def test_a_promise_is_kept_when_the_estimate_is_within_it(within):
    found, ran, _ = within(2.0, [_audit(-2.0)])
    assert found.kept
    assert len(ran) == 1


def test_a_promise_may_allow_all_points_there_are(within):
    assert within(100.0, [_audit(-99.0)])[0].kept


def test_a_promise_is_kept_when_no_frame_lies_between_keyframes(within):
    found, _, _ = within(1.0, [_audit(math.nan, between=0)])
    assert found.kept


def test_an_attempt_names_the_policy_that_ran(within):
    found, _, _ = within(1.0, [_audit(math.nan, between=0)], **{"keyframe.guard": True})
    assert [attempt.policy for attempt in found.attempts] == ["every"]
    assert within(1.0, [_audit(0.0)])[0].attempts[0].policy == "interval"


def test_each_attempt_that_falls_short_is_followed_by_a_tighter_one(within):
    found, ran, _ = within(1.0, [_audit(-9.0), _audit(-3.0), _audit(-0.5)])
    assert found.kept
    assert [config.keyframe.interval for config, _ in ran] == [20, 12, 7]
    assert [attempt.keyframe_share for attempt in found.attempts] == [0.02, 0.03, 0.04]


def test_no_more_attempts_are_made_than_allowed(within):
    found, ran, _ = within(1.0, [_audit(-9.0)] * 9)
    assert not found.kept
    assert len(ran) == len(found.attempts) == MOST_ATTEMPTS


def test_attempts_end_where_nothing_is_left_to_tighten(within):
    found, ran, _ = within(1.0, [_audit(-9.0)] * 9, fixed=["keyframe.interval"])
    assert not found.kept
    assert len(ran) == 1


@pytest.mark.parametrize("overwrite", [True, False])
def test_later_attempts_replace_the_first_and_the_first_only_what_it_may(within, overwrite):
    _, ran, _ = within(1.0, [_audit(-9.0), _audit(0.0)], overwrite=overwrite)
    assert [may for _, may in ran] == [overwrite, True]


@pytest.mark.parametrize(("asked", "audited"), [(0, 40), (7, 7)])
def test_a_promise_is_audited_on_as_many_frames_as_asked_for_or_on_forty(within, asked, audited):
    _, ran, _ = within(1.0, [_audit(0.0)], **{"run.audit": asked})
    assert [config.run.audit for config, _ in ran] == [audited]


def test_a_promise_leaves_the_guard_as_it_is(within):
    _, ran, _ = within(1.0, [_audit(-9.0), _audit(0.0)], **{"keyframe.guard": True})
    assert [config.keyframe.guard for config, _ in ran] == [True, True]


def test_the_record_is_written_after_each_attempt(within):
    _, _, written = within(1.0, [_audit(-9.0), _audit(0.0)])
    assert [(told["kept"], len(told["attempts"])) for told in written] == [(False, 1), (True, 2)]
    shares = [attempt["keyframe_share"] for attempt in written[-1]["attempts"]]
    assert shares == [0.02, 0.03]


def _message(max_drop, kept, *audits):
    attempts = tuple(Attempt("share", 0.1 * n, audit) for n, audit in enumerate(audits, 1))
    return Promise(max_drop, kept, attempts, None).message


def test_a_kept_promise_tells_the_difference_its_interval_and_the_keyframes_of_the_last():
    told = _message(5.0, True, _audit(-9.0), _audit(-1.25, -2.0, 0.5))
    assert told.startswith("kept: at most 5 points below the segmenter's noise floor; ")
    assert told.endswith("fidelity less floor is -1.2 points (-2.0 to +0.5) with 20.0% keyframes")


def test_a_kept_promise_whose_interval_reaches_below_it_asks_for_a_larger_audit():
    assert _message(2.0, True, _audit(-1.0, -3.0, 1.0)).endswith(
        "; a larger --audit would be surer"
    )


@pytest.mark.parametrize(("count", "told"), [(1, "after 1 attempt"), (3, "after 3 attempts")])
def test_a_promise_that_is_not_kept_tells_after_how_many_attempts(count, told):
    found = _message(0.5, False, *[_audit(-4.0)] * count)
    assert found.startswith("NOT kept: at most 0.5 points")
    assert found.endswith(f", {told}")


def test_a_promise_with_keyframes_alone_tells_no_difference():
    told = _message(1.0, True, _audit(math.nan, between=0))
    assert told == (
        "kept: at most 1 points below the segmenter's noise floor, with the segmenter on every "
        "frame"
    )


@pytest.mark.parametrize(
    ("given", "tighter"),
    [
        ({"policy": "interval", "interval": 2}, {"interval": 1}),
        ({"policy": "share", "share": 0.7}, {"share": 1.0}),
        ({"policy": "span", "min_interval": 5}, {"min_interval": 3}),
        ({"policy": "share", "min_interval": 1, "share": 0.3}, {"min_interval": 1}),
        (
            {"policy": "adaptive", "doubt_threshold": 2.0, "drift_threshold": 0.1},
            {"doubt_threshold": 1.2, "drift_threshold": 0.06},
        ),
    ],
)
def test_tightening_reaches_every_key_of_the_policy_and_stays_in_range(given, tighter):
    config = load_config(overrides={f"keyframe.{name}": value for name, value in given.items()})
    found = tightened(config).keyframe
    assert {name: getattr(found, name) for name in tighter} == pytest.approx(tighter)


def test_a_share_is_tightened_as_far_as_a_fixed_shortest_interval_allows():
    keys = {"keyframe.policy": "share", "keyframe.share": 0.3, "keyframe.min_interval": 3}
    found = tightened(load_config(overrides=keys), ["keyframe.min_interval"])
    assert (found.keyframe.min_interval, found.keyframe.share) == (3, 1 / 3)
    assert tightened(found, ["keyframe.min_interval"]) is None


def test_tightening_leaves_what_is_fixed_and_what_is_set_beside():
    keys = {"keyframe.policy": "span", "keyframe.min_interval": 5, "propagate.lookahead": 9}
    found = tightened(load_config(overrides=keys), ["keyframe.min_interval"])
    assert (found.keyframe.min_interval, found.propagate.lookahead) == (5, 9)
