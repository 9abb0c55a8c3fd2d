"""Label maps and overlays into video files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

import av
import numpy as np
from av import Packet, VideoFrame
from av.codec.context import Flags as CodecFlags
from av.container import OutputContainer
from av.video.stream import VideoStream

from tempseg.errors import OutputError
from tempseg.types import ColourTags, LabelArray, Planes
from tempseg.video.audio import AudioTracks
from tempseg.video.label_coder import FFV1_8, LabelCoder, slices_of
from tempseg.video.samples import sample_rows

__all__ = ["LabelEncoder", "OverlayEncoder", "Writer", "mp4_options"]

# Fixed, because both codecs' bytes depend on it; one, because other stages fill the other cores:
# with four a run of 720p took 7 % longer on two cores (medians of three: 6.1 and 5.7 s).
_THREADS = 1

# 16 bits take the range coder in any case: 5.0 ms and 11.7 kB a 1280×720 map.
_FFV1_16 = FFV1_8 | {"coder": "range_def"}

# With macroblock trees x264's output differs from run to run here, on one thread too (x264 in
# FFmpeg 8.1; without its assembly it did not): a tenth of the runs and more. Going without costs
# 1.2 dB at equal size (1280×720, veryfast: 42.3 against 43.5 dB at 6.4 kB a frame), and a given CRF
# takes 40 to 90 % more bits for 1.5 dB more.
_X264 = {"mbtree": "0"}

# Ticks between two frames; FFmpeg writes what comes behind a longer step at other times.
_LONGEST_MP4_STEP = 2**31 - 1


class Writer:
    """A container with one video stream, every failure named after the file."""

    def __init__(self, path: str, container_format: str, options: dict[str, str]) -> None:
        self._path = str(path)
        self._closed = False
        with self._writing():
            # The absolute path keeps FFmpeg from reading `a:b.mkv` as a protocol.
            self._container: OutputContainer = av.open(
                os.path.abspath(self._path),
                "w",
                format=container_format,
                container_options={"fflags": "+bitexact", **options},
            )

    def _add_video(
        self, codec: str, size: tuple[int, int], pixels: str, rate: Fraction, base: Fraction
    ) -> VideoStream:
        stream = self._container.add_stream(codec, rate=rate.limit_denominator(1_000_000))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        stream.codec_context.thread_count = _THREADS
        stream.codec_context.flags |= CodecFlags.bitexact.value
        return stream

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except av.error.FFmpegError as error:
            self._fail(error)

    def _fail(self, error: av.error.FFmpegError) -> NoReturn:
        # What the system refuses; the rest is FFmpeg's own.
        hint = "check the folder, its permissions and the free space"
        if not isinstance(error, OSError):
            hint = "FFmpeg cannot encode this video's frames as they are"
            if self._path.endswith(".mp4"):
                hint += "; leave the overlay out with --no-overlay"
        raise OutputError(f"{self._path}: cannot be written ({error.strerror}); {hint}") from error

    def _check_open(self) -> None:
        """Raise where the file is closed: FFmpeg would write through what is freed."""
        if self._closed:
            raise OutputError(f"{self._path}: is closed; nothing more can be written to it")

    def _check_step(self, step: int, base: Fraction) -> None:
        """Raise where a frame comes too long behind the one before."""
        if self._path.endswith(".mp4") and step * base.numerator > _LONGEST_MP4_STEP:
            raise OutputError(
                f"{self._path}: frames {float(step * base):.3f} s apart are too far for MP4 where "
                f"times are counted in 1/{base.denominator} s, as the video's are; leave the "
                "overlay out with --no-overlay"
            )

    def _write_frame(self, stream: VideoStream, frame: VideoFrame | None) -> None:
        self._check_open()
        with self._writing():
            self._container.mux(stream.encode(frame))

    def _finish(self) -> None:
        with self._writing():
            self._container.close()

    def abandon(self) -> None:
        """Let go of the file, leaving it unfinished; safe at any time."""
        if self._closed:
            return
        self._closed = True
        try:
            self._container.close()
        except av.error.FFmpegError:
            # The failure that led here has been told already.
            return


class LabelEncoder(Writer):
    """Writes label maps losslessly: FFV1 in Matroska, in 8 or 16 bits.

    The same maps and times give the same bytes on any machine with the same FFmpeg. Matroska
    keeps times to the millisecond.

    Parameters
    ----------
    path : str
    width, height : int
        Size of the maps.
    time_base : Fraction
        Seconds a unit of `pts`.
    frame_rate : Fraction
        Average frames a second: a hint for players.
    bits : int
        8 or 16.

    Raises
    ------
    OutputError
        When the file cannot be written; also from `write` and `close`.
    """

    def __init__(
        self,
        path: str,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        frame_rate: Fraction,
        bits: int = 8,
    ) -> None:
        if bits not in (8, 16):
            raise ValueError(f"bits is {bits}, expected 8 or 16")
        super().__init__(path, "matroska", {})
        self._pixels = "gray" if bits == 8 else "gray16le"
        self._dtype = np.dtype(f"uint{bits}")
        self._size = (height, width)
        self._time_base = time_base
        self._stream = self._add_video("ffv1", self._size, self._pixels, frame_rate, time_base)
        self._stream.options = {
            **(FFV1_8 if bits == 8 else _FFV1_16),
            "slices": str(slices_of(height, width)),
        }
        # Ids, not light: full range keeps players and converters from stretching them.
        self._stream.codec_context.color_range = 2
        with self._writing():
            self._container.start_encoding()
            self._coder = LabelCoder.of(height, width) if bits == 8 else None

    def write(self, labels: LabelArray, pts: int) -> None:
        """Write the next label map, shape (height, width), uint8 or uint16 as `bits` says."""
        if labels.shape != self._size or labels.dtype != self._dtype:
            raise ValueError(
                f"labels are {labels.dtype} {labels.shape}, expected {self._dtype} {self._size}"
            )
        if self._coder is not None:
            self._write_packet(self._coder, labels, pts)
            return
        frame = VideoFrame(self._size[1], self._size[0], self._pixels)
        frame.color_range = 2
        if self._pixels == "gray":
            sample_rows(frame.planes[0], np.uint8)[...] = labels
        else:
            sample_rows(frame.planes[0], np.uint16)[...] = labels
        frame.pts, frame.time_base = pts, self._time_base
        self._write_frame(self._stream, frame)

    def _write_packet(self, coder: LabelCoder, labels: LabelArray, pts: int) -> None:
        self._check_open()
        keyframe = coder.next_is_keyframe
        packet = Packet(coder.packet(np.asarray(labels, np.uint8)))
        packet.stream, packet.is_keyframe = self._stream, keyframe
        packet.pts, packet.dts, packet.time_base = pts, pts, self._time_base
        with self._writing():
            self._container.mux_one(packet)

    def close(self) -> None:
        """Complete the file; safe to call twice."""
        if self._closed:
            return
        self._write_frame(self._stream, None)
        self._closed = True
        self._finish()


@dataclass(frozen=True, slots=True, eq=False)
class _FramePlanes(Planes):
    frame: VideoFrame


class OverlayEncoder(Writer):
    """Writes pictures as H.264 in MP4, with the source's times, colour tags and audio.

    Times are exact: the track counts in the source's time base, a non-zero start and a variable
    rate stay. H.264 in 4:2:0 takes even sides only, so an odd picture is padded by repeating its
    last row or column. The index is left at the end of the file: moving it to the front would
    write everything twice. The same pictures give the same bytes on any machine with the same
    FFmpeg.

    Parameters
    ----------
    path : str
    width, height : int
        Size of the pictures.
    time_base : Fraction
        Seconds a unit of `pts`.
    frame_rate : Fraction
        Average frames a second: a hint for players.
    colour : ColourTags
        How the samples are to be read; every picture written must be in it.
    crf : int
        Quality, 0 (best) to 51.
    preset : str
        x264's preset.
    audio : AudioTracks, optional
        The sound to carry along.
    origin_pts : int
        The time that becomes zero: the first frame's for a part of a source, else 0.
    pixel_aspect : Fraction
        Width of a pixel over its height, as players are to show it.

    Raises
    ------
    OutputError
        When the file cannot be written; also from `write` and `close`.
    """

    def __init__(
        self,
        path: str,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        frame_rate: Fraction,
        colour: ColourTags,
        crf: int = 20,
        preset: str = "veryfast",
        audio: AudioTracks | None = None,
        origin_pts: int = 0,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        super().__init__(path, "mp4", mp4_options(time_base))
        self._size = (height, width)
        self._time_base = time_base
        self._origin = origin_pts
        self._colour = colour
        self._audio = audio
        self._last_pts: int | None = None
        even = (height + height % 2, width + width % 2)
        self._stream = self._add_video("libx264", even, "yuv420p", frame_rate, time_base)
        self._stream.options = {"crf": str(crf), "preset": preset, **_X264}
        context = self._stream.codec_context
        context.colorspace = colour.matrix
        context.color_range = 2 if colour.full_range else 1
        context.color_primaries = colour.primaries
        context.color_trc = colour.transfer
        if pixel_aspect != 1:
            context.sample_aspect_ratio = pixel_aspect
        with self._writing():
            if audio is not None:
                audio.attach(self._container, shift_s=origin_pts * time_base)
            self._container.start_encoding()

    def allocate(self) -> Planes:
        """Return planes to paint into and to hand to `write`, which spares a copy.

        Their samples are not initialised.
        """
        height, width = self._size
        frame = VideoFrame(width + width % 2, height + height % 2, "yuv420p")
        y, u, v = (sample_rows(plane, np.uint8) for plane in frame.planes)
        return _FramePlanes(y[:height, :width], u, v, self._colour, frame)

    def write(self, planes: Planes, pts: int) -> None:
        """Write the next picture; planes out of `allocate` belong to the encoder afterwards."""
        if planes.y.shape != self._size:
            raise ValueError(f"planes are {planes.y.shape}, expected {self._size}")
        if self._last_pts is not None:
            self._check_step(pts - self._last_pts, self._time_base)
        self._last_pts = pts
        if not isinstance(planes, _FramePlanes):
            own = self.allocate()
            assert isinstance(own, _FramePlanes)
            own.y[...], own.u[...], own.v[...] = planes.y, planes.u, planes.v
            planes = own
        frame = planes.frame
        height, width = self._size
        padded = sample_rows(frame.planes[0], np.uint8)
        if width % 2:
            padded[:height, width] = padded[:height, width - 1]
        if height % 2:
            padded[height] = padded[height - 1]
        frame.colorspace = self._colour.matrix
        frame.color_range = 2 if self._colour.full_range else 1
        frame.pts, frame.time_base = pts - self._origin, self._time_base
        self._write_frame(self._stream, frame)
        if self._audio is not None:
            with self._writing():
                self._audio.advance(frame.pts * self._time_base)

    def close(self) -> None:
        """Complete the file with the rest of the sound; safe to call twice."""
        if self._closed:
            return
        self._write_frame(self._stream, None)
        if self._audio is not None:
            with self._writing():
                self._audio.finish()
        self._closed = True
        self._finish()

    def abandon(self) -> None:
        """Let go of the file, leaving it unfinished; safe at any time."""
        if self._audio is not None:
            self._audio.close()
        super().abandon()


def mp4_options(time_base: Fraction) -> dict[str, str]:
    """Return options of MP4 that keep times exact in a time base."""
    scale = time_base.denominator
    return {
        "video_track_timescale": str(scale),
        # The start is kept in the movie's own unit, which would be a millisecond: a
        # multiple of the track's keeps it exact, and fine enough for the sound.
        "movie_timescale": str(scale * max(1, 90_000 // scale)),
    }
