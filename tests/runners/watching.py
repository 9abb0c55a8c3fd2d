"""Observers of runs that tests follow them by, or end them."""

from __future__ import annotations


class Counted:
    """Counts what an observer is told, and acts once."""

    def __init__(self, after=0, act=None):
        self.frames = 0
        self.keyframes = 0
        self.most = 0
        self._after, self._act = after, act

    def begin(self, video):
        self.expected = video.frame_count

    def advance(self, frames, keyframes):
        self.frames += frames
        self.keyframes += keyframes
        self.most = max(self.most, self.frames)
        if self._act is not None and self.frames >= self._after:
            act, self._act = self._act, None
            act()


class StoppedError(Exception):
    """Raised by an observer in the middle of a run."""


class StopAfter:
    """Ends a run after so many frames."""

    def __init__(self, frames, error=StoppedError):
        self.left = frames
        self.error = error

    def begin(self, video):
        pass

    def advance(self, frames, keyframes):
        self.left -= frames
        if self.left <= 0:
            raise self.error
