"""What runs the chunks of a plan: this process, others, other machines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from tempseg.build import build_segmenter
from tempseg.protocols import Segmenter
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import Chunk, ChunkPlan
from tempseg.runners.trace import Trace
from tempseg.runners.work import ChunkRunner
from tempseg.types import FrameResult, Origin, SegmenterInfo

__all__ = ["ChunkExecutor", "InProcess", "Progress"]

Progress = Callable[[int, int], None]
"""Told how many frames were written since, and how many keyframes among them; below zero where
those of a worker that died are done again."""


class ChunkExecutor(Protocol):
    """Runs chunks; entered before use, and left whatever happens."""

    def __enter__(self) -> ChunkExecutor:
        """Load the model."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs."""

    @property
    def info(self) -> SegmenterInfo:
        """What the model is."""

    def run(
        self, chunks: Sequence[Chunk], folder: Path, *, run: str, progress: Progress
    ) -> Generator[ChunkRecord, None, None]:
        """Yield the record of every chunk when it is finished, in whatever order.

        Parameters
        ----------
        chunks : sequence of Chunk
        folder : Path
            Where each gets a folder of its own.
        run : str
            Hash of what the run is made of.
        progress : callable
        """


class InProcess:
    """Runs chunks here, one after the other.

    Parameters
    ----------
    plan : ChunkPlan
    segmenter : Segmenter, optional
        Loaded already; else it is when the executor is entered.
    trace : Trace, optional
        Told of every stage of every frame.
    """

    def __init__(
        self, plan: ChunkPlan, segmenter: Segmenter | None = None, *, trace: Trace | None = None
    ) -> None:
        self._plan = plan
        self._trace = trace
        self._segmenter = segmenter

    def __enter__(self) -> InProcess:
        if self._segmenter is None:
            self._segmenter = build_segmenter(self._plan.config, first_mask=self._plan.first_mask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace

    @property
    def info(self) -> SegmenterInfo:
        """What the model is."""
        assert self._segmenter is not None
        return self._segmenter.info

    def run(
        self, chunks: Sequence[Chunk], folder: Path, *, run: str, progress: Progress
    ) -> Generator[ChunkRecord, None, None]:
        """Yield the records in order."""
        assert self._segmenter is not None
        runner = ChunkRunner(self._plan, self._segmenter, run=run, trace=self._trace)

        def advance(result: FrameResult) -> None:
            progress(1, result.origin is Origin.SEGMENTED)

        yield from runner.run(chunks, folder, advance=advance)
