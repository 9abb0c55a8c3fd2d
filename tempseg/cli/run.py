"""`tempseg run`: a video into a folder of results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tempseg.cli.failure import fail
from tempseg.cli.models import pull_for_run

__all__ = ["run_command"]


def run_command(
    source: Annotated[str, typer.Argument(help="A video file, a folder or a glob of images.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the results.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A model's file or folder, a name out of `models list`, or masks:FOLDER.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file; see configs/.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One config key; may be repeated."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="T", help="Seconds or timecode.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="T", help="Seconds or timecode; exclusive.")
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay/--no-overlay", help="Whether to write overlay.mp4.")
    ] = True,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Whether to write report.html.")
    ] = True,
    audit: Annotated[
        int | None,
        typer.Option(
            "--audit",
            metavar="N",
            min=0,
            help="Ask the model about N frames between keyframes afterwards, drawn at random.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run's files in DIR.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Write DIR/trace.json, for ui.perfetto.dev.")
    ] = False,
    profile_to: Annotated[
        Path | None, typer.Option("--profile-to", metavar="FILE", help="The same, elsewhere.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress bar and no closing table.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Segment a video: masks.mkv, overlay.mp4, frames.csv, run.json and report.html in DIR."""
    from rich.console import Console

    from tempseg.api import run as run_video
    from tempseg.cli.progress import ProgressBar, closing_table
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
    overrides += [] if report else [("output.report", False)]
    effective = load_config(config, overrides=overrides)
    pull_for_run(effective.segmenter.model, quiet=quiet)
    try:
        with ProgressBar(quiet=quiet) as bar:
            summary = run_video(
                source,
                out,
                config=effective,
                overwrite=overwrite,
                profile=profile_to or (out / "trace.json" if profile else None),
                observer=bar,
                auditor=bar.audit,
                command=["tempseg", *sys.argv[1:]],
            )
    except KeyboardInterrupt:
        kept = "nothing is left"
        if (out / "partial").exists():
            kept = f"what was done is in {out / 'partial'}"
        elif (out / "run.json").exists():
            kept = f"{out} holds a finished run"
        fail(f"interrupted; {kept}", status=1)
    if quiet:
        return
    try:
        Console().print(closing_table(summary))
    except OSError as error:
        fail(f"the results are in {out}, but stdout takes no text: {error.strerror}", status=1)
