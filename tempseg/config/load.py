"""The effective config: from defaults, a model's own file, a config file and overrides."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tempseg.config.keys import NOT_TOML, assign, parse_override, suggestion
from tempseg.config.tree import Config
from tempseg.errors import ConfigError

__all__ = ["load_config", "sidecar_path"]


def load_config(
    path: str | Path | None = None,
    *,
    overrides: Iterable[str | tuple[str, object]] | Mapping[str, object] = (),
) -> Config:
    """Return the effective config.

    Defaults, then the model's sidecar file, then the file, then the overrides. The sidecar is
    `NAME.toml` beside the model, with a `[segmenter]` table: what the model expects.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file with the sections of the tree.
    overrides : iterable of 'KEY=VALUE' or (key, value), or mapping of key to value
        Full keys such as `keyframe.interval`. The value in a 'KEY=VALUE' is read as TOML where
        it parses as TOML, and as a plain string where not.

    Raises
    ------
    ConfigError
        On an unreadable file, an unknown key, a wrong type or a value out of range; the message
        names the key by its full path, and the nearest key there is.

    Examples
    --------
    >>> load_config(overrides=["keyframe.interval=5"]).keyframe.interval
    5
    >>> load_config(overrides={"keyframe.intervall": 5})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tempseg.errors.ConfigError: config: keyframe.intervall: no such key; did you mean ...?
    """
    if isinstance(overrides, str):
        raise TypeError(f"overrides is the string {overrides!r}, expected a list or a mapping")
    tree: dict[str, Any] = {}
    if path is not None:
        tree = _read_toml(Path(path))
        # The file alone first, so that an error is blamed on the place that holds it.
        _validated(tree, str(path))
    pairs = overrides.items() if isinstance(overrides, Mapping) else overrides
    for pair in pairs:
        key, value = parse_override(pair) if isinstance(pair, str) else pair
        assign(tree, key, value)
    config = _validated(tree, "config")
    if config.segmenter.model is None:
        return config
    sidecar = sidecar_path(config.segmenter.model)
    if sidecar is None or not sidecar.is_file():
        return config
    expected = _read_toml(sidecar)
    _validated(expected, str(sidecar))
    if set(expected) - {"segmenter"}:
        raise ConfigError(f"{sidecar}: only [segmenter] belongs in a model's own file")
    tree["segmenter"] = {**expected.get("segmenter", {}), **tree["segmenter"]}
    return _validated(tree, "config")


def sidecar_path(model: str) -> Path | None:
    """Return the file beside a model that says what it expects, there or not.

    None where the model is no file or folder.

    Examples
    --------
    >>> sidecar_path("masks:labels") is None
    True
    """
    path = Path(model)
    try:
        if model and path.name in ("", ".."):
            # `.` and `..` have names of their own only once they are spelled out.
            path = Path(os.path.realpath(path))
        if not path.name or not path.exists():
            return None
        return path.with_suffix(".toml") if path.is_file() else path.with_name(path.name + ".toml")
    except (OSError, ValueError):
        # No path that a file could have: the segmenters say so.
        return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        # Some editors open UTF-8 files with a byte order mark, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except NOT_TOML as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _validated(tree: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][:2])
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{where}: {key}: no such key{suggestion(key)}") from None
        message = first["msg"].removeprefix("Value error, ")
        got = first.get("input")
        shown = "" if isinstance(got, dict) else f", got {_shown(got)}"
        raise ConfigError(f"{where}: {key}: {message[:1].lower()}{message[1:]}{shown}") from None


def _shown(value: object) -> str:
    """Return a value as it stands in Python, cut short where it is long."""
    try:
        shown = repr(value)
    except ValueError:
        # Python writes out no number of more than 4300 digits.
        return "a number of thousands of digits"
    return shown if len(shown) <= 200 else f"{shown[:200]}…"
