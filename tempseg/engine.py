"""The whole per-frame decision: propose, judge, re-anchor, emit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field

from tempseg.ahead import KeyframePlan, answered_ahead
from tempseg.carrier import Carrier, Decided
from tempseg.cuts import CutFinder, steps_held
from tempseg.errors import ModelError, TempsegError
from tempseg.forced import Forced
from tempseg.motion import Step, Stepper
from tempseg.propagate import BlendSettings
from tempseg.proposals import Anchor
from tempseg.protocols import (
    BatchSegmenter,
    FlowEstimator,
    KeyframePolicy,
    RememberingSegmenter,
    Segmenter,
    StageTimer,
)
from tempseg.schedule import Decision, Scheduler
from tempseg.types import Frame, FrameResult, Prediction

__all__ = ["Engine", "EngineSettings"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine does around its policy.

    Parameters
    ----------
    lookahead : int
        Frames held back at most; 0 is the causal engine.
    keyframes_per_side : int
        Keyframes before and after a frame that its labels are blended from. Labels that are
        looked up by colour take the nearest on either side, after these keyframes have agreed.
    scene_threshold : float
        Scene change, in [0, 1], from which a frame begins a new shot.
    resolution_px : int
        Longer side of the grid that motion is estimated on.
    blend : BlendSettings
    matching : bool
        Whether labels are looked up by colour in the keyframes where these give no class scores.
    void_unexplained : bool
        Whether pixels that no keyframe explains become void.
    forced : Forced
        Frames that become keyframes whatever the policy says.
    """

    lookahead: int = 40
    keyframes_per_side: int = 2
    scene_threshold: float = 0.4
    resolution_px: int = 256
    blend: BlendSettings = field(default_factory=BlendSettings)
    matching: bool = True
    void_unexplained: bool = False
    forced: Forced = field(default_factory=Forced)

    def __post_init__(self) -> None:
        if self.lookahead < 0 or self.keyframes_per_side < 1 or self.resolution_px < 1:
            raise ValueError(
                f"lookahead is {self.lookahead}, keyframes_per_side {self.keyframes_per_side}, "
                f"resolution_px {self.resolution_px}, expected >= 0, >= 1, >= 1"
            )


