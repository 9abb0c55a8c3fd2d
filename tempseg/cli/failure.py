"""How a command ends that cannot go on."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["fail"]


def fail(message: str, *, status: int) -> NoReturn:
    """Say why on one line of stderr and exit."""
    line = " ".join(message.split())
    sys.stderr.write(f"error: {line}\n")
    raise SystemExit(status)
