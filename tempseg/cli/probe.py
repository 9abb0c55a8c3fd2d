"""`tempseg probe`: what a model expects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempseg.cli.options import Debug
from tempseg.cli.stderr import say
from tempseg.cli.stdout import console
from tempseg.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console

    from tempseg.probing import Probe

__all__ = ["probe_command"]


def probe_command(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Whatever `run` takes: a model's file, a name, ..."),
    ],
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="FILE",
            help="A picture (or video) of what the model was made for; draws a sheet.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="PNG", help="Where the sheet goes; by default NAME.probe.png here."
        ),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Write NAME.toml beside the model, for every run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --save: replace a file that differs.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key that is known; may be repeated."),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option("--threads", min=1, max=256, help="A number to time; may be repeated."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print the [segmenter] block alone.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Find out what a model expects: layout, pixel values, output, classes, speed."""
    from rich.console import Console

    from tempseg.api import probe
    from tempseg.cli.models import pull_for_run
    from tempseg.probing import draw_sheet, save_block

    pull_for_run(model, quiet=quiet)
    status = Console(stderr=True)
    if quiet or not status.is_terminal:
        found = probe(model, image=image, settings=settings or (), threads=threads)
    else:
        with status.status(model) as spinner:
            found = probe(
                model,
                image=image,
                settings=settings or (),
                threads=threads,
                say=lambda text: spinner.update(f"{model}: {text}"),
            )
    try:
        if quiet:
            typer.echo(found.block, nl=False)
        else:
            _print(console(), found)
    except OSError as error:
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error
    if json_file is not None:
        _write_json(json_file, found)
    if image is not None or out is not None:
        sheet = out or Path(f"{Path(model).stem or 'model'}.probe.png")
        draw_sheet(found, sheet)
        _say(f"sheet: {sheet}", quiet=quiet)
    if save:
        _say(f"saved: {save_block(model, found.block, overwrite=overwrite)}", quiet=quiet)


def _print(console: Console, found: Probe) -> None:
    from rich.markup import escape
    from rich.table import Table

    def table(*headings: str) -> Table:
        made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
        for heading in headings:
            made.add_column(heading, overflow="fold")
        return made

    console.print(f"[bold]{escape(found.model)}[/bold]  ({found.runtime})\n")
    ports = table("", "name", "type", "shape", "taken for")
    for kind, rows in (("input", found.inputs), ("output", found.outputs)):
        for row in rows:
            ports.add_row(kind, escape(row.name), row.dtype, escape(_shape(row.shape)), row.role)
    console.print(ports)
    console.print()
    guesses = table("found", "value", "how sure", "evidence")
    for guess in found.guesses:
        evidence = "; ".join(guess.evidence)
        if guess.runner_up:
            evidence += f"; next best: {guess.runner_up}"
        guesses.add_row(guess.subject, escape(guess.value), guess.confidence, escape(evidence))
    console.print(guesses)
    if found.candidates:
        console.print()
        tried = table("preprocessing tried", "score", "sure", "at borders", "largest class")
        for score in found.candidates:
            numbers = (
                (f"{score.score:.3f}", *map(_number, (score.confidence, score.border_confidence)))
                if not score.problem
                else ("-", "-", "-")
            )
            share = "" if score.problem else f"{score.largest_share:.0%}"
            tried.add_row(escape(score.candidate.words), *numbers, share)
        console.print(tried)
    if found.timings:
        console.print()
        times = table("threads", "ms a frame", "least", "frames")
        for timing in found.timings:
            count = str(timing.threads) if timing.threads else "its own"
            times.add_row(
                count, f"{timing.median_ms:.1f}", f"{timing.least_ms:.1f}", str(timing.runs)
            )
        console.print(times)
        console.print("(median, batch size 1, each count of threads in a new process)")
    console.print()
    console.file.write(found.block)


def _shape(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "not declared"
    return "[" + ", ".join("any" if side is None else str(side) for side in shape) + "]"


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"


def _write_json(path: Path, found: Probe) -> None:
    try:
        path.write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        say(text)
