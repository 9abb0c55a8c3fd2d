"""What the command line calls, and what three lines of Python do."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tempseg.build import (
    begins_anywhere,
    build_engine,
    build_segmenter,
    build_source,
    segmenter_options,
    with_zoo_keys,
)
from tempseg.config import Config, load_config
from tempseg.errors import ConfigError, RunError, TempsegError
from tempseg.label_images import write_label_image
from tempseg.outputs import RunFolder, Totals, amend_record, new_folder, read_class_set
from tempseg.planning import RunPlan, guarded, make_plan
from tempseg.probing import probe
from tempseg.protocols import FrameSource, RunObserver, Segmenter, WorkObserver
from tempseg.runners.local import show_first_frame, stream
from tempseg.runners.timing import StageTimes
from tempseg.runners.whole import made_before, run_source
from tempseg.segmenters import wrap_function
from tempseg.types import FrameResult, UInt8Array, VideoInfo
from tempseg.video import read_label_video

if TYPE_CHECKING:
    from tempseg.auditing import Audit
    from tempseg.quantisation import Kind, Quantisation

__all__ = [
    "ConfigLike",
    "RunSummary",
    "effective_config",
    "export",
    "plan",
    "probe",
    "quantize",
    "report",
    "run",
    "segment",
    "synthesise",
]

_log = logging.getLogger(__name__)

ConfigLike = Config | str | Path | Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run left behind.

    Parameters
    ----------
    folder : Path
        Holds `masks.mkv`, `overlay.mp4`, `frames.csv`, `run.json` and `report.html`.
    video : VideoInfo
    totals : Totals
    config : Config
        What it ran with; policy `every` where `keyframe.guard` chose that.
    assumptions : tuple of str
        What was assumed about the model because nothing said it.
    audit : Audit or None
        How far frames between keyframes agree with the model, where `run.audit` asked.
    """

    folder: Path
    video: VideoInfo
    totals: Totals
    config: Config
    assumptions: tuple[str, ...] = ()
    audit: Audit | None = None


def effective_config(config: ConfigLike, model: str | Path | None = None) -> Config:
    """Return the config with the model put in, and what a model of the zoo needs.

    Raises
    ------
    ConfigError
        When the config has a key, type or range that is wrong, or the model is no name.
    """
    if model is not None and not isinstance(model, str | os.PathLike):
        raise ConfigError(
            f"model is a {type(model).__name__}, expected its name: a run is recorded and gone on "
            "with by it; name a function as python:MODULE:ATTRIBUTE (tempseg.segment takes itself)"
        )
    chosen: dict[str, object] = {} if model is None else {"segmenter.model": str(model)}
    if isinstance(config, Config):
        given = config.set_keys()
        if chosen and given.get("segmenter.model") not in (None, str(model)):
            given = _without_models_own(given)
    elif isinstance(config, Mapping):
        given = dict(config)
    elif config is None or isinstance(config, str | os.PathLike):
        return with_zoo_keys(load_config(config, overrides=chosen))
    else:
        raise TypeError(
            f"config is a {type(config).__name__}, expected a Config, a TOML file's path or keys "
            "such as {'keyframe.interval': 5}"
        )
    return with_zoo_keys(load_config(overrides=given | chosen))


def _without_models_own(keys: Mapping[str, object]) -> dict[str, object]:
    """Return keys without those that came with their model: another one expects other things."""
    alone = load_config(overrides={"segmenter.model": keys["segmenter.model"]})
    own = with_zoo_keys(alone).set_keys()
    return {key: value for key, value in keys.items() if key not in own or own[key] != value}


def segment(
    source: str | Path,
    *,
    model: str | Path | Callable[[UInt8Array], object] | None = None,
    config: ConfigLike = None,
) -> Iterator[FrameResult]:
    """Yield every frame of a video with its labels, in order, with bounded memory.

    Parameters
    ----------
    source : str or Path
        A video file, a folder of images, or a glob of images.
    model : str, Path or callable, optional
        A model's file or folder, a name of the zoo, `python:MODULE:ATTRIBUTE` or `masks:FOLDER`;
        goes before `segmenter.model`. Or a function that is given RGB, shape (H, W, 3), uint8, and
        returns labels (h, w) or class probabilities (h, w, C), or a `tempseg.types.Prediction`,
        whose ids must mean the same things on all frames: they are carried, not associated.
    config : Config, path or mapping, optional
        A loaded config, a TOML file, or keys such as `{"keyframe.interval": 5}`.

    Yields
    ------
    FrameResult

    Raises
    ------
    TempsegError
        When source, model or config are wrong, or the model fails on a frame.
    """
    if model is None or isinstance(model, str | Path):
        effective, function = effective_config(config, model), None
    else:
        effective, function = effective_config(config), model
    frames = build_source(_path(source), effective)
    times = StageTimes()
    try:
        segmenter = _segmenter_for(effective, frames, function)
        engine = build_engine(effective, segmenter, timer=times)
        if begins_anywhere(effective):
            show_first_frame(build_source(_path(source), effective), segmenter)
    except BaseException:
        frames.close()
        raise
    with stream(frames, engine, times=times) as results:
        for result in results:
            times.take(result.frame.index)
            yield result


