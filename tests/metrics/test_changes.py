from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempseg.metrics.changes import (
    Blink,
    FlipRate,
    StaticFlipRate,
    blink,
    flip_rate,
    static_flip_rate,
)
from tests.metrics import naive_counts as naive

VOID = 255
IDS = st.sampled_from([0, 1, 2, VOID])
SEQUENCES = arrays(np.uint8, (2, 5, 2, 4), elements=IDS)
"""Labels and truth of five frames."""


def _share(counted):
    compared, changed = counted
    return changed / compared if compared else math.nan


def _flips(pairs):
    flips = FlipRate()
    for before, after in pairs:
        flips.update(before, after)
    return flips


def _static_flips(pairs):
    flips = StaticFlipRate()
    for (before, truth_before), (after, truth_after) in pairs:
        flips.update(before, after, truth_before, truth_after)
    return flips


def _blinks(triples):
    blinks = Blink()
    for triple in triples:
        blinks.update(*triple)
    return blinks


def _triples(labels):
    return list(zip(labels[:-2], labels[1:-1], labels[2:], strict=True))


def test_flip_rate_leaves_out_void_of_either_map():
    flips = FlipRate()
    # Compared: 0 to 0, 1 to 2. Left out: void to 1, 1 to void.
    assert flips.update(np.uint8([[0, 1, VOID, 1]]), np.uint8([[0, 2, 1, VOID]])) == 1 / 2


def test_flip_rate_is_the_share_of_the_pixels_of_all_pairs():
    flips = FlipRate()
    assert flips.update(np.uint8([[0, VOID, VOID, VOID]]), np.uint8([[1, 0, 0, 0]])) == 1.0
    assert flips.update(np.uint8([[0, 0, 0, 0]]), np.uint8([[0, 0, 0, 0]])) == 0.0
    assert flips.compute() == 1 / 5


def test_static_flip_rate_looks_only_where_the_truth_stands_still():
    flips = StaticFlipRate()
    # Static and known: pixels 0, 1 and 4; of these 1 changes, and 4 turns void.
    share = flips.update(
        np.uint8([[0, 0, 0, 0, 2]]),
        np.uint8([[0, 1, 1, 1, VOID]]),
        np.uint8([[0, 0, 0, VOID, 2]]),
        np.uint8([[0, 0, 1, VOID, 2]]),
    )
    assert share == flips.compute() == 2 / 3


def test_blink_counts_pixels_that_return():
    # Pixel 0 blinks, 1 stays, 2 moves on for good, 3 changes twice, 4 is void once.
    blinks = Blink()
    share = blinks.update(
        np.uint8([[0, 1, 0, 0, 0]]), np.uint8([[1, 1, 1, 1, VOID]]), np.uint8([[0, 1, 1, 2, 0]])
    )
    assert share == 1 / 4


def test_blink_is_the_mean_over_frames():
    blinks = Blink()
    blinks.update(np.uint8([[0, VOID]]), np.uint8([[1, 0]]), np.uint8([[0, 0]]))
    blinks.update(np.uint8([[0, 0]]), np.uint8([[0, 0]]), np.uint8([[0, 0]]))
    assert blinks.compute() == (1 / 1 + 0 / 2) / 2


def test_steady_motion_does_not_blink():
    wide = np.repeat(np.arange(12, dtype=np.uint8), 4)[None]
    moving = [wide[:, 2 * t : 2 * t + 30] for t in range(5)]
    assert blink(moving) == 0.0
    assert flip_rate(moving) > 0.0


@pytest.mark.parametrize("frames", [0, 1])
def test_too_few_frames_give_nan(frames):
    labels = np.zeros((frames, 2, 2), np.uint8)
    assert math.isnan(flip_rate(labels))
    assert math.isnan(blink(labels))
    assert math.isnan(static_flip_rate(labels, labels))


def test_frames_without_a_known_pixel_are_nan_and_count_nowhere():
    void = np.full((2, 2), VOID, np.uint8)
    still = np.zeros((2, 2), np.uint8)
    blinks, flips = Blink(), FlipRate()
    assert math.isnan(blinks.update(still, void, still))
    assert math.isnan(flips.update(still, void))
    blinks.update(still, still, still)
    flips.update(still, still)
    assert blinks.compute() == flips.compute() == 0.0


@pytest.mark.parametrize("metric", [FlipRate, StaticFlipRate, Blink])
def test_metrics_of_other_settings_do_not_merge(metric):
    with pytest.raises(ValueError, match="void"):
        metric().merge(metric(void=0))


def test_maps_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"labels is \(2, 2\) and previous \(2, 3\)"):
        FlipRate().update(np.zeros((2, 3), np.uint8), np.zeros((2, 2), np.uint8))


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
def test_rates_follow_the_definition(sequences):
    labels, truth = sequences
    steps = list(pairwise(zip(labels, truth, strict=True)))
    flips = np.sum([naive.changes(a, b, VOID) for a, b in pairwise(labels)], axis=0)
    static = np.sum(
        [naive.static_changes(a, b, true_a, true_b, VOID) for (a, true_a), (b, true_b) in steps],
        axis=0,
    )
    blinks = [_share(naive.blinks(*three, VOID)) for three in _triples(labels)]
    np.testing.assert_allclose(flip_rate(labels), _share(flips))
    np.testing.assert_allclose(static_flip_rate(labels, truth), _share(static))
    np.testing.assert_allclose(blink(labels), naive.mean(blinks))


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 3))
def test_merged_parts_equal_one_pass(sequences, middle):
    labels = sequences[0]
    both = list(zip(*sequences, strict=True))
    for gather, steps in [
        (_flips, list(pairwise(labels))),
        (_static_flips, list(pairwise(both))),
        (_blinks, _triples(labels)),
    ]:
        later, whole = gather(steps[middle:]), gather(steps)
        later.merge(gather(steps[:middle]))
        np.testing.assert_array_equal(later.compute(), whole.compute())


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.permutations(range(3)))
def test_renaming_classes_changes_nothing(sequences, names):
    labels, truth = sequences
    name = np.array([*names, *range(3, 256)], np.uint8)
    np.testing.assert_array_equal(flip_rate(name[labels]), flip_rate(labels))
    np.testing.assert_array_equal(blink(name[labels]), blink(labels))
    # Only sameness counts, so that labels and truth may even be renamed apart.
    np.testing.assert_array_equal(
        static_flip_rate(labels, name[truth]), static_flip_rate(name[labels], truth)
    )
