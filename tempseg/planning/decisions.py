"""Where keyframes fall, found without a segmenter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tempseg.build import build_engine
from tempseg.class_sets import class_set
from tempseg.config import Config, load_config
from tempseg.protocols import FrameSource
from tempseg.runners.local import stream
from tempseg.runners.timing import StageTimes
from tempseg.types import Frame, KeyframeReason, Placement, Prediction, SegmenterInfo

__all__ = ["Decided", "decided_by_motion", "decisions"]

BY_MOTION = frozenset({"every", "interval", "adaptive"})
"""Policies that decide by age and motion alone, so that nothing a segmenter says changes them."""

GRID = (8, 8)


@dataclass(frozen=True, slots=True)
class Decided:
    """A frame, and why it would be a keyframe; none where it would not."""

    index: int
    time_s: float
    reason: KeyframeReason | None


def decided_by_motion(config: Config) -> bool:
    """Tell whether a run takes exactly the keyframes that `decisions` gives."""
    return config.keyframe.policy in BY_MOTION


def decisions(source: FrameSource, config: Config) -> Iterator[Decided]:
    """Yield every frame of a source with the decision on it; the source is closed behind them.

    The engine itself decides, on its own motion; in the segmenter's place stands one that knows
    of nothing, and what would be carried from it is thrown away.

    Raises
    ------
    SourceError
        When the source turns out to hold no frame, or stops being readable.
    """
    # Nothing is held back or looked up: a decision is taken when its frame comes in.
    without: dict[str, object] = {
        "propagate.lookahead": 0,
        "refine.smoothing": 0.0,
        "refine.matching": False,
    }
    engine = build_engine(load_config(overrides=config.set_keys() | without), _Placeholder())
    with stream(source, engine, times=StageTimes()) as results:
        for result in results:
            yield Decided(result.frame.index, result.frame.time_s, result.reason)


class _Placeholder:
    """Stands where a segmenter would, for decisions that need none: every pixel is void."""

    info = SegmenterInfo("placeholder", "placeholder", class_set("binary"))

    def segment(self, frame: Frame) -> Prediction:
        return Prediction(Placement.stretch(GRID, frame.size), labels=np.full(GRID, 255, np.uint8))
