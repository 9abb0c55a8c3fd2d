"""The config: one typed tree, read from TOML, overridden key by key."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from datetime import time as clock_time
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tempseg.errors import ConfigError

__all__ = [
    "Config",
    "FlowConfig",
    "KeyframeConfig",
    "OutputConfig",
    "PropagateConfig",
    "RefineConfig",
    "RunConfig",
    "SegmenterConfig",
    "SourceConfig",
    "load_config",
    "sidecar_path",
]

SidePx = Annotated[int, Field(ge=1, le=16384)]
TilePx = Annotated[int, Field(ge=32, le=16384)]
PerChannel = float | Annotated[list[float], Field(min_length=1)]

SHORTEST = 3
"""Frames between keyframes at least, where nothing else is asked for."""

# Numbers of thousands of digits and brackets by the thousand make the reader itself give up.
_NOT_TOML = (tomllib.TOMLDecodeError, ValueError, RecursionError)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SourceConfig(_Section):
    """What part of the source is read, and how fast image folders play."""

    start: str | float | None = None
    end: str | float | None = None
    frame_rate: Annotated[float, Field(gt=0, le=1000)] = 25.0


class SegmenterConfig(_Section):
    """The model and what it expects."""

    model: str | None = None
    classes: str | list[str] = "auto"
    input_size: Annotated[list[SidePx], Field(min_length=2, max_length=2)] | None = None
    colour_order: Literal["rgb", "bgr"] = "rgb"
    mean: PerChannel | None = None
    scale: PerChannel | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"
    output: Literal["auto", "argmax", "logits", "probabilities", "sigmoid"] = "auto"
    output_name: str | None = None
    signature: str = "serving_default"
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    timeout_s: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    batch: Annotated[int, Field(ge=1, le=64)] = 1
    runtime: Literal["auto", "opencv"] = "auto"
    tiles: Annotated[list[TilePx], Field(min_length=2, max_length=2)] | None = None
    tile_overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.25
    flip: bool = False
    scales: Annotated[list[Annotated[float, Field(ge=0.5, le=4)]], Field(min_length=1)] = [1.0]
    masks: Literal["auto", "binary", "index"] = "auto"

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: str | list[str]) -> str | list[str]:
        if isinstance(classes, list) and (not classes or len(set(classes)) < len(classes)):
            raise ValueError("expected at least one name, and none twice")
        return classes


class FlowConfig(_Section):
    """How motion is estimated."""

    preset: Literal["fast", "medium", "slow"] = "medium"
    resolution_px: Annotated[int, Field(ge=48, le=4096)] = 256


class KeyframeConfig(_Section):
    """When the segmenter runs."""

    policy: Literal["adaptive", "every", "interval", "share", "span"] = "adaptive"
    interval: Annotated[int, Field(ge=1, le=100_000)] = 10
    min_interval: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_interval: Annotated[int, Field(ge=1, le=100_000)] | None = None
    drift_threshold: Annotated[float, Field(ge=0, le=1)] = 0.15
    doubt_threshold: Annotated[float, Field(gt=0, le=1000)] = 2.0
    span_threshold: Annotated[float, Field(ge=0, le=1)] = 0.3
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    forced: list[Annotated[int, Field(ge=0)] | str] = []
    scene_threshold: Annotated[float, Field(ge=0, le=1)] = 0.4
    guard: bool = False

    @property
    def shortest(self) -> int:
        """What `min_interval` is, or comes to where it is left to the policy."""
        if self.min_interval is not None:
            return self.min_interval
        # Half of the mean distance, so that a budget can be spent, and spent unevenly.
        wanted = max(int(0.5 / self.share), 1) if self.policy == "share" else SHORTEST
        return min(wanted, SHORTEST, self.max_interval or SHORTEST)

    @property
    def longest(self) -> int:
        """What `max_interval` is, or comes to where it is left to the policy."""
        if self.max_interval is not None:
            return self.max_interval
        if self.policy == "share":
            return max(round(3 / self.share), self.shortest)
        return max(15 if self.policy == "adaptive" else 60, self.shortest)

    @field_validator("forced", mode="before")
    @classmethod
    def _times_as_text(cls, forced: object) -> object:
        if isinstance(forced, list) and any(isinstance(one, float) for one in forced):
            raise ValueError('numbers are of frames: give times as text, such as "2.5"')
        return forced

    @model_validator(mode="after")
    def _ordered(self) -> KeyframeConfig:
        if self.shortest > self.longest:
            raise ValueError(
                f"min_interval ({self.min_interval}) is above max_interval ({self.max_interval})"
            )
        if self.policy == "share" and self.share * self.shortest > 1:
            raise ValueError(
                f"share ({self.share:g}) cannot be spent with min_interval ({self.shortest}), "
                f"which allows one frame in {self.shortest}: set min_interval to "
                f"{int(1 / self.share)}, or share to 1/{self.shortest} at most"
            )
        return self


class PropagateConfig(_Section):
    """How answers are carried to the frames between."""

    lookahead: Annotated[int, Field(ge=0, le=1000)] = 40
    keyframes_per_side: Annotated[int, Field(ge=1, le=8)] = 2
    residual_scale: Annotated[float, Field(gt=0, le=1000)] = 20.0
    residual_blur_px: Annotated[float, Field(ge=0, le=50)] = 2.0
    time_scale: Annotated[float, Field(gt=0, le=100_000)] = 20.0


class RefineConfig(_Section):
    """What is done to a frame's labels before they leave."""

    smoothing: Annotated[float, Field(ge=0, le=1)] = 1.0
    matching: bool = True
    void_unexplained: bool = False


