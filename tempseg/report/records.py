"""A finished run, read back from its folder."""

from __future__ import annotations

import csv
import json
import math
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempseg.auditing import Audit
from tempseg.class_sets import ClassSet
from tempseg.decisions import Evidence, KeyframeReason
from tempseg.errors import SourceError
from tempseg.outputs import Totals, read_class_set
from tempseg.types import VOID_8, VOID_16

__all__ = ["FloatColumn", "FrameTable", "RunRecord", "read_run"]

FloatColumn = NDArray[np.float64]
EVIDENCE = tuple(field.name for field in fields(Evidence))
TEXT_COLUMNS = ("origin", "reason")
VERDICT = "measure"
DECIDING = ("shot", "measured", "threshold")
"""Columns of later runs only."""
STAGE = "_ms"


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """The columns of `frames.csv`; nan where a cell is empty.

    Parameters
    ----------
    index : tuple of int
        The number of each frame; an image that could not be read leaves a gap.
    time_s : ndarray, shape (N,), float64
        Presentation times, strictly increasing.
    origins, reasons : tuple of str
        One a frame; the reason is empty between keyframes.
    evidence : mapping of name to ndarray, shape (N,), float64
    measures : tuple of str
        The evidence that each frame was decided by; empty words where nothing told.
    measured : ndarray, shape (N,), float64
        How much of it there was: at the frame, or in a whole span.
    thresholds : ndarray, shape (N,), float64
        What that was held against.
    cuts : frozenset of int
        Places of the frames that begin a later shot.
    stage_ms : mapping of stage to ndarray, shape (N,), float64
        In the order of the columns.
    """

    index: tuple[int, ...]
    time_s: FloatColumn
    origins: tuple[str, ...]
    reasons: tuple[str, ...]
    evidence: Mapping[str, FloatColumn]
    stage_ms: Mapping[str, FloatColumn]
    measures: tuple[str, ...]
    measured: FloatColumn
    thresholds: FloatColumn
    cuts: frozenset[int]

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def frame_s(self) -> float:
        """Middle duration of a frame in seconds; what the last one is taken to last."""
        return float(np.median(np.diff(self.time_s))) if len(self) > 1 else 0.04


@dataclass(frozen=True, slots=True, eq=False)
class RunRecord:
    """What a run's folder says about it.

    Parameters
    ----------
    folder : Path
    source : str
        Path or pattern, as it was given to the run.
    width, height : int
        Of the frames in pixels.
    start_s : float or None
        Where the part begins that was run; none for a whole source.
    model, runtime, model_sha256 : str
    assumptions : tuple of str
    classes : ClassSet
    void : int
        The label of unknown pixels.
    config : mapping of section to mapping of key to value
    command : tuple of str
        Empty when the run was started from Python.
    versions : mapping of name to version
    totals : Totals
    frames : FrameTable
    audit : Audit or None
        Where the run was audited.
    """

    folder: Path
    source: str
    width: int
    height: int
    start_s: float | None
    model: str
    runtime: str
    model_sha256: str
    assumptions: tuple[str, ...]
    classes: ClassSet
    void: int
    config: Mapping[str, Mapping[str, object]]
    command: tuple[str, ...]
    versions: Mapping[str, str]
    totals: Totals
    frames: FrameTable
    audit: Audit | None = None

    @property
    def name(self) -> str:
        """The source's own name, without folders."""
        return self.source.replace("\\", "/").rstrip("/").rpartition("/")[2] or self.source

    @property
    def masks(self) -> Path:
        """The label maps."""
        return self.folder / "masks.mkv"

    @property
    def overlay(self) -> Path | None:
        """The video with the labels over it, where the run wrote one."""
        path = self.folder / "overlay.mp4"
        return path if path.is_file() else None

    @property
    def overlay_origin_s(self) -> float:
        """The presentation time at which the overlay begins to count."""
        return float(self.frames.time_s[0]) if self.start_s else 0.0


