from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from tempseg.video.timeline import Timeline


def place(pts: list[int | None], *, step: int = 10, first: int = 0) -> list[int]:
    timeline = Timeline(step, first=first)
    after = [*pts, None][1:]
    return [timeline.place(own, following=next_) for own, next_ in zip(pts, after, strict=True)]


raw = st.lists(st.none() | st.integers(-1000, 5000), max_size=40)


@given(raw, st.integers(1, 50))
def test_times_strictly_increase(pts, step):
    placed = place(pts, step=step)
    assert all(a < b for a, b in pairwise(placed))


@given(st.sets(st.integers(-(10**6), 10**12), min_size=1))
def test_increasing_times_are_left_alone(pts):
    assert place(sorted(pts)) == sorted(pts)


@given(st.integers(5, 30), st.data())
def test_one_bad_time_disturbs_no_other(count, data):
    good = [i * 10 for i in range(count)]
    where = data.draw(st.integers(1, count - 2))
    bad = list(good)
    bad[where] = data.draw(st.none() | st.integers(-(10**6), 10**6))
    # Of two equal times the first is believed: nothing tells which one is wrong.
    assume(bad[where] != good[where + 1])
    placed = place(bad)
    assert placed[:where] + placed[where + 1 :] == good[:where] + good[where + 1 :]


def test_missing_time_is_one_duration_after_the_frame_before():
    timeline = Timeline(10)
    timeline.place(0, duration=7)
    assert timeline.place(None) == 7


def test_missing_times_go_on_by_the_step():
    assert place([None, None, None], first=5) == [5, 15, 25]


def test_missing_first_time_lies_before_the_next():
    assert place([None, 100, 110]) == [90, 100, 110]


def test_repeated_time_is_squeezed_in():
    assert place([0, 10, 10, 15]) == [0, 10, 12, 15]


def test_run_of_equal_times_goes_on_by_ticks():
    assert place([0, 10, 10, 10, 40]) == [0, 10, 11, 21, 40]


def test_outlier_does_not_move_what_follows():
    assert place([0, 10, 9999, 30, 40]) == [0, 10, 20, 30, 40]


def test_restarted_clock_follows_on():
    assert place([100, 110, 0, 10, 30]) == [100, 110, 120, 130, 150]
