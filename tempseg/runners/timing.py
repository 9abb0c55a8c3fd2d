"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

__all__ = ["STAGES", "StageTimes"]

STAGES = ("decode", "motion", "segment", "carry", "masks", "overlay")
"""In the order that a frame goes through them."""


class StageTimes:
    """Seconds by stage, a frame and in all. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_frame: dict[int, dict[str, float]] = defaultdict(dict)
        self._totals: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    @property
    def totals(self) -> dict[str, float]:
        """Seconds by stage over all frames so far."""
        with self._lock:
            return dict(self._totals)

    def add(self, stage: str, frame_index: int, seconds: float) -> None:
        """Add to a frame's figure."""
        with self._lock:
            spent = self._by_frame[frame_index]
            spent[stage] = spent.get(stage, 0.0) + seconds
            self._totals[stage] += seconds

    @contextmanager
    def measure(self, stage: str, frame_index: int) -> Iterator[None]:
        """Add the time spent inside to a frame's figure."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, frame_index, time.perf_counter() - start)

    def take(self, frame_index: int) -> Mapping[str, float]:
        """Return a frame's figures and forget them."""
        with self._lock:
            return self._by_frame.pop(frame_index, {})
