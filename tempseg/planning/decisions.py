"""Where keyframes fall, found without a segmenter."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from tempseg.build import build_engine, build_policy, forced_frames
from tempseg.class_sets import class_set
from tempseg.config import Config
from tempseg.decisions import KeyframeReason
from tempseg.prefetch import Prefetch
from tempseg.protocols import FrameSource
from tempseg.runners.chunks import Chunk, ChunkPlan
from tempseg.runners.local import AHEAD
from tempseg.runners.one_reading import chunk_by_chunk
from tempseg.schedule import Decision
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
    try:
        with Prefetch(iter(source), name="decode", capacity=AHEAD) as frames:

            def work(chunk: Chunk, own: Iterator[Frame]) -> Generator[Decision, None, None]:
                forced = chunk.seams(plan.video.time_base)
                engine = build_engine(plan.config, _Placeholder(), forced=forced)
                with Prefetch(engine.steps(own), name="motion", capacity=AHEAD) as steps:
                    for decided in engine.decided(steps):
                        yield from decided.decisions

            told = chunk_by_chunk(frames, plan.chunks, work, named=forced_frames(plan.config))
            with closing(told):
                for decision, _ in told:
                    frame = decision.frame
                    yield PlannedFrame(frame.index, frame.time_s, decision.reason)
    finally:
        source.close()


class _Placeholder:
    """Stands where a segmenter would, for decisions that need none: every pixel is void."""

    info = SegmenterInfo("placeholder", "placeholder", class_set("binary"))

    def segment(self, frame: Frame) -> Prediction:
        return Prediction(Placement.stretch(GRID, frame.size), labels=np.full(GRID, 255, np.uint8))
