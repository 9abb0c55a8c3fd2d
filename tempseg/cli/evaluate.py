"""`tempseg eval` and `tempseg compare`: the figures of label maps, in one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempseg.cli.options import Debug
from tempseg.cli.stdout import console
from tempseg.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tempseg.evaluation import Evaluation
    from tempseg.evaluation.results import Figure

__all__ = ["check_writable", "compare_command", "eval_command"]

FIGURE_WIDTH = len("0.0000")
MOST_COLUMNS = 10_000

Truth = Annotated[
    str | None,
    typer.Option("--truth", metavar="GT", help="True label maps, of some frames or all."),
]
Video = Annotated[
    str | None,
    typer.Option("--video", metavar="SOURCE", help="What moves: by default the run's own source."),
]
Reference = Annotated[
    str | None,
    typer.Option("--reference", metavar="PER_FRAME", help="The segmenter's labels, every frame."),
]
Classes = Annotated[
    str | None,
    typer.Option("--classes", help="How many, a class set's name, or names with commas."),
]
Void = Annotated[
    int | None,
    typer.Option(
        "--void",
        min=0,
        max=65535,
        help="The id in files that is no class: 255 by default, 65535 with more classes.",
    ),
]
Map = Annotated[
    str | None,
    typer.Option("--map", metavar="FILE", help="Which id is which class; TOML or JSON."),
]
MapTruth = Annotated[
    str | None,
    typer.Option("--map-truth", metavar="FILE", help="The same for the truth's ids."),
]
Every = Annotated[
    int | None, typer.Option("--every", metavar="N", help="The truth is of every Nth frame.")
]
Offset = Annotated[int, typer.Option("--offset", help="The frame of the first truth.")]
Objects = Annotated[
    bool, typer.Option("--objects", help="Ids above 0 are objects: measure J and F.")
]
Things = Annotated[
    str | None, typer.Option("--things", help="Classes whose ids tell things apart.")
]
Cuts = Annotated[
    str | None,
    typer.Option("--cuts", metavar="FILE", help="Frames of the source that begin a shot."),
]
Compat = Annotated[
    str | None,
    typer.Option("--compat", metavar="NAME", help="semseg, vspw, etc, davis or coco."),
]
MaxFrames = Annotated[
    int | None, typer.Option("--max-frames", metavar="N", help="Score the first N frames only.")
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the figures; - for stdout, no table."),
]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar and no table.")]

FALLING = frozenset(
    {
        "area_jitter",
        "blink",
        "boundary_jitter",
        "f_decay",
        "flicker",
        "flip_rate",
        "j_decay",
        "static_flip_rate",
        "warp_error",
    }
)
"""Figures of which less is better."""

FROZEN_MASK = (
    "a mask that never moves scores 1 in tc and 0 in flicker: these alone are no quality; "
    "add --truth GT or --reference PER_FRAME"
)


def eval_command(
    prediction: Annotated[
        str, typer.Argument(metavar="PREDICTION", help="A run's DIR, a masks.mkv, or a folder.")
    ],
    truth: Truth = None,
    video: Video = None,
    reference: Reference = None,
    classes: Classes = None,
    void: Void = None,
    mapping: Map = None,
    truth_mapping: MapTruth = None,
    every: Every = None,
    offset: Offset = 0,
    objects: Objects = False,
    things: Things = None,
    cuts: Cuts = None,
    warp_video: Annotated[
        str | None,
        typer.Option("--warp-error", metavar="VIDEO", help="An overlay or matte to judge."),
    ] = None,
    compat: Compat = None,
    max_frames: MaxFrames = None,
    json_file: Json = None,
    html: Html = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Score label maps: accuracy, fidelity and steadiness, beside the copied keyframe."""
    from tempseg.cli.progress import ScoringBar
    from tempseg.evaluation import evaluate

    check_writable(json_file, html)
    with ScoringBar(quiet=quiet) as bar:
        evaluation = evaluate(
            prediction,
            truth=truth,
            video=video,
            reference=reference,
            classes=classes,
            void=void,
            mapping=mapping,
            truth_mapping=truth_mapping,
            every=every,
            offset=offset,
            objects=objects,
            things=things,
            cuts=cuts,
            warp_video=warp_video,
            compat=compat,
            max_frames=max_frames,
            observer=bar,
        )
    if html is not None:
        from tempseg.report import write_evaluation_page

        write_evaluation_page(html, evaluation)
    titles = {"prediction": "this", "reference": "per frame", "copy_last": "copied"}
    columns = {titles[name]: figures for name, figures in evaluation.columns().items()}
    _tell(evaluation.to_json(), [evaluation], columns, json_file=json_file, quiet=quiet)


