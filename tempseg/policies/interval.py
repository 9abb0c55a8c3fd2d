"""A keyframe every so many frames."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.decisions import Evidence, KeyframeReason, Verdict

__all__ = ["IntervalPolicy"]


@dataclass(frozen=True, slots=True)
class IntervalPolicy:
    """Ask for a keyframe every `interval` frames; 1 runs the segmenter on every frame.

    Examples
    --------
    >>> IntervalPolicy(10).decide(Evidence(10, 0.0, 0.0, 0.0, 0.0)).reason
    <KeyframeReason.INTERVAL: 'interval'>
    """

    interval: int = 10

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}, expected at least 1")

    def decide(self, evidence: Evidence) -> Verdict:
        """Return `INTERVAL` when the last keyframe is old enough."""
        due = evidence.age >= self.interval
        return Verdict(KeyframeReason.INTERVAL if due else None, "age", self.interval)

    @property
    def every_frame(self) -> bool:
        """Whether the interval is 1."""
        return self.interval == 1

    @property
    def by_age(self) -> bool:
        """Always: only scene cuts come between."""
        return True
