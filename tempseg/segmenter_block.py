"""The `[segmenter]` table that a model needs, as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["segmenter_block"]

_NONE: Mapping[str, str] = MappingProxyType({})


def segmenter_block(keys: Mapping[str, object], remarks: Mapping[str, str] = _NONE) -> str:
    """Return a `[segmenter]` table.

    Parameters
    ----------
    keys : mapping
        Key to value: a string, number, bool, or a list of these.
    remarks : mapping, optional
        Key to what is written behind it, or in its place where there is no such key.

    Examples
    --------
    >>> print(segmenter_block({"mean": 127.5}, {"mean": "undecided"}), end="")
    [segmenter]
    mean = 127.5  # undecided
    """
    lines = ["[segmenter]"]
    for key, value in keys.items():
        remark = f"  # {remarks[key]}" if key in remarks else ""
        lines.append(f"{key} = {_toml(value)}{remark}")
    lines += [f"# {key}: {remark}" for key, remark in remarks.items() if key not in keys]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
