"""Frames out of video files, and the choice of what reads a source."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterator
from fractions import Fraction

from av import VideoFrame

from tempseg.errors import EmptyPartError, SourceError
from tempseg.protocols import FrameSource
from tempseg.types import Frame, VideoInfo
from tempseg.video.container import is_address
from tempseg.video.decoding import PtsRange, VideoDecoder
from tempseg.video.part import FramePart
from tempseg.video.picture import DecodedPicture, is_mirrored
from tempseg.video.timecode import first_tick, parse_time
from tempseg.video.timeline import Timeline

__all__ = ["VideoSource", "open_source"]

_log = logging.getLogger(__name__)

_FALLBACK_RATE = Fraction(25)
# Above this FFmpeg has taken the time base for a rate.
_HIGHEST_RATE = 960
# How FFmpeg has numbered images written.
_COUNTER = re.compile(r"%0?\d*d")


def open_source(
    spec: str,
    *,
    start: str | float | None = None,
    end: str | float | None = None,
    frame_rate: Fraction | float = 25,
    part: FramePart | None = None,
) -> FrameSource:
    """Return the frames of a video file, a folder of images or a glob of images.

    Parameters
    ----------
    spec : str
        Path of a file or folder, or a pattern such as `shots/*.png`. Images come in the order of
        their names, numbers by value: `img2` before `img10`.
    start, end : str or float, optional
        The part wanted, `start <= time < end`: seconds, `MM:SS`, `HH:MM:SS(.fff)` or
        `HH:MM:SS:FF`, counted from the first frame.
    frame_rate : Fraction or float
        Images a second; for images only.
    part : FramePart, optional
        A stretch within the part wanted.

    Raises
    ------
    SourceError
        When there is nothing to read, naming the path and what to do.
    """
    if os.path.isfile(spec):
        return VideoSource(spec, start=start, end=end, part=part)
    if os.path.isdir(spec) or (glob.has_magic(spec) and not is_address(spec)):
        # Importing OpenCV takes 0.1 s that video files need not pay.
        from tempseg.video.images import ImageSource

        return ImageSource(spec, start=start, end=end, frame_rate=frame_rate, part=part)
    if spec == "-" or os.path.exists(spec):
        raise SourceError(
            f"{spec}: a pipe or a device, and a video is read more than once; "
            "save it to a file and give that"
        )
    if is_address(spec):
        raise SourceError(
            f"{spec}: an address, and only files, folders and globs are read; "
            "save the video to a file and give that"
        )
    if _COUNTER.search(spec):
        pattern = _COUNTER.sub("*", spec)
        raise SourceError(f"{spec}: no such file; give numbered images as a glob, '{pattern}'")
    raise SourceError(f"{spec}: no such file or folder; check the path")


class VideoSource:
    """The upright frames of a video file, with their exact presentation times.

    Times are the stream's own: a non-zero start and a variable rate stay. Missing, repeated and
    unordered timestamps are repaired as `Timeline` says, the others kept. Packets
    that do not decode are skipped; frames that the decoder flags as corrupt come as it has
    concealed them. Both are counted, and warned of once. A frame of another size than the first
    is scaled to it.

    `start` and `end` are counted from the first frame's presentation time, whatever that is:
    0 is always the first frame. The part is exact to the frame. Within a part, `Frame.pts` keep
    the stream's times and `Frame.index` counts from 0.

    The first frame is decoded at opening, so everything that is wrong with the file or the part
    is found then. At most two decoded frames are held; of an AVI, which does not tell when they
    are shown, up to 16 more.

    Parameters
    ----------
    path : str
    start, end : str or float, optional
        As for `open_source`.
    part : FramePart, optional
        A stretch within that; `info` stays that of the whole.

    Raises
    ------
    SourceError
        When the file cannot be read, has no video stream, no frame decodes, or none lies in the
        part.
    """

    def __init__(
        self,
        path: str,
        *,
        start: str | float | None = None,
        end: str | float | None = None,
        part: FramePart | None = None,
    ) -> None:
        self._path = path
        self._part = part or FramePart()
        self._warned = False
        self._read = False
        self._decoder = VideoDecoder(path)
        try:
            self._open(start, end)
        except BaseException:
            self._decoder.close()
            raise

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        return self._info

    @property
    def damaged(self) -> int:
        """Corrupt packets and frames met so far."""
        return self._decoder.damaged

    @property
    def restarts(self) -> tuple[int, ...]:
        """How far times are moved, in ticks, since each restart of the clock met so far."""
        return self._timeline.restarts

    @property
    def range(self) -> PtsRange:
        """The times that are read."""
        return self._range

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames, once; the file is closed behind the last one or when abandoned."""
        if self._read:
            raise SourceError(f"{self._path}: a source is read once; open it again")
        self._read = True
        return self._frames()

    def count_before(self) -> int:
        """Return how many frames lie before the part, by their packets; nothing is decoded."""
        return 0 if self._range.start is None else self._decoder.frames_before(self._range.start)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._decoder.close()

    def _open(self, start: str | float | None, end: str | float | None) -> None:
        stream = self._decoder.stream
        assert stream.time_base is not None
        self._time_base = stream.time_base
        rate = stream.average_rate or stream.guessed_rate
        if rate is None or not 0 < rate <= _HIGHEST_RATE:
            rate = _FALLBACK_RATE
        self._step = max(1, round(1 / (rate * self._time_base)))
        start_s = None if start is None else parse_time(start, frame_rate=rate, name="start")
        end_s = None if end is None else parse_time(end, frame_rate=rate, name="end")
        if end_s is not None and end_s <= (start_s or 0):
            raise SourceError(f"{self._path}: end {end!r} is not after start {start or 0!r}")

        decoded = self._decoder.frames()
        first = next(decoded, None)
        if first is None:
            raise SourceError(
                f"{self._path}: no frame of its video could be decoded; "
                "check that the file is complete, or convert it"
            )
        self._width, self._height = first.width, first.height
        self._turns = round(first.rotation / 90) % 4
        self._mirrored = is_mirrored(first)
        origin = first.pts if first.pts is not None else (stream.start_time or 0)
        self._range = PtsRange(
            None if start_s is None else origin + first_tick(start_s, self._time_base),
            None if end_s is None else origin + first_tick(end_s, self._time_base),
        )
        part = self._part
        begins_later = start_s is not None and start_s > 0
        if part.begin is not None:
            self._range = PtsRange(part.begin, self._range.end)
            begins_later = True
        if part.end is not None:
            self._range = PtsRange(self._range.start, part.end)
        self._decoder.counted = self._range
        if begins_later and self._range.start is not None:
            # Whatever was damaged on the way to the first frame lies before the part.
            self._decoder.damaged = 0
            # A chunk's beginning was surveyed, and is held against the chunk before it.
            decoded = self._decoder.frames_from(self._range.start, first_pass=part.begin is None)
            head = next(decoded, None)
        else:
            head = first
        self._timeline = Timeline(self._step, first=origin)
        self._timed = self._placed(head, decoded)
        self._ahead = next(self._timed, None)
        if self._ahead is None:
            length = self._decoder.duration_s
            told = "" if length is None else f" (it lasts about {length:.3f} s)"
            raise EmptyPartError(
                f"{self._path}: no frame between start {start or 0!r} and end "
                f"{'of the file' if end is None else repr(end)}{told}; choose another part"
            )
        picture = self._picture(first)
        try:
            # Before anything is begun: no frame could be shown to a model.
            picture.rgb()
        except SourceError as error:
            raise SourceError(f"{self._path}: {error}") from error
        height, width = picture.size
        self._info = VideoInfo(
            name=self._path,
            width=width,
            height=height,
            time_base=self._time_base,
            frame_rate=rate,
            frame_count=self._expected_count(rate, start_s, end_s),
            media_path=self._path,
            start_s=None if start_s is None else float(start_s),
            end_s=None if end_s is None else float(end_s),
            pixel_aspect=self._pixel_aspect(),
            origin_s=origin * self._time_base,
        )

    def _pixel_aspect(self) -> Fraction:
        # Zero, or none, where nothing is known.
        told = self._decoder.stream.sample_aspect_ratio or Fraction(1)
        return 1 / told if self._turns % 2 else told

    def _expected_count(
        self, rate: Fraction, start_s: Fraction | None, end_s: Fraction | None
    ) -> int | None:
        length_s = self._decoder.duration_s
        if start_s is None and end_s is None and self._decoder.stream.frames > 0:
            return self._decoder.stream.frames
        ends = [float(s) for s in (length_s, end_s) if s is not None]
        if not ends:
            return None
        return max(1, round((min(ends) - float(start_s or 0)) * rate))

    def _placed(
        self, head: VideoFrame | None, decoded: Iterator[VideoFrame]
    ) -> Iterator[tuple[VideoFrame, int]]:
        while head is not None:
            following = next(decoded, None)
            pts = self._timeline.place(
                head.pts,
                # One of two fields may tell the duration of one.
                duration=0 if head.interlaced_frame else head.duration or 0,
                following=None if following is None else following.pts,
            )
            if self._range.end is not None and pts >= self._range.end:
                if self._part.end is not None:
                    yield head, pts
                return
            if pts in self._range:
                yield head, pts
            head = following

    def _frames(self) -> Iterator[Frame]:
        try:
            index = self._part.first_index
            while self._ahead is not None:
                frame, pts = self._ahead
                yield Frame(index, pts, self._time_base, self._picture(frame))
                # Only to who reads on: a run opens its source for the first frame alone, too.
                self._warn_of_damage(pts)
                index += 1
                self._ahead = next(self._timed, None)
            self._warn_of_damage(pts)
        finally:
            self._decoder.close()

    def _picture(self, frame: VideoFrame) -> DecodedPicture:
        if (frame.width, frame.height) != (self._width, self._height):
            frame = frame.reformat(width=self._width, height=self._height, threads=1)
        return DecodedPicture(frame, quarter_turns=self._turns, mirrored=self._mirrored)

    def _warn_of_damage(self, pts: int) -> None:
        if self.damaged and not self._warned:
            self._warned = True
            _log.warning(
                "%s: damaged at about %.2f s; what does not decode is skipped, the rest keeps "
                "its times",
                self._path,
                float(pts * self._time_base),
            )
