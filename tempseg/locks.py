"""Files that one process at a time holds."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = ["lock_now", "locked"]

_log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever holds it; it is free again when its holder ends.

    Raises
    ------
    OSError
        When there can be no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if not lock_now(file):
            _log.warning("%s: waiting for another process", path.parent)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_now(file: IO[Any]) -> bool:
    """Lock an open file unless somebody else holds it; return whether that was done.

    It is free again when the file is closed or the process ends, however that comes.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
