"""Files opened for reading, alike for pictures and for sound."""

from __future__ import annotations

import os

import av
from av.container import InputContainer

__all__ = ["open_input"]

# FFmpeg would take a transport stream's clock that starts again, more than a minute before it first
# did, for one that ran over: 26 hours are added to all that follows.
_OPTIONS = {"correct_ts_overflow": "0"}


def open_input(path: str) -> InputContainer:
    """Return an open container.

    Raises
    ------
    av.error.FFmpegError
        When the file cannot be opened or read.
    """
    # The absolute path keeps FFmpeg from reading `a:b.mp4` as a protocol.
    return av.open(os.path.abspath(path), "r", metadata_errors="replace", options=_OPTIONS)
