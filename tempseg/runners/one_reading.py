"""What the chunks of a run give, on frames that are read in one go."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from tempseg.forced import Forced
from tempseg.runners.chunks import Chunk, seam_reason
from tempseg.schedule import Decision
from tempseg.types import Frame, FrameResult

__all__ = ["chunk_by_chunk"]

Told = TypeVar("Told", Decision, FrameResult)


def chunk_by_chunk(
    frames: Iterator[Frame],
    chunks: Sequence[Chunk],
    work: Callable[[Chunk, Iterator[Frame]], Generator[Told, None, None]],
    *,
    named: Forced,
) -> Generator[tuple[Told, bool], None, None]:
    """Yield what a run tells of each frame, and whether it closed one chunk and begins the next.

    Of such a frame reason, evidence and verdict are those that the chunk before it saw, as in
    `frames.csv`; shots are counted through all chunks.

    Parameters
    ----------
    frames : iterator of Frame
        Of all chunks.
    chunks : sequence of Chunk
    work : callable
        Given a chunk and its frames with the one that closes it, yields what is told of each.
    named : Forced
        Frames that the config names.
    """
    reading = _Reading(frames)
    last: Frame | None = None
    closed: Told | None = None
    shots = 0
    for chunk in chunks:
        end = chunk.part.end
        with closing(work(chunk, reading.until(end))) as told:
            for one in told:
                if end is not None and one.frame.pts >= end:
                    closed = one
                    continue
                seam = closed is not None
                if closed is not None:
                    shots += closed.shot
                    forced = named.takes(closed.frame, last)
                    one = replace(
                        one,
                        reason=seam_reason(closed.reason, closed.verdict, forced=forced),
                        evidence=closed.evidence,
                        verdict=closed.verdict,
                    )
                    closed = None
                last = one.frame
                yield (replace(one, shot=one.shot + shots) if shots else one), seam


class _Reading:
    """Frames in stretches, each of which ends with the frame that the next begins with."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._held: Frame | None = None

    def until(self, end: int | None) -> Iterator[Frame]:
        """Yield the frames from the last stretch's end up to the first at or after a time."""
        if self._held is not None:
            if end is not None and self._held.pts >= end:
                # Nothing of this stretch could be decoded.
                return
            yield self._held
        for frame in self._frames:
            self._held = frame
            yield frame
            if end is not None and frame.pts >= end:
                return
        # Nothing comes after: what was read last begins no other stretch.
        self._held = None
