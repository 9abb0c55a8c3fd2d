"""A keyframe when the carried answer no longer explains the frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from tempseg.decisions import Evidence, KeyframeReason, Verdict
from tempseg.policies.limits import Limits

__all__ = ["AdaptivePolicy"]


@dataclass(frozen=True, slots=True)
class AdaptivePolicy:
    """Ask for a keyframe on drift or doubt: what has been seen up to this frame decides.

    Parameters
    ----------
    drift_threshold : float
        Share of the frame, in [0, 1], that may go unexplained by the last keyframe.
    doubt_threshold : float
        What `Evidence.doubt` may add up to.
    limits : Limits
        The shortest and the longest interval.

    Examples
    --------
    >>> policy = AdaptivePolicy(drift_threshold=0.1, limits=Limits(2, 20))
    >>> policy.decide(Evidence(5, 0.0, 9.0, 0.0, drift=0.3)).reason
    <KeyframeReason.DRIFT: 'drift'>
    >>> policy.decide(Evidence(1, 0.0, 9.0, 0.0, drift=0.3)).reason is None
    True
    """

    drift_threshold: float = 0.15
    doubt_threshold: float = 2.0
    limits: Limits = field(default_factory=lambda: Limits(3, 15))

    def decide(self, evidence: Evidence) -> Verdict:
        """Return `INTERVAL`, `DRIFT`, `DOUBT` or none, and which threshold was nearest."""
        measured = [
            (evidence.drift, "drift", self.drift_threshold, KeyframeReason.DRIFT),
            (evidence.doubt, "doubt", self.doubt_threshold, KeyframeReason.DOUBT),
        ]
        value, measure, threshold, reason = max(measured, key=lambda m: m[0] / max(m[2], 1e-9))
        asked = Verdict(reason if value > threshold else None, measure, threshold)
        return self.limits.apply(asked, evidence)

    @property
    def every_frame(self) -> bool:
        """Whether the longest interval is 1."""
        return self.limits.longest == 1

    @property
    def by_age(self) -> bool:
        """Whether the shortest interval is the longest, which leaves nothing for drift."""
        return self.limits.shortest == self.limits.longest
