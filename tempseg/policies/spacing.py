"""Keyframes spaced evenly in doubt, and where they go at the ends of shots: what planners share."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.decisions import Evidence, Side, Span

__all__ = ["EDGE", "Spacing", "place"]

EDGE = 0.35
"""Doubt that the ends of a shot may hold, of what spans hold that have a keyframe on either side:
what comes from one side only goes wrong about three times as fast."""

SLACK = 1.5
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
        frames = (1 / share) * 2.0 ** min(max(-saved * PULL, -1.0), 1.0)
        return cls(frames * mean_border(seen), frames)

    @property
    def seen_after(self) -> float:
        """Doubt from which the place of a keyframe is settled: its spacing, and an end's share.

        So that where the shot ends by then, one keyframe serves both sides of it.
        """
        return self.doubt * (1 + SLACK * EDGE)

    def head(self) -> int:
        """Return how many frames of a shot come before its first keyframe."""
        return int(EDGE * self.frames)

    def edge(self, span: Span) -> int | None:
        """Return which frame of a head or tail should become a keyframe, if any."""
        total = span.doubt + sum(span.borders)
        if total <= SLACK * EDGE * self.doubt:
            return None
        from_keyframe = total / (1 + EDGE)
        if span.side is Side.TAIL:
            return place(span.borders, from_keyframe - span.doubt)
        return place(span.borders, total - from_keyframe)


PULL = 0.08
"""How a keyframe saved, or spent too soon, pulls the spacing: by 2 to the power of this."""


def mean_border(seen: Evidence | Span) -> float:
    """Return the mean of `Evidence.border` in this run, as far as that is known yet."""
    known = seen.mean_border * seen.frames + TYPICAL_BORDER * TYPICAL_FRAMES
    return known / (seen.frames + TYPICAL_FRAMES)


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
