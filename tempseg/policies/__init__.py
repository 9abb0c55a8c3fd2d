"""Keyframe policies: pure functions of the evidence."""

from tempseg.policies.adaptive import AdaptivePolicy
from tempseg.policies.interval import IntervalPolicy

__all__ = ["AdaptivePolicy", "IntervalPolicy"]
