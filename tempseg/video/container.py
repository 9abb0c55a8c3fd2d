"""Files opened for reading, alike for pictures and for sound."""

from __future__ import annotations

import os

import av
from av.container import InputContainer

__all__ = ["may_restart", "open_input"]

# FFmpeg would take a transport stream's clock that starts again, more than a minute before it first
# did, for one that ran over: 26 hours are added to all that follows.
_OPTIONS = {"correct_ts_overflow": "0"}
_TS_DISCONT = 0x0200


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
