"""The `[segmenter]` table that a model needs, as TOML, and the file beside the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tempseg.config import sidecar_path
from tempseg.errors import OutputError

__all__ = ["save_block", "segmenter_block"]


def segmenter_block(keys: Mapping[str, object], remarks: Mapping[str, str]) -> str:
    """Return a `[segmenter]` table.

    Parameters
    ----------
    keys : mapping
        Key to value: a string, number, bool, or a list of these.
    remarks : mapping
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


def save_block(model: str, block: str, *, overwrite: bool = False) -> Path:
    """Write the table beside a model, where every run finds it; return the file.

    Raises
    ------
    OutputError
        When the model is no file, something else stands there, or it cannot be written.
    """
    path = sidecar_path(model)
    if path is None:
        raise OutputError(
            f"{model}: is no file or folder to save beside; paste the block into a config file"
        )
    try:
        if path.exists() and not overwrite and path.read_text(encoding="utf-8") != block:
            raise OutputError(
                f"{path}: is there and says something else; pass --overwrite, or move it"
            )
        path.write_text(block, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{path}: cannot be written ({reason}); paste the block into a config file"
        ) from error
    return path


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
