"""What a run comes to, counted as its results go by."""

from __future__ import annotations

import resource
import sys
from collections import Counter

from tempseg.outputs import Totals
from tempseg.runners.timing import StageTimes
from tempseg.types import FrameResult

__all__ = ["Tally"]


class Tally:
    """Counts results on their way; one that counted none has no totals."""

    def __init__(self) -> None:
        self.frames = 0
        """Results counted so far."""
        self._reasons: Counter[str] = Counter()
        self._first_s = 0.0
        self._last_s = 0.0

    def advance(self, result: FrameResult) -> None:
        """Count a result."""
        if self.frames == 0:
            self._first_s = result.frame.time_s
        self._last_s = result.frame.time_s
        self.frames += 1
        if result.reason is not None:
            self._reasons[result.reason.value] += 1

    def totals(self, times: StageTimes, *, wall_s: float, damaged: int) -> Totals:
        """Return what a run came to."""
        keyframes = sum(self._reasons.values())
        stage_s = times.totals
        return Totals(
            frames=self.frames,
            keyframes=keyframes,
            keyframe_share=keyframes / self.frames,
            reasons=dict(sorted(self._reasons.items())),
            damaged=damaged,
            duration_s=self._last_s - self._first_s,
            wall_s=wall_s,
            frames_per_s=self.frames / wall_s,
            segmenter_s=stage_s["segment"],
            stage_s=stage_s,
            peak_memory_mb=_peak_memory_mb(),
            wait_s=times.waits,
        )


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kilobytes, macOS in bytes.
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024
