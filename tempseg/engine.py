"""The whole per-frame decision: propose, judge, re-anchor, emit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from tempseg.ahead import KeyframePlan, answered_ahead
from tempseg.clock import ChangeClock
from tempseg.cuts import CutFinder, steps_held
from tempseg.errors import ModelError, TempsegError
from tempseg.motion import Step, Stepper, compose, no_motion
from tempseg.propagate import BlendSettings, blend, look_up, smooth, voided
from tempseg.proposals import Anchor, Proposal, confidence, judged, nearest
from tempseg.protocols import (
    BatchSegmenter,
    FlowEstimator,
    KeyframePolicy,
    Segmenter,
    StageTimer,
)
from tempseg.refine import Consensus, Reference
from tempseg.schedule import Decision, Forced, Scheduler
from tempseg.types import (
    Frame,
    FrameResult,
    LabelArray,
    MotionField,
    Origin,
    Prediction,
    Segmentation,
)

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


@dataclass(slots=True, eq=False)
class _Held:
    """A frame that is decided and not yet emitted."""

    decision: Decision
    proposals: list[Proposal] = field(default_factory=list)
    keyframes_after: int = 0

    @property
    def step(self) -> Step:
        return self.decision.step

    @property
    def anchor(self) -> Anchor | None:
        return self.decision.anchor


class Engine:
    """Turns frames into results: few segmenter calls, the rest carried.

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
            residual_blur_px=self._settings.blend.residual_blur_px,
            most_open=self._settings.lookahead - steps_held(self._settings.lookahead),
            forced=self._settings.forced,
            measure=self._measure,
        )
        self._smooths = self._settings.blend.smoothing > 0 and not policy.every_frame
        self._stepper = Stepper(
            flow,
            resolution_px=self._settings.resolution_px,
            onto=not policy.every_frame,
            back=not policy.every_frame and self._settings.lookahead > 0,
        )
        self._flow = flow
        self._finder = self._new_finder()
        # Kept here, so that a model that fails costs no frame before: flush gives them.
        self._done: list[FrameResult] = []
        self._held: deque[_Held] = deque()
        self._carried: list[tuple[Anchor, MotionField]] = []
        self._clock = ChangeClock()
        self._solved: Reference | None = None
        self._consensus = Consensus()
        self._agreed: dict[int, tuple[LabelArray, Reference | None]] = {}

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that are final now, in order.

        Raises
        ------
        ValueError
            When the frame's size differs from the one before.
        ModelError
            When the segmenter's answer cannot be used.
        """
        for step in self._stepped(frame, self._finder):
            self._advance_or_forget(step)
        return self._take_done()

    def steps(self, frames: Iterable[Frame]) -> Iterator[Step]:
        """Yield the frames with their motion, for `advance`: the half of `push` that can run ahead.

        It touches nothing that `advance` touches, so that a driver may give it its own thread. For
        one whole video: a few steps wait until it is known whether they begin a shot, and come
        when the frames end or their source fails.
        """
        # Its own, since `push` and `flush` may be called by another thread.
        finder = self._new_finder()
        try:
            for frame in frames:
                yield from self._stepped(frame, finder)
        except TempsegError:
            # What was read before the source failed is worth finishing.
            yield from finder.flush()
            raise
        yield from finder.flush()

    def _new_finder(self) -> CutFinder:
        return CutFinder(
            self._flow,
            threshold=self._settings.scene_threshold,
            hold=0 if self._policy.every_frame else steps_held(self._settings.lookahead),
        )

    def _stepped(self, frame: Frame, finder: CutFinder) -> list[Step]:
        with self._measure("motion", frame):
            return list(finder.take(self._stepper.step(frame)))

    def _advance_or_forget(self, step: Step) -> None:
        """Take a step; where the model fails, what comes after it is forgotten."""
        try:
            self._advance(step, None)
        except ModelError:
            self._finder.forget()
            raise

    def answered(self, steps: Iterable[Step]) -> Iterator[tuple[Step, Prediction | None]]:
        """Yield what `steps` gives for `advance`, with answers that were asked for in batches.

        Only where the segmenter takes batches and the policy tells keyframes ahead; else every
        step comes as it is. For one whole video.
        """
        segmenter = self._segmenter
        if not (
            isinstance(segmenter, BatchSegmenter) and segmenter.batch > 1 and self._policy.by_age
        ):
            return ((step, None) for step in steps)
        plan = KeyframePlan(self._policy, forced=self._settings.forced)
        return answered_ahead(steps, segmenter, plan, measure=self._measure)

    def advance(self, step: Step, answer: Prediction | None = None) -> list[FrameResult]:
        """Take the next frame out of `steps`; return the results that are final now, in order.

        Parameters
        ----------
        step : Step
        answer : Prediction, optional
            What the segmenter says to this frame, where it was asked ahead.

        Raises
        ------
        ModelError
            When the segmenter's answer cannot be used.
        """
        self._advance(step, answer)
        return self._take_done()

    def _advance(self, step: Step, answer: Prediction | None) -> None:
        for decision in self._schedule.push(step, answer):
            self._done += self._take(decision)
        self._done += self._within(self._settings.lookahead - self._finder.hold)

    def _take_done(self) -> list[FrameResult]:
        results, self._done = self._done, []
        return results

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
            self._advance_or_forget(step)
        for decision in self._schedule.flush(asking=asking):
            self._done += self._take(decision)
        self._done += self._end_shot()
        return self._take_done()

    def _take(self, decision: Decision) -> list[FrameResult]:
        """Carry the anchors on to a decided frame, and its answer back where it has one."""
        results = self._end_shot() if decision.opens else []
        new = _Held(decision)
        step, known = decision.step, decision.proposal
        self._clock.tick(step.frame.index, decision.error)
        with self._measure("carry", step.frame):
            if step.onto is not None and self._carried:
                self._carried = [
                    (anchor, compose(step.onto, motion))
                    if known is None or anchor is not known.anchor
                    else (anchor, known.motion)
                    for anchor, motion in self._carried
                ]
                new.proposals = [
                    known
                    if known is not None and anchor is known.anchor
                    else Proposal(anchor, motion)
                    for anchor, motion in self._carried
                ]
        if decision.anchor is not None:
            self._anchor(new, decision.anchor)
        self._held.append(new)
        return results + self._release()

    def _end_shot(self) -> list[FrameResult]:
        """Emit what is decided and forget everything."""
        results = [self._result(self._held.popleft()) for _ in range(len(self._held))]
        self._carried = []
        self._clock = ChangeClock()
        self._solved = None
        self._consensus = Consensus()
        self._agreed = {}
        return results

    def _within(self, lookahead: int) -> list[FrameResult]:
        """Emit the oldest frames, as they are, until no more than these are held back."""
        results = []
        while len(self._held) + self._schedule.held > lookahead:
            if not self._held:
                self._schedule.give_up(1)
                for decision in self._schedule.take():
                    results += self._take(decision)
            if self._held:
                results.append(self._result(self._held.popleft()))
        return results

    def _anchor(self, new: _Held, anchor: Anchor) -> None:
        """Make a keyframe of a frame and carry its answer back over the open spans."""
        frame, name = new.step.frame, self._segmenter.info.name
        for before, _ in self._carried:
            if anchor.winners.shape != before.winners.shape or anchor.placement != before.placement:
                raise ModelError(
                    f"{name}: frame {anchor.index} was answered on a grid of "
                    f"{anchor.winners.shape}, frame {before.index} on {before.winners.shape}; "
                    "expected one grid for the whole video (set segmenter.input_size)"
                )
            if anchor.scores is None or before.scores is None:
                continue
            if anchor.scores.shape != before.scores.shape:
                raise ModelError(
                    f"{name}: frame {anchor.index} was answered with {anchor.scores.shape[2]} "
                    f"classes, frame {before.index} with {before.scores.shape[2]}; "
                    "expected as many for the whole video"
                )
        if not self._smooths:
            new.proposals = []
        own = no_motion(anchor.index, anchor.luma)
        with self._measure("carry", frame):
            self._walk_back(anchor, own, step=new.step)
        self._carried = [
            (anchor, own),
            *self._carried[: self._settings.keyframes_per_side - 1],
        ]
        asked = [p.anchor for held in (*self._held, new) for p in held.proposals]
        asked += [before for before, _ in self._carried]
        self._clock.forget(min(before.index for before in asked))

    def _walk_back(self, anchor: Anchor, motion: MotionField, *, step: Step) -> None:
        """Add a new keyframe's proposals to the frames before it that still wait for one."""
        for held in reversed(self._held):
            if step.back is None or held.keyframes_after >= self._wanted_after(held):
                break
            motion = compose(step.back, motion)
            step = held.step
            held.keyframes_after += 1
            if held.keyframes_after > self._settings.keyframes_per_side:
                continue
            if held.anchor is None or self._smooths:
                held.proposals.append(Proposal(anchor, motion))

    def _wanted_after(self, held: _Held) -> int:
        """Return how many keyframes after a frame are waited for.

        Labels that are looked up take one, but it is agreed on first, with as many after it.
        """
        per_side = self._settings.keyframes_per_side
        if held.anchor is not None or not any(p.anchor.pixels for p in held.proposals):
            return per_side
        return per_side + 1 if self._smooths else 1

    def _release(self) -> list[FrameResult]:
        """Return results from the head of the line that are final."""
        results = []
        while self._held:
            head = self._held[0]
            final = head.keyframes_after >= self._wanted_after(head) or (
                head.anchor is not None and not self._smooths
            )
            if not final:
                break
            results.append(self._result(self._held.popleft()))
        return results

    def _result(self, held: _Held) -> FrameResult:
        frame = held.step.frame
        with self._measure("carry", frame):
            if held.anchor is not None:
                origin = Origin.SEGMENTED
                labels, _ = self._agree(held, held.anchor)
                answer = Segmentation(labels, held.anchor.segments)
                self._solved = None
                self._agreed = {i: agreed for i, agreed in self._agreed.items() if i >= frame.index}
            else:
                sides = {proposal.anchor.index < frame.index for proposal in held.proposals}
                origin = Origin.INTERPOLATED if len(sides) == 2 else Origin.PROPAGATED
                answer = self._carry(held)
        decided = held.decision
        return FrameResult(
            frame,
            answer,
            origin,
            decided.reason,
            decided.evidence,
            decided.verdict,
            decided.shot,
        )

    def _agree(self, held: _Held, anchor: Anchor) -> tuple[LabelArray, Reference | None]:
        """Return a keyframe's labels, and the reference they make where labels are looked up.

        Made when first asked for, from the keyframes around that are known by then, and kept.
        """
        if anchor.index not in self._agreed:
            labels = smooth(
                anchor,
                held.proposals,
                self._distances(held.proposals, anchor.index),
                held.step.frame.size,
                self._settings.blend,
                self._consensus,
            )
            reference = Reference.of(labels, anchor.pixels) if anchor.pixels else None
            self._agreed[anchor.index] = labels, reference
        return self._agreed[anchor.index]

    def _carry(self, held: _Held) -> Segmentation:
        """Return the answer for a frame between keyframes."""
        frame, luma, settings = held.step.frame, held.step.luma, self._settings.blend
        proposals = held.proposals
        if proposals[0].anchor.pixels:
            proposals = nearest(proposals, frame.index)
        proposals = judged(proposals, luma, settings.residual_blur_px)
        distances = self._distances(proposals, frame.index)
        labels: LabelArray
        if proposals[0].anchor.pixels:
            references = self._references(proposals)
            labels, self._solved = look_up(
                proposals, distances, references, held.step, self._solved
            )
        else:
            labels = blend(proposals, distances, luma, frame.size, settings)
            self._solved = None
        known = confidence(proposals)
        if self._settings.void_unexplained:
            labels = voided(labels, known)
        return Segmentation(labels, proposals[0].anchor.segments, known)

    def _distances(self, proposals: Iterable[Proposal], index: int) -> list[float]:
        """Return how many frames after frame `index` the proposals' keyframes are."""
        return self._clock.distances(index, [proposal.anchor.index for proposal in proposals])

    def _references(self, proposals: Iterable[Proposal]) -> list[Reference]:
        """Return the references of proposals' keyframes."""
        wanted = {proposal.anchor.index: proposal.anchor for proposal in proposals}
        for held in self._held:
            if held.anchor is not None and held.anchor.index in wanted:
                self._agree(held, held.anchor)
        found = (self._agreed[index][1] for index in wanted)
        return [reference for reference in found if reference is not None]

    def decisions(self, steps: Iterable[Step]) -> Iterator[Decision]:
        """Yield what `advance` and `flush` decide, with nothing carried: for one whole video.

        Raises
        ------
        ModelError
            When the segmenter's answer cannot be used.
        """
        for step in steps:
            yield from self._schedule.push(step)
            # As `_within` does: what is decided waits for nobody here.
            while self._schedule.held > self._settings.lookahead - self._finder.hold:
                self._schedule.give_up(1)
                yield from self._schedule.take()
        yield from self._schedule.flush()


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
