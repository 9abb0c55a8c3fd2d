"""One label sequence against the truth."""

from __future__ import annotations

from tempseg.evaluation.plan import WINDOWS, Plan
from tempseg.evaluation.results import AccuracyScores
from tempseg.evaluation.stretch import Stretch
from tempseg.metrics.boundary_f import BoundaryF
from tempseg.metrics.boundary_iou import BoundaryIou
from tempseg.metrics.changes import StaticFlipRate
from tempseg.metrics.confusion import ConfusionMatrix
from tempseg.metrics.regions import RegionSimilarity
from tempseg.metrics.trimap import TrimapIou
from tempseg.metrics.video_consistency import VideoConsistency, VideoConsistencyCompat, windows
from tempseg.types import LabelArray

__all__ = ["Accuracy"]

LabelsAndTruth = tuple[LabelArray, LabelArray]


class Accuracy:
    """Gathers what the truth says of label maps, on frames that have truth.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        classes, void = plan.classes.count, plan.classes.void
        self._plan = plan
        self._void = void
        self._confusion = ConfusionMatrix(classes, void=void)
        self._boundary_iou = BoundaryIou(classes, void=void)
        self._boundary_f = BoundaryF(classes, void=void)
        self._trimap = TrimapIou(classes, void=void)
        self._regions = RegionSimilarity(classes - 1, void=void) if plan.objects else None
        self._static_flips = StaticFlipRate(void=void)
        self._window_compat: VideoConsistencyCompat | None = (
            "vspw" if plan.compat == "vspw" else None
        )
        self._consistency = {
            window: VideoConsistency(window, void=void, compat=self._window_compat)
            for window in WINDOWS
        }
        self._stretch: Stretch[LabelsAndTruth] = Stretch(keep=max(WINDOWS) + 1)

    def take(
        self, index: int, labels: LabelArray, truth: LabelArray, *, starts_shot: bool
    ) -> float:
        """Take a frame's labels and truth; return the frame's own mIoU."""
        frame = ConfusionMatrix(self._plan.classes.count, void=self._void)
        frame.update(labels, truth)
        self._confusion.merge(frame)
        self._boundary_iou.update(labels, truth)
        self._boundary_f.update(labels, truth)
        self._trimap.update(labels, truth)
        if self._regions is not None:
            self._regions.update(labels, truth)
        self._stretch.add(index, (labels, truth), starts_shot=starts_shot)
        pair = self._stretch.last(2)
        if pair is not None:
            (before, truth_before), (now, truth_now) = pair
            self._static_flips.update(before, now, truth_before, truth_now)
        self._close_windows()
        return frame.compute().miou

    def scores(self) -> AccuracyScores:
        """Return the figures of all frames so far, averaged as the plan says."""
        compat = self._plan.compat
        regions = self._regions
        return AccuracyScores(
            confusion=self._confusion.compute(
                compat=compat if compat == "semseg" or compat == "vspw" else None
            ),
            static_flip_rate=self._static_flips.compute(),
            video_consistency={w: scores.compute() for w, scores in self._consistency.items()},
            boundary_iou=self._boundary_iou.compute(compat=compat if compat == "coco" else None),
            boundary_f=self._boundary_f.compute(),
            trimap_miou=self._trimap.compute(),
            regions=None
            if regions is None
            else regions.compute(compat=compat if compat == "davis" else None),
        )

    def _close_windows(self) -> None:
        """Take the windows that this frame completes."""
        frames = self._stretch.length
        for window, consistency in self._consistency.items():
            before = windows(frames - 1, window, self._window_compat)
            for start in windows(frames, window, self._window_compat)[len(before) :]:
                pairs = self._stretch.since(start)[:window]
                consistency.update([pair[0] for pair in pairs], [pair[1] for pair in pairs])
