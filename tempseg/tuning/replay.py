"""The engine itself, on a recording and a model's known answers."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from tempseg.build import build_engine, forced_frames
from tempseg.config import Config
from tempseg.protocols import Segmenter, StageTimer
from tempseg.runners.chunks import Chunk
from tempseg.runners.one_reading import chunk_by_chunk
from tempseg.tuning.recording import Recording
from tempseg.types import Frame, FrameResult

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
    """Yield what a run of this config gives, frame by frame and chunk by chunk.

    Parameters
    ----------
    recording : Recording
    config : Config
        Its `flow`, `source` and `run.chunk_s` are those of the recording.
    segmenter : Segmenter
        Knows the answers; RGB there is none.
    first : int, optional
        Frames of the recording that are replayed, from its first on; all by default.
    timer : StageTimer, optional
    """
    config = recording.placed(config)
    flow = recording.flow()

    def work(chunk: Chunk, frames: Iterator[Frame]) -> Generator[FrameResult, None, None]:
        forced = chunk.seams(recording.video.time_base)
        engine = build_engine(config, segmenter, flow=flow, timer=timer, forced=forced)
        yield from engine.results(frames)

    named = forced_frames(config)
    for result, _ in chunk_by_chunk(
        recording.frames(first=first), recording.chunks, work, named=named
    ):
        yield result
