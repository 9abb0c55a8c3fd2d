"""One label sequence with ids against the truth's: things followed through time."""

from __future__ import annotations

from tempseg.evaluation.plan import Plan
from tempseg.evaluation.results import TubeScores
from tempseg.evaluation.stretch import Stretch
from tempseg.metrics.stq import SegmentationTrackingQuality
from tempseg.metrics.vpq import VideoPanopticQuality
from tempseg.types import LabelArray

__all__ = ["Panoptic", "Tubes"]

Panoptic = tuple[LabelArray, LabelArray, LabelArray, LabelArray]
"""Labels, ids, truth, the truth's ids of one frame."""

LONGEST = 4
"""Frames of the longest tubes that VPQ compares."""


class Tubes:
    """Gathers how things keep their ids, on frames that have truth.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        classes, void = plan.classes.count, plan.classes.void
        self._stq = SegmentationTrackingQuality(classes, things=plan.things, void=void)
        self._vpq = VideoPanopticQuality(classes, things=plan.things, void=void)
        self._stretch: Stretch[Panoptic] = Stretch(keep=LONGEST)

    def take(self, index: int, frame: Panoptic, *, starts_shot: bool) -> None:
        """Take a frame's labels and ids, and those of its truth."""
        self._stq.update(*frame)
        self._stretch.add(index, frame, starts_shot=starts_shot)
        frames = self._stretch.since(max(self._stretch.length - LONGEST, 0))
        labels, ids, truth, truth_ids = zip(*frames, strict=True)
        self._vpq.update(labels, ids, truth, truth_ids)

    def scores(self) -> TubeScores:
        """Return the figures of all frames so far."""
        return TubeScores(self._stq.compute(), self._vpq.compute())
