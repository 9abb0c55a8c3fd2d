"""A process that runs chunks as it is given them; started by the pool."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from tempseg.build import build_segmenter
from tempseg.errors import RunError, TempsegError, is_full
from tempseg.memory import collect_seldom
from tempseg.protocols import Segmenter
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import Chunk, ChunkPlan
from tempseg.types import FrameResult, Origin, SegmenterInfo

__all__ = [
    *("Begin", "Done", "Failed", "Logged", "Ready", "Setup", "Wants", "Wrote"),
    *("Line", "Site", "main", "serve"),
]


@dataclass(frozen=True, slots=True)
class Setup:
    """The first thing a worker is told: the plan, and what is this worker's share."""

    plan: ChunkPlan
    name: str
    threads: int
    import_path: tuple[str, ...]
    every_s: float
    """How often it tells of what it has written."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker's model is loaded."""

    info: SegmenterInfo


@dataclass(frozen=True, slots=True)
class Begin:
    """Where the chunks go, and the hash of what the run is made of."""

    folder: str
    run: str


@dataclass(frozen=True, slots=True)
class Wants:
    """A worker can take another chunk."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """Frames of a chunk were written, so many of them keyframes."""

    number: int
    frames: int
    keyframes: int


@dataclass(frozen=True, slots=True)
class Done:
    """A chunk is finished."""

    record: ChunkRecord


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that trying again does not help, and whether it comes of a full disk."""

    error: TempsegError
    full: bool = False


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the log, where the worker's own is not the run's."""

    logger: str
    level: int
    text: str


class Line(Protocol):
    """What a worker and its pool say to one another, for several threads."""

    told: queue.Queue[Any]
    """What the pool says."""

    def send(self, message: object) -> None:
        """Tell the pool."""


class Site:
    """Where a worker works: on the machine of the run."""

    def load(self, plan: ChunkPlan) -> tuple[ChunkPlan, Segmenter]:
        """Return the plan, as it holds there, and the model."""
        return plan, build_segmenter(plan.config, first_mask=plan.first_mask)

    def begin(self, begin: Begin) -> Path:
        """Return the folder to write chunks into."""
        return Path(begin.folder)

    def deliver(self, record: ChunkRecord) -> None:
        """Hand over a finished chunk."""


class _Pipe:
    """A line to the pool's process on this machine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.told: queue.Queue[Any] = queue.Queue()

    def send(self, message: object) -> None:
        with self._lock:
            self._connection.send(message)

    def listen(self) -> None:
        """Queue what the pool says; end the process with it."""
        try:
            while True:
                self.told.put(self._connection.recv())
        except (EOFError, OSError):
            # The pool's process is gone: nobody waits for what this one does.
            os._exit(1)


def main() -> None:
    """Load the model and run chunks until there are no more."""
    # Told by the pool when to end; Ctrl-C on the terminal is for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_seldom()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    connection = Connection(int(sys.argv[1]))
    try:
        setup: Setup = connection.recv()
    except (EOFError, OSError):
        # The run has ended before this process had begun.
        return
    sys.path[:] = setup.import_path
    line = _Pipe(connection)
    threading.Thread(target=line.listen, name="tempseg-line", daemon=True).start()
    serve(line, setup, Site())
    # Threads of model runtimes may still run; nothing of theirs is to be kept.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(0)


def serve(line: Line, setup: Setup, site: Site) -> None:
    """Load the model and run chunks until the pool has no more; tell it what goes wrong."""
    try:
        _work(line, setup, site)
    except TempsegError as error:
        line.send(Failed(error, full=is_full(error)))
    except Exception as error:  # noqa: BLE001 - the pool's process tells it, as it would its own
        told = "".join(traceback.format_exception(error))
        failure = RunError(f"unexpected {type(error).__name__} in a worker: {error}")
        failure.add_note(told)
        line.send(Failed(failure))


def _work(line: Line, setup: Setup, site: Site) -> None:
    import cv2

    from tempseg.runners.work import ChunkRunner

    cv2.setNumThreads(setup.threads)
    plan, segmenter = site.load(setup.plan)
    line.send(Ready(segmenter.info))
    begin: Begin = line.told.get()
    folder = site.begin(begin)
    runner = ChunkRunner(plan, segmenter, run=begin.run, process=setup.name)
    counter = _Counter(line, every_s=setup.every_s)

    def wanted() -> Iterator[Chunk]:
        while True:
            line.send(Wants())
            chunk = line.told.get()
            if chunk is None:
                return
            counter.expect(chunk)
            yield chunk

    records = runner.run(
        wanted(),
        folder,
        advance=counter.count,
        # The thread that waits for the next chunk must end too.
        stopping=lambda: line.told.put(None),
    )
    for record in records:
        counter.finish()
        site.deliver(record)
        line.send(Done(record))


class _Counter:
    """Tells the pool of written frames, now and then."""

    def __init__(self, line: Line, *, every_s: float) -> None:
        self._line = line
        self._every_s = every_s
        self._expected: queue.Queue[int] = queue.Queue()
        self._number: int | None = None
        self._since = Wrote(0, 0, 0)
        self._told_s = time.monotonic()

    def expect(self, chunk: Chunk) -> None:
        self._expected.put(chunk.number)

    def count(self, result: FrameResult) -> None:
        if self._number is None:
            self._number = self._expected.get()
        since = self._since
        self._since = replace(
            since,
            frames=since.frames + 1,
            keyframes=since.keyframes + (result.origin is Origin.SEGMENTED),
        )
        if time.monotonic() - self._told_s > self._every_s:
            self.flush()

    def flush(self) -> None:
        if self._number is not None and self._since.frames:
            self._line.send(replace(self._since, number=self._number))
        self._since = Wrote(0, 0, 0)
        self._told_s = time.monotonic()

    def finish(self) -> None:
        self.flush()
        self._number = None
