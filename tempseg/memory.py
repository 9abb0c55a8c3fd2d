"""What this process's memory costs: time to look through it, and room that nobody needs."""

from __future__ import annotations

import ctypes
import gc
from functools import cache

__all__ = ["collect_seldom", "give_back_memory"]

NEW_OBJECTS = 50_000


def collect_seldom() -> None:
    """Look for garbage in circles once in 50 000 new objects, for processes of our own.

    Usually it is once in 700, each tenth of a tenth time through all that numba and others have
    made: 5 to 10 % of what it takes to start, a hundredth of a run.
    """
    gc.set_threshold(NEW_OBJECTS)


def give_back_memory() -> None:
    """Give what is freed back to the system, where the allocator can (glibc's).

    It keeps freed pieces in a pool of every thread; threads that come and go with the chunks of
    a long run would leave ever more behind.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
