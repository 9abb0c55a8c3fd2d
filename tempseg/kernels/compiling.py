"""How long kernels took to be compiled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event

__all__ = ["Compiling", "compiling"]


class Compiling(event.Listener):  # type: ignore[misc] # numba has no types
    """Adds up the time for kernels whose code is kept, so that no later run compiles them.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._within = 0
        self._began_s = 0.0

    def on_start(self, event: Any) -> None:  # noqa: ARG002 - as numba calls it
        """Learn that one begins, perhaps within another."""
        if not self._within:
            self._began_s = time.perf_counter()
        self._within += 1

    def on_end(self, event: Any) -> None:
        """Learn that one is done."""
        self._within -= 1
        stats = getattr(event.data["dispatcher"], "stats", None)
        if not self._within and getattr(stats, "cache_path", None) is not None:
            self.seconds += time.perf_counter() - self._began_s


@contextmanager
def compiling() -> Iterator[Compiling]:
    """Listen to what is compiled meanwhile."""
    with event.install_listener("numba:compile", Compiling()) as listener:
        yield listener
