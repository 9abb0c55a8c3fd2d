"""`tempseg run`: a video into a folder of results."""

from __future__ import annotations

import glob
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from tempseg.cli.failure import fail
from tempseg.cli.models import pull_for_run
from tempseg.cli.options import ConfigFile, Debug, End, Model, Settings, Start
from tempseg.cli.signals import ended_as_by_ctrl_c
from tempseg.cli.stderr import say
from tempseg.cli.stdout import console

if TYPE_CHECKING:
    from rich.table import Table
    from typer._click import Context

    from tempseg.api import RunSummary
    from tempseg.config import Config

__all__ = ["RunCommand", "run_command"]

_RAY_ADDRESS = re.compile(r"auto|local|ray://.+|[\w.\-]+:\d+|\[[0-9a-fA-F:.]+\]:\d+")


class RunCommand(TyperCommand):
    """Takes `--ray` with an address and without one, also before a source."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Give `--ray` the value that it has when it stands alone."""
        end = args.index("--") if "--" in args else len(args)
        given: list[str] = []
        options = iter(args[:end])
        for option in options:
            if option != "--ray":
                given.append(option)
                continue
            following = next(options, None)
            if following is not None and _RAY_ADDRESS.fullmatch(following):
                given.append(f"--ray={following}")
                continue
            given.append(f"--ray={os.environ.get('RAY_ADDRESS') or 'local'}")
            if following is not None:
                _check_is_no_address(following)
                given.append(following)
        return super().parse_args(ctx, [*given, *args[end:]])


def _check_is_no_address(word: str) -> None:
    """Raise where what follows `--ray` is meant for an address, most likely."""
    from tempseg.errors import ConfigError

    if not word.startswith("-") and not glob.has_magic(word) and not Path(word).exists():
        raise ConfigError(
            f"--ray {word}: neither a cluster's HOST:PORT, auto or local, nor a source that is "
            "there"
        )


