"""Chunks in several local processes, of which one may die."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType

from tempseg.errors import RunError
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import Chunk, ChunkPlan
from tempseg.runners.executor import Progress
from tempseg.runners.worker import Begin, Done, Failed, Ready, Setup, Wants, Wrote
from tempseg.types import SegmenterInfo

__all__ = ["WorkerPool"]

MOST_RETRIES = 2
"""How often a chunk is done again whose worker died."""

_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TEMPSEG_THREADS"),
)


@dataclass(slots=True, eq=False)
class _Worker:
    name: str
    process: subprocess.Popen[bytes]
    line: Connection
    taken: list[Chunk] = field(default_factory=list)
    ready: bool = False
    waits: bool = False


class WorkerPool:
    """Runs chunks in processes of their own, each with a model, and replaces those that die.

    Processor threads are shared out among them where `segmenter.threads` leaves it open. A chunk
    whose worker died is done again by another, and alone, so that it is known which it was.

    Parameters
    ----------
    plan : ChunkPlan
    workers : int
        At most; no more than there are chunks.
    """

    def __init__(self, plan: ChunkPlan, workers: int) -> None:
        self._plan = plan
        self._count = workers
        self._started = 0
        self._workers: list[_Worker] = []
        self._info: SegmenterInfo | None = None
        self._begin: Begin | None = None
        self._waiting: deque[Chunk] = deque()
        self._deaths: Counter[int] = Counter()
        self._written: dict[int, Wrote] = {}
        # While models are loaded nothing is written: how often that may fail.
        self._failed_starts = 0

    def __enter__(self) -> WorkerPool:
        try:
            for _ in range(self._count):
                self._start()
            while self._info is None:
                for worker, message in self._messages():
                    self._take(worker, message)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def info(self) -> SegmenterInfo:
        """What the model is, as the first worker that had it loaded says."""
        assert self._info is not None
        return self._info

    def run(
        self, chunks: Sequence[Chunk], folder: Path, *, run: str, progress: Progress
    ) -> Generator[ChunkRecord, None, None]:
        """Yield the records as chunks are finished.

        Raises
        ------
        TempsegError
            What a worker says that trying again would not change.
        RunError
            When a chunk's worker died again and again.
        """
        self._begin = Begin(str(folder), run)
        self._waiting = deque(chunks)
        left = len(chunks)
        for worker in self._workers:
            if worker.ready:
                self._tell(worker, self._begin)
        while left:
            for worker, message in self._messages():
                if isinstance(message, Done):
                    left -= 1
                    worker.taken = [
                        chunk for chunk in worker.taken if chunk.number != message.record.number
                    ]
                    self._written.pop(message.record.number, None)
                    yield message.record
                elif message is None:
                    self._bury(worker, progress)
                else:
                    self._take(worker, message, progress)
            self._hand_out()

    def _start(self) -> None:
        self._started += 1
        ours, theirs = Pipe()
        threads = max(1, min(8, _cpus() // self._count))
        # Libraries that read these when they are imported; what the user set stands.
        shares = {name: str(threads) for name in _THREAD_VARIABLES}
        process = subprocess.Popen(
            [sys.executable, "-m", "tempseg.runners.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**shares, **os.environ},
            # Out of reach of the terminal's Ctrl-C, which this process answers.
            process_group=0,
        )
        theirs.close()
        worker = _Worker(f"worker {self._started}", process, ours)
        self._workers.append(worker)
        self._tell(worker, Setup(self._plan, worker.name, threads, tuple(sys.path)))

    def _tell(self, worker: _Worker, message: object) -> None:
        # A worker that has died is found when it is listened to.
        with contextlib.suppress(OSError):
            worker.line.send(message)

    def _messages(self) -> list[tuple[_Worker, object]]:
        """Return what workers say, waiting for something; none for one that is gone."""
        by_line = {worker.line: worker for worker in self._workers}
        found: list[tuple[_Worker, object]] = []
        for line in wait(list(by_line)):
            assert isinstance(line, Connection)
            message: object = None
            with contextlib.suppress(EOFError, OSError):
                message = line.recv()
            found.append((by_line[line], message))
        return found

    def _take(self, worker: _Worker, message: object, progress: Progress | None = None) -> None:
        if isinstance(message, Ready):
            self._info = message.info
            worker.ready = True
            if self._begin is not None:
                self._tell(worker, self._begin)
        elif isinstance(message, Wants):
            worker.waits = True
        elif isinstance(message, Wrote) and progress is not None:
            before = self._written.get(message.number, Wrote(message.number, 0, 0))
            self._written[message.number] = Wrote(
                message.number,
                before.frames + message.frames,
                before.keyframes + message.keyframes,
            )
            progress(message.frames, message.keyframes)
        elif isinstance(message, Failed):
            # What an error comes of is not sent along with it.
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise message.error from full if message.full else None
        elif message is None:
            self._bury(worker, progress)

    def _hand_out(self) -> None:
        """Give chunks to the workers that wait for one."""
        for worker in self._workers:
            if not self._waiting:
                return
            # A worker may read its next chunk while it writes the last, unless one of both has
            # been there when another worker died.
            both = [*worker.taken, self._waiting[0]]
            if worker.waits and (not worker.taken or not any(map(self._died_with, both))):
                chunk = self._waiting.popleft()
                worker.taken.append(chunk)
                worker.waits = False
                self._tell(worker, chunk)

    def _died_with(self, chunk: Chunk) -> bool:
        return self._deaths[chunk.number] > 0

    def _bury(self, worker: _Worker, progress: Progress | None) -> None:
        """Put back what a worker had that is gone, and start another."""
        self._workers.remove(worker)
        worker.line.close()
        status = worker.process.wait()
        for chunk in reversed(worker.taken):
            self._deaths[chunk.number] += 1
            self._waiting.appendleft(chunk)
            wrote = self._written.pop(chunk.number, None)
            if wrote is not None and progress is not None:
                progress(-wrote.frames, -wrote.keyframes)
            if self._deaths[chunk.number] > MOST_RETRIES:
                raise RunError(self._told_of(chunk, status))
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts > MOST_RETRIES:
                raise RunError(
                    f"{self._failed_starts} workers died while they loaded the model "
                    f"({_ended(status)}); run with --workers 1 to see why"
                )
        if self._waiting or self._info is None:
            self._start()

    def _told_of(self, chunk: Chunk, status: int) -> str:
        video = self._plan.video
        begin = chunk.part.begin if chunk.part.begin is not None else self._plan.first_pts
        where = f"chunk {chunk.number}, from {float(begin * video.time_base):.2f} s"
        return (
            f"{video.name}: {where}: its worker died {self._deaths[chunk.number]} times "
            f"({_ended(status)}); run with --workers 1 to see why, or with fewer if memory is short"
        )

    def _stop(self) -> None:
        """Leave no process behind."""
        for worker in self._workers:
            worker.line.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
        self._workers = []


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