def read_run(folder: str | Path) -> RunRecord:
    """Return what a finished run left in its folder, label maps and pictures aside.

    Raises
    ------
    SourceError
        When the folder holds no finished run, or a file of it is damaged.
    """
    folder = Path(folder)
    classes = read_class_set(folder)
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        source, model, totals = record["source"], record["model"], record["totals"]
        void = int(record["classes"]["void"])
        if void not in (VOID_8, VOID_16) or len(classes.names) > void:
            raise ValueError(f"void is {void} beside {len(classes.names)} classes")
        start_s = source["start_s"]
        return RunRecord(
            folder=folder,
            source=str(source["name"]),
            width=int(source["width"]),
            height=int(source["height"]),
            start_s=None if start_s is None else float(start_s),
            model=str(model["name"]),
            runtime=str(model["runtime"]),
            model_sha256=str(model["sha256"]),
            assumptions=tuple(str(line) for line in model["assumptions"]),
            classes=classes,
            void=void,
            config={str(name): dict(keys) for name, keys in record["config"].items()},
            command=tuple(str(word) for word in record["command"]),
            versions={str(name): str(v) for name, v in record["versions"].items()},
            totals=_totals(totals),
            frames=_read_table(folder / "frames.csv", expected=int(totals["frames"])),
            audit=Audit.from_dict(record["audit"]) if record.get("audit") else None,
        )
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path}: is no record of a run ({error})") from error


def _totals(told: Mapping[str, Any]) -> Totals:
    def seconds(by_stage: Mapping[str, Any]) -> dict[str, float]:
        return {str(name): float(value) for name, value in by_stage.items()}

    whole = {"frames", "keyframes", "damaged"}
    values: dict[str, Any] = {
        field.name: int(told[field.name]) if field.name in whole else told[field.name]
        for field in fields(Totals)
        if field.name in told
    }
    for name, value in values.items():
        if isinstance(value, Mapping):
            values[name] = seconds(value)
        elif name not in whole:
            values[name] = float(value)
    return Totals(**values)


def _read_table(path: Path, *, expected: int) -> FrameTable:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            _check_header(path, header)
            words: dict[str, list[str]] = {name: [] for name in (*TEXT_COLUMNS, VERDICT)}
            numbers = {name: array("d") for name in header if _is_number(name)}
            for place, row in enumerate(rows):
                if len(row) != len(header):
                    raise SourceError(
                        f"{path}: frame {place} has {len(row)} cells, expected {len(header)}; "
                        "run again"
                    )
                for name, cell in zip(header, row, strict=True):
                    if name in numbers:
                        numbers[name].append(_number(path, place, name, cell))
                    elif name in words:
                        # A handful of words, however many frames.
                        words[name].append(sys.intern(cell))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}; run again") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: is no table of frames ({error}); run again") from error
    columns = {name: np.array(values) for name, values in numbers.items()}
    time_s = columns["time_s"]
    if len(time_s) != expected or expected == 0:
        raise SourceError(
            f"{path}: holds {len(time_s)} frames, expected {expected} as in run.json; run again"
        )
    if not (np.isfinite(time_s).all() and (np.diff(time_s) > 0).all()):
        raise SourceError(f"{path}: its times do not increase from frame to frame; run again")
    return FrameTable(
        index=tuple(np.nan_to_num(columns["index"]).astype(int).tolist()),
        time_s=time_s,
        origins=tuple(words["origin"]),
        reasons=tuple(words["reason"]),
        evidence={name: columns[name] for name in EVIDENCE if name in columns},
        stage_ms={
            name.removesuffix(STAGE): values
            for name, values in columns.items()
            if name.endswith(STAGE)
        },
        measures=tuple(words[VERDICT]) or ("",) * expected,
        measured=columns.get("measured", np.full(expected, np.nan)),
        thresholds=columns.get("threshold", np.full(expected, np.nan)),
        cuts=_cuts(columns.get("shot"), words["reason"]),
    )


def _cuts(shots: FloatColumn | None, reasons: list[str]) -> frozenset[int]:
    """Return where the shot changes; without that column, a cut had a keyframe at once."""
    if shots is None:
        return frozenset(i for i, why in enumerate(reasons) if why == KeyframeReason.SCENE_CUT)
    return frozenset((np.flatnonzero(np.diff(shots)) + 1).tolist())


def _check_header(path: Path, header: list[str]) -> None:
    for name in ("index", "time_s", *TEXT_COLUMNS):
        if name not in header:
            raise SourceError(f"{path}: has no column {name}; run again")


def _is_number(name: str) -> bool:
    return name in ("index", "time_s", *DECIDING, *EVIDENCE) or name.endswith(STAGE)


def _number(path: Path, place: int, name: str, cell: str) -> float:
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        raise SourceError(
            f"{path}: frame {place}: {name} is {cell!r}, expected a number; run again"
        ) from None
