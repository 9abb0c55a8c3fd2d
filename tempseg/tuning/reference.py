"""What a recording is measured against: the model on every frame, and the motion that judges."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tempseg.build import build_segmenter
from tempseg.config import Config, load_config
from tempseg.errors import ConfigError
from tempseg.evaluation.classes import require_scorable
from tempseg.evaluation.playback import SCENE_CHANGE
from tempseg.metrics.confusion import mean_known
from tempseg.metrics.fidelity import FidelityFloor
from tempseg.metrics.judge import Judge
from tempseg.opencv_threads import single_threaded_opencv
from tempseg.prefetch import Prefetch
from tempseg.protocols import Segmenter, WorkObserver
from tempseg.tuning.answers import AnswerStore, KnownSegmenter
from tempseg.tuning.fingerprint import digest
from tempseg.tuning.journal import Journal, JournalWriter, Layer
from tempseg.tuning.passing import PassingStore
from tempseg.tuning.recording import FORMAT, Recording, alone_with, check_room
from tempseg.tuning.replay import replay
from tempseg.types import VOID_8, VOID_16, FloatArray, LabelArray, SegmenterInfo

__all__ = ["Material", "ModelLabels", "open_model", "prepare"]

_log = logging.getLogger(__name__)

_NOWHERE = -32768
"""Stands for a pixel that leads nowhere: occluded, or out of the picture."""

_AHEAD = 4
_PER_FRAME = {"keyframe.policy": "interval", "keyframe.interval": 1}


@dataclass(frozen=True, slots=True)
class ModelLabels:
    """The labels of a run with the model on every frame.

    Parameters
    ----------
    size : (int, int)
        Height and width.
    compressed : tuple of bytes
        Of each frame.
    info : SegmenterInfo
    """

    size: tuple[int, int]
    compressed: tuple[bytes, ...]
    info: SegmenterInfo

    @property
    def classes(self) -> int:
        """How many classes the model tells apart."""
        return len(self.info.class_set.names)

    @property
    def void(self) -> int:
        """The id that stands for none."""
        return VOID_16 if self.info.label_bits == 16 else VOID_8

    def at(self, place: int) -> LabelArray:
        """Return those of a frame, shape (H, W)."""
        dtype = np.uint16 if self.info.label_bits == 16 else np.uint8
        raw = zlib.decompress(self.compressed[place])
        return cast(LabelArray, np.frombuffer(raw, dtype).reshape(self.size))


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A recording, the answers of a model to all of its frames, and what judges them.

    Parameters
    ----------
    recording : Recording
    segmenter : KnownSegmenter
        Knows every answer.
    judged : Journal
        The motion from each frame to the next.
    cuts : frozenset of int
        Places at which the judging motion sees a new shot.
    floor_pairs : tuple of float
        The model's agreement with itself from each frame to the next, in [0, 1]; nan where none.
    labels : ModelLabels
    """

    recording: Recording
    segmenter: KnownSegmenter
    judged: Journal
    cuts: frozenset[int]
    floor_pairs: tuple[float, ...]
    labels: ModelLabels

    @property
    def floor(self) -> float:
        """How far the model agrees with itself from one frame to the next; nan where unknown."""
        return mean_known(self.floor_pairs)

    @property
    def segment_ms(self) -> float:
        """What an answer took when it was asked for, in milliseconds, the median."""
        found = list(self.segmenter.ms.values())
        return float(np.median(found)) if found else 0.0

    def forward(self, place: int) -> FloatArray:
        """Return where the pixels of the frame before lie on this one; nan where nowhere."""
        stored = self.judged.array("forward")[place]
        field: FloatArray = stored.astype(np.float32)
        np.copyto(field, np.float32(np.nan), where=stored == _NOWHERE)
        return field


def open_model(config: Config) -> Segmenter:
    """Return the segmenter of a config, if its answers can be known one by one.

    Raises
    ------
    ConfigError
        When an answer depends on those before it, or its classes are too many to be scored.
    """
    segmenter = build_segmenter(config)
    if segmenter.info.remembers:
        raise ConfigError(
            f"{config.segmenter.model}: takes its own previous mask, so that an answer depends on "
            "when the ones before were asked for, and nothing can be replayed; take a model "
            "that looks at one frame"
        )
    fix = "set keyframe.* yourself"
    require_scorable(segmenter.info.class_set, segmenter.info.name, fix)
    return segmenter


def prepare(
    recording: Recording,
    config: Config,
    segmenter: Segmenter,
    cache: Path,
    *,
    observer: WorkObserver | None = None,
) -> Material:
    """Return all that configs are measured against, from the cache as far as it goes.

    Raises
    ------
    TempsegError
        When the model fails, the source has changed, or the disk takes no more.
    """
    asked = segmenter
    if (config.segmenter.model or "").startswith("masks:"):
        # Masks go by order: each part of a video begins at its own.
        asked = build_segmenter(recording.config, source=recording.source())
    store = _answer_store(recording, config, segmenter.info, cache)
    known = KnownSegmenter(store, segmenter.info, asked=asked)
    with alone_with(recording.folder):
        _ask(recording, store, known, observer)
        compressed = tuple(_compressed(known, recording, config))
        # What a first answer was taken for is known only now.
        final = KnownSegmenter(store, asked.info)
        final.ms, final.calls = known.ms, known.calls
        labels = ModelLabels(recording.size, compressed, final.info)
        judged, floor_pairs = _judge(recording, store, labels, observer)
    cuts = frozenset(place for place, row in enumerate(judged.rows) if row["change"] > SCENE_CHANGE)
    return Material(recording, final, judged, cuts, floor_pairs, labels)