class OutputConfig(_Section):
    """What is written, and how the overlay looks."""

    overlay: bool = True
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.55
    legend: bool = True
    crf: Annotated[int, Field(ge=0, le=51)] = 20
    preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = "ultrafast"
    report: bool = True


class RunConfig(_Section):
    """How the work is divided, and what is done beside it."""

    chunk_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    ray: str = ""
    storage: str = ""
    audit: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0

    @property
    def workers_given(self) -> int | None:
        """As many workers as were asked for; none where that was left open."""
        return self.workers if "workers" in self.model_fields_set else None


class Config(_Section):
    """The whole tree.

    Examples
    --------
    >>> Config().keyframe.policy
    'adaptive'
    """

    source: SourceConfig = SourceConfig()
    segmenter: SegmenterConfig = SegmenterConfig()
    flow: FlowConfig = FlowConfig()
    keyframe: KeyframeConfig = KeyframeConfig()
    propagate: PropagateConfig = PropagateConfig()
    refine: RefineConfig = RefineConfig()
    output: OutputConfig = OutputConfig()
    run: RunConfig = RunConfig()

    def set_keys(self) -> dict[str, object]:
        """Return what was set, not left at its default, by full key; for `load_config`."""
        return {
            f"{section}.{key}": value
            for section, keys in self.model_dump(exclude_unset=True).items()
            for key, value in keys.items()
        }


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
        key, value = _parse_override(pair) if isinstance(pair, str) else pair
        _assign(tree, key, value)
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
        _assign(tree, *_parse_override(setting))
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
            raise ConfigError(f"config: {key}: no such key{_suggestion(str(key))}")


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
    except _NOT_TOML as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _parse_override(text: str) -> tuple[str, object]:
    key, equals, raw = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text}: expected KEY=VALUE, such as keyframe.interval=10")
    value: object
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except _NOT_TOML:
        value = raw.strip()
    if isinstance(value, date | clock_time):
        # HH:MM:SS is a time of day to TOML, and a place in a video here.
        value = raw.strip()
    return key.strip(), value


def _assign(tree: dict[str, Any], key: str, value: object) -> None:
    if not isinstance(key, str):
        raise ConfigError(f"config: {key!r}: expected a key such as keyframe.interval")
    section, dot, name = key.partition(".")
    if not dot and isinstance(value, Mapping):
        for inner, inner_value in value.items():
            _assign(tree, f"{key}.{inner}", inner_value)
        return
    if not dot and section in Config.model_fields:
        keys = [full for full in _keys() if full.startswith(f"{section}.")]
        raise ConfigError(f"config: {section}: is a section; give one of {', '.join(keys)}")
    if not dot or section not in Config.model_fields:
        raise ConfigError(f"config: {key}: no such key{_suggestion(key)}")
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


def _suggestion(key: str) -> str:
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


def _validated(tree: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][:2])
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{where}: {key}: no such key{_suggestion(key)}") from None
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
