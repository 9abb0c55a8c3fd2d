"""What commands print on: a console whose reader may leave."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "take_any_text"]


def console() -> Console:
    """Return a console on stdout, which falls silent where its reader has had enough.

    `tempseg run … | head -1` is done as well as it would be without the pipe.
    """
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            """Throw away the rest, also what the process flushes at its end."""
            self.quiet = True
            with suppress(OSError, ValueError, AttributeError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, sys.stdout.fileno())
                os.close(nowhere)

    return Patient()


def take_any_text() -> None:
    """Print what stdout's encoding does not know as escapes: stderr does so anyhow."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
