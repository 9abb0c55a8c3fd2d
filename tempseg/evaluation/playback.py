"""Everything that belongs to a frame, brought together frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from tempseg.errors import SourceError
from tempseg.evaluation.setup import Compared, Track
from tempseg.evaluation.stage_seconds import StageSeconds
from tempseg.metrics.judge import Judge, JudgedPair
from tempseg.opencv_threads import single_threaded_opencv
from tempseg.prefetch import Prefetch
from tempseg.protocols import FrameSource
from tempseg.types import LabelArray, UInt8Array

__all__ = ["STAGES", "Maps", "Moment", "play"]

STAGES = ("labels", "video", "judge", "scores")
"""In the order that a frame goes through them; `scores` is the caller's."""

AHEAD = 4
"""Frames that may wait between two stages."""

SCENE_CHANGE = 0.5
"""Above this, two frames are of two shots: real cuts score 0.68 and up, all else below 0.4."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The label maps of one frame, in classes; none where a sequence has none for it."""

    labels: LabelArray
    truth: LabelArray | None = None
    reference: LabelArray | None = None
    ids: LabelArray | None = None
    truth_ids: LabelArray | None = None

    @property
    def panoptic(self) -> tuple[LabelArray, LabelArray, LabelArray, LabelArray] | None:
        """Labels, ids, truth and its ids, where all are there."""
        if self.truth is None or self.ids is None or self.truth_ids is None:
            return None
        return self.labels, self.ids, self.truth, self.truth_ids


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame with all that belongs to it.

    Parameters
    ----------
    index : int
    time_s : float or None
        Presentation time, where a run or video tells it.
    maps : Maps
    starts_shot : bool
        Whether nothing before this frame belongs to it.
    judged : JudgedPair or None
        How the picture moved from the frame before; none on a first frame, and without video.
    picture : ndarray, shape (H, W, 3), uint8, or None
        Of the video whose warping error is measured.
    """

    index: int
    time_s: float | None
    maps: Maps
    starts_shot: bool
    judged: JudgedPair | None = None
    picture: UInt8Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A frame's time, and how the picture moved from the frame before."""

    time_s: float | None = None
    judged: JudgedPair | None = None

    @classmethod
    def when_done(cls, time_s: float, pair: Future[JudgedPair] | None) -> _Seen:
        return cls(time_s, None if pair is None else pair.result())


@contextmanager
def play(
    compared: Compared, judges: Sequence[Judge], seconds: StageSeconds
) -> Iterator[Iterator[Moment]]:
    """Give the frames in order; reading, decoding and judging run side by side.

    The judges take pairs by turns. Leaving the context stops all threads. The iterator raises
    SourceError where a sequence or video ends too early, goes on too long, or holds what it must
    not.
    """
    with ExitStack() as stages:
        stages.enter_context(single_threaded_opencv())
        maps = stages.enter_context(
            Prefetch(seconds.timed("labels", _maps(compared)), name="labels", capacity=AHEAD)
        )
        seen: Iterator[_Seen] = repeat(_Seen())
        if compared.video is not None and judges:
            frames = stages.enter_context(
                Prefetch(
                    seconds.timed("video", _lumas(compared.video)), name="video", capacity=AHEAD
                )
            )
            seen = stages.enter_context(closing(_judged(compared, frames, judges, seconds)))
        pictures: Iterator[UInt8Array | None] = repeat(None)
        if compared.warp_video is not None:
            pictures = stages.enter_context(
                Prefetch(_pictures(compared, compared.warp_video), name="pictures", capacity=AHEAD)
            )
        yield _moments(compared, maps, seen, pictures)


def _moments(
    compared: Compared,
    maps: Iterator[Maps],
    seen: Iterator[_Seen],
    pictures: Iterator[UInt8Array | None],
) -> Iterator[Moment]:
    run = compared.prediction.sequence.run
    for index, (held, view, picture) in enumerate(zip(maps, seen, pictures, strict=False)):
        judged = view.judged
        cut = index in compared.cuts or (judged is not None and judged.scene_change > SCENE_CHANGE)
        time_s = view.time_s if run is None else run.times_s[index]
        yield Moment(index, time_s, held, index == 0 or cut, judged, picture)
    # A video that goes on is told only to those who ask for one more frame.
    next(seen, None)
    next(pictures, None)


