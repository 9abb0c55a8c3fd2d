"""A run foretold: its keyframes from the pictures alone, its cost from a stretch of it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tempseg.build import build_segmenter, build_source
from tempseg.config import Config
from tempseg.planning.decisions import PlannedFrame, decided_without_labels, decisions
from tempseg.planning.rehearsal import (
    Rehearsal,
    choose_stretch,
    compiled_before,
    rehearse,
)
from tempseg.planning.results import Cost, PlannedKeyframe, RunPlan
from tempseg.protocols import FrameSource, Segmenter, WorkObserver
from tempseg.runners.chunks import plan_run

__all__ = ["make_plan"]

WARM_UP_FRAMES = 24
"""So many go through before the clock counts: a first run loads kernels and fills caches."""

MB = 1e6


def make_plan(source: str, config: Config, *, observer: WorkObserver | None = None) -> RunPlan:
    """Return what a run of this source would do and take.

    Parameters
    ----------
    source : str
        As a run takes it.
    config : Config
        The effective one; without `segmenter.model` only keyframes are told.
    observer : WorkObserver, optional
        Follows the pass over all frames.

    Raises
    ------
    ConfigError, SourceError, ModelError
        As a run does.
    """
    frames = build_source(source, config)
    info = frames.info
    try:
        # First, so that a wrong model is told before minutes of decoding.
        segmenter = None if config.segmenter.model is None else _segmenter(frames, config)
        if observer is not None:
            observer.begin(info.name, info.frame_count or 0)
        decided = []
        for decision in decisions(frames, plan_run(source, config)):
            decided.append(decision)
            if observer is not None:
                observer.advance()
    finally:
        frames.close()
    cost = None if segmenter is None else _cost(source, segmenter, config, decided)
    return RunPlan(
        source=info.name,
        frames=len(decided),
        duration_s=decided[-1].time_s - decided[0].time_s,
        keyframes=tuple(
            PlannedKeyframe(d.index, d.time_s, d.reason) for d in decided if d.reason is not None
        ),
        exact=decided_without_labels(config),
        cost=cost,
    )


def _segmenter(frames: FrameSource, config: Config) -> Segmenter:
    return build_segmenter(config, source=frames)


def _cost(
    source: str, segmenter: Segmenter, config: Config, decided: Sequence[PlannedFrame]
) -> Cost:
    """Run a stretch of the source and return what all of it would take."""
    keyframes = [d.reason is not None for d in decided]
    start = time.perf_counter()
    opening = range(min(WARM_UP_FRAMES, len(decided)))
    opened = rehearse(
        build_source(source, config), segmenter, config, opening, part_s=_part_s(decided, opening)
    )
    opening_s = time.perf_counter() - start - opened.compile_s
    stretch = choose_stretch(keyframes, segmenter_s=opened.call_ms / 1000)
    part_s = _part_s(decided, stretch)
    found = compiled_before(
        lambda: rehearse(build_source(source, config), segmenter, config, stretch, part_s=part_s)
    )
    expected = sum(keyframes)
    if not decided_without_labels(config):
        # What the borders of real labels asked for on the stretch, they will elsewhere.
        pictured = sum(keyframes[place] for place in stretch)
        expected = min(len(decided), round(expected * found.keyframes / max(1, pictured)))
    wall_s = _wall_s(found, len(decided), expected)
    # What loading and first calls took beyond the frames' own time comes once in a run too.
    loading_s = max(0.0, opening_s - _wall_s(found, opened.frames, opened.keyframes))
    times = len(decided) / found.frames
    between = len(decided) - expected
    return Cost(
        rehearsed_frames=found.frames,
        rehearsed_keyframes=found.keyframes,
        keyframes=expected,
        wall_s=wall_s + loading_s,
        audit_s=2 * min(config.run.audit, between) * found.call_ms / 1000,
        segmenter_ms=found.call_ms,
        carrying_ms=found.carrying_ms,
        masks_mb=found.masks_bytes * times / MB,
        overlay_mb=found.overlay_bytes * times / MB,
        memory_mb=found.peak_memory_mb,
    )


def _part_s(decided: Sequence[PlannedFrame], places: range) -> tuple[float, float]:
    """Return where frames begin and end, in seconds from the first of all."""
    frame_s = (decided[-1].time_s - decided[0].time_s) / max(1, len(decided) - 1)
    first, last = (decided[place].time_s - decided[0].time_s for place in (places[0], places[-1]))
    return first, last + max(frame_s, 1e-3)


def _wall_s(found: Rehearsal, frames: int, keyframes: int) -> float:
    """Return what so many frames take at a rehearsal's pace, with its price of a keyframe."""
    times = frames / found.frames
    more = keyframes - found.keyframes * times
    return max(0.0, found.wall_s * times + more * found.call_ms / 1000)
