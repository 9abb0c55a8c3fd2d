"""Working ahead in a thread."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from tempseg.prefetch import Prefetch


def test_items_keep_their_order():
    with Prefetch(range(1000), name="numbers", capacity=3) as items:
        assert list(items) == list(range(1000))


def test_error_comes_after_the_items_before_it():
    def failing():
        yield 1
        yield 2
        raise KeyError("third")

    taken = []
    with Prefetch(failing(), name="failing", capacity=8) as items:
        for item in items:
            taken.append(item)
            if item == 2:
                break
        with pytest.raises(KeyError, match="third"):
            next(items)
    assert taken == [1, 2]


class Refusing:
    """What cannot even be begun."""

    def __iter__(self):
        raise KeyError("read once")


class Unclosable:
    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration

    def close(self):
        raise KeyError("not closed")


@pytest.mark.parametrize("items", [Refusing(), Unclosable()])
def test_what_fails_before_and_behind_the_items_is_raised_too(items):
    with Prefetch(items, name="failing", capacity=1) as taken, pytest.raises(KeyError):
        list(taken)


def test_no_more_than_the_capacity_waits():
    made = []
    reached = threading.Event()

    def noting():
        for i in count():
            made.append(i)
            if i == 4:
                reached.set()
            yield i

    with Prefetch(noting(), name="noting", capacity=4) as items:
        # Four wait and a fifth is offered; taking one lets exactly one more be made.
        assert reached.wait(5)
        assert next(items) == 0
    assert len(made) <= 6


def test_leaving_early_stops_the_thread_and_closes_the_generator():
    closed = []

    def endless():
        try:
            yield from count()
        finally:
            closed.append(threading.current_thread().name)

    with Prefetch(endless(), name="endless", capacity=2) as items:
        next(items)
    assert closed == ["tempseg-endless"]
    assert "tempseg-endless" not in [thread.name for thread in threading.enumerate()]


def test_an_error_of_the_reader_stops_the_thread():
    def read():
        with Prefetch(count(), name="reader", capacity=2) as items:
            return 1 / next(items)

    with pytest.raises(ZeroDivisionError):
        read()
    assert "tempseg-reader" not in [thread.name for thread in threading.enumerate()]


def test_stages_chained_all_stop():
    before = threading.active_count()
    with (
        Prefetch(count(), name="one", capacity=2) as one,
        Prefetch((2 * i for i in one), name="two", capacity=2) as two,
    ):
        assert [next(two) for _ in range(3)] == [0, 2, 4]
    assert threading.active_count() == before


def test_capacity_below_one_is_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        Prefetch([], name="none", capacity=0)
