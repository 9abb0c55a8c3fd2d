"""A stretch of a run, done for real into a folder that is thrown away."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from tempseg.build import build_engine, build_sinks
from tempseg.config import Config
from tempseg.kernels.compiling import compiling
from tempseg.protocols import FrameSource, Segmenter
from tempseg.runners.local import stream, write_all
from tempseg.runners.tally import Tally, peak_memory_mb
from tempseg.runners.timing import STAGES, StageTimes
from tempseg.types import Frame, VideoInfo

__all__ = ["Rehearsal", "choose_stretch", "compiled_before", "rehearse"]

LEAST_FRAMES, MOST_FRAMES = 96, 300
LEAST_KEYFRAMES = 4
FARTHEST = 5000
"""Frames before a stretch at most: they are decoded to get there."""
SEGMENTER_S = 30.0
"""A stretch asks for no more of the segmenter than this, unless for its least keyframes."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a stretch took.

    Parameters
    ----------
    frames, keyframes : int
    wall_s : float
        From the first frame asked for to the last file completed.
    segmenter_s, carrying_s : float
        In the segmenter; in motion and carrying.
    masks_bytes, overlay_bytes : int
    peak_memory_mb : float
    compile_s : float
        Of all that, for kernels that were compiled for good: no later run takes it.
    """

    frames: int
    keyframes: int
    wall_s: float
    segmenter_s: float
    carrying_s: float
    masks_bytes: int
    overlay_bytes: int
    peak_memory_mb: float
    compile_s: float = 0.0

    @property
    def call_ms(self) -> float:
        """What a call of the segmenter takes, in milliseconds."""
        return self.segmenter_s / self.keyframes * 1000

    @property
    def carrying_ms(self) -> float:
        """Motion and carrying, in milliseconds a frame that is carried to; 0 without such frames.

        A frame more in the segmenter is one less to carry to: what this is to be held against.
        """
        between = self.frames - self.keyframes
        return self.carrying_s / between * 1000 if between else 0.0


def choose_stretch(keyframes: Sequence[bool], *, segmenter_s: float) -> range:
    """Return the places of a stretch whose keyframes are about as dense as those of all frames.

    Parameters
    ----------
    keyframes : sequence of bool
        Which frames are.
    segmenter_s : float
        What a call takes, as far as is known.

    Examples
    --------
    >>> choose_stretch([i % 10 == 0 for i in range(1000)], segmenter_s=0.05)
    range(450, 546)
    """
    total = len(keyframes)
    before = [0, *accumulate(keyframes)]
    share = before[-1] / total
    length = max(LEAST_FRAMES, round(LEAST_KEYFRAMES / share))
    affordable = max(LEAST_KEYFRAMES, SEGMENTER_S / max(segmenter_s, 1e-6))
    length = max(1, min(length, MOST_FRAMES, total, round(affordable / share)))
    last = min(total - length, FARTHEST)
    # A stretch begins with a keyframe, whatever the run would do there: one that is one anyway.
    starts = [i for i in range(last + 1) if keyframes[i]] or [0]

    def misfit(start: int) -> tuple[float, int]:
        found = before[start + length] - before[start]
        return abs(found - share * length), abs(start - last // 2)

    best = min(starts, key=misfit)
    return range(best, best + length)


def rehearse(
    source: FrameSource,
    segmenter: Segmenter,
    config: Config,
    stretch: range,
    *,
    part_s: tuple[float, float],
) -> Rehearsal:
    """Return what the frames at these places of a source take, results written and thrown away.

    Parameters
    ----------
    source : FrameSource
    segmenter : Segmenter
    config : Config
    stretch : range
        Places of the frames in the source.
    part_s : (float, float)
        Where they begin and end in what the source reads: their share of the sound.

    Raises
    ------
    SourceError, ModelError, OutputError
        As a run does.
    """
    times, tally = StageTimes(), Tally()
    part, begin_s = _Part(source, stretch), source.info.start_s or 0.0
    with tempfile.TemporaryDirectory(prefix="tempseg-plan-") as name:
        folder = Path(name)
        sinks = build_sinks(
            config,
            folder,
            video=replace(source.info, start_s=begin_s + part_s[0], end_s=begin_s + part_s[1]),
            segmenter=segmenter.info,
            stages=STAGES if config.output.overlay else STAGES[:-1],
            take_timings=times.take,
        )
        engine = build_engine(config, segmenter, timer=times)
        with compiling() as compiled, stream(part, engine, times=times) as results:
            write_all(results, sinks, times=times, observers=[tally.advance])
        wall_s = time.perf_counter() - part.began_s
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    stage_s = times.totals
    return Rehearsal(
        frames=tally.frames,
        keyframes=sum(tally.reasons.values()),
        wall_s=wall_s,
        segmenter_s=stage_s["segment"],
        carrying_s=stage_s["motion"] + stage_s["carry"],
        masks_bytes=sizes.get("masks.mkv", 0),
        overlay_bytes=sizes.get("overlay.mp4", 0),
        peak_memory_mb=peak_memory_mb(),
        compile_s=compiled.seconds,
    )


def compiled_before(rehearsing: Callable[[], Rehearsal]) -> Rehearsal:
    """Return a rehearsal; where kernels were compiled in it, another one, which has them."""
    found = rehearsing()
    return rehearsing() if found.compile_s else found


class _Part:
    """Some frames of a source, by their places; the clock starts before the first of them."""

    def __init__(self, source: FrameSource, places: range) -> None:
        self._source = source
        self._places = places
        self.began_s = time.perf_counter()

    @property
    def info(self) -> VideoInfo:
        return self._source.info

    @property
    def damaged(self) -> int:
        return self._source.damaged

    @property
    def restarts(self) -> tuple[int, ...]:
        return self._source.restarts

    def __iter__(self) -> Iterator[Frame]:
        self.began_s = time.perf_counter()
        for place, frame in enumerate(self._source):
            if place >= self._places.start:
                yield frame
            else:
                self.began_s = time.perf_counter()
            if place + 1 >= self._places.stop:
                return

    def count_before(self) -> int:
        return self._source.count_before()

    def close(self) -> None:
        self._source.close()
