"""Which frames become keyframes: what the policy is shown, and what its answers lead to."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from tempseg import evidence as observing
from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict
from tempseg.forced import Forced
from tempseg.motion import Step, compose, no_motion
from tempseg.proposals import Anchor, Proposal, misfit
from tempseg.protocols import KeyframePolicy, SpanJudge
from tempseg.types import BoolArray, Frame, MotionField, Prediction, UInt8Array

__all__ = ["Decision", "Scheduler"]

SPANS_OF_LATE = 8
"""Closed spans, whose median churn is what the segmenter contradicts itself by anyhow."""


@dataclass(slots=True, eq=False)
class Decision:
    """A frame, and whether it is a keyframe.

    Parameters
    ----------
    step : Step
    shot : int
        Number of its shot, from 0.
    opens : bool
        Whether its shot begins with it.
    evidence : Evidence or None
        What the policy saw.
    verdict : Verdict or None
        What the policy said.
    reason : KeyframeReason or None
        Why it is a keyframe; none where it is not.
    anchor : Anchor or None
        The segmenter's answer, where it is a keyframe.
    proposal : Proposal or None
        The last keyframe before it as it was judged, where nothing was put in between since.
    border : float
        What the step onto it adds to doubt.
    error : ndarray or None
        How far the step onto it goes wrong, as `evidence.step_error` tells it; none where a shot
        opens.
    """

    step: Step
    shot: int
    opens: bool
    evidence: Evidence | None = None
    verdict: Verdict | None = None
    reason: KeyframeReason | None = None
    anchor: Anchor | None = None
    proposal: Proposal | None = None
    border: float = 0.0
    error: UInt8Array | None = None

    @property
    def frame(self) -> Frame:
        """What it is about."""
        return self.step.frame


class Scheduler:
    """Turns steps into decisions, in order; asks the segmenter about keyframes.

    Where the policy looks back at spans, frames are kept undecided until theirs is closed.

    Parameters
    ----------
    policy : KeyframePolicy
    ask : callable
        Given a step, and an answer where there is one already, returns the frame as an anchor.
    forget : callable
        Called before the first frame of a shot is asked about.
    model : str
        The segmenter's name, for errors.
    residual_blur_px : float
        As of `BlendSettings`.
    most_open : int
        Frames that may be kept undecided at most; 0 decides at once.
    forced : Forced
    measure : callable
        Given a stage and a frame, returns a context for the time it takes.
    """

    def __init__(
        self,
        policy: KeyframePolicy,
        ask: Callable[[Step, Prediction | None], Anchor],
        *,
        forget: Callable[[], None],
        model: str,
        residual_blur_px: float,
        most_open: int,
        forced: Forced,
        measure: Callable[[str, Frame], AbstractContextManager[None]],
    ) -> None:
        self._policy = policy
        self._planner = policy if isinstance(policy, SpanJudge) else None
        self._judge = self._planner if most_open > 0 else None
        self._ask = ask
        self._forget = forget
        self._model = model
        self._blur_px = residual_blur_px
        self._most_open = most_open
        self._forced = forced
        self._measure = measure
        self._begin()
        self._ready: list[Decision] = []
        self._open: list[Decision] = []
        self._restart()

    def _begin(self) -> None:
        """Forget the video."""
        self._frames = 0
        self._keyframes = 0
        self._borders = 0.0
        self._shot = -1
        # What the ends of closed spans contradicted one another by, and the doubt these held.
        self._late: deque[tuple[float, float]] = deque(maxlen=SPANS_OF_LATE)

    def _restart(self) -> None:
        """Forget the shot."""
        self._last: Step | None = None
        self._evened: UInt8Array | None = None
        self._anchor: Anchor | None = None
        self._motion: MotionField | None = None
        self._age = 0
        self._doubt = 0.0
        self._churn = 0.0
        self._decided = 0, 0.0  # frames since the last keyframe, and their doubt

    @property
    def _first(self) -> KeyframeReason:
        """Why the first keyframe of this shot is one."""
        return KeyframeReason.SCENE_CUT if self._shot else KeyframeReason.FIRST

    @property
    def _unrest(self) -> float:
        doubt = sum(doubt for _, doubt in self._late)
        return sum(churn for churn, _ in self._late) / doubt if doubt > 0 else 0.0

    @property
    def held(self) -> int:
        """Frames that are not decided yet."""
        return len(self._open)

    def push(self, step: Step, answer: Prediction | None = None) -> list[Decision]:
        """Take the next frame; return what is decided now, in order.

        Raises
        ------
        ModelError
            When the segmenter's answer cannot be used; `flush` gives what was taken before.
        """
        forced = self._forced.takes(step.frame, self._last.frame if self._last else None)
        opens = self._last is None or step.cut
        if opens:
            self._end_shot(asking=True)
            self._shot += 1
        self._frames += 1
        self._age += not opens
        new = Decision(step, self._shot, opens=opens)
        with self._measure("carry", step.frame):
            self._look(new)
        reason = self._reason(new, forced=forced)
        self._last = step
        held = [*self._open, new]
        if reason is None:
            self._open = held
        else:
            at = self._place(held) if reason is KeyframeReason.DOUBT else len(self._open)
            anchor = self._asked(held[at].step, answer if held[at] is new else None)
            if held[at] is not new:
                # Placed in hindsight: what decided is what was seen by then.
                assert new.verdict is not None
                assert new.evidence is not None
                held[at].verdict = replace(new.verdict, measured=new.evidence.doubt)
            self._open = held
            self._close_span(at, reason, anchor)
        if self._judge is None:
            self.give_up(len(self._open))
        return self.take()

    def take(self) -> list[Decision]:
        """Return what is decided, in order, and forget it."""
        ready, self._ready = self._ready, []
        return ready

    def give_up(self, frames: int) -> None:
        """Decide so many of the oldest frames as they are."""
        for held in self._open[:frames]:
            count, doubt = self._decided
            self._decided = count + 1, doubt + held.border
            self._ready.append(held)
        del self._open[:frames]

    def flush(self, *, asking: bool = True) -> list[Decision]:
        """End the video; return what was held, in order.

        Parameters
        ----------
        asking : bool
            Whether the segmenter may still be asked about the end of the last shot.
        """
        self._end_shot(asking=asking)
        self._begin()
        return self.take()

    def _end_shot(self, *, asking: bool) -> None:
        if asking and self._open and self._judge is not None:
            if self._anchor is None:
                self._ask_late()
            else:
                self._judge_tail()
        if self._anchor is None:
            # Nothing was said about this shot: the segmenter failed on its first keyframe.
            self._open = []
        self.give_up(len(self._open))
        self._restart()

    def _look(self, new: Decision) -> None:
        """Carry the last keyframe on to a new frame and gather what the policy is to see."""
        step, last = new.step, self._last
        if step.onto is None or last is None or new.opens:
            if not self._policy.every_frame:
                self._evened = observing.evened(step.luma)
            if last is not None or step.cut:
                new.evidence = replace(self._seen(), scene_change=step.scene_change)
            return
        assert self._evened is not None
        evened = observing.evened(step.luma)
        new.error = observing.step_error(evened, self._evened, step.onto)
        self._evened = evened
        hidden = observing.occluded(step.onto, step.back) if step.back is not None else 0.0
        new.evidence = replace(self._seen(), scene_change=step.scene_change, occluded=hidden)
        if self._anchor is not None:
            self._weigh(new)

    def _weigh(self, held: Decision) -> None:
        """Carry the last keyframe on to a frame, and add to its evidence how well it fits."""
        step = held.step
        assert self._anchor is not None
        assert self._motion is not None
        assert step.onto is not None
        assert held.error is not None
        assert held.evidence is not None
        self._motion = compose(step.onto, self._motion)
        fit = misfit(self._anchor, self._motion, step.luma, self._blur_px)
        held.proposal = Proposal(self._anchor, self._motion, fit)
        drift, new = observing.unexplained(step.luma, self._anchor.luma, self._motion, fit)
        held.border = self._border(self._motion, held, new)
        self._doubt += held.border
        self._borders += held.border
        held.evidence = replace(
            held.evidence,
            age=self._age,
            doubt=self._doubt,
            churn=self._churn,
            keyframes=self._keyframes,
            cuts=max(self._shot, 0),
            mean_border=self._borders / self._frames,
            unrest=self._unrest,
            residual=observing.typical_residual(fit.residual),
            outside=observing.outside(fit.residual),
            drift=drift,
            border=held.border,
        )

    def _border(self, motion: MotionField, held: Decision, new: BoolArray) -> float:
        """Return what a frame adds to doubt, as steeply in its error as the policy wants it."""
        assert self._anchor is not None
        assert held.error is not None
        power = 1.0
        if self._planner is not None:
            power = self._planner.border_power(self._unrest if self._late else None)
        return observing.border(
            self._anchor, motion, held.error, new, power=power, frame_size=held.frame.size
        )

    def _seen(self) -> Evidence:
        """Return what is known of the run and the shot, with nothing of the newest frame."""
        return Evidence(
            self._age,
            *(0.0,) * 4,
            doubt=self._doubt,
            churn=self._churn,
            frames=self._frames,
            keyframes=self._keyframes,
            cuts=max(self._shot, 0),
            mean_border=self._borders / self._frames if self._frames else 0.0,
            unrest=self._unrest,
        )

    def _reason(self, new: Decision, *, forced: bool) -> KeyframeReason | None:
        """Return why the newest frame becomes a keyframe, if it does."""
        if self._anchor is None:
            wait = 0
            if self._judge is not None and not forced:
                wait = min(self._judge.head(new.evidence or self._seen()), self._most_open // 2)
            return self._first if self._age >= wait else None
        new.verdict = self._policy.decide(new.evidence or self._seen())
        return KeyframeReason.FORCED if forced else new.verdict.reason

    def _asked(self, step: Step, answer: Prediction | None) -> Anchor:
        """Return a frame as an anchor that goes with those of its shot.

        Raises
        ------
        ModelError
            When it does not, or the answer cannot be used at all.
        """
        if self._anchor is None and answer is None:
            self._forget()
        anchor = self._ask(step, answer)
        if self._anchor is not None:
            anchor.check_beside(self._anchor, model=self._model)
        return anchor

    def _place(self, held: list[Decision]) -> int:
        """Return which of the undecided frames becomes the keyframe, once there is doubt."""
        return len(held) - 1 if self._judge is None else self._judge.place(self._tail(held))

    def _close_span(self, at: int, reason: KeyframeReason, anchor: Anchor) -> None:
        """Make a keyframe of an undecided frame; look again at those before and after it."""
        start, before, new = self._anchor, self._open[:at], self._open[at]
        self._set(new, reason, anchor, start=start)
        self._anchor = anchor
        if self._judge is not None and before:
            if start is None:
                self._judge_head(before, new)
            else:
                self._judge_between(start, before, new)
        self.give_up(at + 1)
        self._follow(anchor)

    def _follow(self, anchor: Anchor) -> None:
        """Carry a new keyframe on over the frames after it that are seen already."""
        self._age, self._doubt = 0, 0.0
        self._decided = (0, 0.0)
        self._motion = no_motion(anchor.index, anchor.luma)
        for held in self._open:
            assert held.evidence is not None
            self._age += 1
            self._borders -= held.border
            with self._measure("carry", held.step.frame):
                self._weigh(held)
            held.verdict = self._policy.decide(held.evidence)

    def _set(
        self, held: Decision, reason: KeyframeReason, anchor: Anchor, *, start: Anchor | None
    ) -> None:
        """Write down that a frame is a keyframe."""
        held.reason, held.anchor = reason, anchor
        self._keyframes += 1
        if start is None or held.proposal is None or self._policy.every_frame:
            return
        with self._measure("carry", held.step.frame):
            motion = held.proposal.motion
            self._churn = observing.churn(start, motion, anchor, held.step.frame.size)
        if held.evidence is not None:
            held.evidence = replace(held.evidence, churn=self._churn)

    def _judge_between(self, start: Anchor, inside: list[Decision], end: Decision) -> None:
        """Ask inside a closed span, as long as its ends disagree and the policy wants it."""
        assert self._judge is not None
        if not inside:
            return
        span = self._span(Side.BETWEEN, inside, churn=self._churn)
        at = self._judge.accept(span)
        self._late.append((self._churn, sum(held.border for held in (*inside, end))))
        if at is None:
            return
        middle = inside[at]
        anchor = self._asked(middle.step, None)
        self._set(middle, KeyframeReason.SPAN, anchor, start=start)
        middle.verdict = self._judge.judge(span)
        self._judge_between(start, inside[:at], middle)
        motion = no_motion(anchor.index, anchor.luma)
        with self._measure("carry", end.step.frame):
            for held in (*inside[at + 1 :], end):
                assert held.step.onto is not None
                motion = compose(held.step.onto, motion)
                held.proposal = Proposal(anchor, motion)
            assert end.anchor is not None
            self._churn = observing.churn(anchor, motion, end.anchor, end.step.frame.size)
        self._judge_between(anchor, inside[at + 1 :], end)

    def _judge_head(self, head: list[Decision], first: Decision) -> None:
        """Ask once more before the first keyframe of a shot, where the policy wants it."""
        assert self._judge is not None
        self._look_back([*head, first])
        span = self._span(Side.HEAD, head)
        at = self._judge.accept(span)
        if at is None:
            return
        anchor = self._asked(head[at].step, None)
        assert first.reason is not None
        # The first keyframe of the shot is another one now.
        self._set(head[at], first.reason, anchor, start=None)
        first.reason, first.verdict = KeyframeReason.EDGE, self._judge.judge(span)

    def _judge_tail(self) -> None:
        """Ask once more after the last keyframe of a shot, where the policy wants it."""
        assert self._judge is not None
        span = self._tail(self._open)
        at = self._judge.accept(span)
        if at is None:
            return
        late = self._open[at]
        anchor = self._asked(late.step, None)
        self._set(late, KeyframeReason.EDGE, anchor, start=self._anchor)
        late.verdict = self._judge.judge(span)
        for held in self._open[at + 1 :]:
            held.proposal = None

    def _ask_late(self) -> None:
        """Ask in the middle of a shot that ended before its first keyframe was due."""
        middle = self._open[len(self._open) // 2]
        self._anchor = self._asked(middle.step, None)
        self._set(middle, self._first, self._anchor, start=None)

    def _look_back(self, head: list[Decision]) -> None:
        """Measure the borders of a shot's first frames with the labels of its first keyframe."""
        assert self._anchor is not None
        later = head[-1].step
        motion = no_motion(self._anchor.index, self._anchor.luma)
        with self._measure("carry", later.frame):
            for held in reversed(head[:-1]):
                if later.back is None:
                    break
                motion = compose(later.back, motion)
                later = held.step
                if held.error is None:
                    continue
                fit = misfit(self._anchor, motion, later.luma, self._blur_px)
                _, new = observing.unexplained(later.luma, self._anchor.luma, motion, fit)
                held.border = self._border(motion, held, new)
                self._borders += held.border

    def _tail(self, inside: list[Decision]) -> Span:
        """Return the open span after the last keyframe."""
        frames, doubt = self._decided
        return replace(self._span(Side.TAIL, inside), age=frames, doubt=doubt)

    def _span(self, side: Side, inside: list[Decision], *, churn: float = 0.0) -> Span:
        # The first span has nothing to be held against but itself.
        late = [earlier for earlier, _ in self._late] or [churn]
        return Span(
            side,
            tuple(held.border for held in inside),
            churn=churn,
            noise=statistics.median(late),
            frames=self._frames,
            keyframes=self._keyframes,
            cuts=max(self._shot, 0),
            mean_border=self._borders / self._frames,
            unrest=self._unrest,
        )
