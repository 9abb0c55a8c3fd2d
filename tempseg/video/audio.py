"""A source's sound, carried into the overlay."""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags as CodecFlags
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from tempseg.video.container import demuxed, may_restart, open_input

__all__ = ["AudioTracks"]

_log = logging.getLogger(__name__)

# What players take in MP4. FFmpeg would also put PCM and Vorbis there, which few of them read.
_COPIED = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "flac", "alac"})
_AAC_RATES = frozenset(
    (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
)
_FALLBACK_RATE = 48000
# Packets before the part that a decoder needs to be in step at its beginning.
_RUN_UP_S = 1
# Sound ends sooner or later than the pictures, by no more than this.
_NEAR_S = 1


@dataclass(slots=True)
class _Track:
    """One audio stream on its way into the output."""

    source: AudioStream
    output: AudioStream
    resampler: AudioResampler | None
    last_dts: int | None = None
    next_pts: int | None = None
    restarts: int = 0
    """Times that its clock has started again."""
    last_s: Fraction | None = None
    end_s: Fraction | None = None
    """Where its last packet begins and ends, once moved."""
    over: bool = False
    """Whether all that is to come lies after the part."""


class AudioTracks:
    """Every audio stream of a file, for an encoder to mux along with its pictures.

    Packets are copied where MP4 takes their codec and players read it; the rest is encoded to
    AAC, in stereo at most. Undecodable packets are skipped and counted, copied ones go on as
    they are. A stream that cannot be carried at all is left out with a warning; sound never
    fails a run.

    Packets are read no further than the pictures have come, so memory stays bounded.

    Parameters
    ----------
    path : str
        The source.
    start_s, end_s : float or None
        The part, counted from the first video frame as in `VideoInfo`. Of a part, sound begins
        with the first whole packet, at most one packet's duration after the picture.
    origin_s : Fraction
        Time of the first video frame.
    """

    def __init__(
        self,
        path: str,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        origin_s: Fraction = Fraction(0),
    ) -> None:
        self.skipped = 0
        self._path = str(path)
        self._start_s = start_s
        self._end = None if end_s is None else origin_s + Fraction(str(end_s))
        self._shift = Fraction(0)
        self._moved = [Fraction(0)]
        self._tracks: dict[int, _Track] = {}
        self._output: OutputContainer | None = None
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._ahead: Packet[AudioStream] | None = None
        self._container: InputContainer | None = None
        try:
            self._container = open_input(self._path)
        except av.error.FFmpegError as error:
            _log.warning("%s: carried without its sound (%s)", self._path, error.strerror)

    def attach(self, output: OutputContainer, *, shift_s: Fraction = Fraction(0)) -> None:
        """Add a stream to the output for every one that can be carried.

        Parameters
        ----------
        output : av.container.OutputContainer
            Not started yet.
        shift_s : Fraction
            What is taken off all times, the pictures' included.
        """
        if self._container is None:
            return
        self._output = output
        self._shift = shift_s
        for stream in self._container.streams.audio:
            track = self._carry(stream, output)
            if track is not None:
                self._tracks[stream.index] = track
        if self._tracks:
            if self._start_s is not None:
                self._seek(shift_s)
            self._packets = self._read()
            self._ahead = next(self._packets, None)

    def follow(self, moved_s: Sequence[Fraction]) -> None:
        """Take note of how far pictures are moved since each restart of the clock, in seconds.

        Sound is moved as far where its own clock starts again. To be told before the pictures go
        by.
        """
        self._moved += moved_s

    def advance(self, until_s: Fraction) -> None:
        """Mux the sound before a time of the output's."""
        while self._ahead is not None:
            time = _time_of(self._ahead)
            if time is not None and time - self._shift >= until_s:
                return
            self._mux(self._ahead)
            self._ahead = next(self._packets, None)

    def finish(self) -> None:
        """Mux the rest of the sound and close the source."""
        while self._ahead is not None:
            self._mux(self._ahead)
            self._ahead = next(self._packets, None)
        for track in self._tracks.values():
            if track.resampler is not None:
                self._resample(track, None)
                self._encode(track, None)
        if self.skipped:
            _log.warning("%s: %d packets of its sound skipped", self._path, self.skipped)
        self.close()

    def close(self) -> None:
        """Close the source; safe to call twice."""
        self._ahead = None
        self._tracks = {}
        if self._container is not None:
            self._container.close()

    def _carry(self, stream: AudioStream, output: OutputContainer) -> _Track | None:
        if stream.codec_context is None or stream.time_base is None:
            self._leave_out(stream, "FFmpeg has no decoder for it")
            return None
        if stream.codec_context.name in _COPIED and _mp4_takes(self._path, stream):
            copied = output.add_stream_from_template(stream)
            _describe(copied, stream)
            return _Track(stream, copied, None)
        if stream.rate <= 0 or stream.channels <= 0:
            self._leave_out(stream, "its rate and channels are unknown")
            return None
        rate = stream.rate if stream.rate in _AAC_RATES else _FALLBACK_RATE
        layout = "mono" if stream.channels == 1 else "stereo"
        encoded = output.add_stream("aac", rate=rate)
        assert isinstance(encoded, AudioStream)
        encoded.codec_context.layout = layout
        encoded.codec_context.time_base = Fraction(1, rate)
        encoded.codec_context.flags |= CodecFlags.bitexact.value
        _describe(encoded, stream)
        return _Track(stream, encoded, AudioResampler("fltp", layout, rate))

    def _leave_out(self, stream: AudioStream, why: str) -> None:
        _log.warning("%s: sound stream %d is left out: %s", self._path, stream.index, why)

    def _seek(self, begin_s: Fraction) -> None:
        """Go to shortly before a time, unless sound from there on would be lost."""
        assert self._container is not None
        back = int((begin_s - _RUN_UP_S) * av.time_base)
        if back <= (self._container.start_time or 0):
            return
        if len(self._moved) > 1 or may_restart(self._container):
            return
        if _lands_before(self._path, self._tracks, back, begin_s):
            self._container.seek(back)

    def _read(self) -> Iterator[Packet[AudioStream]]:
        assert self._container is not None
        streams = tuple(track.source for track in self._tracks.values())
        try:
            for packet in demuxed(self._container, streams):
                track = self._tracks[packet.stream.index]
                if not packet.size or track.over:
                    continue
                self._move(track, packet)
                # The first one after the part too: a decoder may hold back what lies before it.
                yield packet
                if all(track.over for track in self._tracks.values()):
                    return
        except av.error.FFmpegError as error:
            _log.warning("%s: the rest of its sound is lost (%s)", self._path, error.strerror)

    def _move(self, track: _Track, packet: Packet[AudioStream]) -> None:
        """Move a packet as far as the pictures around it."""
        time = _time_of(packet)
        if time is None:
            return
        before_s, due_s = track.last_s, track.end_s or Fraction(0)
        if before_s is not None and time + self._moved[track.restarts] <= before_s:
            # Back in time: the clock has started again, if that makes it follow on.
            for restarts in range(track.restarts + 1, len(self._moved)):
                if abs(time + self._moved[restarts] - due_s) < _NEAR_S:
                    track.restarts = restarts
                    break
        moved = self._moved[track.restarts]
        base = packet.time_base
        track.last_s = time + moved
        track.end_s = track.last_s + (packet.duration or 0) * base
        if self._end is not None and track.last_s >= self._end and before_s is not None:
            # One that does not follow on may have a wrong time.
            track.over = before_s <= track.last_s < due_s + _NEAR_S
        ticks = round(moved / base)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks

    def _mux(self, packet: Packet[AudioStream]) -> None:
        track = self._tracks[packet.stream.index]
        if track.resampler is not None:
            self._transcode(track, packet)
        else:
            self._copy(track, packet)

    def _inside(self, time: Fraction) -> bool:
        return (self._start_s is None or time >= self._shift) and (
            self._end is None or time < self._end
        )

    def _copy(self, track: _Track, packet: Packet[AudioStream]) -> None:
        base = packet.time_base
        duration = packet.duration or 0
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            pts = track.next_pts
        if pts is None:
            self.skipped += 1
            return
        track.next_pts = pts + duration
        if not self._inside(pts * base):
            return
        shifted = pts - round(self._shift / base)
        # Sound is never reordered, and the muxer refuses times that do not increase.
        if track.last_dts is not None and shifted <= track.last_dts:
            self.skipped += 1
            return
        track.last_dts = shifted
        packet.pts = packet.dts = shifted
        packet.stream = track.output
        self._write([packet])

    def _transcode(self, track: _Track, packet: Packet[AudioStream]) -> None:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            time = _time_of(packet)
            self.skipped += time is None or self._inside(time)
            return
        for frame in frames:
            base = frame.time_base or packet.time_base
            pts = frame.pts if frame.pts is not None else track.next_pts
            if pts is None:
                pts = 0
            track.next_pts = pts + round(frame.samples / (frame.sample_rate * base))
            if not self._inside(pts * base):
                continue
            frame.pts = pts - round(self._shift / base)
            frame.time_base = base
            self._resample(track, frame)

    def _resample(self, track: _Track, frame: av.AudioFrame | None) -> None:
        assert track.resampler is not None
        try:
            resampled = track.resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):
            # A frame in another format than the ones before it.
            self.skipped += 1
            return
        for part in resampled:
            # Flushing a resampler that has nothing to do gives back the none it was given.
            if part is not None:
                self._encode(track, part)

    def _encode(self, track: _Track, frame: av.AudioFrame | None) -> None:
        try:
            packets = track.output.encode(frame)
        except av.error.FFmpegError:
            self.skipped += 1
            return
        self._write(packets)

    def _write(self, packets: Sequence[Packet[Any]]) -> None:
        assert self._output is not None
        try:
            self._output.mux(packets)
        except OSError:
            # The disk, not the sound.
            raise
        except av.error.FFmpegError:
            self.skipped += 1


