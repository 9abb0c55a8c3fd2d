"""What decisions on keyframes are made of: reasons, evidence, spans, verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Evidence", "KeyframeReason", "Side", "Span", "Verdict"]


class KeyframeReason(StrEnum):
    """Why the segmenter ran on a frame."""

    FIRST = "first"
    """The first keyframe of the source."""
    SCENE_CUT = "scene_cut"
    """The first keyframe of a later shot."""
    INTERVAL = "interval"
    """The last keyframe was old enough."""
    DRIFT = "drift"
    """The last keyframe, carried along, did not explain enough of the frame."""
    DOUBT = "doubt"
    """Errors at the borders of what is carried had added up."""
    SPAN = "span"
    """What was carried over a closed span did not agree with the answer at its end."""
    EDGE = "edge"
    """Too much doubt before the first keyframe of a shot, or after its last one."""
    FORCED = "forced"
    """The config names this frame or time."""
    CHUNK = "chunk"
    """A chunk of the run begins with it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Numbers about a frame that a keyframe policy may look at.

    Parameters
    ----------
    age : int
        Frames since the last keyframe; since the shot's start where it has none yet.
    scene_change : float
        1 - structural agreement with the frame before, after motion; in [0, 1].
    residual : float
        Mean absolute luma error of the frame against the last keyframe carried to it, in
        gray levels.
    outside : float
        Share of the frame that is newly seen: the motion pulls it from outside the last keyframe's
        picture; in [0, 1].
    drift : float
        Share of the frame that the last keyframe, carried along, does not explain: what comes
        from outside, and what differs plainly in more than light; in [0, 1].
    occluded : float
        Share of the frame where motion from the frame before and motion back to it disagree; in
        [0, 1]. 0 without lookahead, which needs no motion back.
    border : float
        What this frame adds to doubt, mostly below 0.5. Half of the error of the step onto it: the
        square root of the luma error from the frame before, near the borders of the labels carried
        from the last keyframe, as a share of full white and of a class's area, averaged over the
        classes; under the policies `share` and `span` to a power of up to 3, scaled so that 0.14
        stays. And what the last keyframe does not explain though it was in its sight: 0.1 times
        the root of its share of the frame, 0.1 times its share of what lies near those borders.
    doubt : float
        Sum of `border` over the frames since the last keyframe.
    churn : float
        What the last keyframe's answer contradicted of what had been carried to it: 1 - mIoU.
    frames, keyframes, cuts : int
        How many there were so far, in this run.
    mean_border : float
        Mean of `border` over the run so far.
    unrest : float
        What the last few keyframes contradicted of what had been carried to them, for a doubt of 1:
        much where the segmenter flickers, so that doubt tells little. 0 until that is known.
    """

    age: int
    scene_change: float
    residual: float
    outside: float
    drift: float
    occluded: float = 0.0
    border: float = 0.0
    doubt: float = 0.0
    churn: float = 0.0
    frames: int = 0
    keyframes: int = 0
    cuts: int = 0
    mean_border: float = 0.0
    unrest: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says to a frame.

    Parameters
    ----------
    reason : KeyframeReason or None
        Why the frame should be a keyframe; none where it need not.
    measure : str
        The field of the evidence that decided, or came nearest to deciding.
    threshold : float
        What that was held against.
    measured : float or None
        What was held against it, of a whole span or by a later frame; none where the frame's own
        evidence says.
    """

    reason: KeyframeReason | None
    measure: str
    threshold: float
    measured: float | None = None


class Side(StrEnum):
    """Where the keyframes of a span are."""

    HEAD = "head"
    """The start of a shot: the first keyframe comes after it."""
    BETWEEN = "between"
    """A keyframe on either side."""
    TAIL = "tail"
    """The end of a shot: the last keyframe comes before it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames of one shot without a keyframe, and what is known of them.

    Parameters
    ----------
    side : Side
    borders : tuple of float
        `Evidence.border` of each frame, from first to last.
    churn : float
        1 - mIoU of the answer at the end with what was carried to it from the start; 0 where
        there is no keyframe on one side.
    noise : float
        What keyframes of this run contradict each other by anyhow: the median churn of late; of
        the run's first span its own.
    age : int
        Frames since the last keyframe, before these, that are decided already.
    doubt : float
        Sum of `Evidence.border` over those.
    frames, keyframes, cuts : int
        How many there were so far, in this run.
    mean_border : float
        Mean of `border` over the run so far.
    unrest : float
        As of `Evidence`.
    """

    side: Side
    borders: tuple[float, ...]
    churn: float = 0.0
    noise: float = 0.0
    age: int = 0
    doubt: float = 0.0
    frames: int = 0
    keyframes: int = 0
    cuts: int = 0
    mean_border: float = 0.0
    unrest: float = 0.0
