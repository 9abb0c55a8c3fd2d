"""Optical flow estimators."""

from tempseg.flows.inverse_search import DisFlow

__all__ = ["DisFlow"]
