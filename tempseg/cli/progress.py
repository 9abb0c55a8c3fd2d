"""Progress bars and closing tables, on a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tempseg.api import RunSummary
from tempseg.many import Outcome
from tempseg.types import VideoInfo

if TYPE_CHECKING:
    from tempseg.auditing import Audit

__all__ = ["ProgressBar", "ScoringBar", "closing_table"]

TELL_EVERY_S = 0.1

ADVISED_FRAMES = 200
"""From so many frames on, what was loaded and compiled for the first weighs little in the mean."""

LISTED = 30
"""Audited frames that the closing table names."""


class ProgressBar:
    """Follows a run on stderr: frames, frames a second, keyframe share, time left.

    Shows nothing where stderr is no terminal, or when `quiet`.
    """

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[share]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task("", total=None, pace="", share="", visible=False)
        self._frames = 0
        self._keyframes = 0
        self._told_s = 0.0
        self.audit = _AuditBar(self._bar)
        """Follows the audit, on a line of its own."""

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell()
        self._bar.stop()

    def begin(self, video: VideoInfo) -> None:
        """Name the video and its expected length."""
        name = escape(video.name.replace("\\", "/").rpartition("/")[2])
        self._bar.update(self._task, description=name, total=video.frame_count, visible=True)

    def advance(self, frames: int, keyframes: int) -> None:
        """Count frames."""
        self._frames += frames
        self._keyframes += keyframes
        # Telling the bar takes as long as a good part of a frame, and nobody reads so fast.
        if not self._bar.disable and time.monotonic() >= self._told_s + TELL_EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told_s = time.monotonic()
        task = self._bar.tasks[self._task]
        speed = task.finished_speed or task.speed
        self._bar.update(
            self._task,
            completed=self._frames,
            pace=f"{speed:.1f} frames/s" if speed else "",
            share=f"{self._keyframes / max(1, self._frames):.1%} keyframes",
        )


class _AuditBar:
    """Follows an audit on a second line of a run's bar."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def begin(self, name: str, frames: int) -> None:
        """Show the line."""
        title = escape(name.replace("\\", "/").rpartition("/")[2])
        self._task = self._bar.add_task(f"audit of {title}", total=frames, pace="", share="")

    def advance(self) -> None:
        """Count a frame that was audited."""
        if self._task is not None:
            self._bar.advance(self._task)


class ScoringBar:
    """Follows work on frames on stderr: frames done, time left.

    Shows nothing where stderr is no terminal, or when `quiet`. `file` stands for stderr where
    something else is to be written to.
    """

    def __init__(self, *, quiet: bool, file: IO[str] | None = None) -> None:
        console = Console(stderr=True, file=file)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task("", total=None, visible=False)

    def __enter__(self) -> ScoringBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, name: str, frames: int) -> None:
        """Name what is done, and for how many frames; 0 where that is not known."""
        title = escape(name.replace("\\", "/").rpartition("/")[2])
        self._bar.reset(self._task, description=title, total=frames or None, visible=True)

    def advance(self) -> None:
        """Count a frame."""
        self._bar.advance(self._task)


def closing_table(summary: RunSummary) -> Table:
    """Return what a person wants to know after a run."""
    totals = summary.totals
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    reasons = ", ".join(f"{count} {reason}" for reason, count in totals.reasons.items())
    table.add_row("frames", f"{totals.frames} in {totals.wall_s:.1f} s")
    table.add_row("speed", f"{totals.frames_per_s:.1f} frames/s")
    table.add_row("keyframes", f"{totals.keyframes} ({totals.keyframe_share:.1%}): {reasons}")
    per_call = totals.segmenter_s / totals.keyframes * 1000
    table.add_row("segmenter", f"{totals.segmenter_s:.1f} s, {per_call:.0f} ms a keyframe")
    between = totals.frames - totals.keyframes
    carrying_s = totals.stage_s["motion"] + totals.stage_s["carry"]
    long_enough = totals.frames >= ADVISED_FRAMES
    if between and long_enough and per_call < (carrying_ms := carrying_s / between * 1000):
        told = (
            f"the segmenter is cheaper than carrying, {carrying_ms:.0f} ms a frame: for time alone "
        )
        table.add_row("advice", f"{told}run it on every frame, with keyframe.policy=every")
    table.add_row("memory", f"{totals.peak_memory_mb:.0f} MB at the peak")
    if totals.damaged:
        table.add_row("damaged", f"{totals.damaged} packets or frames: skipped or concealed")
    if summary.audit is not None:
        for name, told in audit_rows(summary.audit):
            table.add_row(name, escape(told))
    for assumption in summary.assumptions:
        table.add_row("assumed", escape(assumption))
    table.add_row("results", escape(str(summary.folder)))
    return table


def summary_table(outcomes: Sequence[Outcome]) -> Table:
    """Return how each of many inputs went, a row each."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("input", overflow="fold")
    audited = any(o.summary is not None and o.summary.audit is not None for o in outcomes)
    own = ["fidelity", "floor"] if audited else []
    titles = ["frames", "keyframes", "seconds", "frames/s", *own]
    for title in titles:
        table.add_column(title, justify="right")
    table.add_column("results", overflow="fold")
    for outcome in outcomes:
        name = escape(outcome.source)
        if outcome.summary is None:
            table.add_row(name, *[""] * len(titles), escape(f"failed: {outcome.error}"))
            continue
        totals, audit = outcome.summary.totals, outcome.summary.audit
        scores = [math.nan] * len(own) if audit is None else [audit.fidelity.mean, audit.floor.mean]
        table.add_row(
            name,
            str(totals.frames),
            str(totals.keyframes),
            f"{totals.wall_s:.1f}",
            f"{totals.frames_per_s:.1f}",
            *("–" if math.isnan(score) else f"{score:.3f}" for score in scores),
            escape(str(outcome.folder)),
        )
    return table


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    """Return what an audit found, as rows of a table."""
    rows = [("audit", audit.message)]
    if not audit.frames:
        return rows
    drawn = f"all {audit.between}" if audit.complete else f"{len(audit.frames)} of {audit.between}"
    shown = ", ".join(str(frame.index) for frame in audit.frames[:LISTED])
    rest = len(audit.frames) - LISTED
    more = f" and {rest} more, in run.json" if rest > 0 else ""
    rows.append(("audited", f"{drawn} frames between keyframes, seed {audit.seed}: {shown}{more}"))
    return rows
