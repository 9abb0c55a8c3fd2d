"""Keyframes that are asked for by number or time."""

from __future__ import annotations

from dataclasses import dataclass

from tempseg.types import ROUNDED_S, Frame

__all__ = ["Forced"]

_ROUNDED_S = float(ROUNDED_S)


@dataclass(frozen=True, slots=True)
class Forced:
    """Frames that become keyframes whatever the policy says.

    Parameters
    ----------
    indices : frozenset of int
    times_s : tuple of float
        Each stands for the first frame that is shown then or later, as times are written.
    """

    indices: frozenset[int] = frozenset()
    times_s: tuple[float, ...] = ()

    def takes(self, frame: Frame, last: Frame | None) -> bool:
        """Return whether the frame after `last` is one of them."""
        since = float("-inf") if last is None else last.time_s
        return frame.index in self.indices or any(
            since < t - _ROUNDED_S <= frame.time_s for t in self.times_s
        )

    def beyond(self, last_index: int, last_s: float) -> list[str]:
        """Return what names no frame of a video that ends with this one."""
        indices = [str(index) for index in sorted(self.indices) if index > last_index]
        times = [time_s for time_s in self.times_s if time_s - _ROUNDED_S > last_s]
        return indices + [f"{time_s:g} s" for time_s in times]

    def joined(self, other: Forced) -> Forced:
        """Return the frames of both."""
        return Forced(self.indices | other.indices, (*self.times_s, *other.times_s))
