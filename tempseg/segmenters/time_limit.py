"""A limit to how long a model may take, so that one that hangs ends the run and not the day."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, NoReturn, TypeVar

from tempseg.errors import ModelTimeoutError
from tempseg.protocols import BatchSegmenter, RememberingSegmenter, Segmenter
from tempseg.types import Frame, Prediction, SegmenterInfo

__all__ = ["TimeLimitedSegmenter", "time_limited"]

Answer = TypeVar("Answer")


def time_limited(segmenter: Segmenter, *, timeout_s: float) -> Segmenter:
    """Return the segmenter with a limit; one that takes batches still does.

    Parameters
    ----------
    segmenter : Segmenter
    timeout_s : float
        Seconds that a frame may take, above 0; a batch may take as many times that.
    """
    if isinstance(segmenter, BatchSegmenter):
        return _TimeLimitedBatchSegmenter(segmenter, timeout_s=timeout_s)
    return TimeLimitedSegmenter(segmenter, timeout_s=timeout_s)


class TimeLimitedSegmenter:
    """Runs a segmenter in a thread of its own and waits for its answer no longer than so long.

    A call cannot be stopped from outside: one that hangs keeps its thread, which does not keep the
    process from ending, and the segmenter is not called again. The limit needs Python's lock: it
    cannot reach a model that hangs while holding it, which runtimes of networks do not.

    Parameters
    ----------
    segmenter : Segmenter
        Only ever called from the thread.
    timeout_s : float
        Above 0.
    """

    def __init__(self, segmenter: Segmenter, *, timeout_s: float) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s is {timeout_s}, expected above 0")
        self._segmenter = segmenter
        self._timeout_s = timeout_s
        self._calls: SimpleQueue[_Call[list[Prediction]] | None] = SimpleQueue()
        self._hung = False
        # A daemon, because one that hangs in a model's own code can neither be stopped nor joined.
        self._thread = threading.Thread(
            target=_answer_calls, args=(self._calls,), name="tempseg-segment", daemon=True
        )
        self._thread.start()
        # The thread ends with the segmenter, as the model does.
        weakref.finalize(self, self._calls.put, None)

    @property
    def info(self) -> SegmenterInfo:
        """What the segmenter is."""
        return self._segmenter.info

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame.

        Raises
        ------
        ModelTimeoutError
            When there is none in time, or was none to an earlier call.
        """
        (answer,) = self._within([frame], lambda: [self._segmenter.segment(frame)])
        return answer

    def forget(self) -> None:
        """Answer the next frame as if it were the first, where the segmenter remembers others."""
        if isinstance(self._segmenter, RememberingSegmenter):
            self._segmenter.forget()

    def _within(
        self, frames: Sequence[Frame], call: Callable[[], list[Prediction]]
    ) -> list[Prediction]:
        limit_s = self._timeout_s * len(frames)
        if self._hung:
            self._give_up(frames, limit_s)
        asked = _Call(call)
        self._calls.put(asked)
        # Python's longest wait is some 292 years, and its C type overflows beyond.
        if not asked.done.wait(min(limit_s, threading.TIMEOUT_MAX)):
            self._hung = True
            self._thread.name = "tempseg-hung"
            self._give_up(frames, limit_s)
        return asked.result()

    def _give_up(self, frames: Sequence[Frame], limit_s: float) -> NoReturn:
        first, last = frames[0], frames[-1]
        which = f"frame {first.index}" if first is last else f"frames {first.index}–{last.index}"
        raise ModelTimeoutError(
            f"{self._segmenter.info.name}: {which} (at {first.time_s:.2f} s): no answer within "
            f"{limit_s:g} s; raise segmenter.timeout_s if the model is only slow, or see with "
            "`tempseg probe` whether it hangs"
        )


class _TimeLimitedBatchSegmenter(TimeLimitedSegmenter):
    """The same for a segmenter that takes several frames at once."""

    def __init__(self, segmenter: BatchSegmenter, *, timeout_s: float) -> None:
        super().__init__(segmenter, timeout_s=timeout_s)
        self._batches = segmenter

    @property
    def batch(self) -> int:
        """How many frames it is to be shown at once."""
        return self._batches.batch

    def segment_batch(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return the answers for several frames, in their order.

        Raises
        ------
        ModelTimeoutError
            When there are none in time, or were none to an earlier call.
        """
        return self._within(frames, lambda: self._batches.segment_batch(frames))


class _Call(Generic[Answer]):
    """A function for the thread, and what became of it."""

    def __init__(self, function: Callable[[], Answer]) -> None:
        self._function = function
        self._answer: list[Answer] = []
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        try:
            self._answer.append(self._function())
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
            self._error = error
        finally:
            self.done.set()

    def result(self) -> Answer:
        if self._error is not None:
            raise self._error
        return self._answer[0]


def _answer_calls(calls: SimpleQueue[_Call[list[Prediction]] | None]) -> None:
    # Given the queue alone: a thread that held the segmenter would keep it from ever ending.
    while (call := calls.get()) is not None:
        call.run()
        del call
