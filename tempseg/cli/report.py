"""`tempseg report`: a finished run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempseg.cli.options import Debug
from tempseg.errors import OutputError

__all__ = ["report_command"]


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress bar, and do not name the page.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Draw DIR/report.html: overlay, keyframes, evidence, steadiness and worst moments."""
    from tempseg.api import report
    from tempseg.cli.progress import ScoringBar

    with ScoringBar(quiet=quiet) as bar:
        page = report(folder, observer=bar)
    if not quiet:
        try:
            typer.echo(str(page))
        except OSError as error:
            raise OutputError(f"stdout: cannot be written: {error.strerror}") from error
