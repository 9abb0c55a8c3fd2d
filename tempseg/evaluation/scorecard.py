"""Every figure of one label sequence, gathered a frame at a time."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.evaluation.accuracy import Accuracy
from tempseg.evaluation.plan import Plan
from tempseg.evaluation.playback import Moment
from tempseg.evaluation.results import Scores
from tempseg.evaluation.steadiness import Steadiness, Step
from tempseg.evaluation.tubes import Tubes
from tempseg.metrics.fidelity import Fidelity
from tempseg.types import LabelArray

__all__ = ["CardFrame", "Scorecard"]


@dataclass(frozen=True, slots=True)
class CardFrame:
    """What a frame adds to a card; none where something was not given."""

    step: Step
    miou: float | None = None
    fidelity: float | None = None


class Scorecard:
    """Gathers every figure that the plan asks for, of one label sequence.

    Parameters
    ----------
    plan : Plan
    against_reference : bool
        Whether fidelity to the reference is measured.
    with_ids : bool
        Whether the sequence has ids, as the truth does.
    keyframes : frozenset of int, optional
        Frames that the segmenter ran on; fidelity is told of the others on their own, too.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        against_reference: bool = False,
        with_ids: bool = False,
        keyframes: frozenset[int] | None = None,
    ) -> None:
        self._plan = plan
        self._keyframes = keyframes
        self._steadiness = Steadiness(plan)
        self._accuracy = Accuracy(plan) if plan.truth else None
        self._tubes = Tubes(plan) if with_ids else None
        self._fidelity = (
            Fidelity(plan.classes.count, void=plan.classes.void) if against_reference else None
        )

    def take(self, moment: Moment, labels: LabelArray) -> CardFrame:
        """Take this sequence's labels of a frame."""
        index, maps, starts_shot = moment.index, moment.maps, moment.starts_shot
        step = self._steadiness.take(index, labels, starts_shot=starts_shot, judged=moment.judged)
        miou = fidelity = None
        if self._accuracy is not None and maps.truth is not None:
            miou = self._accuracy.take(index, labels, maps.truth, starts_shot=starts_shot)
        if self._fidelity is not None and maps.reference is not None:
            between = self._keyframes is not None and index not in self._keyframes
            fidelity = self._fidelity.update(labels, maps.reference, frame=index, between=between)
        if self._tubes is not None and maps.panoptic is not None:
            self._tubes.take(index, maps.panoptic, starts_shot=starts_shot)
        return CardFrame(step, miou, fidelity)

    def scores(self) -> Scores:
        """Return the figures of all frames so far."""
        return Scores(
            steadiness=self._steadiness.scores(),
            motion=self._steadiness.motion_scores() if self._plan.motion else None,
            accuracy=None if self._accuracy is None else self._accuracy.scores(),
            fidelity=None if self._fidelity is None else self._fidelity.compute(),
            tubes=None if self._tubes is None else self._tubes.scores(),
        )