def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Label maps, as for eval.")],
    truth: Truth = None,
    video: Video = None,
    reference: Reference = None,
    classes: Classes = None,
    void: Void = None,
    mapping: Map = None,
    truth_mapping: MapTruth = None,
    every: Every = None,
    offset: Offset = 0,
    objects: Objects = False,
    things: Things = None,
    cuts: Cuts = None,
    compat: Compat = None,
    max_frames: MaxFrames = None,
    json_file: Json = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page; of runs only.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Score several runs alike, side by side."""
    from tempseg.cli.progress import ScoringBar
    from tempseg.evaluation import compare

    check_writable(json_file, html)
    if html is not None:
        from tempseg.report.records import read_run

        # The page shows runs only: learn that before the work.
        for run in runs:
            read_run(Path(run))
    with ScoringBar(quiet=quiet) as bar:
        evaluations = compare(
            runs,
            truth=truth,
            video=video,
            reference=reference,
            classes=classes,
            void=void,
            mapping=mapping,
            truth_mapping=truth_mapping,
            every=every,
            offset=offset,
            objects=objects,
            things=things,
            cuts=cuts,
            compat=compat,
            max_frames=max_frames,
            observer=bar,
        )
    if html is not None:
        from tempseg.report import write_comparison

        write_comparison(html, runs, evaluations=evaluations)
    columns: dict[str, Mapping[str, Figure]] = {}
    found = [evaluation.columns() for evaluation in evaluations]
    for suffix, name in (("", "prediction"), (": copied", "copy_last")):
        for title, figures in zip(_titles(runs), found, strict=True):
            columns |= {f"{title}{suffix}": figures[name]} if name in figures else {}
    columns |= {"per frame": found[0]["reference"]} if "reference" in found[0] else {}
    text = json.dumps({"runs": [entry.as_dict() for entry in evaluations]}, indent=2)
    _tell(text, evaluations, columns, json_file=json_file, quiet=quiet)


def _tell(
    text: str,
    evaluations: Sequence[Evaluation],
    columns: Mapping[str, Mapping[str, Figure]],
    *,
    json_file: str | None,
    quiet: bool,
) -> None:
    """Write the JSON object where it is wanted, and print the tables."""
    from tempseg.evaluation.whole_file import write_whole

    if json_file is not None and json_file != "-":
        write_whole(json_file, text + "\n")
    try:
        if json_file == "-":
            typer.echo(text)
        elif not quiet:
            stdout = console()
            _print_whole(stdout, _figure_table(columns))
            for evaluation in evaluations:
                stdout.print()
                stdout.print(_settings_table(evaluation))
    except OSError as error:
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error


def _print_whole(stdout: Console, table: Table) -> None:
    """Print a table that may be wider than the terminal, which wraps its lines then."""
    from rich.measure import Measurement

    own = stdout.width
    widest = stdout.options.update(width=MOST_COLUMNS)
    stdout.width = max(own, Measurement.get(stdout, widest, table).minimum)
    stdout.print(table)
    stdout.width = own


def _figure_table(columns: Mapping[str, Mapping[str, Figure]]) -> Table:
    """Return a row a figure and a column a sequence."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("")
    for title in columns:
        # A title may be folded, a figure may not be cut.
        table.add_column(escape(title), justify="right", min_width=FIGURE_WIDTH, overflow="fold")
    keys = list(dict.fromkeys(key for figures in columns.values() for key in figures))
    for key in keys:
        values = [figures.get(key) for figures in columns.values()]
        if any(isinstance(value, float | int) for value in values):
            mark = "" if "frame" in key else "↓" if key in FALLING else "↑"
            table.add_row(key, mark, *(_shown(key, value) for value in values))
    per_class = [figures.get("iou_per_class") for figures in columns.values()]
    by_column = [value if isinstance(value, Mapping) else {} for value in per_class]
    for name in dict.fromkeys(name for values in by_column for name in values):
        row = [values.get(name) for values in by_column]
        if any(value is not None for value in row):
            table.add_row(escape(f"iou: {name}"), "↑", *(_shown(name, value) for value in row))
    return table


