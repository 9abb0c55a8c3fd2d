"""One process: decoding, engine and writing side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from tempseg.engine import Engine
from tempseg.errors import ModelError, TempsegError
from tempseg.prefetch import Prefetch
from tempseg.protocols import FrameSource, ResultSink, Segmenter
from tempseg.runners.timing import StageTimes
from tempseg.types import Frame, FrameResult

__all__ = ["AHEAD", "SPAN_AHEAD", "show_first_frame", "stream", "write_all"]

AHEAD = 6
"""Decoded frames that may wait."""

WRITING = 4
"""Frames that may wait between one sink and the next."""

SPAN_AHEAD = 18
"""Frames that may wait before and behind what carries a span at a time."""


@contextmanager
def stream(
    source: FrameSource, engine: Engine, *, times: StageTimes
) -> Iterator[Iterator[FrameResult]]:
    """Give the results of a source in order.

    Decoding, motion, the model with what decides on it, and carrying run side by side. Leaving the
    context stops all threads and closes the source.
    """
    try:
        with (
            Prefetch(_timed(source, times), name="decode", capacity=AHEAD, watch=times) as frames,
            Prefetch(engine.steps(frames), name="motion", capacity=AHEAD, watch=times) as steps,
            Prefetch(
                engine.decided(steps), name="decide", capacity=SPAN_AHEAD, watch=times
            ) as decided,
            Prefetch(
                engine.carried(decided), name="carry", capacity=SPAN_AHEAD, watch=times
            ) as results,
        ):
            yield results
    finally:
        source.close()


def show_first_frame(source: FrameSource, segmenter: Segmenter) -> None:
    """Let a segmenter decide on a source's first frame what its answers are; close the source.

    Otherwise the first keyframe that it is asked about would decide, which may be another one in
    another process.
    """
    try:
        segmenter.segment(next(iter(source)))
    finally:
        source.close()


def _told_in_classes(results: Iterator[FrameResult]) -> Iterator[FrameResult]:
    """Yield results as long as files can hold them: an id there is its class."""
    for result in results:
        for key, segment in result.segmentation.segments.items():
            if key != segment.class_id:
                raise ModelError(
                    f"frame {result.frame.index}: id {key} stands for class {segment.class_id}, "
                    "and files hold classes; let the model label with class ids, or take "
                    "tempseg.segment, which gives segments as they are"
                )
        yield result


def write_all(
    results: Iterator[FrameResult],
    sinks: Mapping[str, ResultSink],
    *,
    times: StageTimes,
    observers: Sequence[Callable[[FrameResult], None]] = (),
) -> None:
    """Write every result to every sink, in order, and complete the sinks.

    Parameters
    ----------
    results : iterator of FrameResult
    sinks : mapping of stage name to ResultSink
        A sink whose name is a stage of the timer has its time measured, and a thread of its own:
        one sink writes a frame while the next writes the frame before.
    times : StageTimes
    observers : sequence of callables
        Called with each result once all sinks have it.

    Raises
    ------
    Exception
        Whatever a stage raises; the sinks are then closed as well as can be, so that what was
        done up to there can be looked at.
    """
    results = _told_in_classes(results)
    try:
        with ExitStack() as threads:
            for stage, sink in sinks.items():
                if stage in times.totals:
                    written = _written(results, sink, stage, times)
                    results = threads.enter_context(
                        Prefetch(written, name=stage, capacity=WRITING, watch=times)
                    )
            quick = [sink for stage, sink in sinks.items() if stage not in times.totals]
            for result in results:
                for sink in quick:
                    sink.write(result)
                for observer in observers:
                    observer(result)
        for sink in sinks.values():
            sink.finish()
    except BaseException:
        for sink in sinks.values():
            # The first failure is the one to be told.
            with suppress(TempsegError):
                sink.abandon()
        raise


def _written(
    results: Iterator[FrameResult], sink: ResultSink, stage: str, times: StageTimes
) -> Iterator[FrameResult]:
    """Yield results once a sink has them."""
    for result in results:
        with times.measure(stage, result.frame.index):
            sink.write(result)
        yield result


def _timed(source: FrameSource, times: StageTimes) -> Iterator[Frame]:
    start = time.perf_counter()
    for frame in source:
        times.add("decode", frame.index, start, time.perf_counter())
        yield frame
        start = time.perf_counter()
