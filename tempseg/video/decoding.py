"""Good frames out of files that may not be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import av
from av import VideoFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from tempseg.errors import SourceError
from tempseg.video.container import (
    demuxed,
    guesses_times,
    is_cut_short,
    may_restart,
    open_input,
    tells_decoding_times,
)
from tempseg.video.fields import FieldPairs
from tempseg.video.reorder import in_order

__all__ = ["PtsRange", "VideoDecoder"]

# A fixed number within a frame, never several frames at once: with frame threads, a damaged file
# decodes to other pixels on every number of cores, and a bad packet among the last ones takes
# good frames behind it along. Where a core is idle this costs about 0.4 ms a 1280×720 frame (1.5
# against 1.1, 1.9 against 1.5).
_THREADS = 4
# On more than one, FFmpeg's H.264 decoder leaves damage unconcealed: half of the damaged packets
# pass for good (59 of 120 told, on one thread 112), and what is missing shows whatever the memory
# held before (27 of 30 damaged files; on one thread none). Whole files decode as fast on one: their
# pictures are one slice. In damaged HEVC and MPEG-2 the threads run a race; on one, a 1280×720
# frame takes 1.1 ms (0.9) and 0.9 ms (0.6).
_THREADS_BY_CODEC = {"h264": 1, "hevc": 1, "mpeg1video": 1, "mpeg2video": 1}
# Decoders that conceal all that is missing, or give no frame. With the others it shows whatever the
# memory held before, which depends on how long somebody keeps the frames: they are copied at once,
# so that nobody keeps the decoder's own. Costs 0.1 ms a 1280×720 frame.
_CONCEALING = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4", "vp9", "libdav1d"})
# Decoders that say nothing of what is missing unless they are told to give up for it. What they
# give up is decoded anew, leniently, so that it is shown as players do. Of damaged MJPEG frames 28
# of 69 are found so, and no healthy one; ProRes and VP8 tell of none in any case.
_GIVEN_UP = frozenset({"mjpeg"})
# How much further back to look when a seek lands behind the wanted frame.
_SEEK_MARGINS_S = (0, 10)


@dataclass(frozen=True, slots=True)
class PtsRange:
    """Timestamps from `start` on and before `end`, either open."""

    start: int | None = None
    end: int | None = None

    def __contains__(self, pts: int | None) -> bool:
        if pts is None:
            return True
        return (self.start is None or pts >= self.start) and (self.end is None or pts < self.end)


class VideoDecoder:
    """The frames of a file's video that decode, in presentation order.

    Of several streams it is the one that players show.

    Packets that do not decode are passed over; frames that the decoder flags as corrupt come as it
    has concealed them. Both are counted in `damaged`, when they lie in `counted`.

    Parameters
    ----------
    path : str

    Raises
    ------
    SourceError
        When the file cannot be opened or has no video stream.
    """

    def __init__(self, path: str) -> None:
        self.damaged = 0
        self.counted = PtsRange()
        self._path = path
        # Where the first packet since the last seek lies in the file.
        self._landed: int | None = None
        self._container, self.stream = _open_stream(path)
        self._cut_short = is_cut_short(self._container, path)
        self._lenient: tuple[InputContainer, VideoStream] | None = None

    @property
    def duration_s(self) -> float | None:
        """Length of the stream, where the container tells."""
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        if self._container.duration:
            return self._container.duration / av.time_base
        return None

    @property
    def seeks(self) -> bool:
        """Whether frames are sought; else all before them are read, to give them their times."""
        return not guesses_times(self._container)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._container.close()
        if self._lenient is not None:
            self._lenient[0].close()

    def frames_from(self, pts: int, *, first_pass: bool = False) -> Iterator[VideoFrame]:
        """Return frames of which one of the first is at or before `pts`, or all of them.

        Where a clock may start again a time may be reached twice: `first_pass` sees to it that
        what is read is not of a later pass.
        """
        assert self.stream.time_base is not None
        limit = self._reached_at(pts) if first_pass and self.seeks else None
        for margin_s in _SEEK_MARGINS_S if self.seeks else ():
            self.damaged = 0
            back = pts - int(margin_s / self.stream.time_base)
            self._landed = None
            try:
                self._container.seek(back, stream=self.stream)
            except av.error.FFmpegError:
                break
            frames = self.frames()
            head = next(frames, None)
            found = head is not None and head.pts is not None and head.pts <= pts
            if head is not None and found and self._landed_by(limit):
                return chain((head,), frames)
        self._container.close()
        self._container, self.stream = _open_stream(self._path)
        self.damaged = 0
        return self.frames()

    def frames(self) -> Iterator[VideoFrame]:
        """Return the frames from here on."""
        decoded = self._decoded()
        return in_order(decoded) if tells_decoding_times(self._container) else decoded

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError:
                self._note_damage(packet.pts)
                frames = self._decoded_leniently(packet)
            for frame in frames:
                # What the decoder has concealed is shown, as players do: dropping it would put
                # masks out of step with every other reader of the file.
                if frame.is_corrupt:
                    self._note_damage(frame.pts)
                if self.stream.codec_context.name not in _CONCEALING:
                    _move_out(frame)
                yield frame

    def _decoded_leniently(self, packet: Packet[Any]) -> list[VideoFrame]:
        """Return what is left of a packet that a decoder has given up; mostly nothing."""
        if self.stream.codec_context.name not in _GIVEN_UP:
            return []
        if self._lenient is None:
            self._lenient = _open_stream(self._path, strict=False)
        with suppress(av.error.FFmpegError):
            return self._lenient[1].codec_context.decode(packet)
        return []

    def packets_from(self, pts: int | None) -> Iterator[Packet[Any]]:
        """Yield packets, the sound's too, from the seek point before a time or the start.

        From the start too where a clock may start again: a seek might miss the first pass.
        """
        if pts is not None and not may_restart(self._container):
            try:
                self._container.seek(pts, stream=self.stream)
            except av.error.FFmpegError:
                self._container.close()
                self._container, self.stream = _open_stream(self._path)
        for packet in self._packets(*self._container.streams.audio):
            if packet.size:
                yield packet

    def frames_before(self, pts: int) -> int:
        """Return how many frames are presented before a time, by the packets, read anew."""
        with closing(VideoDecoder(self._path)) as anew:
            fields = FieldPairs(anew.stream.codec_context)
            return sum(
                packet.size > 0
                and not fields.completes(packet)
                and packet.pts is not None
                and packet.pts < pts
                for packet in anew._packets()
            )

    def _reached_at(self, pts: int) -> int | None:
        """Return the place in the file where a time is first reached; -1 where it is not in order.

        None where clocks do not start again, so that nobody needs to look.
        """
        if not may_restart(self._container):
            return None
        last: int | None = None
        with closing(VideoDecoder(self._path)) as anew:
            for packet in anew._packets():
                if packet.dts is None or packet.pts is None or packet.pos is None:
                    continue
                if last is not None and packet.dts < last:
                    return -1
                if packet.pts >= pts:
                    return packet.pos
                last = packet.dts
        return -1

    def _landed_by(self, limit: int | None) -> bool:
        return limit is None or (self._landed is not None and self._landed <= limit)

    def _packets(self, *others: AudioStream) -> Iterator[Packet[Any]]:
        failures = 0
        while True:
            try:
                for packet in demuxed(self._container, (self.stream, *others)):
                    failures = 0
                    if self._landed is None:
                        self._landed = packet.pos
                    yield packet
            except av.error.InvalidDataError:
                # Some demuxers find their way again after a damaged stretch; one that fails
                # twice running does not.
                failures += 1
                self._note_damage(None)
                if failures > 1:
                    return
            except av.error.OSError as error:
                raise SourceError(
                    f"{self._path}: reading stopped ({error.strerror}); check the disk or copy "
                    "the file and try again"
                ) from error
            else:
                if self._cut_short:
                    self._note_damage(None)
                return

    def _note_damage(self, pts: int | None) -> None:
        if pts in self.counted:
            self.damaged += 1


def _move_out(frame: VideoFrame) -> None:
    """Give a frame memory of its own."""
    # What is shared is copied when it is made writable; a second owner sees to that. Palettes and
    # the like have no such owner, and stay.
    with suppress(NotImplementedError):
        shared = frame.planes[0].__dlpack__()
        frame.make_writable()
        del shared


def _open_stream(path: str, *, strict: bool = True) -> tuple[InputContainer, VideoStream]:
    container = _open(path)
    try:
        stream = _shown_video_stream(container, path)
    except SourceError:
        container.close()
        raise
    stream.thread_type = "SLICE"
    context = stream.codec_context
    context.thread_count = _THREADS_BY_CODEC.get(context.name, _THREADS)
    if strict and context.name in _GIVEN_UP:
        context.options = {"err_detect": "explode"}
    return container, stream


def _open(path: str) -> InputContainer:
    try:
        return open_input(path)
    except av.error.PermissionError as error:
        raise SourceError(f"{path}: no permission to read it; change its permissions") from error
    except av.error.FFmpegError as error:
        raise SourceError(
            f"{path}: not a video that FFmpeg can read ({error.strerror}); "
            "check that the file is complete, or convert it"
        ) from error


def _shown_video_stream(container: InputContainer, path: str) -> VideoStream:
    """Return the stream that players show: the default one, or no still, or that of most bits."""
    videos = container.streams.video
    moving = [s for s in videos if Disposition.attached_pic not in s.disposition]
    if moving:
        best = container.streams.best("video")
        stream = best if isinstance(best, VideoStream) and best in moving else moving[0]
        if stream.codec_context is None or stream.time_base is None:
            raise SourceError(f"{path}: FFmpeg has no decoder for its video; convert it to H.264")
        return stream
    kinds = sorted({"cover picture" if s in videos else s.type for s in container.streams})
    held = f"no video stream in it, only {', '.join(kinds)}" if kinds else "no streams in it at all"
    raise SourceError(f"{path}: {held}; give a file with a picture")
