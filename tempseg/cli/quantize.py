"""`tempseg quantize`: smaller LiteRT files of a model, and how they compare with it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from tempseg.cli.options import ConfigFile, Debug, Settings
from tempseg.cli.stdout import console
from tempseg.errors import OutputError, RunError

if TYPE_CHECKING:
    from rich.table import Table

    from tempseg.quantisation import ModelFigures, Quantisation

__all__ = ["quantize_command"]

_BOTH = ("float16", "int8")
_MUCH_CHANGED = 0.03
_MUCH_SLOWER = 1.2


def quantize_command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A SavedModel folder or a Keras file.")
    ],
    calibrate: Annotated[
        str,
        typer.Option(
            "--calibrate", metavar="VIDEO", help="Whose frames calibrate and compare; as for run."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write; else beside the model."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="float16, int8, int8-weights, or both (of the first two); may be repeated.",
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option("--frames", metavar="N", min=1, help="Frames to calibrate on.")
    ] = 32,
    held_out: Annotated[
        int, typer.Option("--held-out", metavar="N", min=1, help="Other frames to compare on.")
    ] = 16,
    config: ConfigFile = None,
    settings: Settings = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of the same names.")
    ] = False,
    json_file: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write the figures; - for stdout, no table."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar and no table.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Write NAME_float16.tflite and NAME_int8.tflite, checked on frames of a video."""
    from tempseg.api import quantize
    from tempseg.cli.evaluate import check_writable
    from tempseg.cli.progress import ScoringBar
    from tempseg.config import load_config
    from tempseg.evaluation.whole_file import write_whole

    check_writable(json_file, None)
    wanted = [part for kind in kinds or ["both"] for part in (_BOTH if kind == "both" else (kind,))]
    effective = load_config(config, overrides=[("segmenter.model", model), *(settings or [])])
    with _own_stderr() as stderr, ScoringBar(quiet=quiet, file=stderr) as bar:
        made = quantize(
            model,
            calibrate=calibrate,
            out=out,
            kinds=wanted,  # type: ignore[arg-type]  # the API says which there are
            frames=frames,
            held_out=held_out,
            config=effective,
            overwrite=overwrite,
            observer=bar,
        )
    text = json.dumps(made.as_dict(), indent=2, ensure_ascii=False)
    if json_file is not None and json_file != "-":
        write_whole(json_file, text + "\n")
    try:
        if json_file == "-":
            typer.echo(text)
        elif not quiet:
            _print(made)
    except OSError as error:
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error
    if made.refused:
        raise RunError("; ".join(refusal.reason for refusal in made.refused))


@contextlib.contextmanager
def _own_stderr() -> Iterator[IO[str] | None]:
    """Give a second way to stderr: the first is held back while TensorFlow talks to itself."""
    try:
        copy = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):
        # Replaced by something that is no file, or closed: then there is nobody to show a bar to.
        yield None
        return
    with copy:
        yield copy


def _print(made: Quantisation) -> None:
    from rich.markup import escape
    from rich.table import Table

    stdout = console()
    stdout.print(_figures(made))
    stdout.print()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    calibration, held_out = len(made.calibration_frames), len(made.held_out_frames)
    if "int8" in [m.kind for m in made.models] + [str(r.kind) for r in made.refused]:
        table.add_row("calibrated", f"on {calibration} frames chosen to differ, for int8")
    table.add_row("compared", f"on {held_out} other frames, with {made.threads} threads")
    for assumption in made.assumptions:
        table.add_row("assumed", escape(assumption))
    for model in made.models:
        doubt = _doubt(model, made.original)
        if doubt:
            table.add_row("note", f"{model.kind} {doubt}")
    for model in made.models:
        table.add_row("written", escape(str(model.path)))
    stdout.print(table)


def _figures(made: Quantisation) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for title in ("MB", "ms a frame", "same pixels", "mIoU to original"):
        table.add_column(title, justify="right")
    table.add_row(*_row(made.original)[:3], "", "")
    for model in made.models:
        table.add_row(*_row(model))
    for refusal in made.refused:
        table.add_row(refusal.kind, "", "", "not kept", "")
    return table


def _doubt(model: ModelFigures, original: ModelFigures) -> str:
    """Return what speaks against a file, or nothing."""
    changed = 1 - model.pixel_agreement
    found = []
    if changed > _MUCH_CHANGED:
        found.append(f"changes {changed:.0%} of the pixels: look at its masks before you use it")
    if model.ms > _MUCH_SLOWER * original.ms:
        found.append("is slower than the original on this machine")
    return "; it ".join(found)


def _row(model: ModelFigures) -> tuple[str, ...]:
    return (
        model.kind,
        f"{model.bytes / 1e6:.2f}",
        f"{model.ms:.1f}",
        f"{model.pixel_agreement:.2%}",
        f"{model.miou:.3f}",
    )
