"""A tune with its files: the best config, the figures, the page and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tempseg.api import ConfigLike, effective_config
from tempseg.config import check_keys
from tempseg.errors import OutputError
from tempseg.evaluation.whole_file import write_whole
from tempseg.protocols import WorkObserver
from tempseg.report import write_tuning
from tempseg.tuning import (
    SAMPLE_FRAMES,
    TARGET,
    TruthRequest,
    Tuning,
    best_toml,
    default_cache,
    tune_config,
)

__all__ = ["FILES", "tune"]

FILES = ("best.toml", "tune.json", "tune.html", "pareto.svg")
"""What a tune leaves behind."""


def tune(
    sources: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    config: ConfigLike = None,
    fixed: Sequence[str] = (),
    target: str = TARGET,
    sample: int = SAMPLE_FRAMES,
    seed: int = 0,
    truth: Sequence[TruthRequest | str | Path] = (),
    configs: int = 24,
    cache: str | Path | None = None,
    overwrite: bool = False,
    observer: WorkObserver | None = None,
    command: Sequence[str] = (),
) -> Tuning:
    """Replay hundreds of configs on one recording of a video; return what each comes to.

    Each is the engine itself on recorded motion and the model's recorded answers: a run with a
    config takes the same keyframes and gives the same labels as its replay.

    Parameters
    ----------
    sources : str, Path or sequence of these
        One config is chosen for all of them.
    out : str or Path, optional
        A folder for `best.toml`, `tune.json`, `tune.html` and `pareto.svg`.
    model, config
        As for `segment`; what the tried configs change.
    fixed : sequence of str
        Full keys such as `keyframe.min_interval` that stay as `config` has them.
    target : str
        `share=5%`, `fps=30`, `fidelity=floor-1` (points of mIoU below the model's agreement with
        itself from frame to frame) or `fidelity=0.85`.
    sample : int
        Frames of each source; 0 for all.
    seed : int
        Another seed, other parts of a long video.
    truth : sequence of TruthRequest, str or Path
        True label maps, one a source; they then say what is good.
    configs : int
        How many configs are measured on all frames, about.
    cache : str or Path, optional
        Where recordings and answers are kept; by default under the folder of models.
    overwrite : bool
        Whether an earlier tune's files in `out` may be replaced.
    observer : WorkObserver, optional
        Follows the work.
    command : sequence of str
        The command line, for the record.

    Raises
    ------
    TempsegError
        When something is wrong with the request, or cannot be read, asked or kept. What was
        recorded and asked by then is kept, and used by the next tune.
    """
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    effective = effective_config(config, model)
    check_keys(fixed)
    folder = None if out is None else Path(out)
    made = [] if folder is None else _prepared(folder, overwrite=overwrite)
    requests = [one if isinstance(one, TruthRequest) else TruthRequest(one) for one in truth]
    try:
        found = tune_config(
            [str(one) for one in named],
            effective,
            target=target,
            cache=default_cache() if cache is None else Path(cache),
            sample=sample,
            seed=seed,
            truths=requests,
            fixed=fixed,
            in_full=configs,
            observer=observer,
            command=command,
        )
    except BaseException:
        with suppress(OSError):
            for one in made:
                one.rmdir()
        raise
    if folder is not None:
        write_whole(folder / "best.toml", best_toml(found))
        write_whole(folder / "tune.json", found.to_json())
        write_tuning(folder, found)
    return found


def _prepared(folder: Path, *, overwrite: bool) -> list[Path]:
    """Make the folder before the work, so that its end is no surprise; return what is new of it."""
    try:
        held = [name for name in FILES if (folder / name).exists()]
        if held and not overwrite:
            raise OutputError(
                f"{folder}: already holds {held[0]}; choose another --out or pass --overwrite"
            )
        new = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{folder}: is a file, expected a folder for the results") from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    return new
