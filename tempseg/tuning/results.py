"""What a tune found: the configs measured, the front, and the one that was chosen."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tempseg.config import Config
from tempseg.tuning.cost import StageMs
from tempseg.tuning.pareto import front
from tempseg.tuning.search import Measured
from tempseg.tuning.targets import Target

__all__ = ["Choice", "Tuning", "TuningNotes", "best_toml", "choose_among"]

LEFT_OUT = ("source.start", "source.end")
"""Keys that say what was tuned on, not how."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The config that keeps a target best, or comes nearest to it.

    Parameters
    ----------
    measured : Measured
    target : Target
    line : float
        What was to be kept: a share, frames a second, or a fidelity.
    value : float
        What it comes to.
    reached : bool
    """

    measured: Measured
    target: Target
    line: float
    value: float
    reached: bool

    @property
    def config(self) -> Config:
        """The config itself."""
        return self.measured.trial.config


@dataclass(frozen=True, slots=True)
class TuningNotes:
    """What was tuned on, and what it took.

    Parameters
    ----------
    sources : tuple of str
    model : str
    pieces : tuple of str
        Parts that were recorded.
    frames : int
    calls : int
        How often the model was asked; what it had said before was not asked again.
    tried, distinct, sampled : int
        Configs whose keyframes were told; that differ; that were measured, on a part or all.
    wall_s : float
    cache : str
        Where recordings and answers are kept.
    truth : tuple of str
    true_frames : int
        Frames of those that were recorded for which there is a truth.
    seed : int
    command : tuple of str
    """

    sources: tuple[str, ...]
    model: str
    pieces: tuple[str, ...]
    frames: int
    calls: int
    tried: int
    distinct: int
    sampled: int
    wall_s: float
    cache: str
    truth: tuple[str, ...] = ()
    true_frames: int = 0
    seed: int = 0
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a tune found.

    Parameters
    ----------
    notes : TuningNotes
    stages : StageMs
        What stages take on this machine.
    floor : float
        The model's agreement with itself from frame to frame, in [0, 1].
    measured : tuple of Measured
        By rising share of keyframes.
    choice : Choice
    """

    notes: TuningNotes
    stages: StageMs
    floor: float
    measured: tuple[Measured, ...]
    choice: Choice

    @property
    def by_truth(self) -> bool:
        """Whether the truth said what is good."""
        return bool(self.notes.truth)

    @property
    def front(self) -> tuple[Measured, ...]:
        """The configs that no other beats in share and quality both, by rising share."""
        points = [(m.figures.share, m.quality(truth=self.by_truth)) for m in self.measured]
        return tuple(self.measured[i] for i in front(points))

    @property
    def fast_front(self) -> tuple[Measured, ...]:
        """The configs that no other beats in time and quality both, by rising time."""
        points = [(m.ms, m.quality(truth=self.by_truth)) for m in self.measured]
        return tuple(self.measured[i] for i in front(points))

    def to_json(self) -> str:
        """Return all of it as one JSON object."""
        shared, fast = self.front, self.fast_front
        configs = [
            {
                "name": m.trial.name,
                "keys": dict(m.trial.keys),
                **m.figures.as_dict(),
                "ms": round(m.ms, 4),
                "fps": round(m.fps, 4),
                "same_as": list(m.same_as),
                "on_front": any(m is one for one in shared),
                "on_fast_front": any(m is one for one in fast),
                "chosen": m is self.choice.measured,
            }
            for m in self.measured
        ]
        notes = self.notes
        told = {
            "sources": list(notes.sources),
            "model": notes.model,
            "truth": list(notes.truth),
            "truth_frames": notes.true_frames,
            "pieces": list(notes.pieces),
            "frames": notes.frames,
            "seed": notes.seed,
            "command": list(notes.command),
            "segmenter_calls": notes.calls,
            "tried": notes.tried,
            "distinct": notes.distinct,
            "sampled": notes.sampled,
            "wall_s": round(notes.wall_s, 3),
            "cache": notes.cache,
            "stage_ms": self.stages.as_dict(),
            "fidelity_floor": None if math.isnan(self.floor) else self.floor,
            "target": {
                "text": str(self.choice.target),
                "line": None if math.isnan(self.choice.line) else self.choice.line,
                "value": None if math.isnan(self.choice.value) else self.choice.value,
                "reached": self.choice.reached,
            },
            "configs": configs,
        }
        return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def choose_among(
    measured: Sequence[Measured], target: Target, *, floor: float, truth: bool = False
) -> Choice:
    """Return the config that keeps the target best; where none keeps it, the nearest.

    Parameters
    ----------
    measured : sequence of Measured
    target : Target
    floor : float
        In [0, 1]; what a fidelity told by the floor counts from.
    truth : bool
        Whether the truth says what is good.

    Raises
    ------
    ValueError
        Without a config.
    """
    if not measured:
        raise ValueError("no config was measured, expected at least one")
    line = target.line(floor)

    def value(m: Measured) -> float:
        if target.kind == "share":
            return m.figures.share
        return m.fps if target.kind == "fps" else m.figures.fidelity_between

    def quality(m: Measured) -> tuple[float, float, float]:
        worth, tc = m.quality(truth=truth), m.figures.tc
        known = (-1.0 if math.isnan(worth) else worth, 0.0 if math.isnan(tc) else tc)
        return (*known, -m.figures.share)

    if target.kind == "share":
        keep = [m for m in measured if value(m) <= line]
    else:
        keep = [m for m in measured if value(m) >= line]
    if not keep:
        sign = -1 if target.kind == "share" else 1
        nearest = max(measured, key=lambda m: (sign * _or_least(value(m)), quality(m)))
        return Choice(nearest, target, line, value(nearest), reached=False)
    if target.kind == "fidelity":
        best = max(keep, key=lambda m: (-m.figures.share, quality(m)))
    else:
        best = max(keep, key=quality)
    return Choice(best, target, line, value(best), reached=True)


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def best_toml(tuning: Tuning) -> str:
    """Return the chosen config as TOML that `tempseg run --config` takes.

    It holds what differs from the defaults, and says what it comes to.
    """
    choice = tuning.choice
    figures = choice.measured.figures
    reached = "" if choice.reached else " (not reached: this is the nearest)"
    lines = [
        f"# {choice.measured.trial.name}",
        f"# target {choice.target}{reached}, on {tuning.notes.frames} frames of "
        f"{', '.join(tuning.notes.sources)}:",
        f"# keyframe share {figures.share:.2%}, fidelity {figures.fidelity:.4f}, between "
        f"keyframes {figures.fidelity_between:.4f} (floor {tuning.floor:.4f}), "
        f"tc {figures.tc:.4f}"
        + (f", mIoU against truth {figures.miou:.4f}" if tuning.by_truth else ""),
        f"# about {choice.measured.fps:.1f} frames/s, predicted on the machine that tuned",
    ]
    if tuning.notes.command:
        lines.append(f"# {shlex.join(tuning.notes.command)}")
    # A line break in a name would end a comment.
    lines = [line.replace("\n", " ").replace("\r", " ") for line in lines]
    default = Config()
    tree: dict[str, dict[str, object]] = {}
    for key, value in choice.config.set_keys().items():
        section, _, name = key.partition(".")
        plain = getattr(getattr(default, section), name)
        if key in LEFT_OUT or value is None:
            continue
        # A model's own file may say otherwise than the default: what was set there stays.
        if value == plain and section not in ("keyframe", "segmenter"):
            continue
        tree.setdefault(section, {})[name] = value
    for section, keys in tree.items():
        lines += ["", f"[{section}]", *(f"{name} = {_toml(v)}" for name, v in keys.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        raise TypeError(f"a config key holds {value!r}, expected a plain value")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str | bool):
        # JSON lets the one control character pass that TOML does not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