def _answer_store(
    recording: Recording, config: Config, info: SegmenterInfo, cache: Path
) -> AnswerStore:
    """Return where a model's answers to a recording are kept.

    Masks that lie on the disk anyway, and functions that nobody can tell from one another by their
    bytes, are asked again each time.
    """
    if not _outlives(info):
        return PassingStore(cache / "passing")
    keys = config.segmenter.model_dump(mode="json", exclude={"model", "threads", "batch"})
    told = {
        "format": FORMAT,
        "tempseg": version("tempseg"),
        "sha256": info.sha256,
        "runtime": info.runtime,
        "keys": keys,
    }
    return AnswerStore(cache / "answers" / f"{recording.folder.name}-{digest(told)}")


def _outlives(info: SegmenterInfo) -> bool:
    """Return whether a model's answers outlive a tune: its hash must tell it from every other."""
    return bool(info.sha256) and info.runtime not in ("masks", "python")


def _ask(
    recording: Recording,
    store: AnswerStore,
    known: KnownSegmenter,
    observer: WorkObserver | None,
) -> None:
    """Ask the model what is not known yet."""
    rows = recording.journal.rows
    missing = {row["index"] for row in rows}
    for row in rows:
        found = store.get(row["index"])
        if found is not None:
            missing.discard(row["index"])
            known.ms[row["index"]] = found[1]
    if not missing:
        return
    if observer is not None:
        observer.begin("ask the model", len(missing))
    source = recording.source()
    try:
        with Prefetch(iter(source), name="decode", capacity=_AHEAD) as frames:
            for frame in frames:
                if frame.index in missing:
                    known.segment(frame)
                    if observer is not None:
                        observer.advance()
    finally:
        source.close()


def _compressed(known: Segmenter, recording: Recording, config: Config) -> Iterator[bytes]:
    """Yield the labels of a run with the model on every frame, compressed."""
    every = load_config(overrides=config.set_keys() | _PER_FRAME)
    for result in replay(recording, every, known):
        yield zlib.compress(result.segmentation.labels.tobytes(), 1)


def _judge(
    recording: Recording,
    store: AnswerStore,
    labels: ModelLabels,
    observer: WorkObserver | None,
) -> tuple[Journal, tuple[float, ...]]:
    """Return the motion that judges, and the model's agreement with itself along it."""
    layers = [Layer("forward", np.dtype(np.int16), (*recording.size, 2))]
    told = {"format": FORMAT, "judge": _described()}
    journal = Journal.read(recording.folder, "judged", layers, told)
    if journal.damaged:
        _log.warning(
            "%s: is damaged, or holds no checksums yet; what is not whole is judged anew",
            recording.folder,
        )
    known = store.note("floor")
    if journal.end is not None and isinstance(known, list) and len(known) == len(recording):
        return journal, tuple(math.nan if value is None else value for value in known)
    pairs: list[float] = []
    floor = FidelityFloor(labels.classes, void=labels.void)
    if observer is not None:
        observer.begin("judge motion", len(recording))
    writes = journal.end is None
    if writes:
        check_room(recording.folder, layers, len(recording) - len(journal.rows))
    with (
        single_threaded_opencv(),
        Judge() as judge,
        JournalWriter(journal) if writes else nullcontext() as writer,
    ):
        before: NDArray[np.uint8] | None = None
        for place, luma in enumerate(_lumas(recording)):
            if before is None:
                forward = np.full((*recording.size, 2), _NOWHERE, np.int16)
                change, agreement = 0.0, math.nan
            else:
                pair = judge.pair(before, luma)
                forward, change = _places(pair.forward, pair.occluded), pair.scene_change
                agreement = math.nan
                if change <= SCENE_CHANGE:
                    agreement = floor.update(labels.at(place - 1), labels.at(place), pair.backward)
            if writer is not None and place >= len(journal.rows):
                writer.add({"forward": forward}, change=change)
            pairs.append(agreement)
            before = luma
            if observer is not None:
                observer.advance()
        if writer is not None:
            writer.finish()
    store.keep_note("floor", [None if math.isnan(value) else value for value in pairs])
    if writes:
        journal = Journal.read(recording.folder, "judged", layers, told)
    return journal, tuple(pairs)


def _described() -> str:
    with Judge() as judge:
        return judge.describe()


def _lumas(recording: Recording) -> Iterator[NDArray[np.uint8]]:
    for frame in recording.frames():
        yield np.ascontiguousarray(frame.luma)


def _places(forward: FloatArray, occluded: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return the displacement to the pixel that each one lands on, as the measures round it."""
    height, width = occluded.shape
    half = np.float32(0.5)
    columns = np.arange(width, dtype=np.float32)[None, :]
    rows = np.arange(height, dtype=np.float32)[:, None]
    x = np.floor(columns + forward[..., 0] + half)
    y = np.floor(rows + forward[..., 1] + half)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height) & ~occluded
    out = np.full((height, width, 2), _NOWHERE, np.int16)
    out[..., 0][inside] = (x - columns)[inside]
    out[..., 1][inside] = (y - rows)[inside]
    return out
