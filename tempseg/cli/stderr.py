"""What commands tell on stderr, which may be closed, unread or on a full disk."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["keep_its_number", "say"]


def say(line: str) -> None:
    """Write a line; what nobody can be told ends nothing."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{line}\n")


def keep_its_number() -> None:
    """See to it that no file takes a closed stderr's place: native code would write into it."""
    try:
        os.fstat(2)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)
