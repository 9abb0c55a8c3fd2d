"""Keeps what native runtimes print while they start off the user's screen."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

__all__ = ["quiet_native_log"]

_lock = threading.Lock()
# LiteRT's own lines; absl's, which TensorFlow prints before any log level is read; OpenCV's.
_NOISE = (
    b"INFO: ",
    b"ERROR: ",
    b"WARNING: All log messages before absl",
    b"I0000 ",
    b"E0000 ",
    b"[ WARN:",
    b"[ERROR:",
)


@contextlib.contextmanager
def quiet_native_log(*, everything: bool = False) -> Iterator[None]:
    """Hold back the runtimes' start-up lines; everything else reaches stderr afterwards.

    They write past `sys.stderr` and have no setting for it; their errors come as exceptions too.
    With `everything` nothing passes: TensorFlow's converter tells an error on a page of lines.
    """
    with _lock, tempfile.TemporaryFile() as held:
        try:
            real = os.dup(2)
        except OSError:  # a process without stderr has nothing to hold back
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            # Closed, or on a full disk.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()
            os.dup2(real, 2)
            held.seek(0)
            others = b""
            if not everything:
                others = b"".join(line for line in held if not line.startswith(_NOISE))
            if others:
                with contextlib.suppress(OSError):
                    os.write(real, others)
            os.close(real)
