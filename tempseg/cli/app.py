"""The commands. Heavy modules are imported inside them, so that help comes in a blink."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from tempseg.cli.demo import demo_command
from tempseg.cli.evaluate import compare_command, eval_command
from tempseg.cli.failure import fail, leave_at_once_where_a_model_hangs
from tempseg.cli.models import models_app
from tempseg.cli.options import Debug
from tempseg.cli.plan import plan_command
from tempseg.cli.probe import probe_command
from tempseg.cli.quantize import quantize_command
from tempseg.cli.report import report_command
from tempseg.cli.run import RunCommand, run_command
from tempseg.cli.stderr import keep_its_number, say
from tempseg.cli.stdout import take_any_text
from tempseg.cli.tune import tune_command
from tempseg.errors import ModelTimeoutError, RunError, TempsegError
from tempseg.memory import collect_seldom

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


app.command("run", cls=RunCommand)(run_command)
app.command("plan")(plan_command)


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
app.command("tune")(tune_command)
app.add_typer(models_app, name="models")


_INTERRUPTED = 130
"""What Typer ends with after Ctrl-C, without a word."""


class _ToStderr(logging.Handler):
    """Writes to what stderr is now: a progress bar makes room for it."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit status."""
    keep_its_number()
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[_ToStderr()]
    )
    take_any_text()
    collect_seldom()
    earlier = threading.enumerate()
    try:
        _guarded_app()
    except SystemExit as ended:
        status = ended.code or 0
        leave_at_once_where_a_model_hangs(status if isinstance(status, int) else 1, earlier)
        raise


def _guarded_app() -> None:
    debug = "--debug" in sys.argv
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            fail("interrupted", status=1)
        raise
    except TempsegError as error:
        if debug:
            raise
        fail(str(error), status=1 if isinstance(error, RunError | ModelTimeoutError) else 2)
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        fail(f"unexpected {kind}: {error} (run again with --debug for the details)", status=1)
