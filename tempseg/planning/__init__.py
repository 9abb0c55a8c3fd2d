"""What a run would do and take, told before it is done."""

from tempseg.planning.guard import guarded
from tempseg.planning.plan import make_plan
from tempseg.planning.rehearsal import Rehearsal, rehearse
from tempseg.planning.results import Cost, PlannedKeyframe, RunPlan

__all__ = ["Cost", "PlannedKeyframe", "Rehearsal", "RunPlan", "guarded", "make_plan", "rehearse"]