def run(
    source: str | Path,
    out: str | Path,
    *,
    model: str | Path | None = None,
    config: ConfigLike = None,
    overwrite: bool = False,
    resume: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    profile: str | Path | None = None,
    observer: RunObserver | None = None,
    auditor: WorkObserver | None = None,
    command: Sequence[str] = (),
) -> RunSummary:
    """Segment a video into a folder: masks, overlay, table, record and a page that shows them.

    Parameters
    ----------
    source : str or Path
        A video file, a folder of images, or a glob of images.
    out : str or Path
        The folder, made by the run.
    model, config
        As for `segment`.
    overwrite : bool
        Whether to replace what an earlier run left in `out`.
    resume : bool
        Whether to go on with what an unfinished run left in `out`: its finished chunks are
        checked and kept. A finished run stays as it is; where there is none, it is begun.
    workers : int, optional
        Processes that share the work, each with a model of its own; goes before `run.workers`.
    ray : str, optional
        Share the work on Ray instead: `local`, `auto` or a cluster's `HOST:PORT`; goes before
        `run.ray`. There are then as many workers as the cluster has processors, or `workers`.
    profile : str or Path, optional
        Where to write what each thread did when, for Perfetto.
    observer : RunObserver, optional
        Follows the progress.
    auditor : WorkObserver, optional
        Follows the audit that `run.audit` asks for.
    command : sequence of str
        The command line, for the record.

    Returns
    -------
    RunSummary

    Raises
    ------
    ConfigError, SourceError, ModelError, OutputError
        When something is wrong before the first frame is done; nothing is left behind. A
        ConfigError also when what is to be resumed was made otherwise, with what has changed.
    RunError
        When the run fails on the way; what was done is in `out/partial`, for `resume`. When the run
        is finished and its audit fails; `out` then holds everything else.
    """
    path = _path(source)
    effective = effective_config(config, model)
    divided: dict[str, object] = {"run.workers": workers, "run.ray": ray}
    chosen = {key: value for key, value in divided.items() if value is not None}
    if chosen:
        effective = load_config(overrides=effective.set_keys() | chosen)
    folder = RunFolder(out, overwrite=overwrite, resume=resume)
    if effective.keyframe.guard:
        earlier = made_before(folder) if resume else None
        effective = guarded(path, effective, earlier=earlier)
    done = run_source(
        path,
        folder,
        effective,
        resume=resume,
        profile=profile,
        observer=observer,
        command=command,
    )
    audit, failure = None, None
    if effective.run.audit:
        try:
            audit = _audited(folder.path, path, effective, auditor)
        except TempsegError as error:
            failure = error
    if effective.output.report and (audit or not (folder.path / "report.html").exists()):
        _draw_page(folder.path)
    if failure is not None:
        raise RunError(
            f"{failure} (the audit failed; {folder.path} holds the finished run)"
        ) from failure
    return RunSummary(folder.path, done.video, done.totals, effective, done.assumptions, audit)


def plan(
    source: str | Path,
    *,
    model: str | Path | None = None,
    config: ConfigLike = None,
    observer: WorkObserver | None = None,
) -> RunPlan:
    """Return what `run` would do and take: keyframes, time, disk and memory.

    Keyframes come from a pass over the pictures without the model. Time, disk and memory come from
    a stretch of a few seconds that is really run, its results thrown away.

    Parameters
    ----------
    source : str or Path
        As for `run`.
    model, config
        As for `segment`; without a model only keyframes are told.
    observer : WorkObserver, optional
        Follows the pass over the pictures.

    Raises
    ------
    ConfigError, SourceError, ModelError
        As `run` does.
    """
    path = _path(source)
    effective = effective_config(config, model)
    if effective.keyframe.guard and effective.segmenter.model is not None:
        effective = guarded(path, effective)
    return make_plan(path, effective, observer=observer)


def report(folder: str | Path, *, observer: WorkObserver | None = None) -> Path:
    """Draw a finished run as one page, temporal consistency and flicker included; return its path.

    The page needs nothing but itself and the overlay beside it. What needs the source's pictures
    is left out, and said so, where the source is gone; what scores classes, where they are too
    many.

    Parameters
    ----------
    folder : str or Path
        What `run` made; the page becomes its `report.html`.
    observer : WorkObserver, optional
        Follows the measuring.

    Raises
    ------
    SourceError
        When `folder` holds no finished run, or a file of it is damaged.
    OutputError
        When the page cannot be written.
    """
    from tempseg.report import write_page

    return write_page(folder, judged=True, observer=observer)


