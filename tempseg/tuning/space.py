"""What is tried: policies, their keys, and the values of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tempseg.config import Config, load_config
from tempseg.errors import ConfigError

__all__ = ["SPACE", "Family", "Trial", "trials"]


@dataclass(frozen=True, slots=True)
class Family:
    """The configs of one policy.

    Parameters
    ----------
    policy : str
        Value of `keyframe.policy`.
    values : mapping of key to sequence
        Tried in all combinations that make a valid config.
    longest : str
        The key that holds the longest interval; empty where there is none.
    """

    policy: str
    values: Mapping[str, Sequence[object]]
    longest: str = ""


SPACE: tuple[Family, ...] = (
    Family(
        "interval",
        {"keyframe.interval": (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60)},
        longest="keyframe.interval",
    ),
    Family(
        "share",
        {
            "keyframe.share": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5),
            "keyframe.min_interval": (1, 3),
        },
    ),
    Family(
        "span",
        {
            "keyframe.doubt_threshold": (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0),
            "keyframe.span_threshold": (0.1, 0.2, 0.3, 0.5, 1.0),
        },
    ),
    Family(
        "adaptive",
        {
            "keyframe.drift_threshold": (0.05, 0.1, 0.15, 0.25, 0.5),
            "keyframe.doubt_threshold": (0.5, 1.0, 2.0, 4.0, 8.0),
            "keyframe.min_interval": (2, 4),
            "keyframe.max_interval": (10, 15, 25, 40),
        },
        longest="keyframe.max_interval",
    ),
    Family("every", {}),
)
"""The one table. A policy that is added to the engine is added here."""

LOOKAHEAD = "propagate.lookahead"


@dataclass(frozen=True, slots=True)
class Trial:
    """A config that is tried.

    Parameters
    ----------
    name : str
        What sets it apart, in a few words.
    keys : mapping of str to object
        What it changes, by full key.
    config : Config
    """

    name: str
    keys: Mapping[str, object]
    config: Config


def trials(base: Config, fixed: Sequence[str] = ()) -> list[Trial]:
    """Return the configs that are tried around a config, itself the first.

    Parameters
    ----------
    base : Config
    fixed : sequence of str
        Full keys that stay as they are. A policy that is fixed is the only one tried.

    Raises
    ------
    ConfigError
        When nothing is left to try.
    """
    if base.keyframe.guard:
        # It would put policy `every` in the place of what is tried.
        base = load_config(overrides=base.set_keys() | {"keyframe.guard": False})
    given = base.keyframe.policy
    found = [Trial("as given", {}, base)]
    seen = {base.model_dump_json()}
    for family in SPACE:
        if "keyframe.policy" in fixed and family.policy != given:
            continue
        for keys in _combinations(family, base, fixed):
            try:
                config = load_config(overrides=base.set_keys() | keys)
            except ConfigError:
                # The longest interval below the shortest, or a share that this one does not allow.
                continue
            if config.model_dump_json() not in seen:
                seen.add(config.model_dump_json())
                found.append(Trial(_name(keys), keys, config))
    return found


def _combinations(family: Family, base: Config, fixed: Sequence[str]) -> list[dict[str, object]]:
    free = {key: values for key, values in family.values.items() if key not in fixed}
    found = []
    for values in product(*free.values()):
        keys: dict[str, object] = {"keyframe.policy": family.policy}
        keys |= dict(zip(free, values, strict=True))
        found.append(keys)
        longest = keys.get(family.longest)
        ahead = base.propagate.lookahead
        # A frame that may not wait for its keyframe is carried from one side only.
        if isinstance(longest, int) and 0 < ahead < longest and LOOKAHEAD not in fixed:
            found.append(keys | {LOOKAHEAD: longest})
    return found


def _name(keys: Mapping[str, object]) -> str:
    """Return the policy and its values, short."""
    rest = [
        f"{key.rpartition('.')[2].removesuffix('_threshold')} {value}"
        for key, value in keys.items()
        if key != "keyframe.policy" and key != f"keyframe.{keys['keyframe.policy']}"
    ]
    own = keys.get(f"keyframe.{keys['keyframe.policy']}")
    head = str(keys["keyframe.policy"]) + ("" if own is None else f" {own}")
    return ", ".join([head, *rest])
