"""When configs would run the network, without carrying anything."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tempseg.build import build_policy
from tempseg.config import Config, load_config
from tempseg.protocols import KeyframePolicy
from tempseg.tuning.recording import Recording
from tempseg.tuning.replay import Keyframes, replay
from tempseg.types import Evidence, Frame, Placement, Prediction, SegmenterInfo

__all__ = ["Decisions"]

_SCENERY: dict[str, object] = {
    "propagate.keyframes_per_side": 1,
    "propagate.lookahead": 0,
    "refine.smoothing": 0.0,
    "refine.matching": False,
    "refine.void_unexplained": False,
}
"""What makes carrying cheap and has no say in when the network runs."""

_FORCED = ("first", "scene_cut")


@dataclass(frozen=True, slots=True)
class _Trace:
    """What an engine saw and did, frame by frame: evidence, and why a keyframe came."""

    frames: Sequence[tuple[Evidence | None, str | None]]

    @property
    def keyframes(self) -> Keyframes:
        return tuple((place, why) for place, (_, why) in enumerate(self.frames) if why is not None)

    def repeats(self, policy: KeyframePolicy) -> Keyframes | None:
        """Return the keyframes of a policy that decides alike on all that was seen.

        What an engine sees follows from the keyframes before. A policy that decides alike on each
        frame would therefore have seen the same to the end.
        """
        found = []
        for place, (evidence, why) in enumerate(self.frames):
            if why in _FORCED:
                found.append((place, why))
                continue
            if evidence is None:
                return None
            decided = policy.decide(evidence)
            if (decided is None) != (why is None):
                return None
            if decided is not None:
                found.append((place, decided.value))
        return tuple(found)


class _Mute:
    """A segmenter that answers with nothing, for whoever only wants to know when it is asked."""

    def __init__(self, info: SegmenterInfo) -> None:
        self.info = info

    def segment(self, frame: Frame) -> Prediction:
        return Prediction(Placement.stretch((2, 2), frame.size), labels=np.zeros((2, 2), np.uint8))


class Decisions:
    """Tells the keyframes that configs take on a recording; safe to share between threads.

    For policies that look at the pictures alone. The engine itself decides, unless what it saw
    under an earlier config proves that it would decide the same again.

    Parameters
    ----------
    recording : Recording
    info : SegmenterInfo
    """

    def __init__(self, recording: Recording, info: SegmenterInfo) -> None:
        self._recording = recording
        self._info = info
        self._lock = threading.Lock()
        self._traces: dict[str, list[_Trace]] = {}
        self.replays = 0
        """How often the engine had to be asked."""

    def of(self, config: Config) -> Keyframes:
        """Return place and reason of each keyframe."""
        policy = build_policy(config)
        key = config.keyframe.model_dump_json(include={"scene_threshold"})
        with self._lock:
            known = list(self._traces.get(key, ()))
        if not policy.every_frame:
            for trace in reversed(known):
                found = trace.repeats(policy)
                if found is not None:
                    return found
        plain = load_config(overrides=config.set_keys() | _SCENERY)
        trace = _Trace(
            [
                (result.evidence, None if result.reason is None else result.reason.value)
                for result in replay(self._recording, plain, _Mute(self._info))
            ]
        )
        with self._lock:
            self.replays += 1
            if not policy.every_frame:
                self._traces.setdefault(key, []).append(trace)
        return trace.keyframes
