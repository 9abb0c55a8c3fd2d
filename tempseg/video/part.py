"""A stretch of a source between two of its frames."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FramePart"]


@dataclass(frozen=True, slots=True)
class FramePart:
    """Frames from `begin` on, and on to the first at or after `end`, which still comes.

    Parameters
    ----------
    begin : int or None
        Presentation time of its first frame, in the source's time base; none for where the
        source begins.
    end : int or None
        Presentation time at which the next part begins; none for where the source ends.
    first_index : int
        What the first frame is numbered.
    """

    begin: int | None = None
    end: int | None = None
    first_index: int = 0
