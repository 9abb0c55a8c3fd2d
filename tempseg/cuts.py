"""Scene cuts: told from flashes, fast pans, fades and light, with a few frames' hindsight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np

from tempseg.evidence import scene_change
from tempseg.motion import Step, estimated
from tempseg.protocols import FlowEstimator
from tempseg.types import FloatArray, MotionField, UInt8Array

__all__ = ["MOST_HELD", "CutFinder", "steps_held"]

MOST_HELD = 3
"""Frames held back at most. A flash that is no longer than this is told from a cut."""

EMPTY_GRAY_LEVELS = 3.0
"""A frame whose luma deviates less than this shows nothing: black, white, fog."""

MOST_CONTINUED = 0.5
"""A frame continues one before the supposed cut where it loses less of it than this share of what
is lost at the cut."""

DISSOLVE_HALVES = (1, 3, 5, 7)
"""Half lengths, in frames, of the stretches that are looked at for a dissolve."""

CELLS = 16
"""Cells along the longer side of the thumbnails in which dissolves are looked for: so coarse that
what moves stays in its cell for some frames."""

DETAIL_CELLS = 5
"""Thumbnails are compared less their mean around, over so many cells."""

LEAST_SHARE = 0.25
"""In the middle of a dissolve both shots weigh at least this."""

MOST_LIKE = 0.8
"""Correlation of thumbnails from which both ends of a stretch show the same."""

MOST_UNMIXED = 0.6
"""How much of the middle the mixture of both ends may leave unexplained, as a share of what the
better end alone leaves."""

MOST_EDGES = 0.92
"""Two pictures through one another have weaker edges: less than this share of what both ends of a
stretch have on average. Motion, however fast, mostly leaves them."""

LEAST_UNLIKE = 0.03
"""Where one end alone leaves less of the middle than this, nothing has happened yet."""

REST = 4
"""Frames between two close looks at what may be a dissolve."""

REST_AFTER = 2 * max(DISSOLVE_HALVES)
"""Frames after the end of a stretch that was a dissolve in which no other is looked for."""

LEAST_OVERLAP = 0.25
"""A pan that leaves less than this share of each side in the picture is a cut."""

LEAST_OVERLAP_PX = 48
"""As few pixels as flow needs to stand on."""

_TINY = 1e-3


def steps_held(lookahead: int) -> int:
    """Return how many steps may wait for a decision, out of so many frames held back in all.

    Examples
    --------
    >>> [steps_held(lookahead) for lookahead in (0, 3, 4, 20)]
    [0, 0, 1, 3]
    """
    return min(MOST_HELD, lookahead // 4)


@dataclass(slots=True, eq=False)
class _Seen:
    """What is remembered of a frame, and what was found out about it."""

    luma: UInt8Array
    detail: FloatArray
    edges: float
    empty: bool
    lost: float | None = None
    dissolved: float = 0.0
    cut: bool = False


class CutFinder:
    """Decides, frame by frame, where a new shot begins.

    A frame begins a shot where more than `threshold` of the picture's structure is lost after
    motion, beyond what the frames around it lose as well: in a fast pan all of them lose much.
    It begins none where frames just after it continue those just before (a flash), where the
    picture goes black or white, where it comes back from there, and where it comes up for the
    first time. Light that changes takes no structure away.

    A dissolve is one cut: both ends of a stretch differ, motion does not explain it, and the
    middle is a mixture of them. Its cut lies in the middle, or on the first frame after it that
    is not decided yet: up to 7 frames late in a long dissolve.

    Each step leaves with `cut`, and with `scene_change`: the loss that was compared with the
    threshold, so that a step is a cut exactly where it is above.

    Parameters
    ----------
    flow : FlowEstimator
        Compares frames that are no neighbours; asked only where a shot may begin.
    threshold : float
        Share of the structure, in [0, 1].
    hold : int
        Steps held back, at most `MOST_HELD`. With 0 each is decided at once, from the past alone.
    """

    def __init__(self, flow: FlowEstimator, *, threshold: float, hold: int) -> None:
        if not 0 <= hold <= MOST_HELD:
            raise ValueError(f"hold is {hold}, expected 0 to {MOST_HELD}")
        self.hold = hold
        self._flow = flow
        self._threshold = threshold
        self._seen: deque[_Seen] = deque(maxlen=2 * max(DISSOLVE_HALVES) + 1 + MOST_HELD)
        self._waiting: deque[Step] = deque()
        self._shown: UInt8Array | None = None
        self._rest = 0

    def take(self, step: Step) -> Iterator[Step]:
        """Take the next step; yield those that are decided now, in order."""
        self._look(step)
        self._waiting.append(step)
        self._look_for_dissolve()
        while len(self._waiting) > self.hold:
            yield self._decided()

    def flush(self) -> Iterator[Step]:
        """End the video: yield what was held back, in order, and forget everything."""
        while self._waiting:
            yield self._decided()
        self.forget()

    def forget(self) -> None:
        """Forget everything, also what was held back."""
        self._waiting.clear()
        self._seen.clear()
        self._shown = None
        self._rest = 0

    def _look(self, step: Step) -> None:
        """Remember a frame, with what it loses of the one before."""
        luma = step.luma
        _, deviation = cv2.meanStdDev(luma)
        edges = cv2.norm(luma[:, 1:], luma[:, :-1], cv2.NORM_L2)
        seen = _Seen(luma, _detail(luma), edges, float(deviation[0, 0]) < EMPTY_GRAY_LEVELS)
        last = self._seen[-1] if self._seen else None
        if last is not None and step.onto is not None:
            if seen.empty:
                seen.lost = 0.0
            elif last.empty:
                # What shows now is new only beside what was there before the picture went.
                seen.lost = 0.0 if self._shown is None else self._change(luma, self._shown)
            else:
                seen.lost = scene_change(luma, last.luma, step.onto)
        if not seen.empty:
            self._shown = luma
        self._seen.append(seen)

    def _decided(self) -> Step:
        """Decide on the first step that waits, and let it go."""
        place = len(self._seen) - len(self._waiting)
        seen, step = self._seen[place], self._waiting.popleft()
        change = 0.0
        if seen.lost is not None:
            change = max(seen.lost - self._level(place), 0.0)
            if change > self._threshold:
                change = self._unless_continued(place, change)
        change = max(change, seen.dissolved)
        seen.cut = change > self._threshold
        return replace(step, scene_change=change, cut=seen.cut)

    def _level(self, place: int) -> float:
        """Return what the frames around this one lose: of three pairs of them, each the lesser."""
        seen = list(self._seen)
        before, after = seen[max(place - 2, 0) : place], seen[place + 1 : place + 3]
        # The lesser of two, and none without both: a single cut close by is no pan.
        pairs = before, after, [*before[-1:], *after[:1]]
        losses = ([one.lost for one in pair if one.lost is not None] for pair in pairs)
        return max(min(pair) if len(pair) == 2 else 0.0 for pair in losses)

    def _unless_continued(self, place: int, change: float) -> float:
        """Return a change, or less where the frames after it go on from those before it."""
        seen = list(self._seen)
        before = seen[max(place - 1 - MOST_HELD, 0) : place]
        for one in range(len(before) - 1, 0, -1):
            if before[one].cut:
                # Another shot: it is forgotten.
                before = before[one:]
                break
        if (other := self._change_after_pan(seen[place], before[-1])) < MOST_CONTINUED * change:
            return min(other, self._threshold)
        pairs = [(after, before[-1]) for after in seen[place + 1 : place + 1 + self.hold]]
        pairs += [(seen[place], one) for one in reversed(before[:-1])]
        for target, source in pairs:
            if not target.empty and not source.empty:
                other = self._change(target.luma, source.luma)
                if other < MOST_CONTINUED * change:
                    return min(other, self._threshold)
        return change

    def _change(self, target: UInt8Array, source: UInt8Array) -> float:
        """Return how little of the source's structure a later frame keeps, after motion."""
        motion = MotionField(0, 1, estimated(self._flow, target, source))
        return scene_change(target, source, motion)

    def _change_after_pan(self, target: _Seen, source: _Seen) -> float:
        """Return the change of what stays in the picture when it swings further than flow reaches.

        1 where nothing suggests that it does.
        """
        if target.empty or source.empty:
            return 1.0
        height, width = target.luma.shape
        window = cv2.createHanningWindow((width, height), cv2.CV_32F)
        (x, y), _ = cv2.phaseCorrelate(
            target.luma.astype(np.float32), source.luma.astype(np.float32), window
        )
        dx, dy = round(x), round(y)
        least_x = max(LEAST_OVERLAP_PX, LEAST_OVERLAP * width)
        least_y = max(LEAST_OVERLAP_PX, LEAST_OVERLAP * height)
        if width - abs(dx) < least_x or height - abs(dy) < least_y:
            return 1.0
        there = target.luma[max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
        here = source.luma[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
        return self._change(np.ascontiguousarray(there), np.ascontiguousarray(here))

    def _look_for_dissolve(self) -> None:
        """Mark the middle of a dissolve whose end is the frame that has come last."""
        self._rest = max(self._rest - 1, 0)
        for half in DISSOLVE_HALVES:
            if self._rest or len(self._seen) <= 2 * half:
                return
            *stretch, first = islice(reversed(self._seen), 2 * half + 1)
            # A single frame of both shots may lose more than a threshold, and so may the next.
            most_lost = 1.0 if half == 1 else self._threshold
            if first.empty or any(_breaks(one, most_lost) for one in stretch):
                return
            last, middle = stretch[0], stretch[half]
            if middle.edges > MOST_EDGES * (first.edges + last.edges) / 2:
                continue
            if not _mixes(first.detail, middle.detail, last.detail):
                continue
            # Where three frames show no cut, more of them may.
            self._rest = REST if half > 1 else 0
            change = self._change(last.luma, first.luma)
            if change > self._threshold:
                middle = stretch[min(half, len(self._waiting) - 1)]
                middle.dissolved = change
                if half == 1 and middle is not last:
                    # What it shows for the first time is the shot that has begun.
                    last.lost = 0.0
                self._rest = REST_AFTER


def _breaks(seen: _Seen, most_lost: float) -> bool:
    """Return whether no dissolve goes on over a frame."""
    lost = seen.lost is None or seen.lost > most_lost
    return lost or seen.empty or seen.cut or seen.dissolved > 0.0


def _detail(luma: UInt8Array) -> FloatArray:
    """Return what cells differ by from those around them, of mean 0, as one row."""
    height, width = luma.shape
    cell = max(height, width) / CELLS
    size = max(round(width / cell), 1), max(round(height / cell), 1)
    cells = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)
    around = np.asarray(cv2.blur(cells, (DETAIL_CELLS, DETAIL_CELLS)), np.float32)
    detail = (cells - around).ravel()
    return np.asarray(detail - detail.mean(), np.float32)


def _mixes(first: FloatArray, middle: FloatArray, last: FloatArray) -> bool:
    """Return whether the middle is a mixture of two ends that differ, by least squares."""
    ff, ll, mm, fl, fm, lm = (
        float((a * b).sum(dtype=np.float64))
        for a, b in (
            (first, first),
            (last, last),
            (middle, middle),
            (first, last),
            (first, middle),
            (last, middle),
        )
    )
    if min(ff, ll, mm) < _TINY or fl > MOST_LIKE * (ff * ll) ** 0.5:
        return False
    determinant = ff * ll - fl * fl
    if determinant < _TINY:
        return False
    share = (fm * ll - lm * fl) / determinant, (lm * ff - fm * fl) / determinant
    if min(share) < LEAST_SHARE or max(share) > 1.0 - LEAST_SHARE:
        return False
    unmixed = 1.0 - (share[0] * fm + share[1] * lm) / mm
    alone = 1.0 - max(fm * fm / (ff * mm), lm * lm / (ll * mm))
    return alone > LEAST_UNLIKE and unmixed < MOST_UNMIXED * alone
