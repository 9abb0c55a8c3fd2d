"""Many inputs, one after the other, each into a folder of its own."""

from __future__ import annotations

import codecs
import glob
import itertools
import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tempseg.api import ConfigLike, RunSummary, effective_config, run
from tempseg.errors import ConfigError, RunError, SourceError, TempsegError
from tempseg.runners.ray_connection import connected
from tempseg.video import is_address, is_image_name

__all__ = ["Outcome", "expand_inputs", "read_list", "run_each"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one input of many went.

    Parameters
    ----------
    source : str
    folder : Path
        Where its results are, or would have been.
    summary : RunSummary or None
        What it came to.
    error : TempsegError or None
        Why it failed.
    """

    source: str
    folder: Path
    summary: RunSummary | None = None
    error: TempsegError | None = None


def run_each(
    sources: Sequence[str],
    out: str | Path,
    *,
    model: str | Path | None = None,
    config: ConfigLike = None,
    overwrite: bool = False,
    resume: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    command: Sequence[str] = (),
    run_one: Callable[..., RunSummary] = run,
) -> Iterator[Outcome]:
    """Run every source into `out/NAME`; yield how each went, when it has.

    Parameters
    ----------
    sources : sequence of str
        Each as for `run`. NAME is a file's name without its ending, more of the path where two
        would be alike.
    out : str or Path
    model, config, overwrite, resume, workers, ray, command
        As for `run`.
    run_one : callable
        In place of `run`, such as one that shows its progress.

    Raises
    ------
    ConfigError
        When the config is wrong, a source is named twice, or there is no such cluster.
    """
    if isinstance(sources, str | os.PathLike):
        raise TypeError(f"sources is a {type(sources).__name__}, expected a list of paths")
    effective = effective_config(config, model)
    named = list(zip(sources, _names(sources), strict=True))
    address = ray or effective.run.ray
    with ExitStack() as cluster:
        if address:
            # Once for all: a cluster of its own takes seconds to start.
            cluster.enter_context(connected(address, workers or effective.run.workers_given))
        for source, name in named:
            folder = Path(out) / name
            try:
                summary = run_one(
                    source,
                    folder,
                    config=effective,
                    overwrite=overwrite,
                    resume=resume,
                    workers=workers,
                    ray=ray,
                    command=command,
                )
            except TempsegError as error:
                yield Outcome(source, folder, error=error)
            except Exception as error:  # noqa: BLE001 - the others are worth more than its trace
                failure = RunError(f"{source}: unexpected {type(error).__name__}: {error}")
                failure.__cause__ = error
                yield Outcome(source, folder, error=failure)
            else:
                yield Outcome(source, folder, summary)


def expand_inputs(inputs: Iterable[str]) -> list[str]:
    """Return sources, with patterns that match video files replaced by what they match.

    A pattern that matches images stays as it is: they are the frames of one source.

    Raises
    ------
    SourceError
        When a pattern matches nothing, or images and other files.
    """
    found: list[str] = []
    for spec in inputs:
        if os.path.exists(spec) or not glob.has_magic(spec) or is_address(spec):
            found.append(spec)
            continue
        files = sorted(path for path in glob.glob(spec, recursive=True) if os.path.isfile(path))
        images = sum(map(is_image_name, files))
        if not files:
            raise SourceError(f"{spec}: no file matches; check the path")
        if images and images < len(files):
            raise SourceError(
                f"{spec}: matches {images} images and {len(files) - images} other files; images "
                "are the frames of one source: give a pattern that matches one kind"
            )
        found += [spec] if images else files
    return found


def read_list(path: str | Path) -> list[str]:
    """Return the sources that a file names, one a line; empty lines and `# …` are passed over.

    Names are bytes as the file system has them, as `ls > FILE` writes them; after a byte order
    mark, UTF-8.

    Raises
    ------
    ConfigError
        When it cannot be read or names nothing.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"--list {path}: cannot be read: {error.strerror}") from error
    marked = data.startswith(codecs.BOM_UTF8)
    lines = [line.strip() for line in data.removeprefix(codecs.BOM_UTF8).splitlines()]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    try:
        if b"\0" in data:
            raise ValueError("no path holds a zero")
        named = [line.decode() if marked else os.fsdecode(line) for line in lines]
    except ValueError as error:
        raise ConfigError(
            f"--list {path}: is no text in UTF-8; write one path a line, or give a video itself as "
            "an input"
        ) from error
    if not named:
        raise ConfigError(f"--list {path}: names no input; write one path a line")
    return named


def _names(sources: Sequence[str]) -> list[str]:
    """Return a folder's name for each source, no two alike.

    Examples
    --------
    >>> _names(["a/day.mp4", "b/day.mp4", "night.mov", "night.mp4"])
    ['a-day.mp4', 'b-day.mp4', 'night.mov', 'night.mp4']
    >>> _names(["day.mp4", "Day.mp4", "night[1].mp4", "night_1_.mp4"])
    ['day.mp4', 'Day.mp4-2', 'night_1_.mp4', 'night_1_.mp4-2']
    """
    places = [Path(os.path.abspath(source)) for source in sources]
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        raise ConfigError(f"{twice[0]}: is named twice; name each input once")
    forms: list[Callable[[Path], str]] = [
        lambda place: place.stem if place.is_file() else place.name,
        lambda place: place.name,
        *(lambda place, n=n: "-".join(place.parts[-n:]) for n in range(2, 40)),
    ]
    chosen = ["" for _ in places]
    open_places = list(range(len(places)))
    for form in forms:
        for index in open_places:
            chosen[index] = _plain(form(places[index]))
        # Names differ on all file systems, those included that know no capitals.
        counts = Counter(name.lower() for name in chosen)
        open_places = [i for i in open_places if counts[chosen[i].lower()] > 1]
    # Beside one another, and alike but for capitals or what no folder's name may have.
    taken = {name.lower() for i, name in enumerate(chosen) if i not in open_places}
    for index in open_places:
        chosen[index] = _free(_plain(places[index].name), taken)
        taken.add(chosen[index].lower())
    return chosen


def _free(name: str, taken: Container[str]) -> str:
    """Return a name, with a number where it is taken."""
    if name.lower() not in taken:
        return name
    numbered = (f"{name}-{n}" for n in itertools.count(2))
    return next(other for other in numbered if other.lower() not in taken)


def _plain(name: str) -> str:
    """Return a name without what makes it a pattern or a path."""
    kept = "".join("_" if letter in '*?[]/\\:"<>|' else letter for letter in name)
    return kept.strip(". ") or "input"
