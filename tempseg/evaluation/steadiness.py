"""One label sequence in time: changes, with and without what motion explains."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.evaluation.plan import Plan
from tempseg.evaluation.results import MotionScores, SteadinessScores
from tempseg.evaluation.stretch import Stretch
from tempseg.metrics.area_jitter import AreaJitter
from tempseg.metrics.boundary_jitter import BoundaryJitter
from tempseg.metrics.changes import Blink, FlipRate
from tempseg.metrics.judge import JudgedPair
from tempseg.metrics.temporal_consistency import TemporalConsistency
from tempseg.types import LabelArray

__all__ = ["Steadiness", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame adds; none where there is nothing before it, or nothing judged.

    Parameters
    ----------
    flip_rate, tc, flicker : float or None
        Of the pair that ends at this frame.
    blink_before : float or None
        Of the frame before, known only now.
    """

    flip_rate: float | None = None
    tc: float | None = None
    flicker: float | None = None
    blink_before: float | None = None


class Steadiness:
    """Gathers how label maps change from frame to frame of a shot.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        classes, void = plan.classes.count, plan.classes.void
        self._flips = FlipRate(void=void)
        self._blinks = Blink(void=void)
        self._areas = AreaJitter(classes, void=void)
        compat = plan.compat
        self._temporal = TemporalConsistency(
            classes, void=void, compat=compat if compat == "etc" or compat == "vspw" else None
        )
        self._boundaries = BoundaryJitter(classes, void=void)
        self._stretch: Stretch[LabelArray] = Stretch(keep=3)

    def take(
        self, index: int, labels: LabelArray, *, starts_shot: bool, judged: JudgedPair | None
    ) -> Step:
        """Take a frame's labels, and how the picture moved from the frame before."""
        self._stretch.add(index, labels, starts_shot=starts_shot)
        pair, three = self._stretch.last(2), self._stretch.last(3)
        if pair is None:
            self._areas.update(labels)
            return Step()
        before = pair[0]
        self._areas.update(labels, before)
        flip_rate = self._flips.update(before, labels)
        blink = None if three is None else self._blinks.update(three[0], three[1], three[2])
        if judged is None:
            return Step(flip_rate, blink_before=blink)
        scores = self._temporal.update(before, labels, judged.forward, judged.occluded, frame=index)
        self._boundaries.update(before, labels, judged.forward, judged.occluded)
        return Step(flip_rate, scores.tc, scores.flicker, blink)

    def scores(self) -> SteadinessScores:
        """Return what needs the labels only."""
        return SteadinessScores(
            flip_rate=self._flips.compute(),
            blink=self._blinks.compute(),
            area_jitter=self._areas.compute(),
        )

    def motion_scores(self) -> MotionScores:
        """Return what the flow judged."""
        return MotionScores(self._temporal.compute(), self._boundaries.compute())
