"""`tempseg plan`: what a run would do and take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempseg.cli.failure import fail
from tempseg.cli.models import pull_for_run
from tempseg.cli.options import ConfigFile, Debug, End, Settings, Start
from tempseg.cli.stdout import console
from tempseg.errors import OutputError

if TYPE_CHECKING:
    from rich.table import Table

    from tempseg.planning import RunPlan

__all__ = ["plan_command"]

LISTED = 60
"""Keyframes that the table names; the others are in --json."""


def plan_command(
    source: Annotated[str, typer.Argument(help="A video file, a folder or a glob of images.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the run would write: is there room?")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="As for run; without one only keyframes are told."),
    ] = None,
    config: ConfigFile = None,
    settings: Settings = None,
    start: Start = None,
    end: End = None,
    overlay: Annotated[
        bool, typer.Option("--overlay/--no-overlay", help="Whether overlay.mp4 is written.")
    ] = True,
    report: Annotated[  # noqa: ARG001 - so that the options of a run can be given as they are
        bool, typer.Option("--report/--no-report", help="Taken as by run; costs little.")
    ] = True,
    audit: Annotated[
        int | None, typer.Option("--audit", metavar="N", min=0, help="As for run.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Taken as by run; nothing is written.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the plan, all keyframes listed."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar and no table.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Tell what a run would take: keyframes, time, disk and memory. Nothing is kept."""
    from rich.markup import escape

    from tempseg.api import plan as plan_run
    from tempseg.cli.progress import ScoringBar
    from tempseg.config import load_config

    named = {
        "segmenter.model": model,
        "source.start": start,
        "source.end": end,
        "run.audit": audit,
    }
    overrides: list[str | tuple[str, object]] = list(settings or [])
    overrides += [(key, value) for key, value in named.items() if value is not None]
    overrides += [] if overlay else [("output.overlay", False)]
    effective = load_config(config, overrides=overrides)
    pull_for_run(effective.segmenter.model, quiet=quiet)
    with ScoringBar(quiet=quiet) as bar:
        found = plan_run(source, config=effective, observer=bar)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            fail(f"{json_file}: cannot be written: {error.strerror}", status=2)
    if quiet:
        return
    try:
        table = _table(found, out)
        if (refused := _refused(out, overwrite=overwrite)) is not None:
            table.add_row("refused", escape(f"by a run: {refused}"))
        console().print(table)
    except OSError as error:
        fail(f"stdout takes no text: {error.strerror}", status=1)


def _table(plan: RunPlan, out: Path | None) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    reasons = ", ".join(f"{count} {reason}" for reason, count in plan.reasons.items())
    about = "" if plan.exact else "about "
    table.add_row("frames", f"{plan.frames} in {_clock(plan.duration_s)} of video")
    share = f"{about}{len(plan.keyframes)} ({plan.keyframe_share:.1%}): {reasons}"
    table.add_row("keyframes", share)
    if not plan.exact:
        told = "by the pictures alone; the policy looks at borders of labels too"
        if plan.cost is not None:
            told += f": estimated {plan.cost.keyframes} with the model, from the stretch it ran on"
        table.add_row("estimated", told)
    table.add_row("at", _places(plan))
    cost = plan.cost
    if cost is None:
        table.add_row("time", "not told without --model MODEL")
        return table
    audit = f", and up to {_clock(cost.audit_s)} for the audit" if cost.audit_s else ""
    table.add_row("time", f"about {_clock(cost.wall_s)}{audit}")
    table.add_row("segmenter", f"{cost.segmenter_ms:.0f} ms a call")
    table.add_row("carrying", f"{cost.carrying_ms:.0f} ms a frame, beside it")
    parts = f"masks {_size(cost.masks_mb)}, overlay {_size(cost.overlay_mb)}"
    table.add_row("disk", f"about {_size(cost.disk_mb)}: {parts}")
    free_mb = _free_mb(out)
    if free_mb is not None and free_mb < cost.disk_mb:
        room = f"{out}: only {_size(free_mb)} are free there; choose another --out"
        table.add_row("no room", escape(room))
    table.add_row("memory", f"about {cost.memory_mb:.0f} MB at the peak")
    told = f"{cost.rehearsed_frames} frames with {cost.rehearsed_keyframes} keyframes, really run"
    table.add_row("measured on", told)
    if plan.advice is not None:
        table.add_row("advice", escape(plan.advice))
    return table


def _refused(out: Path | None, *, overwrite: bool) -> str | None:
    """Return why a run would not write there, if it would not."""
    from tempseg.outputs import RunFolder

    if out is None:
        return None
    try:
        RunFolder(out, overwrite=overwrite)
    except OutputError as error:
        return str(error)
    return None


def _places(plan: RunPlan) -> str:
    shown = ", ".join(f"{k.index} ({k.time_s:.2f} s)" for k in plan.keyframes[:LISTED])
    rest = len(plan.keyframes) - LISTED
    return f"{shown} and {rest} more, in --json FILE" if rest > 0 else shown


def _clock(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.1f} MB"


def _free_mb(out: Path | None) -> float | None:
    """Return the room where the run would write, in 10^6 bytes; none where that is unknown."""
    if out is None:
        return None
    for place in (out, *out.absolute().parents):
        try:
            return shutil.disk_usage(place).free / 1e6
        except OSError:
            continue
    return None