def _time_of(packet: Packet[AudioStream]) -> Fraction | None:
    pts = packet.pts if packet.pts is not None else packet.dts
    return None if pts is None else pts * packet.time_base


def _lands_before(path: str, tracks: Collection[int], target: int, begin_s: Fraction) -> bool:
    """Tell whether a seek leads to where no stream's sound from a time on is behind already."""
    waiting = set(tracks)
    try:
        with open_input(path) as source:
            source.seek(target)
            for packet in demuxed(source, [source.streams[index] for index in tracks]):
                time = _time_of(packet) if packet.size else None
                if time is None or packet.stream_index not in waiting:
                    continue
                if time > begin_s:
                    return False
                waiting.remove(packet.stream_index)
                if not waiting:
                    return True
    except (av.error.FFmpegError, IndexError):
        return False
    return False


def _describe(output: AudioStream, source: AudioStream) -> None:
    """Give a stream the other's language, title and part: which is played, which is a comment."""
    # Without a default, the MP4 muxer would have the first one played.
    output.disposition = source.disposition
    if source.language:
        output.metadata["language"] = source.language
    # MP4 has it under another name.
    title = source.metadata.get("title") or source.metadata.get("name")
    if title:
        output.metadata["title"] = title


def _mp4_takes(path: str, stream: AudioStream) -> bool:
    """Tell whether a file of this stream's first packets alone can be written."""
    try:
        with open_input(path) as source:
            twin = source.streams[stream.index]
            assert isinstance(twin, AudioStream)
            target = av.open(io.BytesIO(), "w", format="mp4")
            with target:
                copy = target.add_stream_from_template(twin)
                for packet in demuxed(source, [twin]):
                    if packet.size and packet.dts is not None:
                        packet.stream = copy
                        target.mux(packet)
                        break
    except (av.error.FFmpegError, ValueError):
        return False
    return True
