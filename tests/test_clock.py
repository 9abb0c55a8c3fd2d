"""How far apart frames are by what changes between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempseg.clock import ChangeClock


def _clock(shares):
    clock = ChangeClock()
    clock.tick(0, None)
    for index, share in enumerate(shares, start=1):
        error = np.zeros((20, 50), np.uint8)
        error.flat[: round(share * error.size)] = 200
        clock.tick(index, error)
    return clock


def test_where_all_frames_change_alike_the_clock_counts_frames():
    assert _clock([0.1] * 20).distances(7, [0, 10, 20]) == pytest.approx([-7, 3, 13])


def test_frames_without_change_bring_nothing_nearer():
    clock = _clock([0.0] * 15 + [0.2] * 5)
    before, after = clock.distances(14, [0, 20])
    assert -1 < before < 0
    assert before + 20 == pytest.approx(after)


def test_frames_count_as_many_as_lie_between_the_nearest_keyframes():
    clock = _clock([0.5] * 4 + [0.1] * 4 + [0.9] * 4)
    first, before, after, last = clock.distances(6, [0, 4, 8, 12])
    assert [before, after] == pytest.approx([-2, 2])
    # Much more happens beyond them.
    assert first < -8
    assert last > 10


def test_an_error_of_eight_gray_levels_is_no_change_and_one_of_nine_is():
    clock = ChangeClock()
    clock.tick(0, None)
    clock.tick(1, np.full((20, 50), 8, np.uint8))
    clock.tick(2, np.full((20, 50), 9, np.uint8))
    # Two pixels of a thousand count at every frame, and all of them in the second.
    assert clock.distances(1, [0, 2]) == pytest.approx([-2 * 2 / 1004, 2 * 1002 / 1004])


def test_keyframes_on_one_side_are_plain_frames_away():
    clock = _clock([0.0, 0.9, 0.0, 0.1])
    assert clock.distances(4, [0, 2]) == [-4, -2]
    assert clock.distances(0, [1, 4]) == [1, 4]


def test_what_is_forgotten_changes_no_distance():
    kept, clock = _clock([0.3, 0.0, 0.1, 0.7]), _clock([0.3, 0.0, 0.1, 0.7])
    clock.forget(before=1)
    assert clock.distances(2, [1, 4]) == kept.distances(2, [1, 4])
    with pytest.raises(KeyError):
        clock.distances(2, [0, 4])


@given(st.lists(st.floats(0, 1), min_size=3, max_size=40), st.data())
def test_distances_keep_order_and_side(shares, data):
    clock = _clock(shares)
    index = data.draw(st.integers(1, len(shares) - 1))
    keyframes = sorted(data.draw(st.sets(st.integers(0, len(shares)), min_size=1)) - {index})
    found = clock.distances(index, keyframes)
    assert found == sorted(found)
    assert [d > 0 for d in found] == [k > index for k in keyframes]
    assert all(found)
