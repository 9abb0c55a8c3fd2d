"""A keyframe when the carried answer no longer explains the frame."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.types import Evidence, KeyframeReason

__all__ = ["AdaptivePolicy"]


@dataclass(frozen=True, slots=True)
class AdaptivePolicy:
    """Ask for a keyframe on drift, at the latest after `max_interval` frames.

    Parameters
    ----------
    drift_threshold : float
        Share of the frame, in [0, 1], that may go unexplained by the last keyframe.
    min_interval : int
        Frames that pass between keyframes at least, whatever the drift.
    max_interval : int
        Frames after which a keyframe comes, however low the drift.

    Examples
    --------
    >>> policy = AdaptivePolicy(drift_threshold=0.1, min_interval=2, max_interval=20)
    >>> policy.decide(Evidence(5, 0.0, 9.0, 0.0, drift=0.3))
    <KeyframeReason.DRIFT: 'drift'>
    >>> policy.decide(Evidence(1, 0.0, 9.0, 0.0, drift=0.3)) is None
    True
    """

    drift_threshold: float = 0.15
    min_interval: int = 3
    max_interval: int = 15

    def __post_init__(self) -> None:
        if not 1 <= self.min_interval <= self.max_interval:
            raise ValueError(
                f"min_interval is {self.min_interval} and max_interval {self.max_interval}, "
                "expected 1 <= min_interval <= max_interval"
            )

    def decide(self, evidence: Evidence) -> KeyframeReason | None:
        """Return `INTERVAL`, `DRIFT` or none."""
        if evidence.age >= self.max_interval:
            return KeyframeReason.INTERVAL
        if evidence.age >= self.min_interval and evidence.drift > self.drift_threshold:
            return KeyframeReason.DRIFT
        return None

    @property
    def every_frame(self) -> bool:
        """Whether the longest interval is 1."""
        return self.max_interval == 1

    @property
    def by_age(self) -> bool:
        """Whether the shortest interval is the longest, which leaves nothing for drift."""
        return self.min_interval == self.max_interval
