"""Stages that work ahead of their reader, and what they take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Final, TypeVar

__all__ = ["StageSeconds", "ahead"]

Item = TypeVar("Item")


class _End:
    """Stands behind the last item."""


_END: Final = _End()


@contextmanager
def ahead(items: Iterator[Item], *, name: str, capacity: int) -> Iterator[Iterator[Item]]:
    """Give the items in order, drawn in a thread of their own, at most `capacity` ahead.

    Leaving the context, for whatever reason, lets the thread end its item and joins it. What
    the iterator raises is raised in its place in the order.

    Parameters
    ----------
    items : iterator
    name : str
        The thread's name.
    capacity : int

    Examples
    --------
    >>> with ahead(iter("abc"), name="letters", capacity=2) as letters:
    ...     "".join(letters)
    'abc'
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"tempseg-{name}")

    def draw() -> Future[Item | _End]:
        return pool.submit(next, items, _END)

    def drawn() -> Iterator[Item]:
        waiting = deque(draw() for _ in range(capacity))
        while True:
            item = waiting.popleft().result()
            if isinstance(item, _End):
                return
            waiting.append(draw())
            yield item

    try:
        yield drawn()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        close = getattr(items, "close", None)
        if close is not None:
            close()


class StageSeconds:
    """Seconds by stage. Safe to share between threads.

    Parameters
    ----------
    stages : tuple of str
        In the order in which they are told.
    """

    def __init__(self, stages: tuple[str, ...]) -> None:
        self.totals = dict.fromkeys(stages, 0.0)
        self._lock = Lock()

    def add(self, stage: str, spent: float) -> None:
        """Add seconds to a stage."""
        with self._lock:
            self.totals[stage] += spent

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - start)

    def timed(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items; what drawing them takes is added to a stage."""
        while True:
            start = time.perf_counter()
            item = next(items, _END)
            self.add(stage, time.perf_counter() - start)
            if isinstance(item, _End):
                return
            yield item
