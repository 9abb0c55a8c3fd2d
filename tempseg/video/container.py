"""Files opened for reading, alike for pictures and for sound."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

__all__ = [
    "demuxed",
    "guesses_times",
    "is_address",
    "is_cut_short",
    "may_restart",
    "open_input",
    "tells_decoding_times",
]

# FFmpeg would take a transport stream's clock that starts again, more than a minute before it first
# did, for one that ran over: 26 hours are added to all that follows. And `%03d` in the name of an
# image stands for itself.
_OPTIONS = {"correct_ts_overflow": "0", "pattern_type": "none"}
_TS_DISCONT = 0x0200

# The segment, which is all but the header, and where it begins at the latest.
_SEGMENT = bytes.fromhex("18538067")
_MATROSKA_HEAD = 4096

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+://|camera:\d*$")


def is_address(spec: str) -> bool:
    """Tell whether a source is written as one that is no file, such as `rtsp://…` or `camera:0`."""
    return _ADDRESS.match(spec) is not None


def open_input(path: str) -> InputContainer:
    """Return an open container.

    Raises
    ------
    av.error.FFmpegError
        When the file cannot be opened or read.
    """
    # The absolute path keeps FFmpeg from reading `a:b.mp4` as a protocol.
    return av.open(os.path.abspath(path), "r", metadata_errors="replace", options=_OPTIONS)


def may_restart(container: InputContainer) -> bool:
    """Tell whether its kind of file may be joined byte by byte, so that a clock starts again.

    A time may then be reached twice, and a seek may lead to either.
    """
    return bool(container.format.flags & _TS_DISCONT)


def tells_decoding_times(container: InputContainer) -> bool:
    """Tell whether its kind of file says when frames are decoded, and not when they are shown.

    FFmpeg finds that out for MPEG-4 and MPEG-2, but not for H.264.
    """
    return container.format.name == "avi"


def guesses_times(container: InputContainer) -> bool:
    """Tell whether times of frames after a seek may be others than when all is read.

    MPEG program streams tell the times of some frames alone, and MPEG video by itself of
    none; FFmpeg guesses the rest from those before.
    """
    return container.format.name in ("mpeg", "mpegvideo")


def is_cut_short(container: InputContainer, path: str) -> bool:
    """Tell whether a file holds less than its header says, where FFmpeg's reading does not.

    Of Matroska and WebM a last block that is not whole is left out as if it were not there.
    """
    if container.format.name != "matroska,webm":
        return False
    with open(path, "rb") as file:
        head = file.read(_MATROSKA_HEAD)
    place = head.find(_SEGMENT) + len(_SEGMENT)
    if place < len(_SEGMENT) or place == len(head):
        return False
    # A number whose leading zeros tell its length in bytes; all ones where nobody knew the size.
    length = 9 - head[place].bit_length()
    value_bits = 7 * length
    told = int.from_bytes(head[place : place + length], "big") & ((1 << value_bits) - 1)
    unknown = (1 << value_bits) - 1
    return told != unknown and place + length + told > os.path.getsize(path)


def demuxed(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """Yield the packets of some streams, and those without content that end each.

    Raises
    ------
    av.error.FFmpegError
        When the file cannot be read on.
    """
    # Damage may show a stream that was not there when the file was opened. PyAV, at the end of the
    # file, does not find it among its own.
    with contextlib.suppress(IndexError):
        yield from container.demux(streams)
