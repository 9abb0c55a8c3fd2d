"""`tempseg models`: the zoo of well-known segmenters."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from tempseg.cli.options import Debug
from tempseg.cli.stderr import say

if TYPE_CHECKING:
    from tempseg.zoo import ZooEntry, ZooFile

__all__ = ["models_app", "pull_for_run"]

models_app = typer.Typer(
    help="Well-known public segmenters by name; a name works wherever a MODEL does.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `tempseg models list` shows it.")]


@models_app.command("list")
def list_models(debug: Debug = False) -> None:  # noqa: ARG001 - read by main, which sees every error
    """List the models: name, classes, size, licence, and whether it is in the cache."""
    from tempseg.zoo import zoo_entries

    rows = [
        (
            entry.name,
            _class_words(entry),
            _size_words(entry),
            entry.licence,
            _place_words(entry),
            entry.title,
        )
        for entry in zoo_entries()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)]
        typer.echo("  ".join(cells).rstrip())


@models_app.command()
def info(name: Name, debug: Debug = False) -> None:  # noqa: ARG001 - read by main, which sees every error
    """Tell all about a model: origin, licence, checksum, input, config, classes and colours."""
    from tempseg.zoo import cached_model, find_entry

    entry = find_entry(name)
    cached = cached_model(entry)
    lines = [
        ("name", entry.name),
        ("title", entry.title),
        ("licence", entry.licence),
        ("home", entry.home),
        ("input", entry.input),
        (
            "embedded" if entry.embedded else "cache",
            str(cached) if cached else f"not there; tempseg models pull {entry.name}",
        ),
    ]
    for file in entry.files:
        lines += [("address", file.address), ("sha256", _checksum_words(entry, file))]
    if entry.note:
        lines.append(("note", entry.note))
    for key, value in entry.segmenter.items():
        lines.append((f"segmenter.{key}", str(value)))
    for label, text in lines:
        typer.echo(f"{label:<20} {text}")
    for label, text in _palette(entry):
        typer.echo(f"{label:<20} {text}")


@models_app.command()
def pull(
    name: Name,
    mirror: Annotated[
        Path | None,
        typer.Option("--mirror", metavar="DIR", help="Search this folder before the network."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Bring a model into the cache, verified; print where it lies."""
    from tempseg.zoo import fetch, find_entry

    entry = find_entry(name)
    with TransferBar(entry.name, quiet=quiet) as bar:
        path = fetch(entry, mirror=mirror, observer=bar)
    typer.echo(str(path))


def pull_for_run(model: str | None, *, quiet: bool) -> None:
    """Bring the zoo model that a run names, so that the run finds it in the cache."""
    from tempseg.zoo import entry_for, fetch

    entry = None if model is None else entry_for(model)
    if entry is not None and not entry.embedded:
        with TransferBar(entry.name, quiet=quiet) as bar:
            fetch(entry, observer=bar)


class TransferBar:
    """Follows a download on stderr: a bar on a terminal, one line elsewhere."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = Console(stderr=True)
        self._name = name
        self._tells = not quiet and not console.is_terminal
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task(name, total=None, visible=False)

    def __enter__(self) -> TransferBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, address: str, *, done: int, total: int | None) -> None:
        """Say what is brought from where, or from which byte it goes on."""
        if self._tells:
            size = "" if total is None else f", {total / 1e6:.1f} MB"
            begun = f", from byte {done} on" if done else ""
            say(f"{self._name}: downloading {address}{size}{begun}")
        self._bar.update(self._task, completed=done, total=total, visible=True)

    def advance(self, count: int) -> None:
        """Count bytes."""
        self._bar.update(self._task, advance=count)


def _place_words(entry: ZooEntry) -> str:
    from tempseg.zoo import cached_model

    found = cached_model(entry)
    if entry.embedded:
        return "embedded" if found else "missing"
    return "cached" if found else ""


def _class_words(entry: ZooEntry) -> str:
    classes = entry.segmenter.get("classes", "objects")
    return classes if isinstance(classes, str) else f"{len(classes)} classes"


def _size_words(entry: ZooEntry) -> str:
    sizes = _embedded_sizes(entry) if entry.embedded else [file.bytes for file in entry.files]
    known = [size for size in sizes if size is not None]
    return f"{sum(known) / 1e6:.1f} MB" if len(known) == len(sizes) else "unknown"


def _embedded_sizes(entry: ZooEntry) -> list[int | None]:
    from tempseg.zoo import cached_model

    model = cached_model(entry)
    if model is None:
        return [None]
    files = [model] if model.is_file() else sorted(model.rglob("*"))
    return [path.stat().st_size for path in files if path.is_file()]


def _checksum_words(entry: ZooEntry, file: ZooFile) -> str:
    from tempseg.zoo import expected_checksum

    if file.sha256 is not None:
        return file.sha256
    pinned = expected_checksum(entry, file)
    return f"{pinned} (pinned when it first came)" if pinned else "not known; pinned on first use"


def _palette(entry: ZooEntry) -> list[tuple[str, str]]:
    from tempseg.class_sets import class_set, custom

    classes = entry.segmenter.get("classes")
    if classes is None:
        return []
    found = class_set(classes) if isinstance(classes, str) else custom(classes)
    lines = []
    for index, (name, rgb) in enumerate(zip(found.names, found.colours, strict=True)):
        untinted = " (untinted)" if index in found.background else ""
        lines.append((f"class {index}", f"#{bytes(rgb).hex()} {name}{untinted}"))
    return lines
