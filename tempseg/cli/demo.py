"""`tempseg demo`: the embedded model on the embedded clip."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempseg.cli.options import ConfigFile, Debug, Settings
from tempseg.cli.stdout import console
from tempseg.errors import OutputError

if TYPE_CHECKING:
    from rich.table import Table

    from tempseg.demonstration import DemoSummary
    from tempseg.evaluation.results import Figure

__all__ = ["demo_command", "demo_table"]

FIGURES = (
    ("mIoU against the truth", "miou"),
    ("temporal consistency", "tc"),
    ("flicker", "flicker"),
    ("blinking pixels", "blink"),
)
"""Figures of an evaluation that the closing table shows, under the words it shows them."""


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for the results.")
    ] = Path("out/demo"),
    model: Annotated[
        str | None, typer.Option("--model", help="Another model than the embedded `street`.")
    ] = None,
    config: ConfigFile = None,
    settings: Settings = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="Which of the model's ids is which class."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo's files in DIR.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no table.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Run the embedded model on the embedded clip, with few keyframes and on every frame."""
    from tempseg.cli.models import pull_for_run
    from tempseg.cli.progress import ScoringBar
    from tempseg.config import load_config
    from tempseg.demonstration import demo

    overrides: list[str | tuple[str, object]] = list(settings or [])
    overrides += [] if model is None else [("segmenter.model", model)]
    effective = load_config(config, overrides=overrides)
    pull_for_run(effective.segmenter.model, quiet=quiet)
    with ScoringBar(quiet=quiet) as bar:
        summary = demo(
            out,
            config=effective,
            mapping=mapping,
            overwrite=overwrite,
            observer=bar,
            command=["tempseg", *sys.argv[1:]],
        )
    if quiet:
        return
    try:
        console().print(demo_table(summary))
        for line in closing_words(summary):
            typer.echo(line)
    except OSError as error:
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error


def demo_table(summary: DemoSummary) -> Table:
    """Return the run beside the model on every frame: times, calls, accuracy and steadiness."""
    from rich.table import Table

    ours, every = summary.run.totals, summary.per_frame.totals
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", style="bold", no_wrap=True)
    for title in ("tempseg", "every frame", "last keyframe copied"):
        table.add_column(title, justify="right")
    table.add_row("frames", str(ours.frames), str(every.frames), "")
    table.add_row("network runs", str(ours.keyframes), str(every.keyframes), "")
    table.add_row("  seconds in the network", *(f"{t.segmenter_s:.2f}" for t in (ours, every)), "")
    table.add_row("wall time", *(f"{t.wall_s:.2f} s" for t in (ours, every)), "")
    table.add_row("speed-up over every frame", f"{summary.speed_up:.2f}×", "1×", "")
    columns = summary.evaluation.columns()
    for title, name in FIGURES:
        cells = (
            _cell(columns.get(sequence, {}).get(name))
            for sequence in ("prediction", "reference", "copy_last")
        )
        table.add_row(title, *cells)
    hits = len(set(summary.cuts) & set(summary.true_cuts))
    found = f"{hits} of {len(summary.true_cuts)}"
    false = len(summary.cuts) - hits
    table.add_row("scene cuts found", found + (f", {false} false" if false else ""), "", "")
    return table


def closing_words(summary: DemoSummary) -> list[str]:
    """Return what to know and what to open after the table."""
    ours, every = summary.run.totals, summary.per_frame.totals
    lines = [f"assumed: {assumption}" for assumption in summary.run.assumptions]
    if summary.speed_up < 1:
        call_ms = 1000 * every.segmenter_s / every.keyframes
        carried_ms = 1000 * (ours.stage_s["motion"] + ours.stage_s["carry"]) / ours.frames
        lines.append(
            f"slower than on every frame: a call of this model takes {call_ms:.0f} ms, carrying "
            f"its answers {carried_ms:.0f} ms a frame; dearer models gain time"
        )
    lines.append(f"watch {summary.folder / 'overlay.mp4'}")
    if (summary.folder / "report.html").exists():
        lines.append(f"open  {summary.folder / 'report.html'}")
    return lines


def _cell(value: Figure) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
