"""Small clips that the tests encode themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 64, 48


def gradient(index: int, *, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """An RGB picture whose corners all differ, and which differs from index to index."""
    y, x = np.mgrid[:height, :width]
    red = 40 + 160 * x / width
    green = 40 + 160 * y / height
    blue = np.full_like(red, 40 + (index * 37) % 160)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def write_clip(
    path: Path,
    pts: Sequence[int] = tuple(range(10)),
    *,
    time_base: Fraction = Fraction(1, 25),
    width: int = WIDTH,
    height: int = HEIGHT,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    pixel_aspect: Fraction | None = None,
    tags: tuple[int, int] = (2, 0),
    audio: str | None = None,
    audio_start_s: float = 0.0,
    frames: Iterable[av.VideoFrame] | None = None,
    container: dict[str, str] | None = None,
) -> Path:
    """Write a clip with these timestamps, and a second of sound for a second of picture."""
    if codec == "libx264" and options is None:
        options = {"preset": "ultrafast", "crf": "12", "g": "5"}
    with av.open(str(path), "w", container_options=container or {}) as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = time_base
        stream.codec_context.colorspace, stream.codec_context.color_range = tags
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        sound = None if audio is None else out.add_stream(audio, rate=48000)
        if sound is not None:
            sound.codec_context.layout = "stereo"
        if frames is None:
            frames = (
                av.VideoFrame.from_ndarray(gradient(i, width=width, height=height), "rgb24")
                for i in range(len(pts))
            )
        for frame, time in zip(frames, pts, strict=True):
            if frame.format.name != pixels:
                frame = frame.reformat(
                    format=pixels, dst_colorspace=tags[0], dst_color_range=tags[1] or 1
                )
            frame.colorspace, frame.color_range = tags
            frame.pts, frame.time_base = time, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            _write_tone(out, sound, float((pts[-1] + 1) * time_base), audio_start_s)
    return path


def _write_tone(out, sound, length_s: float, start_s: float) -> None:
    for block in range(int(length_s * 48000 / 1024)):
        t = (block * 1024 + np.arange(1024)) / 48000
        wave = (8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], "s16", "stereo")
        frame.sample_rate = 48000
        frame.pts = block * 1024 + int(start_s * 48000)
        frame.time_base = Fraction(1, 48000)
        out.mux(sound.encode(frame))
    out.mux(sound.encode(None))


def damage(path: Path, *packets: int, units_kept: bool = False) -> None:
    """Blank out the payload of video packets, by their place.

    With `units_kept` of an MP4's H.264, the lengths and types of the units in them stay: only a
    decoder finds that nothing is there.
    """
    with av.open(str(path)) as clip:
        places = [(packet.pos, packet.size) for packet in clip.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for packet in packets:
        position, size = places[packet]
        if not units_kept:
            data[position + 4 : position + size] = bytes(size - 4)
            continue
        end, at = position + size, position
        while at < end:
            length = int.from_bytes(data[at : at + 4], "big")
            data[at + 5 : at + 4 + length] = b"\xff" * (length - 1)
            at += 4 + length
    path.write_bytes(bytes(data))


def video_times(path: Path) -> list[Fraction]:
    """The presentation times of a file's first video stream."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        return [frame.pts * stream.time_base for frame in clip.decode(stream)]


def packet_times(path: Path, kind: str) -> list[Fraction]:
    """The times of the packets of a file's first stream of a kind."""
    with av.open(str(path)) as clip:
        stream = getattr(clip.streams, kind)[0]
        return [packet.pts * stream.time_base for packet in clip.demux(stream) if packet.size]
