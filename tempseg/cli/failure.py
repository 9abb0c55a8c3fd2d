"""How a command ends that cannot go on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import NoReturn

from tempseg.cli.stderr import say

__all__ = ["fail", "leave_at_once_where_a_model_hangs"]

_GRACE_S = 0.1


def fail(message: str, *, status: int) -> NoReturn:
    """Say why on one line of stderr and exit."""
    say(f"error: {' '.join(message.split())}")
    raise SystemExit(status)


def leave_at_once_where_a_model_hangs(status: int, earlier: Collection[threading.Thread]) -> None:
    """End the process if a thread of this command still works when everything is closed.

    A model that hangs in its own code has its thread for good, and what a process does at its
    end - destroying what that thread works with - may crash or wait for it. Threads from
    `earlier` than the command are a caller's own.
    """
    left = [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("tempseg-") and thread not in earlier
    ]
    for thread in left:
        thread.join(_GRACE_S)
    if any(thread.is_alive() for thread in left):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
