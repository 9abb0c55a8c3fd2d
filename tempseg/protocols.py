"""The plug-in points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from tempseg.decisions import Evidence, Span, Verdict
from tempseg.types import (
    FloatArray,
    Frame,
    FrameResult,
    Prediction,
    SegmenterInfo,
    UInt8Array,
    VideoInfo,
)

__all__ = [
    "BatchSegmenter",
    "FlowEstimator",
    "FrameSource",
    "KeyframePolicy",
    "RememberingSegmenter",
    "ResultSink",
    "RunObserver",
    "Segmenter",
    "SpanJudge",
    "StageTimer",
    "WorkObserver",
]


class FrameSource(Protocol):
    """Frames in presentation order, times strictly increasing."""

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""

    @property
    def damaged(self) -> int:
        """Corrupt packets and frames met so far: skipped, or as the decoder concealed them."""

    @property
    def restarts(self) -> tuple[int, ...]:
        """How far times are moved, in ticks, since each restart of the clock met so far.

        Joined recordings have them: what comes after follows on.
        """

    def __iter__(self) -> Iterator[Frame]:
        """Read from the start; a source is read once.

        Raises
        ------
        SourceError
            When the source turns out to hold no frame.
        """

    def count_before(self) -> int:
        """Return how many frames of the whole source lie before the part that is read."""

    def close(self) -> None:
        """Let go of files; safe to call twice."""


class Segmenter(Protocol):
    """A model that labels one frame at a time."""

    @property
    def info(self) -> SegmenterInfo:
        """What the model is."""

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame, on the model's own grid.

        Raises
        ------
        ModelError
            When the model answers with something unusable; names model, frame, expected, actual.
        """


@runtime_checkable
class BatchSegmenter(Segmenter, Protocol):
    """A segmenter that may take several frames at once."""

    @property
    def batch(self) -> int:
        """How many frames it is to be shown at once, where as many are known; 1 for one."""

    def segment_batch(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return the answers for several frames, in their order.

        They may differ in their last bits from what `segment` gives.

        Raises
        ------
        ModelError
            As `segment` does.
        """


@runtime_checkable
class RememberingSegmenter(Segmenter, Protocol):
    """A segmenter whose answers may depend on those before."""

    def forget(self) -> None:
        """Answer the next frame as if it were the first."""


class FlowEstimator(Protocol):
    """Dense motion between two frames of one size."""

    def estimate(self, target: UInt8Array, source: UInt8Array) -> FloatArray:
        """Return the pull field: `target(p) = source(p + flow(p))`.

        Parameters
        ----------
        target, source : ndarray, shape (h, w), uint8
            Luma.

        Returns
        -------
        ndarray, shape (h, w, 2), float32
            (dx, dy) in pixels, on the target's grid.
        """


class KeyframePolicy(Protocol):
    """When the segmenter runs: a pure function of the evidence."""

    def decide(self, evidence: Evidence) -> Verdict:
        """Return whether and why this frame should be a keyframe."""

    @property
    def every_frame(self) -> bool:
        """Whether every frame becomes a keyframe, whatever the evidence."""

    @property
    def by_age(self) -> bool:
        """Whether nothing but the age decides, so that keyframes can be told ahead."""


@runtime_checkable
class SpanJudge(KeyframePolicy, Protocol):
    """A policy that looks back: shots need not begin with a keyframe, and spans may be opened."""

    def border_power(self, unrest: float | None) -> float:
        """Return how steeply doubt rises with the error at borders: 1 in proportion.

        `unrest` is as of `Evidence`; none while it is not known.
        """

    def head(self, evidence: Evidence) -> int:
        """Return how many frames of a shot come before its first keyframe."""

    def place(self, span: Span) -> int:
        """Return which undecided frame becomes the keyframe that `decide` asks for."""

    def judge(self, span: Span) -> Verdict:
        """Return whether and why a frame of a span should become a keyframe too."""

    def accept(self, span: Span) -> int | None:
        """Return which frame of a span becomes a keyframe too; none where it is well as it is."""


class ResultSink(Protocol):
    """Takes results in presentation order."""

    def write(self, result: FrameResult) -> None:
        """Take the next result."""

    def finish(self) -> None:
        """Complete the output; nothing is written after it."""

    def abandon(self) -> None:
        """After a failure, close what was written as well as can be; raises no error."""


class RunObserver(Protocol):
    """Follows a run: for progress bars."""

    def begin(self, video: VideoInfo) -> None:
        """Learn what is about to be run."""

    def advance(self, frames: int, keyframes: int) -> None:
        """Learn that frames are written, and how many of them are keyframes.

        Below zero where what a process had written that died is done again.
        """


class WorkObserver(Protocol):
    """Follows work that is done a frame at a time: for progress bars."""

    def begin(self, name: str, frames: int) -> None:
        """Learn what is about to be done, and for how many frames; 0 where that is not known."""

    def advance(self) -> None:
        """Learn that a frame is done."""


class StageTimer(Protocol):
    """Where stages say how long they took on which frame."""

    def measure(self, stage: str, frame_index: int) -> AbstractContextManager[None]:
        """Return a context that adds its duration to the frame's figure for this stage."""
