"""The engine itself, on a recording and a model's known answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tempseg.build import build_engine
from tempseg.config import Config, load_config
from tempseg.motion import Step
from tempseg.protocols import Segmenter, StageTimer
from tempseg.tuning.recording import Recording
from tempseg.types import Frame, FrameResult, KeyframeReason, Placement, Prediction, SegmenterInfo

__all__ = ["Keyframes", "decide", "is_cut", "keyframes_of", "replay"]

Keyframes = tuple[tuple[int, str], ...]
"""Place and reason of each keyframe of a recording, in order."""

_SCENERY = {
    "propagate.keyframes_per_side": 1,
    "propagate.lookahead": 0,
    "refine.smoothing": 0.0,
    "refine.matching": False,
    "refine.void_unexplained": False,
}
"""What makes carrying cheap and has no say in when the network runs."""


def replay(
    recording: Recording,
    config: Config,
    segmenter: Segmenter,
    *,
    first: int | None = None,
    timer: StageTimer | None = None,
) -> Iterator[FrameResult]:
    """Yield what a run of this config gives, frame by frame.

    Parameters
    ----------
    recording : Recording
    config : Config
        Its `flow` and `source` are those of the recording.
    segmenter : Segmenter
        Knows the answers; RGB there is none.
    first : int, optional
        Frames of the recording that are replayed, from its first on; all by default.
    timer : StageTimer, optional
    """
    engine = build_engine(config, segmenter, flow=recording.flow(), timer=timer)
    steps: Iterator[Step] = engine.steps(recording.frames(first=first))
    for step, answer in engine.answered(steps):
        yield from engine.advance(step, answer)
    yield from engine.flush()


class _Mute:
    """A segmenter that answers with nothing, for whoever only wants to know when it is asked."""

    def __init__(self, info: SegmenterInfo) -> None:
        self.info = info

    def segment(self, frame: Frame) -> Prediction:
        return Prediction(Placement.stretch((2, 2), frame.size), labels=np.zeros((2, 2), np.uint8))


def decide(recording: Recording, config: Config, info: SegmenterInfo) -> Keyframes:
    """Return the keyframes that a config takes, without carrying anything.

    For policies that look at the pictures alone; see `tempseg.tuning.space`.
    """
    plain = load_config(overrides=config.set_keys() | _SCENERY)
    return keyframes_of(replay(recording, plain, _Mute(info)))


def keyframes_of(results: Iterator[FrameResult]) -> Keyframes:
    """Return the keyframes among results."""
    return tuple(
        (place, result.reason.value)
        for place, result in enumerate(results)
        if result.reason is not None
    )


def is_cut(reason: str) -> bool:
    """Return whether a keyframe begins a new shot."""
    return reason == KeyframeReason.SCENE_CUT.value

