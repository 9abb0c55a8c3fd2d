"""When configs run the network, without carrying anything."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from tempseg.build import build_engine, build_policy, forced_frames
from tempseg.config import Config
from tempseg.decisions import Evidence, KeyframeReason
from tempseg.protocols import KeyframePolicy, Segmenter, SpanJudge
from tempseg.runners.chunks import Chunk
from tempseg.runners.one_reading import chunk_by_chunk
from tempseg.schedule import Decision
from tempseg.tuning.recording import Recording
from tempseg.tuning.replay import Keyframes
from tempseg.types import Frame

__all__ = ["Decisions", "KeyframesTaken"]

_ANYHOW = (KeyframeReason.FIRST, KeyframeReason.SCENE_CUT, KeyframeReason.FORCED)

_POLICY_KEYS = {
    "policy",
    "interval",
    "share",
    "min_interval",
    "max_interval",
    "drift_threshold",
    "doubt_threshold",
    "span_threshold",
}
"""Keys of `keyframe` that make the policy; the others have a say in what every policy sees."""


@dataclass(frozen=True, slots=True)
class KeyframesTaken:
    """What a config decides on a recording: all that carrying depends on.

    Parameters
    ----------
    keyframes : Keyframes
    shots : tuple of int
        Places at which shots begin.
    """

    keyframes: Keyframes
    shots: tuple[int, ...]

    @property
    def places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where keyframes are and shots begin, whatever the reasons."""
        return tuple(place for place, _ in self.keyframes), self.shots


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an engine saw of a frame, why it became a keyframe, and whether a chunk begins there."""

    evidence: Evidence | None
    why: KeyframeReason | None
    seam: bool


@dataclass(frozen=True, slots=True)
class _Trace:
    """What an engine saw and did, frame by frame."""

    frames: Sequence[_Seen]
    shots: tuple[int, ...]

    @property
    def decided(self) -> KeyframesTaken:
        reasons = enumerate(seen.why for seen in self.frames)
        return KeyframesTaken(
            tuple((place, why.value) for place, why in reasons if why is not None), self.shots
        )

    def repeats(self, policy: KeyframePolicy) -> KeyframesTaken | None:
        """Return what a policy decides that decides alike on all that was seen.

        What an engine sees follows from the keyframes before. A policy that decides alike on each
        frame would therefore have seen the same to the end.
        """
        found: list[tuple[int, str]] = []
        for place, seen in enumerate(self.frames):
            if seen.why in _ANYHOW:
                found.append((place, seen.why.value))
                continue
            if seen.evidence is None:
                return None
            reason = policy.decide(seen.evidence).reason
            if seen.seam:
                reason = reason or KeyframeReason.CHUNK
            elif (reason is None) != (seen.why is None):
                return None
            if reason is not None:
                found.append((place, reason.value))
        return KeyframesTaken(tuple(found), self.shots)


class Decisions:
    """Tells the keyframes that configs take on a recording; safe to share between threads.

    The engine itself decides, with nothing carried, unless what it saw under an earlier config
    proves that it would decide the same again. Such a proof there is for policies that look at one
    frame after the other, not for those that look back at spans.

    Parameters
    ----------
    recording : Recording
    segmenter : Segmenter
        Knows the answers.
    """

    def __init__(self, recording: Recording, segmenter: Segmenter) -> None:
        self._recording = recording
        self._segmenter = segmenter
        self._lock = threading.Lock()
        self._traces: dict[str, list[_Trace]] = {}
        self.replays = 0
        """How often the engine had to be asked."""

    def of(self, config: Config) -> KeyframesTaken:
        """Return place and reason of each keyframe, and where shots begin."""
        policy = build_policy(config)
        steady = not isinstance(policy, SpanJudge) and not policy.every_frame
        key = config.model_dump_json(exclude={"keyframe": _POLICY_KEYS})
        if steady:
            with self._lock:
                known = list(self._traces.get(key, ()))
            for trace in reversed(known):
                found = trace.repeats(policy)
                if found is not None:
                    return found
        trace = self._traced(config)
        with self._lock:
            self.replays += 1
            if steady:
                self._traces.setdefault(key, []).append(trace)
        return trace.decided

    def _traced(self, config: Config) -> _Trace:
        recording, flow = self._recording, self._recording.flow()
        config = recording.placed(config)

        def work(chunk: Chunk, frames: Iterator[Frame]) -> Generator[Decision, None, None]:
            forced = chunk.seams(recording.video.time_base)
            engine = build_engine(config, self._segmenter, flow=flow, forced=forced)
            for decided in engine.decided(engine.steps(frames)):
                yield from decided.decisions

        seen: list[_Seen] = []
        shots: list[int] = []
        shot = -1
        named = forced_frames(config)
        for decision, seam in chunk_by_chunk(
            recording.frames(), recording.chunks, work, named=named
        ):
            shots += [len(seen)] if decision.shot != shot else []
            shot = decision.shot
            seen.append(_Seen(decision.evidence, decision.reason, seam))
        return _Trace(seen, tuple(shots))