class Engine:
    """Turns frames into results: few segmenter calls, the rest carried.

    A segmenter that remembers its answers is told to forget them at every scene cut and with every
    video. Where every frame is a keyframe there is no motion, and no cut is seen.

    Does no I/O, reads no clock, starts no thread: the same frames and settings give the same
    labels whoever drives it. Results come in the order of the frames, at most
    `settings.lookahead` frames late.

    Parameters
    ----------
    segmenter : Segmenter
        Runs on keyframes.
    flow : FlowEstimator
        Motion between neighbouring frames.
    policy : KeyframePolicy
        Decides on keyframes; first frames and scene cuts are keyframes without it.
    settings : EngineSettings
    timer : StageTimer, optional
        Told how long the stages `motion` (flow), `segment` and `carry` take.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        flow: FlowEstimator,
        *,
        policy: KeyframePolicy,
        settings: EngineSettings | None = None,
        timer: StageTimer | None = None,
    ) -> None:
        self._segmenter = segmenter
        self._policy = policy
        self._settings = settings or EngineSettings()
        # Where every frame is a keyframe, answers pass as they are and no motion is needed.
        matching = self._settings.matching and not policy.every_frame
        # Neither knows the engine: a circle would keep the model's memory until someone cleans up.
        self._measure = _measuring(timer)
        self._schedule = Scheduler(
            policy,
            _asking(segmenter, self._measure, matching=matching),
            forget=_forgetting(segmenter),
            model=segmenter.info.name,
            residual_blur_px=self._settings.blend.residual_blur_px,
            most_open=self._settings.lookahead - steps_held(self._settings.lookahead),
            forced=self._settings.forced,
            measure=self._measure,
        )
        self._stepper = Stepper(
            flow,
            resolution_px=self._settings.resolution_px,
            onto=not policy.every_frame,
            back=not policy.every_frame and self._settings.lookahead > 0,
        )
        self._flow = flow
        self._finder = self._new_finder()
        self._carrier = self._new_carrier()
        # Whose frames were read and decided on last: those of a call to `results`, or pushed ones.
        self._read: object = self._finder
        self._video: object = self._finder
        # Kept here, so that a model that fails costs no frame before: flush gives them.
        self._done: list[FrameResult] = []

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that are final now, in order.

        Raises
        ------
        ValueError
            When the frame's size differs from the one before, its index is not above that, or the
            flow is no finite pull field.
        ModelError
            When the segmenter's answer cannot be used. What came before is finished and returned
            by the next call; the next frame starts afresh. So it is whatever a segmenter raises.
        """
        self._read = self._video = self._finder
        for step in self._stepped(frame, self._finder):
            self._advance(step)
        return self._take_done()

    def flush(self, *, asking: bool = True) -> list[FrameResult]:
        """End the video; return what was held back, in order. The next frame starts afresh.

        Parameters
        ----------
        asking : bool
            Whether the segmenter may still be asked about the end of the last shot; false where
            it has just failed.

        Raises
        ------
        ModelError
            When the segmenter's answer cannot be used; flush again without asking then.
        """
        self._stepper.reset()
        for step in self._finder.flush():
            self._advance(step)
        self._end(self._schedule.flush(asking=asking))
        return self._take_done()

    def _advance(self, step: Step) -> None:
        """Take a step; where that fails, end the video there and forget what comes after."""
        try:
            for decided in self._decide(step, None):
                self._carry(decided)
        except Exception:
            # Also what no segmenter should raise: frames that are half decided serve nobody.
            self._finder.forget()
            self._stepper.reset()
            self._end(self._schedule.flush(asking=False))
            raise

    def _end(self, decisions: list[Decision]) -> None:
        self._carry(Decided(decisions, 0))
        self._done.extend(self._carrier.end())

    def _carry(self, decided: Decided) -> None:
        # One by one: where the next fails, those before it are done.
        for result in self._carrier.take(decided):
            self._done.append(result)

    def _take_done(self) -> list[FrameResult]:
        results, self._done = self._done, []
        return results

    def results(self, frames: Iterable[Frame]) -> Iterator[FrameResult]:
        """Yield the results of one whole video.

        What `push` and `flush` do, in three parts that touch nothing of one another's, so that a
        driver may give each its own thread: `carried(decided(steps(frames)))`. Where the source
        or the model fails, what was read before is finished first.

        Raises
        ------
        TempsegError
            What the source raises.
        ModelError
            When the segmenter's answer cannot be used.
        """
        return self.carried(self.decided(self.steps(frames)))

    def steps(self, frames: Iterable[Frame]) -> Iterator[Step]:
        """Yield the frames of one whole video with their motion.

        A few steps wait until it is known whether they begin a shot, and come when the frames end
        or their source fails.
        """
        # Its own, as `push` and `flush` may be called by another thread.
        finder = self._new_finder()
        self._read = finder
        self._stepper.reset()
        try:
            for frame in frames:
                yield from self._stepped(frame, finder)
        except GeneratorExit:
            # Closed late, it must not end another video.
            if self._read is finder:
                self._stepper.reset()
            raise
        except Exception:
            # What was read before the source failed is worth finishing.
            yield from finder.flush()
            raise
        yield from finder.flush()

    def decided(self, steps: Iterable[Step]) -> Iterator[Decided]:
        """Yield what is decided with each step of one whole video; here the segmenter is asked.

        In batches, where it takes them and the policy tells keyframes ahead.

        Raises
        ------
        ModelError
            When the segmenter's answer cannot be used.
        """
        self._schedule.flush(asking=False)
        video = self._video = object()
        try:
            for step, answer in self._answered(steps):
                yield from self._decide(step, answer)
            yield Decided(self._schedule.flush(), 0)
        except GeneratorExit:
            # Whoever leaves a video half way leaves nothing for the next, and has no part in it.
            if self._video is video:
                self._schedule.flush(asking=False)
            raise
        except Exception as error:
            # What was decided is done but for its later keyframe: it must not be lost.
            asking = isinstance(error, TempsegError) and not isinstance(error, ModelError)
            yield Decided(self._last_decisions(asking=asking), 0)
            raise

    def _last_decisions(self, *, asking: bool) -> list[Decision]:
        """Return what the scheduler still held where the source or the model failed."""
        if asking:
            with suppress(ModelError):
                return self._schedule.flush()
        return self._schedule.flush(asking=False)

    def carried(self, decided: Iterable[Decided]) -> Iterator[FrameResult]:
        """Yield the results of one whole video from what is decided."""
        carrier = self._new_carrier()
        try:
            for one in decided:
                yield from carrier.take(one)
        except Exception:
            yield from carrier.end()
            raise
        yield from carrier.end()

    def _stepped(self, frame: Frame, finder: CutFinder) -> list[Step]:
        with self._measure("motion", frame):
            return list(finder.take(self._stepper.step(frame)))

    def _answered(self, steps: Iterable[Step]) -> Iterator[tuple[Step, Prediction | None]]:
        segmenter = self._segmenter
        # A batch could reach over a cut, where a model with a memory is to forget.
        if (
            not isinstance(segmenter, BatchSegmenter)
            or segmenter.batch < 2
            or segmenter.info.remembers
            or not self._policy.by_age
        ):
            return ((step, None) for step in steps)
        plan = KeyframePlan(self._policy, forced=self._settings.forced)
        return answered_ahead(steps, segmenter, plan, measure=self._measure)

    def _decide(self, step: Step, answer: Prediction | None) -> Iterator[Decided]:
        yield Decided(self._schedule.push(step, answer), self._schedule.held)
        while self._schedule.held > self._most_held:
            self._schedule.give_up(1)
            yield Decided(self._schedule.take(), self._schedule.held)

    @property
    def _hold(self) -> int:
        """Steps that wait until it is known whether they begin a shot."""
        return 0 if self._policy.every_frame else steps_held(self._settings.lookahead)

    @property
    def _most_held(self) -> int:
        return self._settings.lookahead - self._hold

    def _new_finder(self) -> CutFinder:
        return CutFinder(self._flow, threshold=self._settings.scene_threshold, hold=self._hold)

    def _new_carrier(self) -> Carrier:
        settings = self._settings
        return Carrier(
            blend=settings.blend,
            keyframes_per_side=settings.keyframes_per_side,
            lookahead=self._most_held,
            smooths=settings.blend.smoothing > 0 and not self._policy.every_frame,
            void_unexplained=settings.void_unexplained,
            measure=self._measure,
        )


def _measuring(timer: StageTimer | None) -> Callable[[str, Frame], AbstractContextManager[None]]:
    """Return what a stage's time on a frame is measured with."""

    def measure(stage: str, frame: Frame) -> AbstractContextManager[None]:
        return timer.measure(stage, frame.index) if timer else nullcontext()

    return measure


def _asking(
    segmenter: Segmenter,
    measure: Callable[[str, Frame], AbstractContextManager[None]],
    *,
    matching: bool,
) -> Callable[[Step, Prediction | None], Anchor]:
    """Return what makes a keyframe of a step, running the segmenter unless it was asked already."""

    def ask(step: Step, prediction: Prediction | None) -> Anchor:
        if prediction is None:
            with measure("segment", step.frame):
                prediction = segmenter.segment(step.frame)
        bits = segmenter.info.label_bits
        with measure("carry", step.frame):
            return Anchor.of(prediction, step, label_bits=bits, matching=matching)

    return ask


def _forgetting(segmenter: Segmenter) -> Callable[[], None]:
    """Return what makes the segmenter forget what it was asked, where it remembers that."""

    def forget() -> None:
        if isinstance(segmenter, RememberingSegmenter):
            segmenter.forget()

    return forget
