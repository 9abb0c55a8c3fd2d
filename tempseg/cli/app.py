"""The commands. Heavy modules are imported inside them, so that help comes in a blink."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tempseg.cli.demo import demo_command
from tempseg.cli.evaluate import compare_command, eval_command
from tempseg.cli.models import models_app, pull_for_run
from tempseg.cli.probe import probe_command
from tempseg.cli.quantize import quantize_command
from tempseg.cli.report import report_command
from tempseg.errors import RunError, TempsegError

__all__ = ["app", "main"]

app = typer.Typer(
    name="tempseg",
    help="Temporally consistent video segmentation: run the network on few frames, carry its "
    "answer to the rest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar and no closing table.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        typer.echo(f"tempseg {installed('tempseg')}")
        raise typer.Exit


@app.callback()
def _tempseg(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


@app.command()
def run(
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run's files in DIR.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Segment a video: masks.mkv, overlay.mp4, frames.csv, run.json and report.html in DIR."""
    from rich.console import Console

    from tempseg.api import run as run_video
    from tempseg.cli.progress import ProgressBar, closing_table
    from tempseg.config import load_config

    named = {"segmenter.model": model, "source.start": start, "source.end": end}
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
                observer=bar,
                command=["tempseg", *sys.argv[1:]],
            )
    except KeyboardInterrupt:
        kept = "nothing is left"
        if (out / "partial").exists():
            kept = f"what was done is in {out / 'partial'}"
        elif (out / "run.json").exists():
            kept = f"{out} holds a finished run"
        _fail(f"interrupted; {kept}", status=1)
    if quiet:
        return
    try:
        Console().print(closing_table(summary))
    except OSError as error:
        _fail(f"the results are in {out}, but stdout takes no text: {error.strerror}", status=1)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="Where to write.")],
    format_: Annotated[
        str, typer.Option("--format", help="png: one index image with palette a frame.")
    ] = "png",
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Write the label maps of a run in another format."""
    from tempseg.api import export as export_run

    count = export_run(folder, out, format=format_)
    typer.echo(f"{count} label images in {out}")


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another scene.")] = 0,
    duration: Annotated[
        float, typer.Option("--duration", min=0.08, max=600, help="Seconds.")
    ] = 10.0,
    width: Annotated[int, typer.Option("--width", min=64, max=3840, help="Pixels.")] = 640,
    height: Annotated[int, typer.Option("--height", min=64, max=2160, help="Pixels.")] = 360,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Render a street scene with exact truth: video.mp4, labels/, ids/ and scene.json."""
    from tempseg.api import synthesise
    from tempseg.cli.progress import ScoringBar

    with ScoringBar(quiet=quiet) as bar:
        count = synthesise(
            out, seed=seed, duration_s=duration, width=width, height=height, observer=bar
        )
    if not quiet:
        typer.echo(f"{count} frames in {out}")


app.command("demo")(demo_command)
app.command("eval")(eval_command)
app.command("compare")(compare_command)
app.command("quantize")(quantize_command)
app.command("report")(report_command)
app.command("probe")(probe_command)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    debug = "--debug" in sys.argv
    try:
        app()
    except TempsegError as error:
        if debug:
            raise
        _fail(str(error), status=1 if isinstance(error, RunError) else 2)
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        _fail(f"unexpected {kind}: {error} (run again with --debug for the details)", status=1)


def _fail(message: str, *, status: int) -> NoReturn:
    line = " ".join(message.split())
    sys.stderr.write(f"error: {line}\n")
    raise SystemExit(status)
