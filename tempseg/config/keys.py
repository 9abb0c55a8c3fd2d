"""Full keys such as `keyframe.interval`: which there are, and how their values are given."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from datetime import time as clock_time
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from tempseg.config.tree import Config
from tempseg.errors import ConfigError

__all__ = ["NOT_TOML", "assign", "check_keys", "keys_of", "parse_override", "suggestion"]

# Numbers of thousands of digits and brackets by the thousand make the reader itself give up.
NOT_TOML = (tomllib.TOMLDecodeError, ValueError, RecursionError)


def keys_of(settings: Iterable[str]) -> list[str]:
    """Return the full keys that `KEY=VALUE` settings give.

    Raises
    ------
    ConfigError
        When one is in another form, or there is no such key.

    Examples
    --------
    >>> keys_of(["keyframe.interval=5", 'flow={preset="fast"}'])
    ['keyframe.interval', 'flow.preset']
    """
    tree: dict[str, Any] = {}
    for setting in settings:
        assign(tree, *parse_override(setting))
    keys = [f"{section}.{name}" for section, values in tree.items() for name in values]
    check_keys(keys)
    return keys


def check_keys(keys: Iterable[str]) -> None:
    """Raise where one is no full key of the config, such as `keyframe.interval`.

    Raises
    ------
    ConfigError
    """
    known = _keys()
    for key in keys:
        if key not in known:
            raise ConfigError(f"config: {key}: no such key{suggestion(str(key))}")


def parse_override(text: str) -> tuple[str, object]:
    """Return the key and the value that a 'KEY=VALUE' gives.

    Raises
    ------
    ConfigError
        When it is in another form.
    """
    key, equals, raw = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text}: expected KEY=VALUE, such as keyframe.interval=10")
    value: object
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except NOT_TOML:
        value = raw.strip()
    if isinstance(value, date | clock_time):
        # HH:MM:SS is a time of day to TOML, and a place in a video here.
        value = raw.strip()
    return key.strip(), value


def assign(tree: dict[str, Any], key: str, value: object) -> None:
    """Set a key of a tree of sections; a mapping sets several keys of a section.

    Raises
    ------
    ConfigError
        When there is no such section, or the key names none.
    """
    if not isinstance(key, str):
        raise ConfigError(f"config: {key!r}: expected a key such as keyframe.interval")
    section, dot, name = key.partition(".")
    if not dot and isinstance(value, Mapping):
        for inner, inner_value in value.items():
            assign(tree, f"{key}.{inner}", inner_value)
        return
    if not dot and section in Config.model_fields:
        keys = [full for full in _keys() if full.startswith(f"{section}.")]
        raise ConfigError(f"config: {section}: is a section; give one of {', '.join(keys)}")
    if not dot or section not in Config.model_fields:
        raise ConfigError(f"config: {key}: no such key{suggestion(key)}")
    if not isinstance(tree.setdefault(section, {}), dict):
        raise ConfigError(f"config: {section}: expected a table")
    tree[section][name] = _plain(value)


def _plain(value: object) -> object:
    """Return a value as TOML would hold it: what numpy and pathlib give becomes plain."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    # numpy's scalars and arrays, without importing it.
    return value.tolist() if hasattr(value, "tolist") else value


def _keys() -> list[str]:
    return [
        f"{section}.{name}"
        for section, info in Config.model_fields.items()
        for name in cast(type[BaseModel], info.annotation).model_fields
    ]


def suggestion(key: str) -> str:
    """Return how an error about an unknown key ends: with the nearest one, or all sections."""
    keys, sections = _keys(), list(Config.model_fields)
    if "." not in key and not any(full.endswith(f".{key}") for full in keys):
        near = difflib.get_close_matches(key, sections, n=1, cutoff=0.75)
        if near:
            return f"; did you mean {near[0]}?"
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
    if not near:
        last = key.rpartition(".")[2]
        near = [full for full in keys if full.rpartition(".")[2] == last][:1]
    if near:
        return f"; did you mean {near[0]}?"
    return f"; sections are {', '.join(sections)}"
