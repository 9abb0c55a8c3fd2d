"""Record once, ask the model once, replay configs: the whole of a tune but for its files."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tempseg.build import build_source
from tempseg.config import Config
from tempseg.errors import ConfigError, EmptyPartError, SourceError
from tempseg.metrics.confusion import mean_known
from tempseg.protocols import WorkObserver
from tempseg.tuning.cost import StageMs, measure_stages, rehearse_piece
from tempseg.tuning.recording import Recording, record
from tempseg.tuning.reference import Material, open_model, prepare
from tempseg.tuning.results import Choice, Tuning, TuningNotes, choose_among
from tempseg.tuning.sample import Piece, draw_pieces
from tempseg.tuning.scoring import Study
from tempseg.tuning.search import IN_FULL, Measured, Search, search
from tempseg.tuning.space import trials
from tempseg.tuning.targets import Target, parse_target
from tempseg.tuning.truth import TruthRequest, open_truth
from tempseg.video import survey
from tempseg.zoo import cache_folder

__all__ = ["SAMPLE_FRAMES", "TARGET", "choose", "default_cache", "studies_of", "tune_config"]

SAMPLE_FRAMES = 400
"""Frames of each source that are recorded, where it has more."""

TARGET = "fidelity=floor-1"


@dataclass(frozen=True, slots=True)
class _Taken:
    """A source's recordings, and where they lie in it."""

    recordings: list[Recording]
    frames: int
    before: int
    start_s: float | None


def default_cache() -> Path:
    """Return where recordings are kept where nobody says otherwise."""
    return cache_folder() / "tune"


def studies_of(
    sources: Sequence[str],
    config: Config,
    *,
    cache: Path,
    sample: int = SAMPLE_FRAMES,
    seed: int = 0,
    truths: Sequence[TruthRequest] = (),
    observer: WorkObserver | None = None,
) -> list[Study]:
    """Return the recordings of sources with all that configs are measured by.

    Parameters
    ----------
    sources : sequence of str
    config : Config
        Its model, `flow`, `source` and `run` are those of every config that is tried.
    cache : Path
        What is there already is used; what is made now is kept there.
    sample : int
        Frames of each source, drawn across it in pieces where it has more; 0 for all.
    seed : int
        Another seed, other pieces.
    truths : sequence of TruthRequest
        None, or one a source.
    observer : WorkObserver, optional

    Raises
    ------
    TempsegError
        When something cannot be read, asked or kept.
    """
    _check(sources, config, cache, truths, sample, seed)
    segmenter = open_model(config)
    found: list[Study] = []
    for place, spec in enumerate(sources):
        taken = _taken(
            spec, config, cache, sample=sample, seed=seed, observer=observer, counted=bool(truths)
        )
        materials = [
            prepare(recording, config, segmenter, cache, observer=observer)
            for recording in taken.recordings
        ]
        if not truths:
            found += [Study(material) for material in materials]
            continue
        true = open_truth(
            truths[place],
            taken.recordings,
            materials[0].segmenter.info,
            frames=taken.frames,
            before=taken.before,
            start_s=taken.start_s,
        )
        found += [Study(m, t) for m, t in zip(materials, true, strict=True)]
    classes = {study.truth.classes.class_set.names for study in found if study.truth is not None}
    if len(classes) > 1:
        raise ConfigError("--truth: the truths are in different classes; say --classes")
    return found


def _check(
    sources: Sequence[str],
    config: Config,
    cache: Path,
    truths: Sequence[TruthRequest],
    sample: int,
    seed: int,
) -> None:
    if not sources:
        raise ConfigError("tune: needs a source; give a video file or a folder of images")
    if cache.exists() and not cache.is_dir():
        raise ConfigError(f"--cache {cache}: is a file, expected a folder for recordings")
    if not isinstance(sample, int) or sample < 0:
        raise ConfigError(f"--sample {sample}: expected frames, or 0 for all")
    if not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"--seed {seed}: expected a whole number, at least 0")
    if truths and len(truths) != len(sources):
        raise ConfigError(
            f"--truth: given {len(truths)} times for {len(sources)} sources; give one for each, "
            "in their order, or none"
        )
    model = config.segmenter.model or ""
    if model.startswith("masks:") and len(sources) > 1:
        raise ConfigError(
            f"{model}: answers for one source, but there are {len(sources)}; tune them one by one"
        )


def _taken(
    spec: str,
    config: Config,
    cache: Path,
    *,
    sample: int,
    seed: int,
    observer: WorkObserver | None,
    counted: bool,
) -> _Taken:
    source = build_source(spec, config)
    try:
        video = source.info
        before = source.count_before() if config.source.start is not None else 0
        pieces = draw_pieces(spec, video, config, frames=sample, seed=seed)
        whole = pieces == [Piece(spec, config.source.start, config.source.end)]
        # By their packets, all of which are read: of a variable rate, length times rate is an
        # estimate.
        frames = survey(source, apart_s=0).frames if counted and not whole else 0
    finally:
        source.close()
    recordings = []
    for piece in pieces:
        try:
            recordings.append(record(piece, config, cache, before=before, observer=observer))
        except EmptyPartError:
            # Drawn as if frames came at an even rate: here they pause.
            if whole:
                raise
    if not recordings:
        raise SourceError(
            f"{spec}: its frames come so unevenly that none lies where pieces were drawn; try "
            "another --seed, or take all frames with --sample 0"
        )
    if whole:
        frames = recordings[0].journal.rows[-1]["index"] + 1
    return _Taken(recordings, frames, before, video.start_s)


