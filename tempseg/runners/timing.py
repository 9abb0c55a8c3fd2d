"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from tempseg.runners.trace import Trace

__all__ = ["STAGES", "StageTimes"]

STAGES = ("decode", "motion", "segment", "carry", "masks", "overlay")
"""In the order that a frame goes through them."""


class StageTimes:
    """Seconds by stage, a frame and in all. Safe to share between threads.

    Parameters
    ----------
    trace : Trace, optional
        Told of every stage of every frame, and how many items wait in which queue.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self._lock = Lock()
        self._trace = trace
        self._by_frame: dict[int, dict[str, float]] = defaultdict(dict)
        self._totals: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._waits: dict[str, float] = {}

    @property
    def totals(self) -> dict[str, float]:
        """Seconds by stage over all frames so far."""
        with self._lock:
            return dict(self._totals)

    @property
    def waits(self) -> dict[str, float]:
        """Seconds by queue that its reader has waited for the next item so far.

        What is before the queue that is waited for most holds the others up.
        """
        with self._lock:
            return dict(self._waits)

    def add(self, stage: str, frame_index: int, start: float, end: float) -> None:
        """Add a time from `start` to `end`, in seconds of `perf_counter`, to a frame's figure."""
        with self._lock:
            spent = self._by_frame[frame_index]
            spent[stage] = spent.get(stage, 0.0) + end - start
            self._totals[stage] += end - start
        if self._trace is not None:
            self._trace.slice(stage, start, end, frame_index=frame_index)

    def add_wait(self, queue: str, start: float, end: float) -> None:
        """Add a time that the reader of a queue waited."""
        with self._lock:
            self._waits[queue] = self._waits.get(queue, 0.0) + end - start
        if self._trace is not None:
            self._trace.slice(f"wait for {queue}", start, end)

    def depth_of(self, queue: str) -> Callable[[int], None] | None:
        """Return what is told how many items wait in a queue; none where nobody wants to know."""
        trace = self._trace
        return None if trace is None else lambda depth: trace.counter(f"queue: {queue}", depth)

    @contextmanager
    def measure(self, stage: str, frame_index: int) -> Iterator[None]:
        """Add the time spent inside to a frame's figure."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, frame_index, start, time.perf_counter())

    def take(self, frame_index: int) -> Mapping[str, float]:
        """Return a frame's figures and forget them."""
        with self._lock:
            return self._by_frame.pop(frame_index, {})
