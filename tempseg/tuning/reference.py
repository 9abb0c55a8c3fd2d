"""What a recording is measured against: the model on every frame, and the motion that judges."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tempseg.build import build_segmenter
from tempseg.config import Config, load_config
from tempseg.errors import ConfigError
from tempseg.evaluation.playback import SCENE_CHANGE
from tempseg.metrics.confusion import mean_known
from tempseg.metrics.fidelity import FidelityFloor
from tempseg.metrics.judge import Judge
from tempseg.opencv_threads import single_threaded_opencv
from tempseg.prefetch import Prefetch
from tempseg.protocols import Segmenter, WorkObserver
from tempseg.segmenters import NetworkSegmenter
from tempseg.tuning.answers import AnswerStore, KnownSegmenter
from tempseg.tuning.fingerprint import digest
from tempseg.tuning.journal import Journal, JournalWriter, Layer
from tempseg.tuning.recording import FORMAT, Recording, check_room
from tempseg.tuning.replay import replay
from tempseg.types import FloatArray, LabelArray, SegmenterInfo

__all__ = ["Material", "open_model", "prepare"]

_log = logging.getLogger(__name__)

_NOWHERE = -32768
"""Stands for a pixel that leads nowhere: occluded, or out of the picture."""

_AHEAD = 4
_PER_FRAME = {"keyframe.policy": "interval", "keyframe.interval": 1}


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
    floor : float
        Mean over pairs of frames of the model's agreement with itself, in [0, 1].
    floor_pairs : tuple of float
    labels_of_model : tuple of bytes
        The model's labels on each frame, compressed.
    calls : int
        How often the model was asked now.
    """

    recording: Recording
    segmenter: KnownSegmenter
    judged: Journal
    cuts: frozenset[int]
    floor_pairs: tuple[float, ...]
    labels_of_model: tuple[bytes, ...]

    @property
    def classes(self) -> int:
        """How many classes the model tells apart."""
        return len(self.segmenter.info.class_set.names)

    @property
    def void(self) -> int:
        """The id that stands for none."""
        return 65535 if self.segmenter.info.label_bits == 16 else 255

    @property
    def floor(self) -> float:
        """How far the model agrees with itself from one frame to the next; nan where unknown."""
        return mean_known(self.floor_pairs)

    @property
    def segment_ms(self) -> float:
        """What an answer took when it was asked for, in milliseconds, the median."""
        found = list(self.segmenter.ms.values())
        return float(np.median(found)) if found else 0.0

    def reference(self, place: int) -> LabelArray:
        """Return the model's labels on a frame, shape (H, W)."""
        dtype = np.uint16 if self.void == 65535 else np.uint8
        raw = zlib.decompress(self.labels_of_model[place])
        return cast(LabelArray, np.frombuffer(raw, dtype).reshape(self.recording.size))

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
        When an answer depends on those before it.
    """
    segmenter = build_segmenter(config)
    inner: Any = segmenter
    if isinstance(inner, NetworkSegmenter) and inner.remembers:
        raise ConfigError(
            f"{config.segmenter.model}: takes its own previous mask, so that an answer depends on "
            "when the ones before were asked for, and nothing can be replayed; take a model "
            "that looks at one frame"
        )
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
    folder = _answer_folder(recording, config, segmenter.info, cache)
    store = AnswerStore(folder)
    known = KnownSegmenter(store, segmenter.info, asked=asked)
    _ask(recording, store, known, observer)
    labels = tuple(_compressed(known, recording, config))
    # What a first answer was taken for is known only now.
    final = KnownSegmenter(store, asked.info)
    final.ms, final.calls = known.ms, known.calls
    material_labels = _Labels(recording, labels, final.info)
    judged, floor_pairs = _judge(recording, store, material_labels, observer)
    cuts = frozenset(place for place, row in enumerate(judged.rows) if row["change"] > SCENE_CHANGE)
    return Material(recording, final, judged, cuts, floor_pairs, labels)


def _answer_folder(recording: Recording, config: Config, info: SegmenterInfo, cache: Path) -> Path:
    """Return where a model's answers to a recording lie.

    Masks that lie on the disk anyway, and functions that nobody can tell from one another by their
    bytes, are asked again each time: their answers lie beside, and are dropped at the end.
    """
    keys = config.segmenter.model_dump(mode="json", exclude={"model", "threads", "batch"})
    told = {
        "format": FORMAT,
        "tempseg": version("tempseg"),
        "sha256": info.sha256,
        "runtime": info.runtime,
        "keys": keys,
    }
    if not remembered(info):
        return cache / "passing" / digest(told | {"name": info.name, "of": str(recording.folder)})
    return cache / "answers" / f"{recording.folder.name}-{digest(told)}"


def remembered(info: SegmenterInfo) -> bool:
    """Return whether a model's answers outlive a tune."""
    return bool(info.sha256) and info.runtime != "masks"


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


@dataclass(frozen=True, slots=True)
class _Labels:
    """The model's labels, frame by frame."""

    recording: Recording
    compressed: Sequence[bytes]
    info: SegmenterInfo

    def at(self, place: int) -> LabelArray:
        dtype = np.uint16 if self.info.label_bits == 16 else np.uint8
        raw = zlib.decompress(self.compressed[place])
        return cast(LabelArray, np.frombuffer(raw, dtype).reshape(self.recording.size))

    def floor(self) -> FidelityFloor:
        void = 65535 if self.info.label_bits == 16 else 255
        return FidelityFloor(len(self.info.class_set.names), void=void)


def _judge(
    recording: Recording,
    store: AnswerStore,
    labels: _Labels,
    observer: WorkObserver | None,
) -> tuple[Journal, tuple[float, ...]]:
    """Return the motion that judges, and the model's agreement with itself along it."""
    layers = [Layer("forward", np.dtype(np.int16), (*recording.size, 2))]
    told = {"format": FORMAT, "judge": _described()}
    journal = Journal.read(recording.folder, "judged", layers, told)
    if journal.damaged:
        _log.warning("%s: is damaged; what is not whole is judged anew", recording.folder)
    known = store.note("floor")
    if journal.end is not None and isinstance(known, list) and len(known) == len(recording):
        return journal, tuple(math.nan if value is None else value for value in known)
    pairs: list[float] = []
    if observer is not None:
        observer.begin("judge motion", len(recording))
    writes = journal.end is None
    if writes:
        check_room(recording.folder, layers, len(recording) - len(journal.rows))
    with (
        single_threaded_opencv(),
        Judge() as judge,
        _writer(journal, writes=writes) as writer,
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
                    agreement = labels.floor().update(
                        labels.at(place - 1), labels.at(place), pair.backward
                    )
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


class _writer:  # noqa: N801 - a context manager with a choice, used once
    def __init__(self, journal: Journal, *, writes: bool) -> None:
        self._own = JournalWriter(journal) if writes else None

    def __enter__(self) -> JournalWriter | None:
        return None if self._own is None else self._own.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._own is not None:
            self._own.__exit__(*error)


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