def choose(
    studies: Sequence[Study],
    target: Target | str,
    *,
    config: Config,
    fixed: Sequence[str] = (),
    stages: StageMs | None = None,
    in_full: int = IN_FULL,
    observer: WorkObserver | None = None,
) -> Choice:
    """Return the config that keeps a target best on recordings, or comes nearest to it.

    Parameters
    ----------
    studies : sequence of Study
        As `studies_of` makes them.
    target : Target or str
        Such as `fidelity=floor-1`.
    config : Config
        What the tried configs change.
    fixed : sequence of str
        Full keys that stay as they are.
    stages : StageMs, optional
        What stages take; measured by default.
    in_full : int
        Configs that are measured on all frames, about.
    observer : WorkObserver, optional
    """
    wanted = parse_target(target) if isinstance(target, str) else target
    known = stages or measure_stages(studies[0].material, config)
    found = _searched(studies, config, fixed, known, in_full, observer)
    return choose_among(found.measured, wanted, floor=floor_of(studies), truth=_has_truth(studies))


def _searched(
    studies: Sequence[Study],
    config: Config,
    fixed: Sequence[str],
    stages: StageMs,
    in_full: int,
    observer: WorkObserver | None,
) -> Search:
    return search(
        studies,
        trials(config, fixed),
        stages,
        truth=_has_truth(studies),
        in_full=in_full,
        observer=observer,
    )


def floor_of(studies: Sequence[Study]) -> float:
    """Return the model's agreement with itself over all recordings."""
    return mean_known(pair for study in studies for pair in study.material.floor_pairs)


def _has_truth(studies: Sequence[Study]) -> bool:
    return any(study.truth is not None for study in studies)


def tune_config(
    sources: Sequence[str],
    config: Config,
    *,
    target: str = TARGET,
    cache: Path,
    sample: int = SAMPLE_FRAMES,
    seed: int = 0,
    truths: Sequence[TruthRequest] = (),
    fixed: Sequence[str] = (),
    in_full: int = IN_FULL,
    observer: WorkObserver | None = None,
    command: Sequence[str] = (),
) -> Tuning:
    """Return what configs come to on sources, and the one that keeps the target best.

    Parameters
    ----------
    sources, config, cache, sample, seed, truths, observer
        As for `studies_of`.
    target, fixed, in_full
        As for `choose`.
    command : sequence of str
        The command line, for the record.

    Raises
    ------
    TempsegError
        When something is wrong with the request, cannot be read, asked or kept.
    """
    started = time.perf_counter()
    wanted = parse_target(target)
    if in_full < 1:
        raise ConfigError(f"--configs {in_full}: expected at least 1")
    studies = studies_of(
        sources,
        config,
        cache=cache,
        sample=sample,
        seed=seed,
        truths=truths,
        observer=observer,
    )
    largest = _largest([study.material for study in studies])
    alone = measure_stages(largest, config)
    found = _searched(studies, config, fixed, alone, in_full, observer)
    given = next(m for m in found.measured if not m.trial.keys)
    stages = _held_to_a_run(alone, given, largest)
    measured = tuple(replace(m, stages=stages) for m in found.measured)
    floor, truth = floor_of(studies), bool(truths)
    if wanted.from_floor and math.isnan(floor):
        raise ConfigError(
            f"--target {wanted}: one frame has no floor; give a longer source or an own fidelity"
        )
    return Tuning(
        notes=TuningNotes(
            sources=tuple(sources),
            model=str(config.segmenter.model),
            pieces=tuple(study.material.recording.piece.name for study in studies),
            frames=sum(map(len, studies)),
            calls=sum(study.material.segmenter.calls for study in studies),
            tried=found.tried,
            distinct=found.distinct,
            sampled=found.sampled,
            wall_s=time.perf_counter() - started,
            cache=str(cache),
            truth=tuple(str(request.path) for request in truths),
            true_frames=sum(len(study.truth.maps) for study in studies if study.truth is not None),
            seed=seed,
            command=tuple(command),
        ),
        stages=stages,
        floor=floor,
        measured=measured,
        choice=choose_among(measured, wanted, floor=floor, truth=truth),
    )


def _largest(materials: Sequence[Material]) -> Material:
    """Return that of the largest picture, which is the slowest, and of its longest piece."""
    return max(materials, key=lambda m: (math.prod(m.recording.size), len(m.recording)))


def _held_to_a_run(stages: StageMs, given: Measured, material: Material) -> StageMs:
    """Return the stages as a stretch of a run of what was given shows them.

    Measured one by one they are faster than side by side.
    """
    found = rehearse_piece(material, given.trial.config)
    return stages.held_to(found, given.carrying)
