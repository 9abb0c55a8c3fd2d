"""What the best config is best at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tempseg.errors import ConfigError

__all__ = ["Target", "parse_target"]

Kind = Literal["share", "fps", "fidelity"]

_FORMS = "share=5%, fps=30, fidelity=floor-1 or fidelity=0.85"


@dataclass(frozen=True, slots=True)
class Target:
    """A line that the best config keeps.

    Parameters
    ----------
    kind : {'share', 'fps', 'fidelity'}
        `share`: at most so many keyframes a frame, at the best quality. `fps`: at least so many
        frames a second, at the best quality. `fidelity`: at least this, with the fewest keyframes.
    value : float
        The line; of a fidelity that is told by the floor, what is added to it.
    from_floor : bool
        Whether `value` counts from the model's agreement with itself.
    """

    kind: Kind
    value: float
    from_floor: bool = False

    def line(self, floor: float) -> float:
        """Return the value that is to be kept, given the floor."""
        return floor + self.value if self.from_floor else self.value

    def __str__(self) -> str:
        if self.kind == "share":
            return f"share={self.value * 100:g}%"
        if self.from_floor:
            return f"fidelity=floor{self.value * 100:+g}" if self.value else "fidelity=floor"
        return f"{self.kind}={self.value:g}"


def parse_target(text: str) -> Target:
    """Return what a target's text stands for.

    Raises
    ------
    ConfigError
        When it is none, or out of range.

    Examples
    --------
    >>> parse_target("share=5%")
    Target(kind='share', value=0.05, from_floor=False)
    >>> str(parse_target("fidelity=floor-1"))
    'fidelity=floor-1'
    """
    name, equals, told = (part.strip() for part in text.partition("="))
    if not equals or name not in ("share", "fps", "fidelity") or not told:
        raise ConfigError(f"--target {text}: no such target; there are {_FORMS}")
    if name == "fidelity" and told.startswith("floor"):
        points = told.removeprefix("floor").replace(" ", "")
        value = 0.0 if not points else _number(points, text)
        if points and points[0] not in "+-":
            raise ConfigError(f"--target {text}: expected points of mIoU, such as floor-1")
        if not -100 <= value <= 100:
            raise ConfigError(f"--target {text}: expected -100 to 100 points of mIoU")
        return Target("fidelity", value / 100, from_floor=True)
    value = _number(told.removesuffix("%"), text)
    if told.endswith("%"):
        if name == "fps":
            raise ConfigError(f"--target {text}: expected frames a second, such as fps=30")
        value /= 100
    if name == "fps":
        if value <= 0:
            raise ConfigError(f"--target {text}: expected more than 0 frames a second")
        return Target("fps", value)
    if not 0 < value <= 1:
        meant = not told.endswith("%") and 1 < value <= 100
        hint = f"; did you mean {name}={told}%?" if meant else ""
        raise ConfigError(f"--target {text}: expected more than 0 and at most 100%{hint}")
    return Target("share" if name == "share" else "fidelity", value)


def _number(told: str, text: str) -> float:
    try:
        value = float(told)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"--target {text}: {told!r} is no number; there are {_FORMS}")
    return value