def run_command(
    out: Annotated[Path, typer.Option("--out", help="The folder for the results.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Video files, folders or globs of images; a glob of videos; many go to DIR/NAME.",
        ),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="A file with a source a line; to DIR/NAME."),
    ] = None,
    model: Model = None,
    config: ConfigFile = None,
    settings: Settings = None,
    start: Start = None,
    end: End = None,
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
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            metavar="D",
            help="Points of mIoU that carried frames may lie below the model's own noise.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run's files in DIR.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what an unfinished run left in DIR, go on.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, max=256, help="Processes that share the work."
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="[ADDRESS]",
            help="Share the work on Ray: this machine, or a cluster's HOST:PORT or auto.",
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Write DIR/trace.json, for ui.perfetto.dev.")
    ] = False,
    profile_to: Annotated[
        Path | None, typer.Option("--profile-to", metavar="FILE", help="The same, elsewhere.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress bar and no closing table.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main, which sees every error
) -> None:
    """Segment a video: masks.mkv, overlay.mp4, frames.csv, run.json and report.html in DIR."""
    from tempseg.config import keys_of, load_config
    from tempseg.errors import ConfigError
    from tempseg.many import expand_inputs, read_list

    named = {
        "segmenter.model": model,
        "source.start": start,
        "source.end": end,
        "run.workers": workers,
        "run.ray": ray,
        "run.audit": audit,
    }
    overrides: list[str | tuple[str, object]] = list(settings or [])
    overrides += [(key, value) for key, value in named.items() if value is not None]
    overrides += [] if overlay else [("output.overlay", False)]
    overrides += [] if report else [("output.report", False)]
    effective = load_config(config, overrides=overrides)
    given = [*(sources or []), *(read_list(listed) if listed is not None else [])]
    if not given:
        raise ConfigError("no source: name a video file, a folder of images or --list FILE")
    expanded = expand_inputs(given)
    pull_for_run(effective.segmenter.model, quiet=quiet)
    alone = expanded == given and len(given) == 1 and listed is None
    if not alone and (profile or profile_to or max_drop is not None):
        raise ConfigError("--profile and --max-drop: give one source")
    if max_drop is not None and (resume or profile or profile_to):
        raise ConfigError("--max-drop: goes neither with --resume nor with --profile")
    todo = _Request(
        out,
        effective,
        overwrite=overwrite,
        resume=resume,
        profile=profile_to or (out / "trace.json" if profile else None),
        max_drop=max_drop,
        fixed=keys_of(settings or []),
        quiet=quiet,
    )
    try:
        with ended_as_by_ctrl_c():
            # One that is named as it is goes into the folder itself.
            if alone:
                todo.run_alone(given[0])
            else:
                todo.run_each(expanded)
    except KeyboardInterrupt:
        fail(f"interrupted; {todo.left_behind()}", status=1)


class _Request:
    """What is to be run, and how it is shown."""

    def __init__(
        self,
        out: Path,
        config: Config,
        *,
        overwrite: bool,
        resume: bool,
        profile: Path | None,
        max_drop: float | None,
        fixed: Sequence[str],
        quiet: bool,
    ) -> None:
        self._out = out
        self._config = config
        self._overwrite = overwrite
        self._resume = resume
        self._profile = profile
        self._max_drop = max_drop
        self._fixed = fixed
        self._quiet = quiet
        self._command = ["tempseg", *sys.argv[1:]]
        self._current = out

    def run_alone(self, source: str) -> None:
        """Run one source into the folder itself."""
        from tempseg.cli.progress import closing_table

        if self._max_drop is not None:
            self._run_within(source, self._max_drop)
            return
        summary = self._shown(
            source,
            self._out,
            config=self._config,
            overwrite=self._overwrite,
            resume=self._resume,
            profile=self._profile,
            command=self._command,
        )
        if not self._quiet:
            self._print(closing_table(summary))

    def _run_within(self, source: str, max_drop: float) -> None:
        """Run one source as often as a promise takes; exit with 1 where it could not be kept."""
        from tempseg.cli.progress import ProgressBar, closing_table
        from tempseg.promise import run_within

        with ProgressBar(quiet=self._quiet) as bar:
            promise = run_within(
                source,
                self._out,
                max_drop=max_drop,
                config=self._config,
                fixed=self._fixed,
                overwrite=self._overwrite,
                observer=bar,
                worker=bar.audit,
                command=self._command,
            )
        if not self._quiet:
            table = closing_table(promise.summary)
            table.add_row("promise", promise.message)
            self._print(table)
        if not promise.kept:
            fail(f"the promise was {promise.message}; the results are in {self._out}", status=1)

    def run_each(self, sources: list[str]) -> None:
        """Run each into a folder of its own; exit with 1 when any failed."""
        from tempseg.cli.progress import summary_table
        from tempseg.many import run_each

        outcomes = []
        for outcome in run_each(
            sources,
            self._out,
            config=self._config,
            overwrite=self._overwrite,
            resume=self._resume,
            command=self._command,
            run_one=self._shown,
        ):
            outcomes.append(outcome)
            if outcome.error is not None:
                say(f"error: {' '.join(str(outcome.error).split())}")
        if not self._quiet:
            self._print(summary_table(outcomes))
        failed = sum(outcome.error is not None for outcome in outcomes)
        if failed:
            others = "; the others are done" if failed < len(outcomes) else ""
            fail(f"{failed} of {len(outcomes)} inputs failed{others}", status=1)

    def left_behind(self) -> str:
        """Return what is there after an interruption, and how to go on."""
        begun, finished = self._current / "partial", self._current / "run.json"
        words = [word for word in self._command if word != "--overwrite"]
        if self._max_drop is not None and (begun.exists() or finished.exists()):
            again = shlex.join([*words, "--overwrite"])
            return f"what is in {self._current} keeps no promise yet; begin again with: {again}"
        if begun.exists():
            again = shlex.join(words if self._resume else [*words, "--resume"])
            return f"what was done is in {begun}; go on with: {again}"
        if finished.exists():
            return f"{self._current} holds a finished run"
        return "nothing is left"

    def _shown(self, source: str, folder: Path, **options: Any) -> RunSummary:
        from tempseg.api import run as run_video
        from tempseg.cli.progress import ProgressBar

        self._current = folder
        with ProgressBar(quiet=self._quiet) as bar:
            return run_video(source, folder, observer=bar, auditor=bar.audit, **options)

    def _print(self, table: Table) -> None:
        try:
            console().print(table)
        except OSError as error:
            fail(
                f"the results are in {self._out}, but stdout takes no text: {error.strerror}",
                status=1,
            )
