"""Chunks through the engine: one after the other, the next begun while the last is written."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from tempseg.build import begins_anywhere, build_engine, build_sinks, build_source, forced_frames
from tempseg.carrier import Decided
from tempseg.engine import Engine
from tempseg.errors import SourceError
from tempseg.forced import Forced
from tempseg.memory import give_back_memory
from tempseg.motion import Step
from tempseg.opencv_threads import single_threaded_opencv
from tempseg.outputs import verdict_cells
from tempseg.prefetch import Prefetch
from tempseg.protocols import FrameSource, Segmenter
from tempseg.runners.chunk_record import ChunkRecord, Seam
from tempseg.runners.chunks import Chunk, ChunkPlan, seam_reason
from tempseg.runners.ledger import ChunkFolder
from tempseg.runners.local import AHEAD, SPAN_AHEAD, show_first_frame, write_all
from tempseg.runners.tally import Tally, peak_memory_mb
from tempseg.runners.timing import STAGES, StageTimes
from tempseg.runners.trace import Trace
from tempseg.types import Frame, FrameResult

__all__ = ["ChunkRunner", "SeamError"]


class SeamError(SourceError):
    """A source reads otherwise from a seek point than from before it."""


Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class _Job:
    """A chunk on its way."""

    chunk: Chunk
    source: FrameSource
    engine: Engine
    times: StageTimes
    opening: Seam | None = None
    closing: Seam | None = None

    def closes(self, frame: Frame) -> bool:
        """Tell whether a frame is the next chunk's first."""
        end = self.chunk.part.end
        return end is not None and frame.pts >= end


_Stream = Iterator[tuple[_Job, Item | None]]
"""What belongs to job after job, none where one ends: nothing has to wait for the next to begin."""


