"""Keyframe policies: pure functions of the evidence."""

from tempseg.policies.adaptive import AdaptivePolicy
from tempseg.policies.every import EveryPolicy
from tempseg.policies.interval import IntervalPolicy
from tempseg.policies.limits import Limits
from tempseg.policies.share import SharePolicy
from tempseg.policies.span import SpanPolicy

__all__ = [
    "AdaptivePolicy",
    "EveryPolicy",
    "IntervalPolicy",
    "Limits",
    "SharePolicy",
    "SpanPolicy",
]
