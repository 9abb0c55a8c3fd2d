"""Chunks shared out among workers, of which any may die."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tempseg.errors import RunError
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import Chunk, ChunkPlan
from tempseg.runners.crew import Crew, Share
from tempseg.runners.executor import Progress
from tempseg.runners.worker import Done, Failed, Logged, Ready, Setup, Wants, Wrote
from tempseg.types import SegmenterInfo

__all__ = ["WorkerPool"]

_log = logging.getLogger(__name__)

MOST_RETRIES = 2
"""How often a chunk is done again whose worker died."""


@dataclass(slots=True, eq=False)
class _Worker:
    taken: list[Chunk] = field(default_factory=list)
    ready: bool = False
    waits: bool = False


class WorkerPool:
    """Runs chunks in workers, each with a model of its own, and replaces those that die.

    Processor threads are shared out among them where `segmenter.threads` leaves it open. A worker
    has two chunks at most: it may read one while it writes the other. A chunk whose worker died is
    done again by another, and alone, so that it is known which it was.

    Parameters
    ----------
    plan : ChunkPlan
    crew : Crew
        Where workers come from.
    """

    def __init__(self, plan: ChunkPlan, crew: Crew) -> None:
        self._plan = plan
        self._crew = crew
        self._share = Share(1, 1, 1.0)
        self._started = 0
        self._workers: dict[str, _Worker] = {}
        self._info: SegmenterInfo | None = None
        self._begin: Callable[[str], None] | None = None
        self._waiting: deque[Chunk] = deque()
        self._deaths: Counter[int] = Counter()
        self._written: dict[int, Wrote] = {}
        # While models are loaded nothing is written: how often that may fail.
        self._failed_starts = 0

    def __enter__(self) -> WorkerPool:
        try:
            self._share = self._crew.gather(self._plan)
            for _ in range(self._share.workers):
                self._start()
            while self._info is None:
                for name, message in self._crew.listen():
                    self._take(name, message)
        except BaseException:
            self._crew.dismiss()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._crew.dismiss()

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

        def begin(name: str) -> None:
            self._crew.send(name, self._crew.begin(name, folder, run))

        self._begin = begin
        self._waiting = deque(chunks)
        left = len(chunks)
        for name, worker in self._workers.items():
            if worker.ready:
                begin(name)
        while left:
            for name, message in self._crew.listen():
                if isinstance(message, Done):
                    number = message.record.number
                    self._crew.collect(name, message.record, folder)
                    left -= 1
                    worker = self._workers[name]
                    worker.taken = [chunk for chunk in worker.taken if chunk.number != number]
                    self._written.pop(number, None)
                    yield message.record
                else:
                    self._take(name, message, progress)
            self._hand_out()

    def _start(self) -> None:
        self._started += 1
        name, share = f"worker {self._started}", self._share
        self._workers[name] = _Worker()
        self._crew.start(
            Setup(self._plan, name, share.threads, tuple(sys.path), every_s=share.every_s)
        )

    def _take(self, name: str, message: object, progress: Progress | None = None) -> None:
        worker = self._workers[name]
        if isinstance(message, Ready):
            self._info = message.info
            worker.ready = True
            self._failed_starts = 0
            if self._begin is not None:
                self._begin(name)
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
        elif isinstance(message, Logged):
            logging.getLogger(message.logger).log(message.level, "%s", message.text)
        elif isinstance(message, Failed):
            # What an error comes of is not sent along with it.
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise message.error from full if message.full else None
        elif message is None:
            self._bury(name, progress)

    def _hand_out(self) -> None:
        """Give chunks to the workers that wait for one."""
        for name, worker in self._workers.items():
            if not self._waiting:
                return
            # A worker may read its next chunk while it writes the last, unless one of both has
            # been there when another worker died.
            both = [*worker.taken, self._waiting[0]]
            if worker.waits and (not worker.taken or not any(map(self._died_with, both))):
                chunk = self._waiting.popleft()
                worker.taken.append(chunk)
                worker.waits = False
                self._crew.send(name, chunk)

    def _died_with(self, chunk: Chunk) -> bool:
        return self._deaths[chunk.number] > 0

    def _bury(self, name: str, progress: Progress | None) -> None:
        """Put back what a worker had that is gone, and start another."""
        worker = self._workers.pop(name)
        ended = self._crew.bury(name)
        for chunk in reversed(worker.taken):
            self._deaths[chunk.number] += 1
            self._waiting.appendleft(chunk)
            wrote = self._written.pop(chunk.number, None)
            if wrote is not None and progress is not None:
                progress(-wrote.frames, -wrote.keyframes)
            if self._deaths[chunk.number] > MOST_RETRIES:
                raise RunError(self._told_of(chunk, ended))
        if worker.taken:
            again = " and ".join(str(chunk.number) for chunk in worker.taken)
            video = self._plan.video.name
            _log.warning("%s: a worker died (%s); done again: chunk %s", video, ended, again)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts > MOST_RETRIES:
                raise RunError(
                    f"{self._failed_starts} workers died while they loaded the model "
                    f"({ended}); {self._crew.to_see_why}"
                )
        if self._waiting or self._info is None:
            self._start()

    def _told_of(self, chunk: Chunk, ended: str) -> str:
        video = self._plan.video
        begin = chunk.part.begin if chunk.part.begin is not None else self._plan.first_pts
        where = f"chunk {chunk.number}, from {float(begin * video.time_base):.2f} s"
        return (
            f"{video.name}: {where}: its worker died {self._deaths[chunk.number]} times "
            f"({ended}); {self._crew.to_see_why}"
        )