def _maps(compared: Compared) -> Iterator[Maps]:
    """Yield the label maps of each frame."""
    own = compared.prediction
    with_ids = compared.truth is not None and bool(compared.plan.things)
    others = [
        _laid_out(compared.frames, compared.truth),
        _laid_out(compared.frames, compared.reference),
        _laid_out(compared.frames, own, ids=True) if with_ids else repeat(None),
        _laid_out(compared.frames, compared.truth, ids=True) if with_ids else repeat(None),
    ]
    for labels, *beside in zip(_laid_out(compared.frames, own), *others, strict=False):
        assert labels is not None
        yield Maps(labels, *beside)


def _laid_out(
    frames: int, track: Track | None, *, ids: bool = False
) -> Iterator[LabelArray | None]:
    """Yield a track's map for each frame, none where it has none."""
    stored = None if track is None else (track.sequence.ids if ids else track.sequence.maps)
    if track is None or stored is None:
        yield from repeat(None, frames)
        return
    places = dict(zip(track.alignment.frames, track.alignment.places, strict=True))
    maps = stored.read(track.alignment.places)
    for frame in range(frames):
        place = places.get(frame)
        if place is None:
            yield None
            continue
        labels = next(maps)
        if not ids:
            yield track.reader.read(labels, place)
        elif labels.shape == track.sequence.size:
            yield labels
        else:
            height, width = labels.shape
            raise SourceError(
                f"{stored.where(place)}: is {width}×{height}, its label map "
                f"{track.sequence.size[1]}×{track.sequence.size[0]}; bring them to one size"
            )


def _lumas(video: FrameSource) -> Iterator[tuple[float, UInt8Array]]:
    for frame in video:
        # A decoder's rows may be padded, which OpenCV's flow does not take.
        yield frame.time_s, np.ascontiguousarray(frame.luma)


def _judged(
    compared: Compared,
    frames: Iterator[tuple[float, UInt8Array]],
    judges: Sequence[Judge],
    seconds: StageSeconds,
) -> Generator[_Seen, None, None]:
    """Yield how the picture moved to each frame; the judges take pairs by turns, side by side."""

    def judged(judge: Judge, before: UInt8Array, now: UInt8Array) -> JudgedPair:
        with seconds.measure("judge"):
            return judge.pair(before, now)

    count, last = 0, None
    waiting: deque[tuple[float, Future[JudgedPair] | None]] = deque()
    with ExitStack() as stack:
        lanes = [
            stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="tempseg-judge"))
            for _ in judges
        ]
        for time_s, luma in frames:
            count += 1
            if count > compared.frames:
                break
            turn = count % len(judges)
            pair = None if last is None else lanes[turn].submit(judged, judges[turn], last, luma)
            waiting.append((time_s, pair))
            last = luma
            if len(waiting) > AHEAD:
                yield _Seen.when_done(*waiting.popleft())
        while waiting:
            yield _Seen.when_done(*waiting.popleft())
    assert compared.video is not None
    _check_count(compared, compared.video, count)


def _pictures(compared: Compared, video: FrameSource) -> Iterator[UInt8Array]:
    count = 0
    for frame in video:
        count += 1
        if count > compared.frames:
            break
        yield frame.image
    _check_count(compared, video, count)


def _check_count(compared: Compared, video: FrameSource, count: int) -> None:
    """Raise where a video has ended early, or goes on although all label maps were met."""
    maps = len(compared.prediction.sequence)
    if count < compared.frames or (count > compared.frames and compared.frames == maps):
        many = "ends after" if count < compared.frames else "goes on after"
        raise SourceError(
            f"{video.info.name}: {many} {min(count, maps)} frames, but "
            f"{compared.prediction.sequence.name} has {maps} label maps; "
            "give the video that they belong to"
        )
