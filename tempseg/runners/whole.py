"""A whole run: planned, done chunk by chunk, joined, recorded; begun or gone on with."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tempseg.build import forced_before_part, forced_frames
from tempseg.config import Config
from tempseg.errors import (
    ConfigError,
    ModelSettingError,
    OutputError,
    RunError,
    SourceError,
    TempsegError,
    is_full,
)
from tempseg.label_images import list_images
from tempseg.outputs import RunFolder, Totals, read_totals, write_record
from tempseg.protocols import RunObserver, Segmenter
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import ChunkPlan, SourceChangedError, plan_run
from tempseg.runners.executor import ChunkExecutor, InProcess
from tempseg.runners.fingerprint import changes, fingerprint, run_hash
from tempseg.runners.joining import RunJoiner
from tempseg.runners.ledger import Ledger
from tempseg.runners.on_ray import RayActors
from tempseg.runners.pool import WorkerPool
from tempseg.runners.processes import LocalProcesses
from tempseg.runners.space import check_space, shortage_bytes, told_bytes
from tempseg.runners.trace import Trace
from tempseg.runners.work import SeamError
from tempseg.types import SegmenterInfo, VideoInfo

__all__ = ["FinishedRun", "made_before", "run_source"]

_log = logging.getLogger(__name__)

MOST_UNFINISHED_BYTES = 256 << 20
"""What is joined of an unfinished chunk is for looking at; more would take its time."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What a run has written and come to.

    Parameters
    ----------
    folder : Path
        Holds `masks.mkv`, `overlay.mp4`, `frames.csv`, `run.json` and `report.html`.
    video : VideoInfo
    totals : Totals
    assumptions : tuple of str
        What was assumed about the model because nothing said it.
    """

    folder: Path
    video: VideoInfo
    totals: Totals
    assumptions: tuple[str, ...] = ()


def run_source(
    source: str,
    folder: RunFolder,
    config: Config,
    *,
    resume: bool,
    segmenter: Segmenter | None = None,
    profile: str | Path | None = None,
    observer: RunObserver | None = None,
    command: Sequence[str] = (),
) -> FinishedRun:
    """Run a source into a folder; return what it came to.

    Parameters
    ----------
    source : str
    folder : RunFolder
    config : Config
    resume : bool
        Whether to keep the finished chunks that an unfinished run left.
    segmenter : Segmenter, optional
        The model, where it is loaded already.
    profile : str or Path, optional
        Where to write what each thread did when; of this process alone.
    observer : RunObserver, optional
    command : sequence of str
        For the record.

    Raises
    ------
    ConfigError
        When what is to be gone on with was made otherwise, or the model cannot be audited.
    SourceError, ModelError, OutputError
        When something is wrong before the first frame is done.
    RunError
        When the run fails on the way.
    """
    if profile is not None and (config.run.workers > 1 or config.run.ray):
        raise ConfigError("--profile follows one process; leave run.workers at 1 and run.ray empty")
    plan = plan_run(source, config)
    if folder.would_replace(plan.video.name):
        raise OutputError(
            f"{source}: the results in {folder.path} would replace it; choose another --out"
        )
    if profile is not None and folder.would_replace(profile):
        raise OutputError(
            f"{profile}: is where a result goes; choose another place with --profile-to"
        )
    with ExitStack() as profiling:
        trace = None if profile is None else profiling.enter_context(Trace(profile))
        run = _Run(plan, folder, resume=resume, trace=trace, observer=observer, command=command)
        try:
            with _executor(plan, segmenter, trace) as executor:
                return run.through(executor)
        except SeamError as error:
            if not run.cut:
                raise
            _log.warning("%s; it is run again in one chunk", error)
        with InProcess(plan, segmenter, trace=trace) as executor:
            return run.through(executor, in_one=True)


def made_before(folder: RunFolder) -> Mapping[str, object] | None:
    """Return what the run in a folder, finished or not, was made of; none where there is none."""
    if folder.finished:
        _, before, _ = read_totals(folder.path / "run.json")
        return before
    return Ledger(folder.partial).stored()


def _executor(plan: ChunkPlan, segmenter: Segmenter | None, trace: Trace | None) -> ChunkExecutor:
    wanted = plan.config.run
    if wanted.ray:
        # One worker is the default of processes; a cluster's is as many as it has room for.
        crew = RayActors(wanted.ray, workers=wanted.workers_given, storage=wanted.storage)
        return WorkerPool(plan, crew)
    workers = min(wanted.workers, len(plan.chunks))
    if workers > 1:
        return WorkerPool(plan, LocalProcesses(workers))
    return InProcess(plan, segmenter, trace=trace)


class _Run:
    """One run, through one executor or, where the source is not to be cut, a second."""

    def __init__(
        self,
        plan: ChunkPlan,
        folder: RunFolder,
        *,
        resume: bool,
        trace: Trace | None,
        observer: RunObserver | None,
        command: Sequence[str],
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._resume = resume
        self._trace = trace
        self._observer = observer
        self._command = command
        self._start = time.perf_counter()
        self._earlier_s = 0.0
        self._written = [0, 0]
        self._chunks_bytes = 0
        self._finished_frames = 0

    @property
    def cut(self) -> bool:
        """Whether it is in more than one chunk."""
        return len(self._plan.chunks) > 1

    def through(self, executor: ChunkExecutor, *, in_one: bool = False) -> FinishedRun:
        """Run what is not finished through an executor."""
        if self._plan.config.run.audit:
            _require_auditable(executor.info)
        made = fingerprint(self._plan, executor.info)
        if self._resume:
            self._refuse_changes(made)
            if self._folder.finished:
                self._folder.sweep()
                totals, _, assumptions = read_totals(self._folder.path / "run.json")
                return FinishedRun(self._folder.path, self._plan.video, totals, assumptions)
        partial = self._folder.open()
        kept_something = False
        try:
            if self._trace is not None:
                self._trace.begin()
            ledger = Ledger(partial)
            if in_one or (self._resume and ledger.in_one()):
                self._plan = self._plan.in_one()
            kept = ledger.finished(self._plan, run_hash(made))
            kept_something = bool(kept)
            return self._joined(executor, ledger, made, kept)
        except BaseException as error:
            if not self._written[0] and not self._resume:
                if self._trace is not None:
                    self._trace.discard()
                self._folder.discard()
            elif isinstance(error, SeamError) and self.cut:
                raise
            elif isinstance(error, TempsegError) and (self._written[0] or kept_something):
                raise RunError(self._told(error)) from error
            raise
        finally:
            self._folder.close()

    def _tell_of_masks_left(self, totals: Totals) -> None:
        """Warn of label images beyond the last frame: those before may be of other frames too."""
        config, model = self._plan.config, self._plan.config.segmenter.model or ""
        if not model.startswith("masks:") or config.source.end is not None:
            return
        with contextlib.suppress(SourceError):
            images = len(list_images(model.removeprefix("masks:")))
            frames = self._plan.first_mask + totals.frames + totals.damaged
            if images > frames:
                _log.warning(
                    "%s: holds %d label images, but the source %d frames; they are matched by "
                    "order, so give one for each frame",
                    model,
                    images,
                    frames,
                )

    def _joined(
        self,
        executor: ChunkExecutor,
        ledger: Ledger,
        made: Mapping[str, object],
        kept: dict[int, ChunkRecord],
    ) -> FinishedRun:
        plan, partial = self._plan, self._folder.partial
        self._begin(kept)
        done = self._finished_frames / max(1, plan.video.frame_count or 1)
        bits = executor.info.label_bits
        # Before anything is written: on a full disk, it is told how much is missing.
        check_space(partial, plan.video, plan.config.output, label_bits=bits, left=1 - done)
        ledger.begin(made, in_one=not self.cut)
        todo = [chunk for chunk in plan.chunks if chunk.number not in kept]
        with self._joiner(ledger, looks=isinstance(executor, InProcess)) as joined:
            for number in sorted(kept):
                joined.take(kept[number])
            records = executor.run(todo, ledger.chunks, run=run_hash(made), progress=self._progress)
            with closing(records):
                for record in records:
                    self._count(record)
                    joined.take(record)
            joined.joiner.finish()
        self._check_source()
        assumptions = (*joined.joiner.assumptions, *self._assumptions(executor.info))
        totals = joined.joiner.totals(wall_s=self._earlier_s + time.perf_counter() - self._start)
        self._tell_of_masks_left(totals)
        write_record(
            partial / "run.json",
            totals,
            video=plan.video,
            segmenter=executor.info,
            assumptions=assumptions,
            config=plan.config.model_dump(mode="json"),
            command=self._command,
            fingerprint=made,
        )
        self._folder.commit()
        self._tell_unused(joined.joiner)
        return FinishedRun(self._folder.path, plan.video, totals, assumptions)

    def _assumptions(self, segmenter: SegmenterInfo) -> tuple[str, ...]:
        """Return what the chunks take for granted of the model."""
        if not segmenter.remembers or not self.cut:
            return ()
        return (
            "memory: the model's previous mask begins anew with each of the run's "
            f"{len(self._plan.chunks)} chunks; set run.chunk_s = 0 if that is wrong",
        )

    @contextmanager
    def _joiner(self, ledger: Ledger, *, looks: bool) -> Iterator[_InOrder]:
        """Give the joiner; on whatever failure, close what is joined so that it can be played."""
        joined = _InOrder(RunJoiner(self._plan, self._folder.partial), ledger.folder_of)
        try:
            yield joined
        except BaseException:
            try:
                unfinished = ledger.unfinished(joined.next)
                if looks and 0 < _bytes_in(unfinished) <= MOST_UNFINISHED_BYTES:
                    joined.joiner.add_unfinished(unfinished, joined.next)
            finally:
                joined.joiner.abandon()
            raise

    def _begin(self, kept: Mapping[int, ChunkRecord]) -> None:
        if self._observer is not None:
            self._observer.begin(self._plan.video)
        # A first try that came to nothing has counted too.
        self._progress(-self._written[0], -self._written[1])
        self._finished_frames = self._chunks_bytes = 0
        for record in kept.values():
            self._progress(record.frames, sum(record.keyframe_reasons.values()))
            self._count(record)
        processes = {record.process for record in kept.values()}
        self._earlier_s = sum(record.wall_s for record in kept.values()) / max(1, len(processes))

    def _progress(self, frames: int, keyframes: int) -> None:
        self._written[0] += frames
        self._written[1] += keyframes
        if self._observer is not None:
            self._observer.advance(frames, keyframes)

    def _count(self, record: ChunkRecord) -> None:
        self._chunks_bytes += sum(record.sizes.values())
        self._finished_frames += record.frames

    def _refuse_changes(self, made: Mapping[str, object]) -> None:
        before = made_before(self._folder)
        found = [] if before is None else changes(before, made)
        if found:
            raise ConfigError(
                f"{self._folder.path}: cannot be resumed, for it was made otherwise: "
                f"{'; '.join(found)}; run as before, or pass --overwrite to start again"
            )

    def _check_source(self) -> None:
        plan = self._plan
        plan.state.check()
        if plan.state.path:
            return
        try:
            changed, why = plan_run(plan.source, plan.config).digest != plan.digest, None
        except SourceError as error:
            changed, why = True, error
        if changed:
            raise SourceChangedError(
                f"{plan.source}: its images have changed while they were read; run it from the "
                "start, with --overwrite"
            ) from why

    def _tell_unused(self, made: RunJoiner) -> None:
        last = made.frames - 1
        config = self._plan.config
        early, unused = forced_before_part(config), forced_frames(config).beyond(last, made.last_s)
        if early:
            _log.warning(
                "keyframe.forced: %s: before the part that is run, so not used", ", ".join(early)
            )
        if unused:
            _log.warning(
                "keyframe.forced: %s: after the last frame (number %d, at %.3f s), so not used",
                ", ".join(unused),
                last,
                made.last_s,
            )

    def _told(self, error: TempsegError) -> str:
        if isinstance(error, SourceChangedError):
            return str(error)
        partial = self._folder.partial
        kept = (
            f"stopped after {self._written[0]} frames; they are kept in {partial}, "
            f"{self._finished_frames} of them in finished chunks"
        )
        if isinstance(error, ModelSettingError):
            return f"{error}, and begin again with --overwrite: no other settings can be resumed"
        if not is_full(error):
            return f"{error} ({kept}; --resume goes on after these)"
        share = self._finished_frames / max(1, self._plan.video.frame_count or 1)
        missing = shortage_bytes(partial, chunks_bytes=self._chunks_bytes, done=share)
        return (
            f"{error} ({kept}; the disk is full: make room for about {told_bytes(missing)} and go "
            "on with --resume)"
        )


class _InOrder:
    """Gives records to a joiner in the order of their chunks."""

    def __init__(self, joiner: RunJoiner, folder_of: Callable[[int], Path]) -> None:
        self.joiner = joiner
        self.next = 0
        """The first chunk that is not joined."""
        self._folder_of = folder_of
        self._waiting: dict[int, ChunkRecord] = {}

    def take(self, record: ChunkRecord) -> None:
        """Join a chunk, once those before it are."""
        self._waiting[record.number] = record
        while self.next in self._waiting:
            due = self._waiting.pop(self.next)
            self.joiner.add(due, self._folder_of(due.number))
            self.next += 1


def _require_auditable(segmenter: SegmenterInfo) -> None:
    # Only here: a run needs nothing else of what scores.
    from tempseg.evaluation.classes import require_scorable

    fix = "leave out --audit (run.audit)"
    require_scorable(segmenter.class_set, segmenter.name, fix)
    if segmenter.remembers:
        raise ConfigError(
            f"{segmenter.name}: takes its own previous mask, so that an answer depends on when the "
            f"ones before were asked for, and no frame can be audited afterwards; {fix}"
        )


def _bytes_in(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(entry.stat().st_size for entry in folder.iterdir())
    return 0
