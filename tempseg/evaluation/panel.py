"""The scorecards of one evaluation, side by side: this output, the segmenter, the copy."""

from __future__ import annotations

import math
from dataclasses import replace

from tempseg.evaluation.playback import Moment
from tempseg.evaluation.results import Evaluation, EvaluationSettings, FrameScores, worst_frames
from tempseg.evaluation.scorecard import CardFrame, Scorecard
from tempseg.evaluation.setup import Compared
from tempseg.evaluation.skipped import skipped_figures
from tempseg.evaluation.stretch import Stretch
from tempseg.metrics.fidelity import FidelityFloor
from tempseg.metrics.scene_cuts import SceneCuts
from tempseg.metrics.warp_error import WarpError
from tempseg.types import LabelArray, UInt8Array

__all__ = ["Panel"]


AVERAGES = {
    None: "one matrix over all frames, then the classes that occur",
    "semseg": "one matrix over all frames, then all classes, absent ones as 0",
    "vspw": "one matrix over all frames, then the classes of the truth",
    "etc": "one matrix over all frames; tc over all classes, absent ones as 0",
}
WARPS = {
    None: "nearest",
    "etc": "bilinear of ids, cut to integers",
    "vspw": "nearest, on a grid shifted as published",
}
OCCLUSIONS = {None: "forward-backward", "etc": "off", "vspw": "off"}


class Panel:
    """Scores every sequence of an evaluation alike, a frame at a time.

    Parameters
    ----------
    compared : Compared
    """

    def __init__(self, compared: Compared) -> None:
        plan, keyframes = compared.plan, compared.keyframes
        has_reference = compared.reference is not None
        classes, void = plan.classes.count, plan.classes.void
        truth_ids = None if compared.truth is None else compared.truth.sequence.ids
        with_ids = bool(
            plan.things and truth_ids is not None and compared.prediction.sequence.ids is not None
        )
        self._compared = compared
        self._prediction = Scorecard(
            plan, against_reference=has_reference, with_ids=with_ids, keyframes=keyframes
        )
        self._reference = Scorecard(plan) if has_reference else None
        self._copied = (
            None
            if keyframes is None
            else Scorecard(plan, against_reference=has_reference, keyframes=keyframes)
        )
        self._floor = FidelityFloor(classes, void=void) if has_reference and plan.motion else None
        self._warp = None if compared.warp_video is None else WarpError()
        self._keyframe: LabelArray | None = None
        self._references: Stretch[LabelArray] = Stretch(keep=2)
        self._pictures: Stretch[UInt8Array] = Stretch(keep=2)
        self._frames: list[FrameScores] = []
        self._shots: list[int] = []
        self._pairs = 0

    def take(self, moment: Moment) -> None:
        """Score one frame of every sequence."""
        labels, reference = moment.maps.labels, moment.maps.reference
        if moment.starts_shot:
            self._shots.append(moment.index)
        elif moment.judged is not None:
            self._pairs += 1
        self._note(moment, self._prediction.take(moment, labels))
        if self._copied is not None:
            if moment.index in (self._compared.keyframes or ()) or self._keyframe is None:
                # A run may smooth what the segmenter answers; a copy is of the answer itself.
                self._keyframe = labels if reference is None else reference
            self._copied.take(moment, self._keyframe)
        if self._reference is not None and reference is not None:
            self._reference.take(moment, reference)
            self._take_floor(moment, reference)
        if self._warp is not None and moment.picture is not None:
            self._take_picture(self._warp, moment, moment.picture)

    def _note(self, moment: Moment, seen: CardFrame) -> None:
        """Add the prediction's row of this frame, and complete the row before."""
        step = seen.step
        if step.blink_before is not None:
            self._frames[-1] = replace(self._frames[-1], blink=_known(step.blink_before))
        self._frames.append(
            FrameScores(
                moment.index,
                moment.time_s,
                tc=_known(step.tc),
                flicker=_known(step.flicker),
                flip_rate=_known(step.flip_rate),
                miou=_known(seen.miou),
                fidelity=_known(seen.fidelity),
            )
        )

    def _take_floor(self, moment: Moment, reference: LabelArray) -> None:
        self._references.add(moment.index, reference, starts_shot=moment.starts_shot)
        pair = self._references.last(2)
        if self._floor is not None and pair is not None and moment.judged is not None:
            self._floor.update(pair[0], pair[1], moment.judged.backward)

    def _take_picture(self, warp: WarpError, moment: Moment, picture: UInt8Array) -> None:
        self._pictures.add(moment.index, picture, starts_shot=moment.starts_shot)
        pair, judged = self._pictures.last(2), moment.judged
        if pair is not None and judged is not None:
            warp.update(pair[0], pair[1], judged.forward, judged.backward)

    def evaluation(
        self, *, flow: str | None, stage_s: dict[str, float], wall_s: float
    ) -> Evaluation:
        """Return all figures.

        Parameters
        ----------
        flow : str or None
            What the flow was that judged.
        stage_s : dict of str to float
        wall_s : float
        """
        prediction = self._prediction.scores()
        accuracy = prediction.accuracy
        windows = {} if accuracy is None else accuracy.video_consistency
        compared, classes = self._compared, self._compared.plan.classes
        sequence = compared.prediction.sequence
        compat = compared.plan.compat
        truth, reference, video = compared.truth, compared.reference, compared.video
        settings = EvaluationSettings(
            prediction=sequence.name,
            frames=len(self._frames),
            width=sequence.size[1],
            height=sequence.size[0],
            class_names=classes.class_set.names,
            classes_told_by=classes.told_by,
            void=compared.void,
            truth=None if truth is None else truth.sequence.name,
            reference=None if reference is None else reference.sequence.name,
            video=None if video is None else video.info.name,
            compat=compat,
            truth_frames=0 if truth is None else len(truth.alignment.frames),
            reference_frames=0 if reference is None else len(reference.alignment.frames),
            truth_rule="" if truth is None else truth.alignment.rule,
            reference_rule="" if reference is None else reference.alignment.rule,
            keyframes=None
            if compared.keyframes is None
            else sum(place < compared.frames for place in compared.keyframes),
            cuts=tuple(self._shots[1:]),
            flow=flow,
            warp=None if flow is None else WARPS.get(compat, WARPS[None]),
            occlusion=None if flow is None else OCCLUSIONS.get(compat, OCCLUSIONS[None]),
            averaging=AVERAGES.get(compat, AVERAGES[None]),
            pairs=self._pairs,
            windows={length: scores.windows for length, scores in windows.items()},
            skipped=skipped_figures(compared, accuracy),
        )
        return Evaluation(
            settings=settings,
            prediction=prediction,
            reference=None if self._reference is None else self._reference.scores(),
            copied=None if self._copied is None else self._copied.scores(),
            fidelity_floor=None if self._floor is None else self._floor.compute(),
            warp_error=None if self._warp is None else self._warp.compute(),
            cut_f1=self._cut_f1(),
            frames=tuple(self._frames),
            worst=worst_frames(self._frames),
            stage_s=stage_s,
            wall_s=wall_s,
        )

    def _cut_f1(self) -> dict[int, float]:
        compared = self._compared
        run = compared.prediction.sequence.run
        if compared.true_cuts is None or run is None:
            return {}
        cuts = SceneCuts()
        cuts.update(
            [cut for cut in sorted(run.cuts) if cut < compared.frames],
            [cut for cut in compared.true_cuts if cut < compared.frames],
        )
        return cuts.compute()


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
