"""A run as a list of chunks: what each holds follows from the source and the config alone."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from fractions import Fraction

from tempseg.build import build_source
from tempseg.config import Config
from tempseg.decisions import KeyframeReason, Verdict
from tempseg.errors import SourceError
from tempseg.forced import Forced
from tempseg.types import ColourTags, VideoInfo
from tempseg.video import FramePart, Survey, VideoSource, survey

__all__ = [
    *("Chunk", "ChunkPlan", "SourceChangedError", "SourceState"),
    *("cut", "plan_run", "seam_reason"),
]

_log = logging.getLogger(__name__)

LEAST_SHARE = 0.5
"""The last chunk lasts at least this share of the others; what is less joins the one before."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a run that is worked on alone.

    It begins with a keyframe, and reads on to the first frame of the next, which closes it: that
    frame's labels are the next chunk's.

    Parameters
    ----------
    number : int
        From 0.
    part : FramePart
    frames : int
        How many are expected.
    """

    number: int
    part: FramePart
    frames: int

    def seams(self, time_base: Fraction) -> Forced:
        """Return the frames that are keyframes for its sake: its first, and the one that closes it.

        The run's first frame is the policy's to decide on, as in a run of one chunk. Told by their
        times, which stay where a frame before them cannot be decoded.
        """
        seams = (self.part.begin if self.number else None, self.part.end)
        return Forced(times_s=tuple(float(pts * time_base) for pts in seams if pts is not None))

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"{self.number:05d}"


def seam_reason(
    reason: KeyframeReason | None, verdict: Verdict | None, *, forced: bool
) -> KeyframeReason:
    """Return why the first frame of a chunk is a keyframe, from how it closed the one before.

    Parameters
    ----------
    reason : KeyframeReason or None
        That it had there.
    verdict : Verdict or None
        What the policy said there.
    forced : bool
        Whether the config names it.
    """
    if forced:
        return KeyframeReason.FORCED
    if reason not in (KeyframeReason.SCENE_CUT, KeyframeReason.FIRST):
        # What the policy would have said, had it not been told.
        reason = verdict.reason if verdict is not None else None
    return reason or KeyframeReason.CHUNK


class SourceChangedError(SourceError):
    """A source is no longer what the run began with: there is nothing to go on with."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """A file's size and date, which tell whether it stays what it was.

    Parameters
    ----------
    path : str
        Empty where the source is no single file.
    bytes, modified_ns : int
    """

    path: str = ""
    bytes: int = 0
    modified_ns: int = 0

    @classmethod
    def of(cls, path: str) -> SourceState:
        """Return the state of a file.

        Raises
        ------
        SourceError
            When it is gone.
        """
        try:
            found = os.stat(path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be found any more ({error.strerror})") from error
        return cls(path, found.st_size, found.st_mtime_ns)

    def check(self) -> None:
        """Raise a SourceError when the file is another by now, or gone."""
        if self.path and SourceState.of(self.path) != self:
            raise SourceChangedError(
                f"{self.path}: has changed while it was read; run it from the start, with "
                "--overwrite"
            )


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """All that a chunk needs to know of its run; can be pickled.

    Parameters
    ----------
    source : str
        As the user named it.
    config : Config
    video : VideoInfo
        Of the whole run, with the number of frames expected.
    colour : ColourTags
        Of the first frame; the overlay keeps to them.
    first_pts : int
        Time of the first frame.
    first_mask : int
        Frames of the source before the run, where masks are matched by order.
    chunks : tuple of Chunk
    digest : str
        Hash of the source's packets.
    bytes : int
        Their size.
    state : SourceState
    renumbers : bool
        Whether a frame that is lost to damage moves the numbers of those after it.
    """

    source: str
    config: Config
    video: VideoInfo
    colour: ColourTags
    first_pts: int
    first_mask: int
    chunks: tuple[Chunk, ...]
    digest: str
    bytes: int
    state: SourceState
    renumbers: bool

    def in_one(self) -> ChunkPlan:
        """Return the plan without cuts."""
        whole = Chunk(0, FramePart(), sum(chunk.frames for chunk in self.chunks))
        return replace(self, chunks=(whole,))


def plan_run(source: str, config: Config) -> ChunkPlan:
    """Return the chunks of a source, whose packets are read and which is not decoded.

    Raises
    ------
    SourceError
        When there is nothing to read.
    """
    frames = build_source(source, config)
    try:
        video = frames.info
        state = SourceState.of(video.media_path) if video.media_path else SourceState()
        # The survey first: reading closes the source.
        found = survey(frames, apart_s=config.run.chunk_s)
        masks = (config.segmenter.model or "").startswith("masks:")
        first_mask = frames.count_before() if masks and config.source.start is not None else 0
        first = next(iter(frames))
    finally:
        frames.close()
    if found.doubt:
        _log.info("%s: is run in one chunk: %s", source, found.doubt)
    return ChunkPlan(
        source=source,
        config=config,
        video=replace(video, frame_count=found.frames or video.frame_count),
        colour=first.picture.yuv420().colour,
        first_pts=first.pts,
        first_mask=first_mask,
        chunks=cut(found, least=LEAST_SHARE * config.run.chunk_s * float(video.frame_rate)),
        digest=found.digest,
        bytes=found.bytes_read,
        state=state,
        renumbers=isinstance(frames, VideoSource),
    )


def cut(found: Survey, *, least: float) -> tuple[Chunk, ...]:
    """Return chunks that begin at a survey's points; the last one holds `least` frames or more.

    Examples
    --------
    >>> from tempseg.video import SeekPoint
    >>> points = (SeekPoint(pts=500, before=50), SeekPoint(pts=980, before=98))
    >>> [c.frames for c in cut(Survey(points, frames=100, digest="", bytes_read=0), least=25)]
    [50, 50]
    """
    points = [point for point in found.points if point.before > 0]
    while points and found.frames - points[-1].before < max(1, least):
        points.pop()
    begins = [None, *(point.pts for point in points)]
    ends = [*(point.pts for point in points), None]
    before = [0, *(point.before for point in points)]
    after = [*before[1:], found.frames]
    return tuple(
        Chunk(number, FramePart(begin, end, first), last - first)
        for number, (begin, end, first, last) in enumerate(
            zip(begins, ends, before, after, strict=True)
        )
    )
