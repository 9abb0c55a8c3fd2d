"""A budget: at most a share of the frames, spent where they help most."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict
from tempseg.policies.limits import Limits
from tempseg.policies.spacing import TYPICAL_FRAMES, Spacing, border_power, evened, place

__all__ = ["SharePolicy"]

AHEAD = 2
"""Keyframes that may be spent before they are saved: a busy stretch can come first."""

FIRST_AGE = 2.0
"""Mean distances from the last keyframe after which the next is due whatever the doubt, while it is
not known how much is usual: where little is, the second keyframe would come far too late."""


@dataclass(frozen=True, slots=True)
class SharePolicy:
    """Spend a budget of keyframes evenly in doubt; what quiet stretches save, busy ones get.

    At no time have more keyframes been asked for than `share` of the frames seen by then, and two;
    but every shot has one, and no frame waits longer than the longest interval.

    Parameters
    ----------
    share : float
        Of all frames, in (0, 1].
    limits : Limits
    """

    share: float = 0.1
    limits: Limits = field(default_factory=lambda: Limits(1, 1000))

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}, expected above 0 and at most 1")

    def decide(self, evidence: Evidence) -> Verdict:
        """Return `DOUBT`, `INTERVAL` or none."""
        if self.every_frame:
            return Verdict(KeyframeReason.INTERVAL, "age", 1)
        spacing = Spacing.of_share(self.share, evidence)
        threshold = spacing.due_at(evidence)
        if evidence.frames < TYPICAL_FRAMES and evidence.age * self.share >= FIRST_AGE:
            threshold = 0.0
        due = evidence.doubt >= threshold and self._affords(evidence)
        asked = Verdict(KeyframeReason.DOUBT if due else None, "doubt", threshold)
        return self.limits.apply(asked, evidence)

    def head(self, evidence: Evidence) -> int:
        """Return how many frames of a shot come before its first keyframe."""
        frames = Spacing.of_share(self.share, evidence).head()
        return min(frames, self.limits.longest - 1)

    def place(self, span: Span) -> int:
        """Return the frame at which the doubt has added up."""
        span = evened(span)
        wanted = Spacing.of_share(self.share, span).doubt
        return max(place(span.borders, wanted - span.doubt), self.limits.soonest(span))

    def judge(self, span: Span) -> Verdict:
        """Return `EDGE` where the end of a shot needs a keyframe too that the budget affords."""
        asked = Spacing.of_share(self.share, span).judge_edge(evened(span))
        if span.side is Side.BETWEEN or not self._affords(span):
            return replace(asked, reason=None)
        return asked

    def accept(self, span: Span) -> int | None:
        """Return which frame at a shot's end becomes a keyframe too, if any."""
        if self.judge(span).reason is None:
            return None
        edge = Spacing.of_share(self.share, span).edge(evened(span))
        return self.limits.allow(edge, span)

    def _affords(self, seen: Evidence | Span) -> bool:
        return seen.keyframes < math.ceil(self.share * seen.frames) + AHEAD

    def border_power(self, unrest: float | None) -> float:
        """Return how steeply doubt rises with the error at borders: less where there is unrest."""
        return border_power(unrest)

    @property
    def every_frame(self) -> bool:
        """Whether the longest interval is 1, or the share is all and no interval too short."""
        return self.limits.longest == 1 or (self.share == 1 and self.limits.shortest == 1)

    @property
    def by_age(self) -> bool:
        """Never."""
        return False
