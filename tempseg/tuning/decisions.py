"""When configs run the network, without carrying anything."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from tempseg.build import build_engine, build_policy
from tempseg.config import Config
from tempseg.decisions import Evidence, KeyframeReason
from tempseg.protocols import KeyframePolicy, Segmenter, SpanJudge
from tempseg.tuning.recording import Recording
from tempseg.tuning.replay import Keyframes

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
class _Trace:
    """What an engine saw and did, frame by frame: evidence, and why a keyframe came."""

    frames: Sequence[tuple[Evidence | None, KeyframeReason | None]]
    shots: tuple[int, ...]

    @property
    def decided(self) -> KeyframesTaken:
        reasons = enumerate(why for _, why in self.frames)
        return KeyframesTaken(
            tuple((place, why.value) for place, why in reasons if why is not None), self.shots
        )

    def repeats(self, policy: KeyframePolicy) -> KeyframesTaken | None:
        """Return what a policy decides that decides alike on all that was seen.

        What an engine sees follows from the keyframes before. A policy that decides alike on each
        frame would therefore have seen the same to the end.
        """
        found: list[tuple[int, str]] = []
        for place, (evidence, why) in enumerate(self.frames):
            if why in _ANYHOW:
                found.append((place, why.value))
                continue
            if evidence is None:
                return None
            reason = policy.decide(evidence).reason
            if (reason is None) != (why is None):
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
        recording = self._recording
        engine = build_engine(recording.placed(config), self._segmenter, flow=recording.flow())
        frames: list[tuple[Evidence | None, KeyframeReason | None]] = []
        shots: list[int] = []
        for decided in engine.decided(engine.steps(recording.frames())):
            for decision in decided.decisions:
                shots += [len(frames)] if decision.opens else []
                frames.append((decision.evidence, decision.reason))
        return _Trace(frames, tuple(shots))
