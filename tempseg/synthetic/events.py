"""What happens to the picture as a whole, and when: cuts, light, flashes, fades."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Event", "EventKind"]

EventKind = Literal["cut", "dissolve", "light", "flash", "fade", "rise", "pan"]

FLASH_GAINS = (1.9, 1.35)
"""Light of a flash's frames, as a factor."""

DARKEST = 0.04
"""Light that is left in the last frame of a fade."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to whole frames; the scene's truth is exact throughout.

    Parameters
    ----------
    kind : {"cut", "dissolve", "light", "flash", "fade", "rise", "pan"}
        A new shot; one that comes through the one before; a change of light; a flash of two
        frames; a fade to black; a fade up from black; a swing of the camera.
    first, last : int
        The frames it touches, both included. A cut touches the first frame of the new shot; a
        dissolve the frames that show both.

    Examples
    --------
    >>> fade = Event("fade", 90, 99)
    >>> fade.gain(89), fade.gain(90), round(fade.gain(99), 3)
    (1.0, 0.904, 0.04)
    """

    kind: EventKind
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ValueError(
                f"a {self.kind} from frame {self.first} to {self.last}, expected 0 <= first <= last"
            )

    def gain(self, frame: int) -> float:
        """Return what a flash or fade makes of the light in a frame, as a factor."""
        place = frame - self.first
        if frame < self.first:
            return 1.0
        if self.kind == "flash":
            return FLASH_GAINS[place] if place < len(FLASH_GAINS) else 1.0
        if self.kind == "fade":
            share = min((place + 1) / (self.last - self.first + 1), 1.0)
            return 1.0 - (1.0 - DARKEST) * share
        if self.kind == "rise":
            share = min((place + 1) / (self.last - self.first + 2), 1.0)
            return DARKEST + (1.0 - DARKEST) * share
        return 1.0

    def later(self, frames: int) -> Event:
        """Return the event, so many frames later."""
        return replace(self, first=self.first + frames, last=self.last + frames)
