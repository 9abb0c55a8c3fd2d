"""A finished run held against its own segmenter on a few frames chosen at random."""

from tempseg.auditing.audit import audit_run
from tempseg.auditing.interval import RARE_DIFFERENCE, Estimate, estimate, estimate_difference
from tempseg.auditing.results import Audit, AuditedFrame
from tempseg.auditing.sampling import draw

__all__ = [
    "RARE_DIFFERENCE",
    "Audit",
    "AuditedFrame",
    "Estimate",
    "audit_run",
    "draw",
    "estimate",
    "estimate_difference",
]
