"""What a finished run tells about its own label maps."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from pathlib import Path

from tempseg.class_sets import ClassSet
from tempseg.decisions import KeyframeReason
from tempseg.errors import SourceError
from tempseg.outputs import read_class_set
from tempseg.types import Origin

__all__ = ["RunNotes", "read_run"]


@dataclass(frozen=True, slots=True)
class RunNotes:
    """A run's record and frame table, as far as scoring needs them.

    Parameters
    ----------
    folder : Path
    class_set : ClassSet
    void : int
        The id in its label maps that stands for none.
    source : str
        What was segmented, as the user named it.
    start_s, end_s : float or None
        The part of the source that was segmented.
    frame_rate : Fraction
        Images a second, where the source is a folder of images.
    numbers : tuple of int
        The index of each frame in the part; an image that could not be read leaves a gap.
    times_s : tuple of float
        Presentation time of each frame.
    keyframes : tuple of int
        Places of the frames that the segmenter ran on.
    cuts : frozenset of int
        Places of the frames that begin a new shot.
    """

    folder: Path
    class_set: ClassSet
    void: int
    source: str
    start_s: float | None
    end_s: float | None
    frame_rate: Fraction
    numbers: tuple[int, ...]
    times_s: tuple[float, ...]
    keyframes: tuple[int, ...]
    cuts: frozenset[int]


def read_run(folder: Path) -> RunNotes:
    """Return the notes of a finished run.

    Raises
    ------
    SourceError
        When the folder holds no finished run, or its record or table is damaged.
    """
    class_set = read_class_set(folder)
    record, table = folder / "run.json", folder / "frames.csv"
    try:
        written = json.loads(record.read_text(encoding="utf-8"))
        source, void = written["source"], int(written["classes"]["void"])
        part = [None if source[key] is None else float(source[key]) for key in ("start_s", "end_s")]
        if not all(isfinite(end or 0) for end in part):
            raise ValueError(f"its part of the source is {part[0]} to {part[1]} s")
        name, rate = str(source["name"]), Fraction(source["frame_rate"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise SourceError(f"{record}: is no record of a run ({error})") from error
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        numbers = tuple(int(row["index"]) for row in rows)
        times_s = tuple(float(row["time_s"]) for row in rows)
        origins = [row["origin"] for row in rows]
        if rows and "reason" not in rows[0]:
            raise ValueError("it has no column reason")
        if not (_rise((-1, *numbers)) and _rise(times_s) and all(map(isfinite, times_s))):
            raise ValueError("its frames do not follow one another")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{table}: is no frame table of a run ({error}); run again, or give masks.mkv elsewhere"
        ) from error
    return RunNotes(
        folder=folder,
        class_set=class_set,
        void=void,
        source=name,
        start_s=part[0],
        end_s=part[1],
        frame_rate=rate,
        numbers=numbers,
        times_s=times_s,
        keyframes=tuple(i for i, origin in enumerate(origins) if origin == Origin.SEGMENTED),
        cuts=_cuts(rows),
    )


def _cuts(rows: Sequence[Mapping[str, str]]) -> frozenset[int]:
    """Return the places at which a new shot begins, which may come before its first keyframe."""
    if not rows or "shot" not in rows[0]:
        # Of an earlier version, whose shots all began with a keyframe.
        why = KeyframeReason.SCENE_CUT
        return frozenset(i for i, row in enumerate(rows) if row["reason"] == why)
    shots = [row["shot"] for row in rows]
    return frozenset(i + 1 for i, (a, b) in enumerate(pairwise(shots)) if a != b)


def _rise(values: Sequence[float]) -> bool:
    """Tell whether each value is above the one before."""
    return all(a < b for a, b in pairwise(values))
