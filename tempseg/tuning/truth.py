"""True label maps beside recorded frames, read and matched as `tempseg eval` does."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np

from tempseg.errors import SourceError
from tempseg.evaluation.alignment import align
from tempseg.evaluation.classes import Classes, IdReader, agree_on_classes
from tempseg.evaluation.inputs import LabelSequence, open_labels
from tempseg.evaluation.mapping import ClassMapping, load_mapping
from tempseg.outputs import written_time
from tempseg.tuning.recording import Recording
from tempseg.types import LabelArray, SegmenterInfo
from tempseg.video import image_files

__all__ = ["Truth", "TruthRequest", "open_truth"]


@dataclass(frozen=True, slots=True)
class TruthRequest:
    """What is true, and in which classes.

    Parameters
    ----------
    path : str or Path
        Label maps of some frames of a source or all, as for `tempseg eval --truth`.
    mapping, truth_mapping : str or Path, optional
        From the model's ids, and from those of the truth, to classes.
    every : int, optional
        Map `i` belongs to frame `offset + i * every` of the part that is tuned on.
    offset : int
    classes : str, optional
        As for `tempseg eval --classes`.
    """

    path: str | Path
    mapping: str | Path | None = None
    truth_mapping: str | Path | None = None
    every: int | None = None
    offset: int = 0
    classes: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """True label maps of some frames of one recording.

    Parameters
    ----------
    classes : Classes
    own : LabelSequence
        What the model's labels are, for whoever reads them.
    mapping : ClassMapping or None
    maps : mapping of int to bytes
        Place in the recording to a label map, compressed.
    size : (int, int)
    """

    classes: Classes
    own: LabelSequence
    mapping: ClassMapping | None
    maps: Mapping[int, bytes]
    size: tuple[int, int]

    def at(self, place: int) -> LabelArray | None:
        """Return what is true of a frame; none where nobody knows."""
        if place not in self.maps:
            return None
        dtype = np.uint8 if self.classes.void == 255 else np.uint16
        raw = zlib.decompress(self.maps[place])
        return cast(LabelArray, np.frombuffer(raw, dtype).reshape(self.size))

    def reader(self) -> IdReader:
        """Return what turns the model's ids into classes; for one caller at a time."""
        return IdReader(self.own, self.classes, mapping=self.mapping)


@dataclass(frozen=True, slots=True)
class _Frames:
    """The frames of a part of a source, as label maps that are yet to come."""

    source: str
    stems: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.stems or ())

    def read(self, places: Sequence[int]) -> Iterator[LabelArray]:  # noqa: ARG002 - never
        """Raise: they are not stored."""
        raise SourceError(f"{self.source}: its label maps are not stored")

    def where(self, place: int) -> str:
        """Return what to call one in a message."""
        return f"{self.source}: frame {place}"


def open_truth(
    request: TruthRequest,
    recordings: Sequence[Recording],
    info: SegmenterInfo,
    *,
    frames: int,
    before: int,
    start_s: float | None,
) -> list[Truth]:
    """Return what is true of each recording of a source.

    Parameters
    ----------
    request : TruthRequest
    recordings : sequence of Recording
        Pieces of one source.
    info : SegmenterInfo
    frames : int
        Frames of the part of the source that they are drawn from.
    before : int
        Frames of the source before that part.
    start_s : float or None
        Where that part begins; none for where the source does.

    Raises
    ------
    SourceError, ConfigError
        When there is no truth, it belongs to other frames, or its classes are others.
    """
    sequence = open_labels(request.path)
    first = recordings[0]
    if sequence.size != first.size:
        (height, width), (own_height, own_width) = sequence.size, first.size
        raise SourceError(
            f"{sequence.name}: its label maps are {width}×{height}, the frames of "
            f"{first.piece.spec} {own_width}×{own_height}; bring them to one size"
        )
    own = LabelSequence(
        name=first.piece.spec,
        maps=_Frames(first.piece.spec, tuple(str(before + i) for i in range(frames))),
        size=first.size,
        bits=info.label_bits,
        class_set=info.class_set,
    )
    mapping = None if request.mapping is None else load_mapping(request.mapping)
    truth_mapping = None if request.truth_mapping is None else load_mapping(request.truth_mapping)
    classes = agree_on_classes(
        own, sequence, None, asked=request.classes, mapping=mapping, truth_mapping=truth_mapping
    )
    reader = IdReader(sequence, classes, mapping=truth_mapping, option="--map-truth")
    by_time = _times(sequence, request, start_s)
    places: dict[int, int] = {}
    if by_time is None:
        matched = align(
            own,
            sequence,
            names=_names(first.piece.spec, before, frames),
            every=request.every,
            offset=request.offset,
            # Runs of other parts go by time: one that is asked about is of this one.
            before=lambda _: before,
        )
        places = dict(zip(matched.frames, matched.places, strict=True))
    found = []
    for recording in recordings:
        first_index, tick_s = recording.first_index, recording.video.time_base
        known = {
            place: places.get(first_index + row["index"])
            if by_time is None
            else by_time.get(_written_s(row["pts"] * tick_s))
            for place, row in enumerate(recording.journal.rows)
        }
        wanted = [(place, at) for place, at in known.items() if at is not None]
        read = sequence.maps.read([at for _, at in wanted])
        maps = {
            place: zlib.compress(reader.read(labels, at).tobytes(), 1)
            for (place, at), labels in zip(wanted, read, strict=True)
        }
        found.append(Truth(classes, own, mapping, maps, first.size))
    if not any(truth.maps for truth in found):
        raise SourceError(
            f"{sequence.name}: none of its label maps belongs to a frame of the sample of "
            f"{first.piece.spec}; enlarge --sample, or take all frames by --sample 0"
        )
    return found


def _times(
    sequence: LabelSequence, request: TruthRequest, start_s: float | None
) -> dict[float, int] | None:
    """Return the place of each map by its time, where the truth is a run of another part."""
    run = sequence.run
    if run is None or request.every is not None or request.offset:
        return None
    if (run.start_s or 0.0) == (start_s or 0.0):
        return None
    return {time_s: place for place, time_s in enumerate(run.times_s)}


def _written_s(time_s: Fraction) -> float:
    """Return a time as a run's table holds it."""
    return float(written_time(float(time_s)))


def _names(spec: str, before: int, frames: int) -> tuple[str, ...] | None:
    """Return the file names of the frames, where the source is images."""
    if Path(spec).is_file():
        return None
    stems = tuple(Path(path).stem for path in image_files(spec))[before : before + frames]
    return stems if len(stems) == frames else None