def quantize(
    model: str | Path,
    *,
    calibrate: str | Path,
    out: str | Path | None = None,
    kinds: Sequence[Kind] = ("float16", "int8"),
    frames: int = 32,
    held_out: int = 16,
    config: ConfigLike = None,
    overwrite: bool = False,
    observer: WorkObserver | None = None,
) -> Quantisation:
    """Write a SavedModel or Keras model as smaller LiteRT files, checked on frames of a video.

    `NAME_float16.tflite`, `NAME_int8.tflite` and `NAME_int8_weights.tflite`, each with a
    `NAME_….toml` beside it that says what it expects, so that it runs without further keys.

    Parameters
    ----------
    model : str or Path
        A SavedModel folder or a Keras file.
    calibrate : str or Path
        A video file, a folder of images, or a glob of images. `frames` frames of it that differ
        the most give the ranges of activations; `held_out` others tell how far each file agrees
        with the model.
    out : str or Path, optional
        The folder of the files; by default where the model lies.
    kinds : sequence of str
        `float16`: weights of 16 bits. `int8`: weights and activations of 8 bits, calibrated.
        `int8-weights`: weights of 8 bits, float32 from layer to layer.
    frames, held_out : int
    config
        As for `segment`; what the model expects.
    overwrite : bool
        Whether to replace files of the same names.
    observer : WorkObserver, optional
        Follows the progress.

    Raises
    ------
    ConfigError, SourceError, ModelError, OutputError
        When something is wrong with the request, or no file could be made.
    """
    from tempseg.quantisation import quantize_model

    effective = effective_config(config, model)
    folder = Path(model).parent if out is None else Path(out)
    return quantize_model(
        effective,
        str(calibrate),
        folder,
        kinds=kinds,
        frames=frames,
        held_out=held_out,
        overwrite=overwrite,
        observer=observer,
    )


def export(folder: str | Path, out: str | Path, *, format: str = "png") -> int:  # noqa: A002
    """Write the label maps of a finished run in another format; return how many.

    Parameters
    ----------
    folder : str or Path
        What `run` made.
    out : str or Path
        A folder that does not exist yet; it takes its name when all is written.
    format : {'png'}
        `png`: index images with the run's palette, `000000.png` onwards, one a frame; 16-bit
        gray where the run's ids are.

    Raises
    ------
    ConfigError
        When there is no such format.
    SourceError
        When `folder` holds no finished run.
    OutputError
        When `out` exists or cannot be written.
    """
    if format != "png":
        raise ConfigError(f"--format {format}: no such format; there is png")
    classes = read_class_set(Path(folder))
    count = 0
    with new_folder(out) as unfinished:
        for _, labels in read_label_video(str(Path(folder) / "masks.mkv")):
            write_label_image(unfinished / f"{count:06d}.png", labels, colours=classes)
            count += 1
    return count


def synthesise(
    out: str | Path,
    *,
    seed: int = 0,
    duration_s: float = 10.0,
    width: int = 640,
    height: int = 360,
    observer: WorkObserver | None = None,
) -> int:
    """Render a street scene with exact truth into a folder; return the number of frames.

    The folder holds `video.mp4`, `labels/` (class ids as index images), `ids/` (what thing a
    pixel shows, 16 bits, 0 for none) and `scene.json`: classes, frame rate, cuts, `events` (cuts,
    changes of light, flashes and fades by first and last frame) and `absences` (frames in which a
    thing is hidden or out of the picture before it comes back). Labels and ids are exact in every
    frame, however bright or dark its picture.

    Parameters
    ----------
    out : str or Path
    seed : int
        Another seed, another scene.
    duration_s : float
    width, height : int
        In pixels.
    observer : WorkObserver, optional
        Follows the rendering.

    Raises
    ------
    ValueError
        When nothing can be rendered of that length and size.
    OutputError
        When `out` exists or cannot be written.
    """
    from tempseg.scene_files import write_scene
    from tempseg.synthetic import street_scene

    scene = street_scene(seed=seed, width=width, height=height, duration_s=duration_s)
    with new_folder(out) as unfinished:
        write_scene(scene, unfinished, seed=seed, observer=observer)
    return len(scene)


def _audited(folder: Path, source: str, config: Config, observer: WorkObserver | None) -> Audit:
    """Audit a run that has just been finished, and put what was found into its record."""
    from tempseg.auditing import audit_run

    frames = build_source(source, config)
    try:
        segmenter = _segmenter_for(config, frames)
    except BaseException:
        frames.close()
        raise
    audit = audit_run(
        folder,
        frames,
        segmenter,
        config,
        count=config.run.audit,
        seed=config.run.seed,
        observer=observer,
    )
    amend_record(folder / "run.json", audit=audit.as_dict())
    return audit


def _draw_page(folder: Path) -> None:
    """Write the page of a run that has just been finished; its results stay, whatever happens."""
    from tempseg.report import write_page

    try:
        write_page(folder)
    except Exception as error:  # noqa: BLE001 - hours of finished work outweigh any fault of a page
        _log.warning(
            "%s: finished, but without its report (%s); try: tempseg report %s",
            folder,
            error,
            folder,
        )


def _path(source: str | Path) -> str:
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"source is a {type(source).__name__}, expected a path")
    return str(source)


def _segmenter_for(
    config: Config, frames: FrameSource, function: Callable[[UInt8Array], object] | None = None
) -> Segmenter:
    if function is not None:
        return wrap_function(function, segmenter_options(config.segmenter))
    return build_segmenter(config, source=frames)
