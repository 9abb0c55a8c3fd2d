"""A model on a clip whose truth is known: with few keyframes, and on every frame."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tempseg.api import ConfigLike, RunSummary, effective_config, report, run
from tempseg.class_sets import ClassSet
from tempseg.config import Config, load_config
from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation import Evaluation, evaluate
from tempseg.evaluation.mapping import load_mapping
from tempseg.evaluation.runs import read_run
from tempseg.evaluation.whole_file import write_whole
from tempseg.outputs import RunFolder, read_class_set
from tempseg.protocols import WorkObserver
from tempseg.types import VideoInfo

__all__ = ["MODEL", "Clip", "DemoSummary", "demo", "embedded_clip"]

MODEL = "street"
"""The embedded model."""

PER_FRAME = "per-frame"
"""The folder, in that of the demo, of the run with the model on every frame."""

RUN_IN_S = 1.6
"""So much of the clip goes through before the clock starts: a first run compiles kernels."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video and what is true of it.

    Parameters
    ----------
    video : Path
    labels : Path
        A label video or a folder of label images, one a frame.
    scene : Path
        JSON with the frames that begin a shot under `cuts`.
    """

    video: Path
    labels: Path
    scene: Path

    @classmethod
    def of(cls, folder: str | Path) -> Clip:
        """Return the clip in a folder that `tempseg synth` wrote."""
        place = Path(folder)
        return cls(place / "video.mp4", place / "labels", place / "scene.json")

    def cuts(self) -> tuple[int, ...]:
        """Return the frames that begin a shot.

        Raises
        ------
        SourceError
            When the scene's record cannot be read; so do `classes`.
        """
        return tuple(int(cut) for cut in self._told("cuts"))

    def classes(self) -> tuple[str, ...]:
        """Return the names of the truth's classes, by id."""
        return tuple(str(name) for name in self._told("classes"))

    def _told(self, key: str) -> list[str | int]:
        try:
            found = json.loads(self.scene.read_text(encoding="utf-8"))[key]
            if not isinstance(found, list):
                raise TypeError(f"{key} is no list")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{self.scene}: is no record of a rendered scene ({error})"
            ) from error
        return found


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What a demonstration found.

    Parameters
    ----------
    folder : Path
        Holds a run's files, and those of the model on every frame in `per-frame/`.
    run : RunSummary
        With few keyframes.
    per_frame : RunSummary
        With the model on every frame, through the same decoding and writing.
    evaluation : Evaluation
        The run against the exact truth, beside the model on every frame.
    cuts, true_cuts : tuple of int
        Frames that begin a shot: as the run found them, and as they are.
    """

    folder: Path
    run: RunSummary
    per_frame: RunSummary
    evaluation: Evaluation
    cuts: tuple[int, ...]
    true_cuts: tuple[int, ...]

    @property
    def speed_up(self) -> float:
        """How many times faster the run was than the model on every frame, all written."""
        return self.per_frame.totals.wall_s / self.run.totals.wall_s


class _Counted:
    """Tells an observer of plain work about a run."""

    def __init__(self, observer: WorkObserver, name: str) -> None:
        self._observer, self._name = observer, name

    def begin(self, video: VideoInfo) -> None:
        self._observer.begin(self._name, video.frame_count or 0)

    def advance(self, frames: int, keyframes: int) -> None:
        del keyframes
        for _ in range(frames):
            self._observer.advance()


def embedded_clip() -> Clip:
    """Return the rendered street that comes with the package.

    Raises
    ------
    SourceError
        When the package was installed without it.
    """
    package = Path(__file__).resolve().parent
    # Installed, `assets` lies in the package; in a checkout beside it.
    for folder in (package / "clip", package.parent / "assets"):
        if (folder / "street.mp4").is_file():
            return Clip(folder / "street.mp4", folder / "street-labels.mkv", folder / "street.json")
    raise SourceError(
        f"{package / 'clip' / 'street.mp4'}: the embedded clip is not there; install tempseg again"
    )


def demo(
    out: str | Path,
    *,
    model: str | Path | None = None,
    config: ConfigLike = None,
    clip: Clip | None = None,
    mapping: str | Path | None = None,
    overwrite: bool = False,
    observer: WorkObserver | None = None,
    command: Sequence[str] = (),
) -> DemoSummary:
    """Run a model on the embedded clip, with few keyframes and on every frame, and score both.

    `out` then holds what `tempseg.run` leaves, the report with its steadiness, `demo.json` with
    all figures, and `per-frame/`, the run with the model on every frame. Both runs decode and
    write the same, one after the other, once the kernels are compiled.

    Parameters
    ----------
    out : str or Path
    model : str or Path, optional
        As for `tempseg.run`; the embedded `street` where neither this nor the config names one.
    config : Config, path or mapping, optional
        Of the run; on every frame, only the keyframe policy differs.
    clip : Clip, optional
        Another clip with its truth.
    mapping : str or Path, optional
        Which of the model's ids is which class of the truth, as for `tempseg.evaluate`.
    overwrite : bool
        Whether to replace what an earlier run left in `out`.
    observer : WorkObserver, optional
        Follows the work: running in, both runs, scoring.
    command : sequence of str
        The command line, for the record.

    Raises
    ------
    ConfigError, SourceError, ModelError, OutputError
        When something is wrong; a finished run is kept.
    RunError
        When a run fails on the way.
    """
    effective = effective_config(config, model)
    if effective.segmenter.model is None:
        effective = effective_config(effective, MODEL)
    if effective.source.start is not None or effective.source.end is not None:
        raise ConfigError("source.start, source.end: the demo takes its whole clip; leave them out")
    chosen = embedded_clip() if clip is None else clip
    true_cuts, classes = chosen.cuts(), chosen.classes()
    if mapping is not None:
        load_mapping(mapping)
    folder = Path(out)
    # Learn what is in the way before the work, not after half of it.
    RunFolder(folder, overwrite=overwrite)
    RunFolder(folder / PER_FRAME, overwrite=overwrite)
    found = _run_in(chosen, effective, observer)
    if mapping is None and found.names != classes:
        raise ConfigError(
            f"{effective.segmenter.model}: its classes are {', '.join(found.names[:3])}, …, the "
            f"clip's {', '.join(classes[:3])}, …; set segmenter.classes if they are the same, or "
            "say with --map FILE which is which"
        )
    every_frame = {"keyframe.policy": "interval", "keyframe.interval": 1, "output.report": False}
    summaries = [
        run(
            chosen.video,
            place,
            config=settings,
            overwrite=overwrite,
            observer=_counted(observer, name),
            command=command,
        )
        for place, settings, name in (
            (folder, effective, "few keyframes"),
            (
                folder / PER_FRAME,
                load_config(overrides=effective.set_keys() | every_frame),
                "every frame",
            ),
        )
    ]
    if effective.output.report:
        report(folder, observer=observer)
    evaluation = evaluate(
        folder,
        truth=chosen.labels,
        reference=folder / PER_FRAME,
        cuts=chosen.scene,
        classes=classes,
        mapping=mapping,
        observer=observer,
    )
    write_whole(str(folder / "demo.json"), evaluation.to_json() + "\n")
    cuts = tuple(sorted(read_run(folder).cuts))
    return DemoSummary(folder, summaries[0], summaries[1], evaluation, cuts, true_cuts)


def _run_in(clip: Clip, config: Config, observer: WorkObserver | None) -> ClassSet:
    """Send the clip's beginning through, so that neither clock counts what a first run takes.

    Returns the model's classes.
    """
    part: dict[str, object] = {"source.end": RUN_IN_S, "output.report": False}
    settings = load_config(overrides=config.set_keys() | part)
    with tempfile.TemporaryDirectory(prefix="tempseg-") as place:
        run(clip.video, place, config=settings, observer=_counted(observer, "running in"))
        return read_class_set(Path(place))


def _counted(observer: WorkObserver | None, name: str) -> _Counted | None:
    return None if observer is None else _Counted(observer, name)
