"""Spans of equal doubt, looked at again once both their ends are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict
from tempseg.policies.limits import Limits
from tempseg.policies.spacing import Spacing, border_power, evened, place

__all__ = ["SpanPolicy"]

SHORT = 0.5
"""Part of a usual spacing below which a span is short: a keyframe mends few frames there, so that
its ends must disagree by more."""


@dataclass(frozen=True, slots=True)
class SpanPolicy:
    """Close a span where doubt has added up; open it again where its two ends disagree.

    When the answer at a span's end disagrees with what was carried there, by more than keyframes
    of this run disagree anyhow, the segmenter is asked once more inside, and so on down to the
    shortest interval.

    Parameters
    ----------
    doubt_threshold : float
        What `Evidence.doubt` may add up to over a span.
    span_threshold : float
        By how much mIoU, in [0, 1], the ends of a span may disagree beyond the segmenter's noise;
        in a span of less than half the usual length by so many times more.
    limits : Limits
    """

    doubt_threshold: float = 2.0
    span_threshold: float = 0.3
    limits: Limits = field(default_factory=lambda: Limits(3, 60))

    def decide(self, evidence: Evidence) -> Verdict:
        """Return `DOUBT`, `INTERVAL` or none."""
        threshold = Spacing.of_doubt(self.doubt_threshold, evidence).due_at(evidence)
        due = evidence.doubt >= threshold
        asked = Verdict(KeyframeReason.DOUBT if due else None, "doubt", threshold)
        return self.limits.apply(asked, evidence)

    def head(self, evidence: Evidence) -> int:
        """Return how many frames of a shot come before its first keyframe."""
        frames = Spacing.of_doubt(self.doubt_threshold, evidence).head()
        return min(frames, self.limits.longest - 1)

    def place(self, span: Span) -> int:
        """Return the frame at which the doubt has added up."""
        span = evened(span)
        wanted = Spacing.of_doubt(self.doubt_threshold, span).doubt
        return max(place(span.borders, wanted - span.doubt), self.limits.soonest(span))

    def judge(self, span: Span) -> Verdict:
        """Return `SPAN` where a span's ends disagree too much, `EDGE` where a shot's end doubts."""
        span = evened(span)
        spacing = Spacing.of_doubt(self.doubt_threshold, span)
        if span.side is not Side.BETWEEN:
            return spacing.judge_edge(span)
        worth = min((len(span.borders) + 1) / (SHORT * spacing.frames), 1.0)
        due = (span.churn - span.noise) * worth > self.span_threshold
        most = span.noise + self.span_threshold / worth
        return Verdict(KeyframeReason.SPAN if due else None, "churn", most, span.churn)

    def accept(self, span: Span) -> int | None:
        """Return which frame of a closed span becomes a keyframe too, if any."""
        if self.judge(span).reason is None:
            return None
        span = evened(span)
        if span.side is not Side.BETWEEN:
            edge = Spacing.of_doubt(self.doubt_threshold, span).edge(span)
            return self.limits.allow(edge, span)
        room = len(span.borders) + 1 - 2 * self.limits.shortest
        if room < 0:
            return None
        middle = place(span.borders, sum(span.borders) / 2)
        first = self.limits.shortest - 1
        return min(max(middle, first), first + room)

    def border_power(self, unrest: float | None) -> float:
        """Return how steeply doubt rises with the error at borders: less where there is unrest."""
        return border_power(unrest)

    @property
    def every_frame(self) -> bool:
        """Whether the longest interval is 1."""
        return self.limits.longest == 1

    @property
    def by_age(self) -> bool:
        """Never."""
        return False
