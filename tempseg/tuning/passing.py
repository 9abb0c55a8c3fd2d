"""Answers that no other tune may use, and that go with whoever asked for them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from tempseg.errors import OutputError
from tempseg.locks import locked
from tempseg.tuning.answers import AnswerStore

__all__ = ["PassingStore"]

_LOCK = ".lock"


class PassingStore(AnswerStore):
    """A store in a folder of its own, removed with the store or when the process ends.

    What a process that was killed has left is removed when the next store is made.

    Parameters
    ----------
    parent : Path
        Where the folder goes.

    Raises
    ------
    OutputError
        When it cannot be made.
    """

    def __init__(self, parent: Path) -> None:
        try:
            # Nobody may take a folder for an abandoned one before its lock is held.
            with locked(parent / _LOCK):
                for folder in parent.iterdir():
                    if folder.is_dir() and _is_abandoned(folder):
                        shutil.rmtree(folder, ignore_errors=True)
                folder = Path(tempfile.mkdtemp(dir=parent))
                lock = os.open(folder / _LOCK, os.O_CREAT | os.O_WRONLY)
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise OutputError(
                f"{parent}: cannot be written: {error.strerror}; name another place with --cache"
            ) from error
        super().__init__(folder)
        weakref.finalize(self, _remove, folder, lock)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Somebody works in it, or it is somebody else's.
        return False
    return True


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
