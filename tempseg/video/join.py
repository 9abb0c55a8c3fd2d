"""Videos of one kind made into one, packet by packet, without decoding."""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from tempseg.errors import OutputError
from tempseg.video.audio import AudioTracks
from tempseg.video.encode import Writer, mp4_options

__all__ = ["LabelJoiner", "OverlayJoiner", "VideoJoiner"]


class VideoJoiner(Writer):
    """Joins the first streams of video files, each with a time of its own for its first frame.

    Parameters
    ----------
    path : str
    container_format : str
    options : dict of str to str
        The container's.
    audio : AudioTracks, optional
        The sound to carry along.
    shift_s : Fraction
        What is taken off all times, the sound's included.

    Raises
    ------
    OutputError
        When a file cannot be written, or those to be joined do not fit together; also from `add`
        and `close`.
    """

    def __init__(
        self,
        path: str,
        container_format: str,
        options: dict[str, str],
        *,
        audio: AudioTracks | None = None,
        shift_s: Fraction = Fraction(0),
    ) -> None:
        super().__init__(path, container_format, options)
        self._audio = audio
        self._shift = shift_s
        self._stream: VideoStream | None = None
        self._extradata: bytes | None = None
        # Presentation times that no decoding time has been taken from yet, and how many may wait:
        # a packet is decoded when that many frames before it in time are still to be shown.
        self._waiting: list[int] = []
        self._reordered = 0
        self._last_dts: int | None = None

    def add(self, path: str, *, first_s: Fraction, moved_s: Sequence[Fraction] = ()) -> None:
        """Append a file whose first frame is shown at a time of the source's.

        `moved_s` says how far its frames were moved since each restart of the source's clock.
        """
        if self._audio is not None:
            self._audio.follow(moved_s)
        try:
            with av.open(os.path.abspath(path), "r") as source:
                self._append(source, path, first_s)
        except (av.error.FFmpegError, IndexError) as error:
            raise OutputError(f"{path}: cannot be read back ({error})") from error

    def close(self) -> None:
        """Complete the file with the rest of the sound; safe to call twice."""
        if self._closed:
            return
        if self._audio is not None and self._stream is not None:
            with self._writing():
                self._audio.finish()
        self._closed = True
        self._finish()

    def abandon(self) -> None:
        """Close what there is, so that it can be played, without the sound that is to come."""
        if self._audio is not None:
            self._audio.close()
        super().abandon()

    def _append(self, source: InputContainer, path: str, first_s: Fraction) -> None:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        if self._stream is None:
            self._begin(stream)
        elif stream.codec_context.extradata != self._extradata:
            raise OutputError(
                f"{path}: was encoded otherwise than the part before; run again with --overwrite"
            )
        assert self._stream is not None
        base = stream.time_base
        wanted = _nearest((first_s - self._shift) / base)
        offset: int | None = None
        for packet in source.demux(stream):
            if not packet.size:
                continue
            if packet.pts is None:
                raise OutputError(f"{path}: a packet has no time; run again with --overwrite")
            if offset is None:
                # Each begins with the frame that is shown first.
                offset = wanted - packet.pts
            self._mux(packet, offset)

    def _begin(self, stream: VideoStream) -> None:
        self._extradata = stream.codec_context.extradata
        # The context tells whether, not how many; x264 holds two back at most.
        self._reordered = 2 if stream.codec_context.has_b_frames else 0
        with self._writing():
            self._stream = self._container.add_stream_from_template(stream)
            if self._audio is not None:
                self._audio.attach(self._container, shift_s=self._shift)
            self._container.start_encoding()

    def _mux(self, packet: Packet[VideoStream], offset: int) -> None:
        assert packet.pts is not None
        assert self._stream is not None
        packet.pts += offset
        heapq.heappush(self._waiting, packet.pts)
        if len(self._waiting) > self._reordered:
            packet.dts = heapq.heappop(self._waiting)
        else:
            # Before the first time, as far as frames are held back.
            ahead = self._reordered + 1 - len(self._waiting)
            packet.dts = self._waiting[0] - ahead * max(1, packet.duration or 1)
        if self._reordered and self._last_dts is not None and packet.dts <= self._last_dts:
            # What is not reordered may have frames of one time, where that is counted coarsely.
            packet.dts = self._last_dts + 1
        if self._last_dts is not None:
            self._check_step(packet.dts - self._last_dts, packet.time_base)
        self._last_dts = packet.dts
        time_s = packet.pts * packet.time_base
        packet.stream = self._stream
        with self._writing():
            self._container.mux(packet)
            if self._audio is not None:
                self._audio.advance(time_s)


class LabelJoiner(VideoJoiner):
    """Joins label videos as `LabelEncoder` writes them."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "matroska", {})


class OverlayJoiner(VideoJoiner):
    """Joins overlays as `OverlayEncoder` writes them, and adds the sound.

    Parameters
    ----------
    path : str
    time_base : Fraction
        The source's.
    audio : AudioTracks, optional
    shift_s : Fraction
        The time that becomes zero.
    """

    def __init__(
        self,
        path: str,
        *,
        time_base: Fraction,
        audio: AudioTracks | None = None,
        shift_s: Fraction = Fraction(0),
    ) -> None:
        super().__init__(path, "mp4", mp4_options(time_base), audio=audio, shift_s=shift_s)


def _nearest(value: Fraction) -> int:
    """Return the nearest integer, halves away from zero, as FFmpeg rounds."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole
