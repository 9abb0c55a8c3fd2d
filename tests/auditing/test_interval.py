"""Which frames an audit draws, and how far its means can be trusted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tempseg.auditing import (
    RARE_DIFFERENCE,
    Audit,
    AuditedFrame,
    Estimate,
    draw,
    estimate,
    estimate_difference,
)

SEEDS = 400


def _populations():
    """Scores of frames: smooth in time, skewed near 1, rising with the distance to a keyframe."""
    rng = np.random.default_rng(4)
    count = 600
    walk = np.zeros(count)
    for i in range(1, count):
        walk[i] = 0.95 * walk[i - 1] + rng.normal(0, 0.05)
    near_one = 1 - np.exp(-4 + 0.6 * rng.normal(size=count))
    saw = 0.97 - 0.008 * (np.arange(count) % 15) + rng.normal(0, 0.004, count)
    stretch = np.full(count, 0.97) + rng.normal(0, 0.005, count)
    stretch[200:290] -= 0.4
    failing = np.full(count, 0.985) + rng.normal(0, 0.002, count)
    failing[rng.choice(count, 9, replace=False)] = 0.6
    return {
        "few_fail": failing,
        "smooth": np.clip(0.8 + 0.3 * walk, 0, 1),
        "near_one": near_one,
        "saw": saw,
        "bad_stretch": stretch,
    }


@pytest.mark.parametrize("name", _populations())
@pytest.mark.parametrize("count", [10, 30])
def test_interval_holds_the_true_mean_in_nine_of_ten_seeds(name, count):
    values = _populations()[name]
    held = 0
    for seed in range(SEEDS):
        drawn = draw(len(values), count, seed=seed)
        found = estimate(values[drawn].tolist(), population=len(values))
        held += found.low <= values.mean() <= found.high
    assert held / SEEDS >= 0.9


@pytest.mark.parametrize("side", [-1, 1])
def test_interval_of_a_difference_leaves_room_for_frames_where_one_of_both_fails(side):
    rng = np.random.default_rng(5)
    values = rng.normal(-0.02, 0.03, 140)
    values[rng.choice(140, 3, replace=False)] = 0.4 * side
    held = {RARE_DIFFERENCE: 0, (0.0, 0.0): 0}
    for seed in range(SEEDS):
        scored = values[draw(140, 30, seed=seed)].tolist()
        for rare in held:
            found = estimate(scored, population=140, bounds=(-1.0, 1.0), rare=rare)
            held[rare] += found.low <= values.mean() <= found.high
    assert held[RARE_DIFFERENCE] / SEEDS >= 0.9 > held[0.0, 0.0] / SEEDS


def test_interval_narrows_with_more_frames():
    values = _populations()["smooth"]
    widths = []
    for count in (10, 40, 160):
        drawn = draw(len(values), count, seed=1)
        found = estimate(values[drawn].tolist(), population=len(values))
        widths.append(found.high - found.low)
    assert widths[0] > 1.5 * widths[1] > 2 * widths[2] > 0


def test_mean_over_seeds_is_the_mean_of_all():
    values = _populations()["bad_stretch"][:587]
    means = []
    for seed in range(2000):
        drawn = draw(len(values), 20, seed=seed)
        means.append(estimate(values[drawn].tolist(), population=len(values)).mean)
    assert abs(np.mean(means) - values.mean()) < 4 * np.std(means) / math.sqrt(len(means))


def test_every_frame_is_about_as_likely_as_any_other():
    counts = np.zeros(50)
    for seed in range(5000):
        counts[draw(50, 10, seed=seed)] += 1
    assert counts.min() > 850
    assert counts.max() < 1150


def test_same_seed_draws_the_same_frames_and_another_draws_others():
    assert draw(1000, 10, seed=3) == draw(1000, 10, seed=3)
    assert draw(1000, 10, seed=3) != draw(1000, 10, seed=4)


@pytest.mark.parametrize(("population", "count"), [(1000, 1), (1000, 999), (7, 3), (10**7, 40)])
def test_drawn_places_rise_and_lie_inside(population, count):
    drawn = draw(population, count, seed=5)
    assert len(drawn) == len(set(drawn)) == count
    assert drawn == sorted(drawn)
    assert drawn[0] >= 0
    assert drawn[-1] < population


def test_all_frames_make_an_exact_interval():
    found = estimate([0.2, 0.9, 0.4], population=3)
    assert found.low == found.mean == found.high == pytest.approx(0.5)


def test_equal_scores_of_a_few_frames_leave_room_for_others():
    found = estimate([1.0] * 10, population=500)
    assert found.low < 0.99
    assert found.high == 1.0


def test_a_difference_that_rounds_to_none_is_told_as_none():
    sure = estimate([0.99], population=1)
    gap = Estimate(-0.0001, -0.0001, -0.0001)
    audit = Audit(0, 1, (AuditedFrame(1, 0.04, 0.9899, 0.99),), sure, sure, gap, 0.9, 0.1)
    assert audit.verdict == "below"
    assert audit.message.endswith("is at the segmenter's noise floor of 0.990")


def test_one_frame_of_many_tells_nothing_but_its_score():
    found = estimate([0.7], population=100)
    assert (found.mean, found.low, found.high) == (0.7, 0.0, 1.0)


def test_two_frames_give_an_interval_within_what_can_be():
    found = estimate([0.9, 0.2], population=100)
    assert (found.low, found.high) == (0.0, 1.0)


def test_frames_without_a_score_count_nowhere():
    found = estimate([0.5, math.nan, 0.7], population=3)
    assert found.mean == pytest.approx(0.6)
    nothing = estimate([math.nan, math.nan], population=9)
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.low)
    assert math.isnan(estimate([], population=0).high)


def test_a_difference_is_that_of_the_means_whatever_frames_have_no_floor():
    fidelities, floors = [0.2, 0.8, 0.9, math.nan, 0.7], [math.nan, 0.9, 0.8, 0.6, 0.9]
    found = estimate_difference(fidelities, floors, population=5)
    assert found.mean == pytest.approx(np.nanmean(fidelities) - np.nanmean(floors))
    assert found.low == found.mean == found.high
    some = estimate_difference(fidelities, floors, population=40)
    assert some.mean == pytest.approx(found.mean)
    assert some.low < some.mean < some.high
    nothing = estimate_difference([0.5, 0.6], [math.nan, math.nan], population=9)
    assert math.isnan(nothing.mean)


def test_more_values_than_frames_are_refused():
    with pytest.raises(ValueError, match="population is 1"):
        estimate([0.1, 0.2], population=1)
    with pytest.raises(ValueError, match="at least 0"):
        draw(5, -1, seed=0)


def test_a_frame_counts_for_the_frames_that_it_was_drawn_from():
    # One of one frame, and one of two.
    assert estimate([1.0, 0.0], population=3).mean == pytest.approx(1 / 3)


def test_nothing_is_estimated_where_all_was_drawn_though_some_has_no_score():
    for known in ([0.5], [0.5, 0.7]):
        found = estimate([*known, math.nan], population=len(known) + 1)
        assert found.low == found.mean == found.high


def test_an_even_spread_gives_student_s_interval_with_room_for_the_unseen_on_each_side():
    from scipy.stats import t

    found = estimate([0.4, 0.6] * 4, population=80, bounds=(-9.0, 9.0), rare=(0.1, 0.3))
    error = math.sqrt(0.2**2 / 2 * 0.9 / 8)
    reach = t.ppf(0.975, 7 * 2 / 3) * error
    assert found.mean - found.low == pytest.approx(reach + 0.9 * 0.1 / 9)
    assert found.high - found.mean == pytest.approx(reach + 0.9 * 0.3 / 9)


@pytest.mark.parametrize("side", [-1, 1])
def test_an_interval_reaches_further_to_the_side_of_the_tail_and_no_less_to_the_other(side):
    from scipy.stats import t

    values = [0.5 + 0.01 * (i % 2) for i in range(11)] + [0.5 + 0.4 * side]
    found = estimate(values, population=10**6, bounds=(-9.0, 9.0), rare=(0.0, 0.0))
    error = math.sqrt(float(np.square(np.diff(values)).mean()) / 2 / 12)
    plain = t.ppf(0.975, 11 * 2 / 3) * error
    below, above = found.mean - found.low, found.high - found.mean
    tail, other = (below, above) if side < 0 else (above, below)
    assert tail > 1.1 * plain
    assert other == pytest.approx(plain, rel=1e-4)