def _shown(key: str, value: Figure) -> str:
    if value is None or isinstance(value, Mapping):
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.2f}" if key.startswith("vpq") else f"{value:.4f}"


def _settings_table(evaluation: Evaluation) -> Table:
    """Return what was compared and how, the worst frames, and where the time went."""
    from rich.markup import escape
    from rich.table import Table

    settings = evaluation.settings
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("scored", escape(settings.prediction))
    keyframes = "" if settings.keyframes is None else f", {settings.keyframes} keyframes"
    cuts = f", cuts at {', '.join(map(str, settings.cuts))}" if settings.cuts else ""
    size = f"{settings.width}×{settings.height}"
    table.add_row("frames", f"{settings.frames} of {size}{keyframes}{cuts}")
    told_by = settings.classes_told_by or "nobody: every 8-bit id but void"
    compat = f", compat {settings.compat}" if settings.compat else ""
    table.add_row("classes", escape(f"{len(settings.class_names)}, told by {told_by}{compat}"))
    for title, name, count, rule in (
        ("truth", settings.truth, settings.truth_frames, settings.truth_rule),
        ("per frame", settings.reference, settings.reference_frames, settings.reference_rule),
    ):
        if name is not None:
            table.add_row(title, escape(f"{name}: {count} frames, by {rule}"))
    windows = ", ".join(f"{count} of {n} frames" for n, count in settings.windows.items() if count)
    if windows:
        table.add_row("windows", windows)
    if settings.flow is not None:
        judged = f"{settings.pairs} pairs, {settings.flow}; sampled {settings.warp}"
        table.add_row("flow", escape(f"{judged}; occlusion {settings.occlusion}"))
    table.add_row("averages", settings.averaging)
    if evaluation.worst:
        table.add_row("worst frames", ", ".join(map(str, evaluation.worst)))
    unmoved = settings.skipped.get("tc")
    if unmoved is not None:
        relative = "; a relative path counts from where the run was started"
        there = relative if "is not there" in unmoved else ""
        table.add_row("missing", escape(f"tc, flicker: {unmoved}{there}"))
    elif settings.truth is None and settings.reference is None:
        table.add_row("note", FROZEN_MASK)
    per_frame = ", ".join(
        f"{stage} {1000 * spent / max(settings.frames, 1):.1f} ms"
        for stage, spent in evaluation.stage_s.items()
    )
    table.add_row("time", f"{evaluation.frames_per_s:.1f} frames/s; a frame: {per_frame}")
    return table


def _titles(runs: Sequence[str]) -> list[str]:
    """Return the runs' last names, or the whole where two share one."""
    short = [Path(run).name for run in runs]
    return short if len(set(short)) == len(short) else list(runs)


def check_writable(json_file: str | None, html: Path | None) -> None:
    """Raise before the work where its result could not be written."""
    for file in (None if json_file == "-" else json_file, html):
        if file is None:
            continue
        try:
            fits = Path(file).parent.is_dir() and not Path(file).is_dir()
        except OSError as error:
            raise OutputError(f"{file}: cannot be written: {error.strerror}") from error
        if not fits:
            raise OutputError(f"{file}: cannot be written: no such folder, or a folder itself")
