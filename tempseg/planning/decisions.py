"""Where keyframes fall, found without a segmenter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tempseg.build import build_engine, build_policy, forced_frames
from tempseg.class_sets import class_set
from tempseg.config import Config
from tempseg.decisions import KeyframeReason
from tempseg.prefetch import Prefetch
from tempseg.protocols import FrameSource
from tempseg.runners.chunks import ChunkPlan, seam_reason
from tempseg.runners.local import AHEAD
from tempseg.types import Frame, Placement, Prediction, SegmenterInfo

__all__ = ["PlannedFrame", "decided_without_labels", "decisions"]

GRID = (8, 8)


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A frame, and why it would be a keyframe; none where it would not."""

    index: int
    time_s: float
    reason: KeyframeReason | None


def decided_without_labels(config: Config) -> bool:
    """Tell whether a run takes exactly the keyframes that `decisions` gives.

    Other policies look at the borders of what is carried, which nobody knows without a segmenter.
    """
    return build_policy(config).by_age


def decisions(source: FrameSource, plan: ChunkPlan) -> Iterator[PlannedFrame]:
    """Yield every frame of a source with the decision on it; the source is closed behind them.

    The engine itself decides, on its own motion and chunk by chunk as in a run; in the segmenter's
    place stands one that knows of nothing, and nothing is carried.

    Parameters
    ----------
    source : FrameSource
    plan : ChunkPlan
        Of the same source.

    Raises
    ------
    SourceError
        When the source turns out to hold no frame, or stops being readable.
    """
    last: Frame | None = None
    why: KeyframeReason | None = None
    named = forced_frames(plan.config)
    try:
        with Prefetch(iter(source), name="decode", capacity=AHEAD) as frames:
            reading = _Reading(frames)
            for chunk in plan.chunks:
                engine = build_engine(
                    plan.config, _Placeholder(), forced=chunk.seams(plan.video.time_base)
                )
                end = chunk.part.end
                with Prefetch(
                    engine.steps(reading.until(end)), name="motion", capacity=AHEAD
                ) as steps:
                    for decision in chain.from_iterable(
                        decided.decisions for decided in engine.decided(steps)
                    ):
                        frame, reason = decision.step.frame, decision.reason
                        if end is not None and frame.pts >= end:
                            # The next chunk's.
                            taken = named.takes(frame, last)
                            why = seam_reason(reason, decision.verdict, forced=taken)
                            continue
                        yield PlannedFrame(frame.index, frame.time_s, why or reason)
                        last, why = frame, None
    finally:
        source.close()


class _Reading:
    """Frames in stretches, each of which ends with the frame that the next begins with."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._held: Frame | None = None

    def until(self, end: int | None) -> Iterator[Frame]:
        """Yield the frames from the last stretch's end up to the first at or after a time."""
        if self._held is not None:
            yield self._held
        for frame in self._frames:
            self._held = frame
            yield frame
            if end is not None and frame.pts >= end:
                return


class _Placeholder:
    """Stands where a segmenter would, for decisions that need none: every pixel is void."""

    info = SegmenterInfo("placeholder", "placeholder", class_set("binary"))

    def segment(self, frame: Frame) -> Prediction:
        return Prediction(Placement.stretch(GRID, frame.size), labels=np.full(GRID, 255, np.uint8))
