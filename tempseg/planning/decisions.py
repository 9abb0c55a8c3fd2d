"""Where keyframes fall, found without a segmenter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tempseg.build import build_engine, build_policy
from tempseg.class_sets import class_set
from tempseg.config import Config, load_config
from tempseg.decisions import KeyframeReason
from tempseg.protocols import FrameSource
from tempseg.runners.local import stream
from tempseg.runners.timing import StageTimes
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


def decisions(source: FrameSource, config: Config) -> Iterator[PlannedFrame]:
    """Yield every frame of a source with the decision on it; the source is closed behind them.

    The engine itself decides, on its own motion; in the segmenter's place stands one that knows
    of nothing, and what would be carried from it is thrown away.

    Raises
    ------
    SourceError
        When the source turns out to hold no frame, or stops being readable.
    """
    # Nothing is looked up: the decisions are all that is wanted.
    without: dict[str, object] = {"refine.smoothing": 0.0, "refine.matching": False}
    engine = build_engine(load_config(overrides=config.set_keys() | without), _Placeholder())
    times = StageTimes()
    with stream(source, engine, times=times) as results:
        for result in results:
            # Nobody wants to know, and the video may be long.
            times.take(result.frame.index)
            yield PlannedFrame(result.frame.index, result.frame.time_s, result.reason)


class _Placeholder:
    """Stands where a segmenter would, for decisions that need none: every pixel is void."""

    info = SegmenterInfo("placeholder", "placeholder", class_set("binary"))

    def segment(self, frame: Frame) -> Prediction:
        return Prediction(Placement.stretch(GRID, frame.size), labels=np.full(GRID, 255, np.uint8))
