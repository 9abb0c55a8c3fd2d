"""The shortest and the longest interval: what no threshold can overrule."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far apart keyframes are at least, and at most.

    Parameters
    ----------
    shortest : int
        Frames that pass between keyframes at least, whatever the evidence; scene cuts and forced
        keyframes aside.
    longest : int
        Frames after which a keyframe comes, however good the evidence.

    Examples
    --------
    >>> eager = Verdict(KeyframeReason.DRIFT, "drift", 0.1)
    >>> Limits(3, 9).apply(eager, Evidence(2, 0.0, 0.0, 0.0, drift=0.5)).reason is None
    True
    """

    shortest: int = 1
    longest: int = 1000

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"shortest interval is {self.shortest} and longest {self.longest}, "
                "expected 1 <= shortest <= longest"
            )

    def apply(self, verdict: Verdict, evidence: Evidence) -> Verdict:
        """Return the verdict as the limits leave it."""
        if evidence.age >= self.longest:
            return Verdict(KeyframeReason.INTERVAL, "age", self.longest)
        if evidence.age < self.shortest and verdict.reason is not None:
            return Verdict(None, "age", self.shortest)
        return verdict

    def soonest(self, span: Span) -> int:
        """Return the first frame of a tail that is far enough from the keyframe before it."""
        return max(self.shortest - 1 - span.age, 0)

    def allow(self, place: int, span: Span) -> int | None:
        """Return a place in a head or tail, none where it is too near the keyframe beside."""
        last = len(span.borders) - self.shortest
        near = place > last if span.side is Side.HEAD else place < self.soonest(span)
        return None if near else place
