"""The segmenter asked again, on frames that the run did not show it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tempseg.auditing.interval import estimate, estimate_difference
from tempseg.auditing.results import Audit, AuditedFrame
from tempseg.auditing.sampling import draw
from tempseg.build import build_per_frame_engine
from tempseg.config import Config
from tempseg.errors import SourceError
from tempseg.evaluation.maps import VideoMaps
from tempseg.evaluation.playback import SCENE_CHANGE
from tempseg.evaluation.runs import RunNotes, read_run
from tempseg.metrics.confusion import ConfusionMatrix
from tempseg.metrics.fidelity import Fidelity, FidelityFloor
from tempseg.metrics.judge import Judge
from tempseg.protocols import FrameSource, Segmenter, WorkObserver
from tempseg.types import FloatArray, Frame, LabelArray, UInt8Array

__all__ = ["audit_run"]

CLOCK_S = 1e-3
"""How far times may differ that are meant to be the same: tables round them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Answered:
    """What the segmenter says of a frame, and the picture that motion is judged by."""

    labels: LabelArray
    luma: UInt8Array


def audit_run(
    folder: str | Path,
    source: FrameSource,
    segmenter: Segmenter,
    config: Config,
    *,
    count: int,
    seed: int = 0,
    observer: WorkObserver | None = None,
) -> Audit:
    """Run the segmenter on frames between a finished run's keyframes; return how they agree.

    Of `count` frames drawn by `seed`, and of the frame before each: two calls a frame, fewer
    where drawn frames are neighbours. All frames between keyframes are taken where there are no
    more than `count`.

    Parameters
    ----------
    folder : str or Path
        What the run left.
    source : FrameSource
        The same part of the same source, opened anew; closed afterwards.
    segmenter : Segmenter
        The one that ran.
    config : Config
        What it ran with.
    count, seed : int
    observer : WorkObserver, optional
        Told of each frame that was drawn.

    Raises
    ------
    SourceError
        When the folder holds no finished run, or the source shows other frames by now.
    ModelError
        When the segmenter cannot answer for a frame.
    """
    start = time.perf_counter()
    try:
        run = read_run(Path(folder))
        keyframes = set(run.keyframes)
        between = [place for place in range(len(run.numbers)) if place not in keyframes]
        drawn = [between[number] for number in draw(len(between), count, seed=seed)]
        if observer is not None:
            observer.begin(source.info.name, len(drawn))
        scorer = _Scorer(run)
        with Judge() as judge:
            answers = _answers(run, drawn, source, segmenter, config)
            maps = VideoMaps(run.folder / "masks.mkv", len(run.numbers)).read(drawn)
            for place, labels in zip(drawn, maps, strict=True):
                before, now = next(answers)
                scorer.take(place, labels, now.labels, _carried(before, now, judge))
                if observer is not None:
                    observer.advance()
        return scorer.audit(between=len(between), seed=seed, wall_s=time.perf_counter() - start)
    finally:
        source.close()


class _Scorer:
    """Compares the labels of drawn frames."""

    def __init__(self, run: RunNotes) -> None:
        classes, void = len(run.class_set.names), run.void
        self._run = run
        self._fidelity = Fidelity(classes, void=void)
        self._floor = FidelityFloor(classes, void=void)
        self._confusion = ConfusionMatrix(classes, void=void)
        self._frames: list[AuditedFrame] = []

    def take(
        self,
        place: int,
        labels: LabelArray,
        now: LabelArray,
        before: tuple[LabelArray, FloatArray] | None,
    ) -> None:
        """Take a frame: the run's labels, the segmenter's, and its of the frame before.

        The last with the motion to there; none where nothing before belongs to the frame.
        """
        run = self._run
        if labels.shape != now.shape:
            raise SourceError(
                f"{run.source}: its frames are {now.shape[1]}×{now.shape[0]}, but the run's label "
                f"maps {labels.shape[1]}×{labels.shape[0]}; it is another source by now"
            )
        self._confusion.update(labels, now)
        self._frames.append(
            AuditedFrame(
                run.numbers[place],
                run.times_s[place],
                self._fidelity.update(labels, now, frame=place, between=True),
                math.nan if before is None else self._floor.update(before[0], now, before[1]),
            )
        )

    def audit(self, *, between: int, seed: int, wall_s: float) -> Audit:
        """Return what the frames come to."""
        fidelities = [frame.fidelity for frame in self._frames]
        floors = [frame.floor for frame in self._frames]
        return Audit(
            seed=seed,
            between=between,
            frames=tuple(self._frames),
            fidelity=estimate(fidelities, population=between),
            floor=estimate(floors, population=between),
            difference=estimate_difference(fidelities, floors, population=between),
            miou=self._confusion.compute().miou,
            wall_s=wall_s,
        )


def _carried(
    before: _Answered | None, now: _Answered, judge: Judge
) -> tuple[LabelArray, FloatArray] | None:
    """Return labels of the frame before and the motion to there; none across a cut."""
    if before is None:
        return None
    pair = judge.pair(before.luma, now.luma)
    return None if pair.scene_change > SCENE_CHANGE else (before.labels, pair.backward)


def _answers(
    run: RunNotes,
    drawn: Sequence[int],
    source: FrameSource,
    segmenter: Segmenter,
    config: Config,
) -> Iterator[tuple[_Answered | None, _Answered]]:
    """Yield what the segmenter says of the frame before each drawn one, and of that one."""
    if not drawn:
        return
    wanted = {max(0, place - step) for place in drawn for step in (0, 1)}
    asked, targets = build_per_frame_engine(config, segmenter), set(drawn)
    before: _Answered | None = None
    for place, frame in enumerate(source):
        if place not in wanted:
            continue
        _check_same(run, place, frame)
        (result,) = asked.push(frame)
        # A decoder's rows may be padded, which OpenCV's flow does not take.
        now = _Answered(result.segmentation.labels, np.ascontiguousarray(frame.luma))
        if place in targets:
            yield before, now
        before = now
        if place == drawn[-1]:
            return
    raise SourceError(
        f"{run.source}: ends before frame {drawn[-1]} of the run; it is another source by now"
    )


def _check_same(run: RunNotes, place: int, frame: Frame) -> None:
    told = run.numbers[place], run.times_s[place]
    if frame.index != told[0] or abs(frame.time_s - told[1]) > CLOCK_S:
        raise SourceError(
            f"{run.source}: frame {frame.index} is at {frame.time_s:.3f} s, but the run saw frame "
            f"{told[0]} at {told[1]:.3f} s there; it is another source by now"
        )
