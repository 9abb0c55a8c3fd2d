"""Keyframes spaced evenly in doubt, and where they go at the ends of shots: what planners share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tempseg.decisions import Evidence, KeyframeReason, Side, Span, Verdict

__all__ = ["EDGE", "TYPICAL_FRAMES", "Spacing", "border_power", "evened", "place"]

EDGE = 0.35
"""Doubt that the ends of a shot may hold, of what spans hold that have a keyframe on either side:
what comes from one side only goes wrong about three times as fast."""

SLACK = 1.7
"""How far the doubt of an end may pass its share before it gets a keyframe of its own."""

TYPICAL_BORDER = 0.16
"""`Evidence.border` of a usual frame; stands for this many frames until a run has its own mean:"""
TYPICAL_FRAMES = 100


@dataclass(frozen=True, slots=True)
class Spacing:
    """How much doubt a span may hold, and how many frames that usually is.

    Parameters
    ----------
    doubt : float
        Sum of `Evidence.border` over a span.
    frames : float
    """

    doubt: float
    frames: float

    @classmethod
    def of_doubt(cls, doubt: float, seen: Evidence | Span) -> Spacing:
        """Return the spacing of so much doubt."""
        return cls(doubt, doubt / mean_border(seen))

    @classmethod
    def of_share(cls, share: float, seen: Evidence | Span) -> Spacing:
        """Return the spacing that spends a share of the frames, with what is saved so far."""
        saved = share * seen.frames - seen.keyframes
        frames = (1 / share) * 2.0 ** min(max((min(seen.cuts, RESERVE) - saved) * PULL, -1.0), 1.0)
        return cls(frames * mean_border(seen), frames)

    @property
    def seen_after(self) -> float:
        """Doubt from which the place of a keyframe is settled: its spacing, and an end's share.

        So that where the shot ends by then, one keyframe serves both sides of it.
        """
        return self.doubt * (1 + SLACK * EDGE)

    def due_at(self, evidence: Evidence) -> float:
        """Return the doubt that a frame must have seen for the next keyframe to be due."""
        even = evenness(evidence.unrest)
        by_frames = even * mean_border(evidence) * evidence.age
        return max((self.seen_after - by_frames) / (1 - even), 0.0)

    def head(self) -> int:
        """Return how many frames of a shot come before its first keyframe."""
        return int(EDGE * self.frames)

    def judge_edge(self, span: Span) -> Verdict:
        """Return whether a frame of a head or tail should become a keyframe."""
        total, most = _total(span), SLACK * EDGE * self.doubt
        return Verdict(KeyframeReason.EDGE if total > most else None, "doubt", most, total)

    def edge(self, span: Span) -> int:
        """Return which frame of a head or tail it would be."""
        total = _total(span)
        from_keyframe = total / (1 + EDGE)
        if span.side is Side.TAIL:
            return place(span.borders, from_keyframe - span.doubt)
        return place(span.borders, total - from_keyframe)


CALM, MOST_EVEN = 0.2, 0.8
"""`Evidence.unrest` up to which doubt alone tells where keyframes go, as with labels that do not
flicker; and the part of a spacing that goes by frames alone where there is more."""
EVENED_OVER = 0.3
"""How much more unrest would make all of a spacing go by frames."""

STEEP = 3.0
"""Power of the error at borders that counts where all is calm: small errors are mended by the
keyframes on either side, large ones stay."""

RESERVE = 3
"""Keyframes that spacing is steered to keep back, one for each cut up to these. A shot costs more
than its frames do, for its ends hold less: steered to nothing saved, a budget of many shots is soon
overdrawn, and the shot starves in which that shows."""

PULL = 0.08
"""How a keyframe saved, or spent too soon, pulls the spacing: by 2 to the power of this."""


def _total(span: Span) -> float:
    return span.doubt + sum(span.borders)


def mean_border(seen: Evidence | Span) -> float:
    """Return the mean of `Evidence.border` in this run, as far as that is known yet."""
    known = seen.mean_border * seen.frames + TYPICAL_BORDER * TYPICAL_FRAMES
    return known / (seen.frames + TYPICAL_FRAMES)


def evenness(unrest: float) -> float:
    """Return the part of a spacing, in [0, 1), that goes by frames and not by doubt."""
    return min(max((unrest - CALM) / EVENED_OVER, 0.0), MOST_EVEN)


def border_power(unrest: float | None) -> float:
    """Return the power of the error at borders that counts.

    `STEEP` up to an unrest of `CALM`, and by as much less as more of a spacing goes by frames, down
    to the error as it is; so as well while no unrest is known.
    """
    calm = 0.0 if unrest is None else 1.0 - evenness(unrest) / MOST_EVEN
    return 1.0 + (STEEP - 1.0) * calm


def evened(span: Span) -> Span:
    """Return a span whose doubt is shared out among its frames, as far as doubt tells little."""
    even = evenness(span.unrest)
    if even == 0:
        return span
    mean = even * mean_border(span)
    borders = tuple((1 - even) * border + mean for border in span.borders)
    return replace(span, borders=borders, doubt=(1 - even) * span.doubt + mean * span.age)


def place(borders: tuple[float, ...], doubt: float) -> int:
    """Return the frame before which so much doubt lies, or most nearly so much.

    Examples
    --------
    >>> place((1.0, 1.0, 1.0, 1.0), 2.0)
    1
    """
    total, best, nearest = 0.0, 0, float("inf")
    for index, border in enumerate(borders):
        total += border
        if abs(total - doubt) < nearest:
            best, nearest = index, abs(total - doubt)
    return best