class ChunkRunner:
    """Runs chunks of a plan in this process, with one model.

    Parameters
    ----------
    plan : ChunkPlan
    segmenter : Segmenter
    run : str
        Hash of what the run is made of, for the records.
    process : str
        The name of this process in the records.
    trace : Trace, optional
        Told of every stage of every frame.
    """

    def __init__(
        self,
        plan: ChunkPlan,
        segmenter: Segmenter,
        *,
        run: str,
        process: str = "main",
        trace: Trace | None = None,
    ) -> None:
        self._plan = plan
        self._segmenter = segmenter
        self._run = run
        self._process = process
        self._trace = trace
        # The queues are those of all chunks together.
        self._queues = StageTimes(trace)
        self._waited: dict[str, float] = {}
        self._primed = False

    def run(
        self,
        chunks: Iterable[Chunk],
        folder: Path,
        *,
        advance: Callable[[FrameResult], None] | None = None,
        stopping: Callable[[], None] | None = None,
    ) -> Generator[ChunkRecord, None, None]:
        """Yield the record of every chunk when it is finished; close the iterator to stop.

        A chunk is asked for when the one before it has been read, and read while that is written.

        Parameters
        ----------
        chunks : iterable of Chunk
        folder : Path
            Where each gets a folder of its own.
        advance : callable, optional
            Called with every result that is written.
        stopping : callable, optional
            Called before the threads are waited for; makes `chunks` end where it waits itself.

        Raises
        ------
        SourceError, ModelError, OutputError
            What goes wrong on the way; the unfinished chunk is then closed as well as can be.
        """
        ordered = iter(chunks)
        first = next(ordered, None)
        if first is None:
            return
        self._prime(first)
        start = time.perf_counter()
        with self._results(chain([first], ordered)) as results:
            try:
                for job, found in _by_job(results):
                    record = self._write(job, found, folder, advance=advance, start=start)
                    give_back_memory()
                    yield record
                    start = time.perf_counter()
            finally:
                if stopping is not None:
                    stopping()

    def _prime(self, first: Chunk) -> None:
        """Show the model the run's first frame: what answers are is decided on it.

        Where a run begins with the first chunk, that frame is its first keyframe anyway, but for
        policies that look back.
        """
        if not self._primed and (first.number > 0 or begins_anywhere(self._plan.config)):
            show_first_frame(build_source(self._plan.source, self._plan.config), self._segmenter)
        self._primed = True

    @contextmanager
    def _results(self, chunks: Iterator[Chunk]) -> Iterator[_Stream[FrameResult]]:
        # Models that may work with OpenCV themselves keep its threads.
        own = self._segmenter.info.runtime in ("opencv", "python")
        with (
            nullcontext() if own else single_threaded_opencv(),
            Prefetch(
                self._frames(chunks), name="decode", capacity=AHEAD, watch=self._queues
            ) as frames,
            Prefetch(_steps(frames), name="motion", capacity=AHEAD, watch=self._queues) as steps,
            Prefetch(
                self._decided(steps), name="decide", capacity=SPAN_AHEAD, watch=self._queues
            ) as decided,
            Prefetch(
                _carried(decided), name="carry", capacity=SPAN_AHEAD, watch=self._queues
            ) as results,
        ):
            yield results

    def _frames(self, chunks: Iterator[Chunk]) -> _Stream[Frame]:
        for chunk in chunks:
            job = self._open(chunk)
            try:
                start = time.perf_counter()
                for frame in job.source:
                    self._note_seams(job, frame)
                    job.times.add("decode", frame.index, start, time.perf_counter())
                    yield job, frame
                    start = time.perf_counter()
            finally:
                job.source.close()
            self._plan.state.check()
            yield job, None

    def _open(self, chunk: Chunk) -> _Job:
        plan, times = self._plan, StageTimes(self._trace)
        plan.state.check()
        end = chunk.part.end
        try:
            source = build_source(plan.source, plan.config, part=chunk.part)
        except SourceError as error:
            if chunk.part.begin is None and end is None:
                raise
            # The source as a whole may have frames where this part of it has none.
            raise SeamError(f"{error} (chunk {chunk.number} by itself)") from error
        forced = chunk.seams(plan.video.time_base)
        engine = build_engine(plan.config, self._segmenter, timer=times, forced=forced)
        return _Job(chunk, source, engine, times)

    def _note_seams(self, job: _Job, frame: Frame) -> None:
        part = job.chunk.part
        if job.opening is None:
            if job.closes(frame):
                raise SeamError(
                    f"{self._plan.source}: no frame of chunk {job.chunk.number} can be decoded"
                )
            job.opening = _seam(frame)
            if self._plan.renumbers and part.begin not in (None, frame.pts):
                raise SeamError(
                    f"{self._plan.source}: a seek to {part.begin} gives the frame at {frame.pts}"
                )
        elif job.closes(frame):
            job.closing = _seam(frame)

    def _decided(self, steps: _Stream[Step]) -> _Stream[Decided]:
        for job, own in _by_job(steps):
            for decided in job.engine.decided(own):
                yield job, decided
            yield job, None

    def _write(
        self,
        job: _Job,
        results: Iterator[FrameResult],
        folder: Path,
        *,
        advance: Callable[[FrameResult], None] | None,
        start: float,
    ) -> ChunkRecord:
        config = self._plan.config
        place = ChunkFolder(folder, job.chunk)
        stages = STAGES if config.output.overlay else STAGES[:-1]
        sinks = build_sinks(
            config,
            place.begin(),
            video=self._plan.video,
            colour=self._plan.colour,
            segmenter=self._segmenter.info,
            stages=stages,
            take_timings=job.times.take,
        )
        tally = Tally()
        closing: FrameResult | None = None
        last: Frame | None = None

        def own() -> Iterator[FrameResult]:
            nonlocal closing, last
            for result in results:
                if job.closes(result.frame):
                    closing = result
                else:
                    last = result.frame
                    yield result

        observers = [tally.advance] if advance is None else [tally.advance, advance]
        write_all(own(), sinks, times=job.times, observers=observers)
        sizes, hashes = place.checksums()
        assert job.opening is not None
        record = ChunkRecord(
            number=job.chunk.number,
            begin=job.chunk.part.begin,
            end=job.chunk.part.end,
            run=self._run,
            frames=tally.frames,
            keyframe_reasons=tally.reasons,
            damaged=job.source.damaged,
            restarts=job.source.restarts,
            first_s=tally.first_s,
            last_s=tally.last_s,
            opening=job.opening,
            closing=job.closing,
            closing_row=() if closing is None else _row(closing, last, forced_frames(config)),
            closing_shot=0 if closing is None else closing.shot,
            stage_s=job.times.totals,
            wait_s=job.times.waits | self._waits(),
            wall_s=time.perf_counter() - start,
            peak_memory_mb=peak_memory_mb(),
            process=self._process,
            assumptions=self._segmenter.info.assumptions,
            sizes=sizes,
            sha256=hashes,
        )
        place.finish(record)
        return record

    def _waits(self) -> dict[str, float]:
        """Return how long was waited for the queues since this was asked last."""
        before, self._waited = self._waited, self._queues.waits
        return {queue: waited - before.get(queue, 0.0) for queue, waited in self._waited.items()}


def _steps(frames: _Stream[Frame]) -> _Stream[Step]:
    for job, own in _by_job(frames):
        for step in job.engine.steps(own):
            yield job, step
        yield job, None


def _carried(decided: _Stream[Decided]) -> _Stream[FrameResult]:
    for job, own in _by_job(decided):
        for result in job.engine.carried(own):
            yield job, result
        yield job, None


def _by_job(stream: _Stream[Item]) -> Iterator[tuple[_Job, Iterator[Item]]]:
    """Yield each job with what is its own, to be taken whole before the next."""
    for job, item in stream:
        yield job, _own(item, stream)


def _own(item: Item | None, stream: _Stream[Item]) -> Iterator[Item]:
    while item is not None:
        yield item
        following = next(stream, None)
        item = None if following is None else following[1]


def _seam(frame: Frame) -> Seam:
    return Seam(frame.pts, zlib.crc32(np.ascontiguousarray(frame.luma).data))


def _row(closing: FrameResult, last: Frame | None, forced: Forced) -> tuple[str, ...]:
    taken = forced.takes(closing.frame, last)
    reason = seam_reason(closing.reason, closing.verdict, forced=taken)
    return (reason.value, *verdict_cells(closing))
