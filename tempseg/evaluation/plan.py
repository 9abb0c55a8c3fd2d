"""What is measured on every label sequence of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, cast, get_args

from tempseg.errors import ConfigError
from tempseg.evaluation.classes import Classes

__all__ = ["WINDOWS", "Compat", "Plan", "compat_named"]

Compat = Literal["semseg", "vspw", "etc", "davis", "coco"]

WINDOWS = (8, 16)
"""Frames a window of video consistency."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how.

    Parameters
    ----------
    classes : Classes
    compat : str or None
        Whose way of counting the metrics follow that know it.
    truth : bool
        Whether there is truth, on some frames or all.
    motion : bool
        Whether a flow judges.
    objects : bool
        Whether classes beyond 0 are objects with a region and contour of their own.
    things : frozenset of int
        Classes whose ids tell one thing from another; empty where ids are not compared.
    """

    classes: Classes
    compat: Compat | None = None
    truth: bool = False
    motion: bool = False
    objects: bool = False
    things: frozenset[int] = frozenset()


def compat_named(name: str | None, classes: Classes) -> Compat | None:
    """Return the compat mode of this name.

    Raises
    ------
    ConfigError
        When there is none, or it averages over all classes and nobody told how many there are.
    """
    if name is None:
        return None
    known = get_args(Compat)
    if name not in known:
        close = get_close_matches(name.lower(), known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigError(f"--compat {name}: no such mode{hint}; there are {', '.join(known)}")
    if name in ("semseg", "etc") and not classes.told_by:
        raise ConfigError(f"--compat {name} averages over all classes: say how many by --classes")
    return cast(Compat, name)
