"""The engine itself, on a recording and a model's known answers."""

from __future__ import annotations

from collections.abc import Iterator

from tempseg.build import build_engine
from tempseg.config import Config
from tempseg.protocols import Segmenter, StageTimer
from tempseg.tuning.recording import Recording
from tempseg.types import FrameResult

__all__ = ["Keyframes", "replay"]

Keyframes = tuple[tuple[int, str], ...]
"""Place and reason of each keyframe of a recording, in order."""


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
    config = recording.placed(config)
    engine = build_engine(config, segmenter, flow=recording.flow(), timer=timer)
    yield from engine.results(recording.frames(first=first))
