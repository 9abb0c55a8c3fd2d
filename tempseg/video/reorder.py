"""Presentation times for frames that tell only when they were decoded."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from av import VideoFrame

__all__ = ["in_order"]

# As many as H.264 and HEVC may decode before one that is shown first.
_MOST_AHEAD = 16


def in_order(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Yield frames in presentation order, their times put in order too.

    Each takes the earliest time that neither it nor a later frame has been given before. It is
    held back until none to come can have an earlier one: where times follow on tick by tick, no
    longer than its like were decoded ahead.
    """
    held: deque[VideoFrame] = deque()
    times: list[int] = []
    last: int | None = None
    for frame in frames:
        if last is None and frame.key_frame:
            last = frame.pts
        held.append(frame)
        if frame.pts is not None:
            heapq.heappush(times, frame.pts)
        while held and (
            len(held) > _MOST_AHEAD or (times and last is not None and times[0] <= last + 1)
        ):
            last = times[0] if times else last
            yield _timed(held.popleft(), times)
    while held:
        yield _timed(held.popleft(), times)


def _timed(frame: VideoFrame, times: list[int]) -> VideoFrame:
    if frame.pts is not None:
        frame.pts = heapq.heappop(times)
    return frame
