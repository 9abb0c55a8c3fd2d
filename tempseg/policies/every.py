"""A keyframe on every frame."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.decisions import Evidence, KeyframeReason, Verdict

__all__ = ["EveryPolicy"]


@dataclass(frozen=True, slots=True)
class EveryPolicy:
    """Run the segmenter on every frame: what all else is measured against.

    Examples
    --------
    >>> EveryPolicy().decide(Evidence(1, 0.0, 0.0, 0.0, 0.0)).reason
    <KeyframeReason.INTERVAL: 'interval'>
    """

    def decide(self, evidence: Evidence) -> Verdict:  # noqa: ARG002 - whatever it holds
        """Return `INTERVAL`."""
        return Verdict(KeyframeReason.INTERVAL, "age", 1)

    @property
    def every_frame(self) -> bool:
        """Always."""
        return True

    @property
    def by_age(self) -> bool:
        """Always."""
        return True
