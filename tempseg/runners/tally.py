"""What a run comes to, counted as its results go by."""

from __future__ import annotations

import resource
import sys
from collections import Counter

from tempseg.types import FrameResult

__all__ = ["Tally", "peak_memory_mb"]


class Tally:
    """Counts results on their way."""

    def __init__(self) -> None:
        self.frames = 0
        """Results counted so far."""
        self.first_s = 0.0
        self.last_s = 0.0
        self._reasons: Counter[str] = Counter()

    @property
    def reasons(self) -> dict[str, int]:
        """Keyframes by reason."""
        return dict(sorted(self._reasons.items()))

    def advance(self, result: FrameResult) -> None:
        """Count a result."""
        if self.frames == 0:
            self.first_s = result.frame.time_s
        self.last_s = result.frame.time_s
        self.frames += 1
        if result.reason is not None:
            self._reasons[result.reason.value] += 1


def peak_memory_mb() -> float:
    """Return the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kilobytes, macOS in bytes.
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024
