"""A row of numbers a frame."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from tempseg.decisions import Evidence, Verdict
from tempseg.errors import OutputError
from tempseg.types import FrameResult

__all__ = ["FrameTableSink", "verdict_cells", "written_time"]

EVIDENCE = tuple(field.name for field in fields(Evidence))


def written_time(time_s: float) -> str:
    """Return a time in seconds as a row tells it."""
    return f"{time_s:.6f}"


def verdict_cells(result: FrameResult) -> list[str]:
    """Return what a row says of a frame's evidence, a cell a number, and of the verdict on it."""
    evidence, verdict = result.evidence, result.verdict
    seen = [getattr(evidence, name) for name in EVIDENCE] if evidence else [""] * len(EVIDENCE)
    return [
        *map(_written, seen),
        *(("", "", "") if verdict is None else _held(verdict, evidence)),
    ]


def _held(verdict: Verdict, evidence: Evidence | None) -> tuple[str, str, str]:
    """Return what decided, how much of it there was, and what that was held against."""
    measured = verdict.measured
    if measured is None and evidence is not None:
        measured = getattr(evidence, verdict.measure)
    told = "" if measured is None else _written(measured)
    return verdict.measure, told, _written(verdict.threshold)


def _written(value: float | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class FrameTableSink:
    """Writes `frames.csv`: index, time, origin, reason, evidence, verdict, ms a stage.

    Parameters
    ----------
    path : Path
    stages : tuple of str
        Stages that get a column `…_ms`.
    take_timings : callable
        Gives the seconds by stage of a frame index, and forgets them.
    """

    def __init__(
        self,
        path: Path,
        *,
        stages: tuple[str, ...],
        take_timings: Callable[[int], Mapping[str, float]],
    ) -> None:
        self._path = path
        self._stages = stages
        self._take_timings = take_timings
        try:
            self._file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._row(
            [
                *("index", "time_s", "origin", "reason", "shot"),
                *EVIDENCE,
                *("measure", "measured", "threshold"),
                *(f"{stage}_ms" for stage in stages),
            ]
        )

    def write(self, result: FrameResult) -> None:
        """Add a frame's row."""
        spent = self._take_timings(result.frame.index)
        self._row(
            [
                result.frame.index,
                written_time(result.frame.time_s),
                result.origin.value,
                result.reason.value if result.reason else "",
                result.shot,
                *verdict_cells(result),
                *(f"{spent.get(stage, 0.0) * 1000:.3f}" for stage in self._stages),
            ]
        )

    def finish(self) -> None:
        """Complete the file."""
        try:
            self._file.close()
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error

    def abandon(self) -> None:
        """Close the file, whatever the disk says."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _row(self, values: list[object]) -> None:
        try:
            self._rows.writerow(values)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error
