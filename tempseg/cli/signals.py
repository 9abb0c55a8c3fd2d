"""Signals that ask a command to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ended_as_by_ctrl_c"]


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end what runs as Ctrl-C does: `timeout`, containers and batch systems send it."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
