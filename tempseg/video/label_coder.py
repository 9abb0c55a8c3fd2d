"""Label maps of 8 bits as FFV1 packets, without FFmpeg looking at every sample."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
from av import CodecContext, VideoFrame
from av.codec.context import Flags as CodecFlags
from av.video.codeccontext import VideoCodecContext

from tempseg.kernels import ffv1
from tempseg.types import UInt8Array
from tempseg.video.samples import sample_rows

__all__ = ["FFV1_8", "LabelCoder", "slices_of"]

# ms and kB a 1280×720 map of a real model (8 bits, 2 cores): FFmpeg's Rice coder 3.3 and 3.9, its
# range coder 5.0 and 10.6; ours writes the Rice coder's bytes in a twentieth of its time. Four
# slices are as fast as nine and smaller; leaving checksums out gains nothing.
FFV1_8 = {"level": "3", "slicecrc": "1", "context": "0", "coder": "rice"}

_GROUP = 12
"""Frames from one keyframe to the next, as FFmpeg's encoders have it."""

_SIDE = 2
"""Slices lie two by two."""

_LEAST_PX = 2
"""A map of one row or column cannot be split so."""

_SIZE_BYTES, _CHECK_BYTES = 3, 5
"""Behind a slice: how long it is; that it is sound, and a checksum."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class _Headers:
    """What FFmpeg writes before the samples of each slice: in keyframes, and in other frames."""

    keyframe: tuple[bytes, ...]
    other: tuple[bytes, ...]


class LabelCoder:
    """Makes the packets that FFmpeg's encoder would, byte for byte; see `of`."""

    def __init__(self, height: int, width: int, headers: _Headers) -> None:
        self._headers = headers
        self._parts = _parts(height, width)
        self._states = ffv1.fresh_states(len(self._parts))
        self._samples = _room(height, width)
        self._frames = 0

    @classmethod
    def of(cls, height: int, width: int) -> LabelCoder | None:
        """Return the coder of maps of a size; none where FFmpeg has to write them itself."""
        headers = _headers(height, width)
        return None if headers is None else cls(height, width, headers)

    @property
    def next_is_keyframe(self) -> bool:
        """Whether the next packet can be read without those before."""
        return self._frames % _GROUP == 0

    def packet(self, labels: UInt8Array) -> bytes:
        """Return the next packet, of a map (height, width)."""
        labels = np.ascontiguousarray(labels)
        headers = self._headers.keyframe if self.next_is_keyframe else self._headers.other
        if self.next_is_keyframe:
            self._states = ffv1.fresh_states(len(self._parts))
        self._frames += 1
        slices = []
        for part, header, states in zip(self._parts, headers, self._states, strict=True):
            size = ffv1.encode_slice(labels, part, states, self._samples)
            whole = header + self._samples[:size].tobytes()
            whole += len(whole).to_bytes(_SIZE_BYTES, "big") + b"\0"
            slices.append(whole + _checksum(whole))
        return b"".join(slices)


def slices_of(height: int, width: int) -> int:
    """Return how many slices maps of a size are written in; FFmpeg takes one in small ones only."""
    return _SIDE * _SIDE if min(height, width) >= _LEAST_PX else 1


def _parts(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Return the first row and column, height and width of each slice."""
    rows = [height * i // _SIDE for i in range(_SIDE + 1)]
    columns = [width * i // _SIDE for i in range(_SIDE + 1)]
    return [
        (top, left, low - top, right - left)
        for top, low in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def _room(height: int, width: int) -> UInt8Array:
    return np.empty(ffv1.most_bytes(-(-height // _SIDE), -(-width // _SIDE)), np.uint8)


@cache
def _headers(height: int, width: int) -> _Headers | None:
    """Return the headers of slices; none where FFmpeg's packets are not what ours would be."""
    if slices_of(height, width) == 1:
        return None
    # A keyframe, and a frame after it, whose borders run every way.
    maps = np.zeros((2, height, width), np.uint8)
    maps[1] = np.add.outer(np.arange(height) // 5, np.arange(width) // 7) * 37 % 256
    theirs = _as_ffmpeg(maps)
    states = ffv1.fresh_states(_SIDE * _SIDE)
    parts, samples = _parts(height, width), _room(height, width)
    found = []
    for labels, packet in zip(maps, theirs, strict=False):
        slices = _slices(packet)
        if len(slices) != len(parts):
            return None
        headers = []
        for part, own, state in zip(parts, slices, states, strict=True):
            size = ffv1.encode_slice(labels, part, state, samples)
            headers.append(own[: max(len(own) - size, 0)])
        found.append(tuple(headers))
    if len(found) != len(maps):
        return None
    headers_of = _Headers(*found)
    coder = LabelCoder(height, width, headers_of)
    return headers_of if [coder.packet(labels) for labels in maps] == theirs else None


def _as_ffmpeg(maps: UInt8Array) -> list[bytes]:
    """Return the packets that FFmpeg makes of maps (n, height, width)."""
    _, height, width = maps.shape
    context = CodecContext.create("ffv1", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "gray"
    context.time_base = Fraction(1, 25)
    context.thread_count = 1
    context.flags |= CodecFlags.bitexact.value
    context.options = {**FFV1_8, "slices": str(slices_of(height, width))}
    packets = []
    for place, labels in enumerate(maps):
        frame = VideoFrame(width, height, "gray")
        sample_rows(frame.planes[0], np.uint8)[...] = labels
        frame.pts = place
        packets += context.encode(frame)
    return [bytes(packet) for packet in packets]


def _slices(packet: bytes) -> list[bytes]:
    """Return the slices of a packet, headers and samples; from behind, where their sizes are."""
    slices = []
    end = len(packet)
    while end > 0:
        end -= _SIZE_BYTES + _CHECK_BYTES
        size = int.from_bytes(packet[end : end + _SIZE_BYTES], "big")
        slices.append(packet[end - size : end])
        end -= size
    return slices[::-1]


def _checksum(content: bytes) -> bytes:
    """Return the CRC-32 of RFC 9043: begun at 0, most significant bit first."""
    # zlib's begins at all ones and has the bits the other way round.
    crc = zlib.crc32(content.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return crc.to_bytes(4, "little").translate(_MIRRORED)
