"""Timestamps made strictly increasing."""

from __future__ import annotations

__all__ = ["Timeline"]


class Timeline:
    """Gives every frame a presentation time after the one before it.

    Times that increase are left alone. For the rest the frame after decides, which is why
    `place` also takes the next frame's timestamp:

    - missing: one duration after the frame before;
    - not after the frame before, and the next one is: squeezed in between, so that the next
      one keeps its time;
    - beyond the next one, which is nearer to where this one was due: an outlier, squeezed in as
      well;
    - not after the frame before, and the next one counts on from here: the clock started again
      (joined recordings), and everything from here on is moved to follow on;
    - otherwise (a run of equal timestamps): one tick after the frame before.

    Parameters
    ----------
    step : int
        Duration of a frame that does not tell its own, in ticks; at least 1.
    first : int
        Time of the first frame where neither it nor the next one has one.

    Examples
    --------
    >>> timeline = Timeline(step=10)
    >>> pts = [0, 10, 10, 30, None, 50]
    >>> [timeline.place(t, following=f) for t, f in zip(pts, [*pts[1:], None])]
    [0, 10, 20, 30, 40, 50]
    """

    def __init__(self, step: int, *, first: int = 0) -> None:
        self._step = max(1, step)
        self._first = first
        self._offset = 0
        self._restarts: list[int] = []
        self._last: int | None = None
        self._wanted = first

    @property
    def restarts(self) -> tuple[int, ...]:
        """How far times are moved, in ticks, since each restart of the clock so far."""
        return tuple(self._restarts)

    def place(self, pts: int | None, *, duration: int = 0, following: int | None = None) -> int:
        """Return the time of the next frame.

        Parameters
        ----------
        pts : int or None
            Its own timestamp.
        duration : int
            Its own duration; 0 where it has none.
        following : int or None
            The timestamp of the frame after it.
        """
        own = None if pts is None else pts + self._offset
        after = None if following is None else following + self._offset
        time = self._begin(own, after) if self._last is None else self._continue(own, after)
        self._last = time
        self._wanted = time + (duration if duration > 0 else self._step)
        return time

    def _begin(self, own: int | None, after: int | None) -> int:
        if own is not None:
            return own
        return self._first if after is None else after - self._step

    def _continue(self, own: int | None, after: int | None) -> int:
        last = self._last
        assert last is not None
        if own is None:
            return self._fit(last, after)
        if own > last:
            outlier = (
                after is not None
                and last < after < own
                and abs(after - self._wanted) < abs(own - self._wanted)
            )
            return self._fit(last, after) if outlier else own
        if after is not None and own < after <= last:
            self._offset += self._wanted - own
            self._restarts.append(self._offset)
            return self._wanted
        if after == own:
            return last + 1
        return self._fit(last, after)

    def _fit(self, last: int, after: int | None) -> int:
        if after is None or self._wanted < after or after <= last:
            return self._wanted
        return max(last + 1, (last + after) // 2)
