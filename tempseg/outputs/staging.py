"""A run's folder: nothing half-written passes for finished."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tempseg.errors import OutputError, is_full
from tempseg.locks import lock_now

__all__ = ["CHUNKS", "RunFolder", "make_room", "new_folder"]

PARTIAL = "partial"
CHUNKS = "chunks"
"""The folder of the chunks, in that of the unfinished run."""

DONE = ".partial-done"
"""What that folder is called once everything is in place, until it is removed."""

LOCK = "lock"
UNFINISHED = ".tempseg-unfinished"
"""Held in a new folder while it is filled, and by what a killed command has left."""

RECORD = "run.json"
FILES = ("masks.mkv", "overlay.mp4", "frames.csv", "report.html", RECORD)
"""What a run leaves behind; the record comes last, so that its presence means finished."""


class RunFolder:
    """Where a run writes: into `DIR/partial`, moved into `DIR` when all is done.

    Parameters
    ----------
    path : str or Path
        The run's folder; made when the run starts.
    overwrite : bool
        Whether an earlier run's files may be replaced; other files are never touched.
    resume : bool
        Whether to go on with what an unfinished run left.

    Raises
    ------
    OutputError
        When the folder holds something and `overwrite` is off, or is no folder.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False, resume: bool = False) -> None:
        self.path = Path(path)
        self._lock: IO[bytes] | None = None
        if overwrite and resume:
            raise OutputError(f"{self.path}: --resume and --overwrite exclude each other")
        self._resume = resume
        self._overwrite = overwrite
        try:
            self._check(overwrite=overwrite)
            self._made = not self.path.exists()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be a folder: {error.strerror}") from error

    def _check(self, *, overwrite: bool) -> None:
        if self.path.is_symlink() and not self.path.exists():
            raise OutputError(
                f"{self.path}: is a link to nothing that is there; remove it or choose another "
                "--out"
            )
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: is a file, expected a folder for the results")
        if not self.path.is_dir():
            return
        if self.partial.is_symlink():
            # What is finished is renamed into place, which leads to no other disk.
            raise OutputError(
                f"{self.partial}: is a link, and results are not moved across it; put the folder "
                "that it leads to in its place, or choose another --out"
            )
        held = sorted(entry.name for entry in self.path.iterdir() if entry.name != DONE)
        resumes = self._resume and (self.unfinished or self.finished)
        if held and not overwrite and not resumes:
            what = "an unfinished run (partial)" if held == [PARTIAL] else held[0]
            ways = "--resume to go on with it or --overwrite" if PARTIAL in held else "--overwrite"
            raise self._occupied(what, ways)
        foreign = []
        if self.partial.is_dir():
            foreign = [
                e.name for e in self.partial.iterdir() if e.name not in (*FILES, CHUNKS, LOCK)
            ]
        if foreign:
            raise OutputError(
                f"{self.partial}: holds {sorted(foreign)[0]}, which no run made; "
                "move it or choose another --out"
            )

    def _occupied(self, what: str, ways: str = "--overwrite") -> OutputError:
        return OutputError(
            f"{self.path}: already holds {what}; choose another --out or pass {ways}"
        )

    def would_replace(self, file: str | Path) -> bool:
        """Tell whether a file is one that this run would write."""
        places = [folder / name for folder in (self.path, self.partial) for name in FILES]
        # Path.resolve fails on links that go round in circles.
        return os.path.realpath(file) in {os.path.realpath(place) for place in places}

    @property
    def partial(self) -> Path:
        """Where files live while the run goes on."""
        return self.path / PARTIAL

    @property
    def unfinished(self) -> bool:
        """Whether an unfinished run has left something."""
        return self.partial.is_dir()

    @property
    def finished(self) -> bool:
        """Whether a run was finished here, and no other begun since."""
        return (self.path / RECORD).is_file() and not self.unfinished

    def open(self) -> Path:
        """Make the folder and return where to write; what was left there stays only to resume.

        Raises
        ------
        OutputError
            When it cannot be made, another run is writing into it, or has finished there.
        """
        try:
            self.partial.mkdir(parents=True, exist_ok=True)
            self.sweep()
            self._lock = (self.partial / LOCK).open("wb")
            if not lock_now(self._lock):
                self._lock.close()
                raise OutputError(
                    f"{self.path}: another run is writing there; wait for it, or choose another "
                    "--out"
                )
            self._refuse_finished()
            for entry in list(self.partial.iterdir()):
                if entry.name in FILES or (entry.is_dir() and not self._resume):
                    make_room(entry)
        except OSError as error:
            why = "the disk is full; make room there" if is_full(error) else error.strerror
            raise OutputError(f"{self.path}: cannot be made: {why}") from error
        return self.partial

    def _refuse_finished(self) -> None:
        """Raise where another run has finished since this one looked: a model may load for long."""
        held = sorted(name for name in FILES if (self.path / name).exists())
        if not held or self._overwrite or self._resume:
            return
        # Beside a finished run it would pass for one that was begun since.
        with suppress(OSError):
            (self.partial / LOCK).unlink()
            self.partial.rmdir()
        self.close()
        raise self._occupied(held[0])

    def close(self) -> None:
        """Let others write there; safe to call twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def commit(self) -> None:
        """Move the finished files into place, the record last."""
        try:
            for name in reversed(FILES):
                (self.path / name).unlink(missing_ok=True)
            for name in FILES:
                if (self.partial / name).exists():
                    (self.partial / name).replace(self.path / name)
            # At once: whoever is killed while thousands of chunks are removed has a finished run.
            self.partial.rename(self.path / DONE)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be completed: {error.strerror}") from error
        self.sweep()

    def sweep(self) -> None:
        """Remove what a finished run no longer needs."""
        done = self.path / DONE
        if done.is_symlink():
            with suppress(OSError):
                done.unlink()
        shutil.rmtree(done, ignore_errors=True)

    def discard(self) -> None:
        """Remove what this run wrote, and the folder if the run made it."""
        shutil.rmtree(self.partial, ignore_errors=True)
        if self._made and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()


def make_room(path: Path) -> None:
    """Remove whatever lies in a place, if anything does; of a link, the link alone.

    Raises
    ------
    OSError
        When it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Give a folder to fill that takes its name only when all went well.

    Until then it is called `PATH.partial`. What a killed command has left there is cleared away, a
    folder of others never.

    Raises
    ------
    OutputError
        When the folder exists already and holds something, or cannot be made or filled.
    """
    # By its own name, which "." and links do not tell.
    final = Path(os.path.realpath(path))
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise OutputError(f"{final}: already exists; choose another name or remove it")
    unfinished = final.with_name(final.name + ".partial")
    try:
        with _claimed(unfinished):
            yield unfinished
            (unfinished / UNFINISHED).unlink()
            if final.exists():
                # It stays the same folder: somebody may stand in it.
                for entry in list(unfinished.iterdir()):
                    entry.rename(final / entry.name)
            else:
                unfinished.rename(final)
    except (OSError, OutputError) as error:
        if is_full(error):
            raise OutputError(
                f"{final}: cannot be written, the disk is full; make room there and try again"
            ) from error
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{final}: cannot be written: {error.strerror}") from error


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold an empty folder of one's own, removed at the end if it has its name still."""
    mark = folder / UNFINISHED
    if os.path.lexists(folder) and not mark.is_file():
        raise OutputError(
            f"{folder}: is in the way, and not known to be an unfinished result; remove it or "
            "choose another name"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with mark.open("wb") as lock:
        if not lock_now(lock):
            raise OutputError(
                f"{folder}: another command is writing there; wait for it, or choose another name"
            )
        try:
            for entry in list(folder.iterdir()):
                if entry != mark:
                    make_room(entry)
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
