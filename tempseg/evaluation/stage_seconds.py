"""What the stages of an evaluation take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, TypeVar

__all__ = ["StageSeconds"]

Item = TypeVar("Item")


class _End:
    """Stands behind the last item."""


_END: Final = _End()


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
