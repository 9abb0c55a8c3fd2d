"""A run's threads over time, as a file that Perfetto and chrome://tracing open."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from tempseg.errors import OutputError

__all__ = ["Trace"]

_MEMORY_EVERY_S = 0.25
_STATM = Path("/proc/self/statm")
_BEGINS = '[\n{"name": "process_name", "ph": "M"'


class Trace:
    """Writes the Trace Event Format: a track a thread, slices, counters. Safe between threads.

    The file is made by `begin`; an older trace is replaced, and nothing else. Every event goes to
    it at once and none is kept, so that memory does not grow. A file that cannot take more is told
    of when the trace is closed: it must not end a run.

    The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    OutputError
        When there is a file that is no trace; also from `begin` when it cannot be made, and from
        `close` when it could not be completed.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._start = time.perf_counter()
        self._threads: set[int] = set()
        self._memory_at = 0.0
        self._error: OSError | None = None
        self._file: TextIO | None = None
        try:
            _check_place(self._path)
            foreign = self._path.is_file() and not _is_trace(self._path)
        except OSError as error:
            raise self._refused(error) from error
        if foreign:
            raise OutputError(
                f"{self._path}: is there already and no trace; choose another place with "
                "--profile-to"
            )

    def begin(self) -> None:
        """Make the file, unless that is done."""
        if self._file is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._refused(error) from error
        self._threads.clear()
        # Readers take an array that is not closed: a run that is killed leaves a trace, too.
        self._file.write("[\n")
        self._write(
            {"name": "process_name", "ph": "M", "pid": os.getpid(), "args": {"name": "tempseg"}}
        )

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except OutputError:
            # What ended the run says more.
            if error is None:
                raise

    def slice(self, name: str, start: float, end: float, *, frame_index: int | None = None) -> None:
        """Add what the calling thread did from `start` to `end`, in seconds of `perf_counter`."""
        event: dict[str, object] = {
            "name": name,
            "ph": "X",
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
            "ts": self._us(start),
            "dur": round((end - start) * 1e6, 3),
        }
        if frame_index is not None:
            event["args"] = {"frame": frame_index}
        self._write(event, end)

    def counter(self, name: str, value: float) -> None:
        """Add a value of a quantity that changes, as from now."""
        now = time.perf_counter()
        self._write(self._counted(name, value, now), now)

    def close(self) -> None:
        """Complete the file; safe to call twice."""
        with self._lock:
            if self._file is None or self._file.closed:
                return
            try:
                # After every event stands a comma, and JSON wants none before the end.
                end = {"name": "end", "ph": "i", "s": "g", "ts": self._us(time.perf_counter())}
                self._file.write(json.dumps({**end, "pid": os.getpid(), "tid": 0}) + "\n]\n")
            except OSError as error:
                self._error = self._error or error
            try:
                self._file.close()
            except OSError as error:
                self._error = self._error or error
            if self._error is not None:
                raise OutputError(
                    f"{self._path}: cannot be completed: {self._error.strerror}"
                ) from self._error

    def discard(self) -> None:
        """Remove the file of a run that has come to nothing."""
        with self._lock:
            if self._file is None:
                return
            with suppress(OSError):
                self._file.close()
            # Behind a link; and neither a pipe nor a device.
            made = Path(os.path.realpath(self._path))
            with suppress(OSError):
                if made.is_file():
                    made.unlink()
            self._file = None

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: cannot be written: {error.strerror}")

    def _counted(self, name: str, value: float, at: float) -> dict[str, object]:
        args = {"value": value}
        return {"name": name, "ph": "C", "pid": os.getpid(), "ts": self._us(at), "args": args}

    def _write(self, event: dict[str, object], at: float | None = None) -> None:
        events = [event]
        thread = event.get("tid")
        with self._lock:
            if self._file is None or self._file.closed:
                return
            if isinstance(thread, int) and thread not in self._threads:
                self._threads.add(thread)
                named = threading.current_thread().name.removeprefix("tempseg-")
                events.append(
                    {
                        "name": "thread_name",
                        "ph": "M",
                        "pid": os.getpid(),
                        "tid": thread,
                        "args": {"name": {"MainThread": "main"}.get(named, named)},
                    }
                )
            if at is not None and at - self._memory_at > _MEMORY_EVERY_S:
                self._memory_at = at
                memory_mb = _memory_mb()
                if memory_mb is not None:
                    events.append(self._counted("memory, MB", memory_mb, at))
            try:
                for one in events:
                    self._file.write(json.dumps(one) + ",\n")
            except OSError as error:
                self._error = self._error or error

    def _us(self, at: float) -> float:
        return round((at - self._start) * 1e6, 3)


def _check_place(path: Path) -> None:
    """Raise an OSError where no file can be written, before anything is begun for it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not (there.is_dir() or there == path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(there, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _is_trace(path: Path) -> bool:
    """Tell whether a file is what this module writes, or empty."""
    with path.open("rb") as file:
        found = file.read(len(_BEGINS))
    return found in (b"", _BEGINS.encode())


def _memory_mb() -> float | None:
    """Return the resident memory now, where the system tells it in a file."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
