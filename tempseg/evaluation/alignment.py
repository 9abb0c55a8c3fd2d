"""Which label map of one sequence belongs to which frame of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation.inputs import LabelSequence
from tempseg.evaluation.maps import VideoMaps

__all__ = ["Alignment", "align", "source_numbers"]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Pairs of frames and label maps, both rising.

    Parameters
    ----------
    frames : tuple of int
        Places in the prediction.
    places : tuple of int
        The place in the other sequence that belongs to each.
    rule : str
        How they were matched: `order`, `every N`, `time`, `name` or `number`.
    """

    frames: tuple[int, ...]
    places: tuple[int, ...]
    rule: str


def align(
    prediction: LabelSequence,
    other: LabelSequence,
    *,
    names: Sequence[str] | None = None,
    every: int | None = None,
    offset: int = 0,
    before: Callable[[LabelSequence], int] = lambda _: 0,
) -> Alignment:
    """Return which maps of `other` belong to which frames of the prediction.

    By `every` where it is given; else runs of different parts of a source go by time, as many as
    there are frames by order, and fewer or more by equal file names, else by frame numbers, which
    count from the first frame of the source, whatever part of it a run is of.

    Parameters
    ----------
    prediction, other : LabelSequence
    names : sequence of str, optional
        File names without suffix of the images that the prediction's frames are, one each.
    every : int, optional
        Map `i` belongs to frame `offset + i * every`.
    offset : int
        Without `every`, map `i` belongs to frame `offset + i`.
    before : callable, optional
        Returns how many frames of its source lie before a sequence's first; asked only where
        numbers decide.

    Raises
    ------
    SourceError
        When not a single map meets a frame, or `every` leads past the last frame.
    ConfigError
        When `every` is less than 1 or `offset` negative.
    """
    if every is not None and every < 1:
        raise ConfigError(f"--every {every}: expected at least 1")
    if offset < 0:
        raise ConfigError(f"--offset {offset}: expected at least 0")
    frames, maps = len(prediction), len(other)
    if every is None and offset > 0:
        every = 1
    if every is not None:
        last = offset + every * (maps - 1)
        if last >= frames:
            raise SourceError(
                f"{other.name}: holds {maps} label maps; every {every} from frame {offset} on, the "
                f"last belongs to frame {last}, but {prediction.name} has {frames} frames"
            )
        return Alignment(
            tuple(range(offset, last + 1, every)), tuple(range(maps)), f"every {every}"
        )
    own_part, other_part = _start_s(prediction), _start_s(other)
    if prediction.run is not None and other.run is not None and own_part != other_part:
        pairs = _meet(prediction.run.times_s, other.run.times_s)
        if not pairs:
            raise SourceError(
                f"{other.name}: begins at {other_part:g} s, {prediction.name} at {own_part:g} s, "
                "and no frame of theirs has one time; give runs of one part"
            )
        return _aligned(pairs, "time")
    if frames == maps:
        return Alignment(tuple(range(frames)), tuple(range(maps)), "order")
    if isinstance(other.maps, VideoMaps) and other.run is None:
        raise SourceError(
            f"{other.name}: holds {maps} label maps, {prediction.name} has {frames} frames, and "
            "maps in a video have no names; give one a frame, or say --every N or --offset N"
        )
    for stems in (prediction.maps.stems, names):
        pairs = _meet(stems, other.maps.stems)
        if pairs:
            return _aligned(pairs, "name")
    ours, theirs = (source_numbers(sequence, before) for sequence in (prediction, other))
    pairs = _meet(ours, theirs)
    if pairs:
        return _aligned(pairs, "number")
    raise SourceError(
        f"{other.name}: none of its {maps} label maps belongs to one of the {frames} frames of "
        f"{prediction.name}, by name or number; give one a frame, equal names, or --every N"
    )


def _start_s(sequence: LabelSequence) -> float:
    return 0.0 if sequence.run is None else sequence.run.start_s or 0.0


def source_numbers(
    sequence: LabelSequence, before: Callable[[LabelSequence], int]
) -> tuple[int, ...] | None:
    """Return the number of each map's frame in the whole source; none where nothing tells."""
    numbers = sequence.numbers
    first = before(sequence) if numbers and _start_s(sequence) > 0 else 0
    return None if numbers is None else tuple(first + number for number in numbers)


def _aligned(pairs: Sequence[tuple[int, int]], rule: str) -> Alignment:
    return Alignment(tuple(f for f, _ in pairs), tuple(p for _, p in pairs), rule)


def _meet(
    ours: Sequence[str] | Sequence[float] | None, theirs: Sequence[str] | Sequence[float] | None
) -> list[tuple[int, int]]:
    """Return the pairs of places with equal keys, where keys are unique and both ways rising."""
    if ours is None or theirs is None:
        return []
    if len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs):
        return []
    places = {key: place for place, key in enumerate(theirs)}
    pairs = [(frame, places[key]) for frame, key in enumerate(ours) if key in places]
    rising = all(a[1] < b[1] for a, b in pairwise(pairs))
    return pairs if rising else []
