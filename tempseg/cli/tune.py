"""`tempseg tune`: configs tried on one recording, the trade-off, and the best of them."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempseg.cli.failure import fail
from tempseg.cli.models import pull_for_run
from tempseg.cli.options import Debug, End, Model, Start
from tempseg.cli.stdout import console
from tempseg.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from tempseg.tuning import Tuning

__all__ = ["tune_command"]


def tune_command(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Videos, folders or globs of images."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the results.")],
    model: Model = None,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="TARGET",
            help="share=5%, fps=30, fidelity=floor-1 (points of mIoU) or fidelity=0.85.",
        ),
    ] = "fidelity=floor-1",
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file to begin from; see configs/.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One config key, held fast; repeatable."),
    ] = None,
    start: Start = None,
    end: End = None,
    sample: Annotated[
        int,
        typer.Option("--sample", metavar="N", min=0, help="Frames of each source; 0 for all."),
    ] = 400,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Another seed, other parts of a long video.")
    ] = 0,
    truth: Annotated[
        list[str] | None,
        typer.Option("--truth", metavar="GT", help="True label maps, one a source, in order."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option("--map", metavar="FILE", help="Which id is which true class.")
    ] = None,
    truth_mapping: Annotated[
        str | None, typer.Option("--map-truth", metavar="FILE", help="The same for truth's ids.")
    ] = None,
    every: Annotated[
        int | None, typer.Option("--every", metavar="N", help="The truth is of every Nth frame.")
    ] = None,
    offset: Annotated[int, typer.Option("--offset", help="The frame of the first truth.")] = 0,
    classes: Annotated[
        str | None, typer.Option("--classes", help="Of truth: a number, a set's name, or names.")
    ] = None,
    configs: Annotated[
        int,
        typer.Option("--configs", metavar="N", min=1, help="Configs measured on all frames."),
    ] = 24,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Where recordings and answers are kept."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier tune's files in DIR.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar and no table.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Try configs on one recording: best.toml, tune.json, tune.html and pareto.svg in DIR."""
    from tempseg.cli.progress import ScoringBar
    from tempseg.config import keys_of, load_config
    from tempseg.trade_off import tune
    from tempseg.tuning import TruthRequest

    named = {"segmenter.model": model, "source.start": start, "source.end": end}
    overrides: list[str | tuple[str, object]] = list(settings or [])
    overrides += [(key, value) for key, value in named.items() if value is not None]
    effective = load_config(config, overrides=overrides)
    pull_for_run(effective.segmenter.model, quiet=quiet)
    of_truth = {
        "--map": mapping,
        "--map-truth": truth_mapping,
        "--every": every,
        "--offset": offset or None,
        "--classes": classes,
    }
    idle = [option for option, value in of_truth.items() if value is not None]
    if idle and not truth:
        raise ConfigError(f"{', '.join(idle)}: of a truth; give one with --truth")
    try:
        with ScoringBar(quiet=quiet) as bar:
            tuning = tune(
                sources,
                out,
                config=effective,
                fixed=keys_of(settings or []),
                target=target,
                sample=sample,
                seed=seed,
                truth=[
                    TruthRequest(one, mapping, truth_mapping, every, offset, classes)
                    for one in truth or []
                ],
                configs=configs,
                cache=cache,
                overwrite=overwrite,
                observer=bar,
                command=["tempseg", *sys.argv[1:]],
            )
    except KeyboardInterrupt:
        fail(
            "interrupted; what was recorded and asked is kept: run the same again to go on from "
            "there",
            status=1,
        )
    if not quiet:
        try:
            stdout = console()
            stdout.print(_configs(tuning))
            stdout.print()
            stdout.print(_closing(tuning, out))
        except OSError as error:
            fail(f"the results are in {out}, but stdout takes no text: {error.strerror}", status=1)
    choice = tuning.choice
    if not choice.reached:
        fail(
            f"target {choice.target} is out of reach of the {_counted(tuning.notes.tried)} tried; "
            f"the nearest, {choice.measured.trial.name}, comes to {_value(tuning)} and is in "
            f"{out / 'best.toml'}",
            status=1,
        )


def _counted(configs: int) -> str:
    return "1 config" if configs == 1 else f"{configs} configs"


def _configs(tuning: Tuning) -> Table:
    """Return the front, and what was given and chosen beside it."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("config", overflow="fold")
    heads = ["keyframes", "fidelity", "p5", "tc", *(["mIoU"] if tuning.by_truth else [])]
    for title in (*heads, "frames/s"):
        table.add_column(title, justify="right")
    front = tuning.front
    for m in tuning.measured:
        chosen, given = m is tuning.choice.measured, not m.trial.keys
        if not (chosen or given or any(m is one for one in front)):
            continue
        f = m.figures
        cells = [f"{f.share:.2%}", f"{f.fidelity_between:.4f}", f"{f.fidelity_p5_between:.4f}"]
        cells += [f"{f.tc:.4f}", *([f"{f.miou:.4f}"] if tuning.by_truth else [])]
        mark = "→" if chosen else "·" if given else ""
        table.add_row(
            mark,
            escape(m.trial.name),
            *cells,
            f"{m.fps:.1f}",
            style="bold" if chosen else None,
        )
    return table


def _closing(tuning: Tuning, out: Path) -> Table:
    from rich.markup import escape
    from rich.table import Table

    notes, choice = tuning.notes, tuning.choice
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    kept = "kept" if choice.reached else "not reached; this is the nearest"
    table.add_row("target", f"{choice.target}: {kept}, at {_value(tuning)}")
    table.add_row("chosen", escape(choice.measured.trial.name))
    floor = "cannot be told" if math.isnan(tuning.floor) else f"{tuning.floor:.4f}"
    table.add_row("floor", f"{floor}, the model's agreement with itself from frame to frame")
    table.add_row(
        "tried",
        f"{notes.tried} configs, {notes.distinct} of them distinct, {len(tuning.measured)} "
        f"measured on all {notes.frames} frames, in {notes.wall_s:.0f} s",
    )
    if tuning.by_truth:
        table.add_row("truth", f"there is one for {notes.true_frames} of these frames")
    table.add_row("model", f"asked {notes.calls} times; the rest was known")
    table.add_row("cache", escape(notes.cache))
    table.add_row("results", escape(str(out)))
    return table


def _value(tuning: Tuning) -> str:
    choice = tuning.choice
    if choice.target.kind == "share":
        return f"{choice.value:.2%} keyframes"
    if choice.target.kind == "fps":
        return f"{choice.value:.1f} frames/s"
    return f"fidelity {choice.value:.4f} (line {choice.line:.4f})"
