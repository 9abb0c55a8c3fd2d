"""A finished run held against its own segmenter on a few frames chosen at random."""

from tempseg.auditing.audit import audit_run
from tempseg.auditing.interval import Estimate, estimate
from tempseg.auditing.results import Audit, AuditedFrame
from tempseg.auditing.sampling import draw

__all__ = ["Audit", "AuditedFrame", "Estimate", "audit_run", "draw", "estimate"]
