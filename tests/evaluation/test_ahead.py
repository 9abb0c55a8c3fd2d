"""Stages that work ahead."""

from __future__ import annotations

import threading

import pytest

from tempseg.evaluation.ahead import StageSeconds, ahead


def test_items_come_in_order_and_all():
    with ahead(iter(range(50)), name="numbers", capacity=3) as numbers:
        assert list(numbers) == list(range(50))


def test_at_most_capacity_items_are_drawn_ahead():
    drawn = []

    def items():
        for item in range(20):
            drawn.append(item)
            yield item

    with ahead(items(), name="numbers", capacity=3) as numbers:
        for taken in numbers:
            assert len(drawn) <= taken + 1 + 3


def test_an_error_comes_in_its_place():
    def items():
        yield 1
        raise OSError("the disk is gone")

    with ahead(items(), name="numbers", capacity=3) as numbers:
        assert next(numbers) == 1
        with pytest.raises(OSError, match="the disk is gone"):
            next(numbers)


def test_leaving_half_way_joins_the_thread_and_closes_the_items():
    closed = []

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    before = threading.active_count()
    with ahead(items(), name="numbers", capacity=3) as numbers:
        next(numbers)
    assert threading.active_count() == before
    assert closed == [True]


def test_drawing_is_timed_by_stage():
    seconds = StageSeconds(("one", "two"))
    assert list(seconds.timed("one", iter("ab"))) == ["a", "b"]
    assert seconds.totals["one"] > 0
    assert seconds.totals["two"] == 0
