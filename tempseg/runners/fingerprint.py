"""What a run's bytes depend on, key by key, so that one can be told from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tempseg.outputs import library_versions
from tempseg.runners.chunks import ChunkPlan
from tempseg.types import SegmenterInfo

__all__ = ["changes", "fingerprint", "run_hash"]

_OF_RUN = frozenset({"chunk_s"})
"""The keys of `[run]` that what is written depends on; the others say how it is done."""

_PART = frozenset({"source.start", "source.end"})


def fingerprint(plan: ChunkPlan, segmenter: SegmenterInfo) -> dict[str, object]:
    """Return what a run is made of by name: source, model, versions and every key of the config."""
    found: dict[str, object] = {
        "source": f"{plan.digest[:16]}, {plan.bytes} bytes",
        "model": segmenter.sha256,
        **{f"version of {name}": number for name, number in library_versions().items()},
    }
    for section, keys in plan.config.model_dump(mode="json").items():
        for key, value in keys.items():
            how = section == "run" and key not in _OF_RUN
            if not how and (section, key) != ("output", "report"):
                found[f"{section}.{key}"] = value
    return found


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return what differs, one line a key.

    Examples
    --------
    >>> changes({"keyframe.interval": 10}, {"keyframe.interval": 5})
    ['keyframe.interval: 10 -> 5']
    """
    keys = [key for key in dict.fromkeys([*after, *before]) if before.get(key) != after.get(key)]
    if not _PART.isdisjoint(keys):
        # The hash is of the part that is read: it says nothing of the file then.
        keys = [key for key in keys if key != "source"]
    return [f"{key}: {_told(before.get(key))} -> {_told(after.get(key))}" for key in keys]


def run_hash(found: Mapping[str, object]) -> str:
    """Return the hash of a fingerprint, in hex."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _told(value: object) -> str:
    return "not set" if value is None else str(value)
