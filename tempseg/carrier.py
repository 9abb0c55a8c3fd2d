"""Carries answers to the frames between keyframes, once it is decided which these are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain

from tempseg.clock import ChangeClock
from tempseg.motion import Step, compose, no_motion
from tempseg.propagate import BlendSettings, blend, look_up, smooth, voided
from tempseg.proposals import Anchor, Proposal, Stacks, confidence, judged, nearest
from tempseg.refine import Consensus, Reference
from tempseg.schedule import Decision
from tempseg.types import (
    Frame,
    FrameResult,
    LabelArray,
    MotionField,
    Origin,
    Segment,
    Segmentation,
)

__all__ = ["Carrier", "Decided"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What is decided with a frame.

    Parameters
    ----------
    decisions : sequence of Decision
        Of the oldest frames that were open, in order.
    undecided : int
        Frames that stay open.
    """

    decisions: Sequence[Decision]
    undecided: int


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


@dataclass(frozen=True, slots=True, eq=False)
class _Agreed:
    """A keyframe's labels, the reference they make, and the keyframes that had a say in them."""

    labels: LabelArray
    reference: Reference | None
    anchors: tuple[Anchor, ...]


class Carrier:
    """Turns decisions into results, in the order of the frames.

    Parameters
    ----------
    blend : BlendSettings
    keyframes_per_side : int
        As of `EngineSettings`.
    lookahead : int
        Frames that may be held back at most, with those that are not decided.
    smooths : bool
        Whether keyframes have a say in one another's labels.
    void_unexplained : bool
        As of `EngineSettings`.
    measure : callable
        Given a stage and a frame, returns a context for the time it takes.
    """

    def __init__(
        self,
        *,
        blend: BlendSettings,
        keyframes_per_side: int,
        lookahead: int,
        smooths: bool,
        void_unexplained: bool,
        measure: Callable[[str, Frame], AbstractContextManager[None]],
    ) -> None:
        self._blend = blend
        self._per_side = keyframes_per_side
        self._lookahead = lookahead
        self._smooths = smooths
        self._void_unexplained = void_unexplained
        self._measure = measure
        self._held: deque[_Held] = deque()
        self._restart()

    def _restart(self) -> None:
        """Forget the shot."""
        self._carried: list[tuple[Anchor, MotionField]] = []
        self._clock = ChangeClock()
        self._solved: Reference | None = None
        self._consensus = Consensus()
        self._stacks = Stacks()
        self._agreed: dict[int, _Agreed] = {}

    def take(self, decided: Decided) -> Iterator[FrameResult]:
        """Yield the results that are final with these decisions."""
        for decision in decided.decisions:
            yield from self._take(decision)
        while self._held and len(self._held) + decided.undecided > self._lookahead:
            yield self._result(self._held.popleft())

    def end(self) -> Iterator[FrameResult]:
        """Yield what is held back, as it is; the next frame begins afresh."""
        while self._held:
            yield self._result(self._held.popleft())
        self._restart()

    def _take(self, decision: Decision) -> Iterator[FrameResult]:
        """Carry the anchors on to a decided frame, and its answer back where it has one."""
        if decision.opens:
            yield from self.end()
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
        yield from self._release()

    def _anchor(self, new: _Held, anchor: Anchor) -> None:
        """Make a keyframe of a frame and carry its answer back over the open spans."""
        frame = new.step.frame
        if not self._smooths:
            new.proposals = []
        own = no_motion(anchor.index, anchor.luma)
        with self._measure("carry", frame):
            self._walk_back(anchor, own, step=new.step)
        self._carried = [
            (anchor, own),
            *self._carried[: self._per_side - 1],
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
            if held.keyframes_after > self._per_side:
                continue
            if held.anchor is None or self._smooths:
                held.proposals.append(Proposal(anchor, motion))

    def _wanted_after(self, held: _Held) -> int:
        """Return how many keyframes after a frame are waited for.

        Labels that are looked up take one, but it is agreed on first, with as many after it.
        """
        per_side = self._per_side
        if held.anchor is not None or not any(p.anchor.pixels for p in held.proposals):
            return per_side
        return per_side + 1 if self._smooths else 1

    def _release(self) -> Iterator[FrameResult]:
        """Yield results from the head of the line that are final."""
        while self._held:
            head = self._held[0]
            final = head.keyframes_after >= self._wanted_after(head) or (
                head.anchor is not None and not self._smooths
            )
            if not final:
                break
            yield self._result(self._held.popleft())

    def _result(self, held: _Held) -> FrameResult:
        frame = held.step.frame
        with self._measure("carry", frame):
            if held.anchor is not None:
                origin = Origin.SEGMENTED
                labels = self._agree(held, held.anchor).labels
                known = [held.anchor, *(proposal.anchor for proposal in held.proposals)]
                answer = Segmentation(labels, _segments(known, frame.index))
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

    def _agree(self, held: _Held, anchor: Anchor) -> _Agreed:
        """Return a keyframe's labels, with the reference they make where labels are looked up.

        Made when first asked for, from the keyframes around that are known by then, and kept.
        """
        if anchor.index not in self._agreed:
            labels = smooth(
                anchor,
                held.proposals,
                self._distances(held.proposals, anchor.index),
                held.step.frame.size,
                self._blend,
                self._consensus,
            )
            reference = Reference.of(labels, anchor.pixels) if anchor.pixels else None
            heard = tuple(proposal.anchor for proposal in held.proposals)
            self._agreed[anchor.index] = _Agreed(labels, reference, (anchor, *heard))
        return self._agreed[anchor.index]

    def _carry(self, held: _Held) -> Segmentation:
        """Return the answer for a frame between keyframes."""
        frame, luma, settings = held.step.frame, held.step.luma, self._blend
        proposals = held.proposals
        if proposals[0].anchor.pixels:
            proposals = nearest(proposals, frame.index)
        proposals = judged(proposals, luma, settings.residual_blur_px)
        distances = self._distances(proposals, frame.index)
        anchors = [proposal.anchor for proposal in proposals]
        labels: LabelArray
        if proposals[0].anchor.pixels:
            references = self._references(proposals)
            labels, self._solved = look_up(
                proposals, distances, references, held.step, self._solved
            )
        else:
            labels = blend(proposals, distances, luma, frame.size, settings, self._stacks)
            self._solved = None
        # What a keyframe shows may be another one's, where they agreed on it.
        agreed = (self._agreed[a.index].anchors for a in anchors if a.index in self._agreed)
        known = confidence(proposals)
        if self._void_unexplained:
            labels = voided(labels, known)
        segments = _segments(chain(anchors, *agreed), frame.index)
        return Segmentation(labels, segments, known)

    def _distances(self, proposals: Iterable[Proposal], index: int) -> list[float]:
        """Return how many frames after frame `index` the proposals' keyframes are."""
        return self._clock.distances(index, [proposal.anchor.index for proposal in proposals])

    def _references(self, proposals: Iterable[Proposal]) -> list[Reference]:
        """Return the references of proposals' keyframes."""
        wanted = {proposal.anchor.index: proposal.anchor for proposal in proposals}
        for held in self._held:
            if held.anchor is not None and held.anchor.index in wanted:
                self._agree(held, held.anchor)
        found = (self._agreed[index].reference for index in wanted)
        return [reference for reference in found if reference is not None]


def _segments(anchors: Iterable[Anchor], index: int) -> dict[int, Segment]:
    """Return what the ids of all these keyframes stand for; the nearest to frame `index` says."""
    found: dict[int, Segment] = {}
    for anchor in sorted(anchors, key=lambda a: abs(a.index - index), reverse=True):
        found.update(anchor.segments)
    return found
