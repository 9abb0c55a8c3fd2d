"""What label maps were given: a run, a label video or a folder, and what is known of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tempseg.class_sets import ClassSet, custom
from tempseg.errors import SourceError, TempsegError
from tempseg.evaluation.maps import FolderMaps, StoredMaps, VideoMaps
from tempseg.evaluation.runs import RunNotes, read_run
from tempseg.types import VOID_8

__all__ = ["LabelSequence", "open_labels"]

_VIDEO_SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".mp4", ".nut", ".webm"})
_LAST_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True, slots=True, eq=False)
class LabelSequence:
    """Label maps of one video and what is known of them before the first is read.

    Parameters
    ----------
    name : str
        As the user gave it.
    maps : StoredMaps
    size : tuple of int
        Height and width of the first map.
    bits : int
        8 or 16.
    two_valued : bool
        Whether the maps hold 0 and 255 only: masks of one object.
    ids : StoredMaps or None
        What thing a pixel shows, map by map.
    class_set : ClassSet or None
        The classes, where a record beside the maps names them.
    cuts : frozenset of int
        Places that are known to begin a new shot.
    run : RunNotes or None
        What the run tells that made the maps.
    """

    name: str
    maps: StoredMaps
    size: tuple[int, int]
    bits: int
    two_valued: bool = False
    ids: StoredMaps | None = None
    class_set: ClassSet | None = None
    cuts: frozenset[int] = frozenset()
    run: RunNotes | None = None

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """The frame number of each map: a run's own, the last number in a file's name, the place.

        A run's count from the first frame of its part of the source. None where a file's name
        holds no number.
        """
        if self.run is not None:
            return self.run.numbers
        if self.maps.stems is None:
            return tuple(range(len(self.maps)))
        return _numbers(self.maps.stems)


def _numbers(stems: Sequence[str]) -> tuple[int, ...] | None:
    """Return the last number in each name; none where a name holds none."""
    found = [_LAST_NUMBER.search(stem) for stem in stems]
    return tuple(int(match[1]) for match in found if match) if all(found) else None


def open_labels(path: str | Path) -> LabelSequence:
    """Return the label maps of a run's folder, a label video or a folder of label images.

    A folder that holds `labels` (and `ids`), as `tempseg synth` writes it, is understood, and so
    is the `masks.mkv` in a run's folder.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    SourceError
        When there are no label maps, or the first cannot be read.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"label maps are a {type(path).__name__}, expected the path of a run's folder, of a "
            "label video or of a folder of label images (tempseg.metrics takes arrays)"
        )
    given = Path(path)
    try:
        if given.is_dir():
            return _open_folder(given, str(path))
        if given.is_file():
            return _open_file(given, str(path))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    raise SourceError(f"{path}: no such file or folder; check the path")


def _open_folder(folder: Path, name: str) -> LabelSequence:
    if (folder / "run.json").exists() or (folder / "masks.mkv").exists():
        return _open_run(folder, name)
    if not (folder / "labels").is_dir():
        try:
            return _sequence(name, FolderMaps.of(folder))
        except SourceError as error:
            if not (folder / "partial").is_dir():
                raise
            raise SourceError(
                f"{folder}: holds an unfinished run; finish it with tempseg run --resume"
            ) from error
    maps = FolderMaps.of(folder / "labels")
    ids = _ids_beside(maps, folder / "ids") if (folder / "ids").is_dir() else None
    scene = folder / "scene.json"
    class_set, cuts = _read_scene(scene) if scene.exists() else (None, frozenset[int]())
    return _sequence(name, maps, ids=ids, class_set=class_set, cuts=cuts)


def _ids_beside(labels: FolderMaps, folder: Path) -> FolderMaps:
    """Return the images of ids that have the names of the label images, or their numbers."""
    ids = FolderMaps.of(folder)
    if len(ids) != len(labels):
        raise SourceError(
            f"{folder.parent}: ids holds {len(ids)} images, labels {len(labels)}; give one for each"
        )
    named = dict(zip(ids.stems, ids.paths, strict=True))
    if set(named) != set(labels.stems):
        # Names may differ but for the frame's number: 7_labels.png and 007_ids.png.
        numbers, others = _numbers(labels.stems), _numbers(ids.stems)
        if numbers is not None and others is not None and set(numbers) == set(others):
            numbered = dict(zip(others, ids.paths, strict=True))
            return FolderMaps(tuple(numbered[number] for number in numbers))
    alone = next((path for path in labels.paths if path.stem not in named), None)
    if alone is not None:
        raise SourceError(
            f"{alone}: has no image of ids of its name in {folder}; give one for each"
        )
    return FolderMaps(tuple(named[stem] for stem in labels.stems))


def _open_file(file: Path, name: str) -> LabelSequence:
    if file.name == "masks.mkv" and (file.parent / "run.json").exists():
        return _open_run(file.parent, name)
    if file.suffix.lower() not in _VIDEO_SUFFIXES:
        raise SourceError(
            f"{name}: is no label video; give a run's folder, a masks.mkv or a folder of label "
            "images"
        )
    return _sequence(name, VideoMaps.of(file))


def _open_run(folder: Path, name: str) -> LabelSequence:
    run = read_run(folder)
    masks = folder / "masks.mkv"
    if not masks.exists():
        raise SourceError(f"{folder}: has no masks.mkv; run again with --overwrite")
    maps = VideoMaps.of(masks)
    if len(maps) != len(run.numbers):
        raise SourceError(
            f"{folder}: masks.mkv holds {len(maps)} frames, frames.csv {len(run.numbers)}; "
            "run again with --overwrite"
        )
    return _sequence(name, maps, class_set=run.class_set, cuts=run.cuts, run=run)


def _sequence(
    name: str,
    maps: StoredMaps,
    *,
    ids: StoredMaps | None = None,
    class_set: ClassSet | None = None,
    cuts: frozenset[int] = frozenset(),
    run: RunNotes | None = None,
) -> LabelSequence:
    first = next(maps.read([0]), None)
    if first is None:
        raise SourceError(f"{name}: holds no frame; write it again")
    return LabelSequence(
        name=name,
        maps=maps,
        size=(first.shape[0], first.shape[1]),
        bits=8 * first.dtype.itemsize,
        two_valued=class_set is None and _is_two_valued(maps),
        ids=ids,
        class_set=class_set,
        cuts=cuts,
        run=run,
    )


def _is_two_valued(maps: StoredMaps) -> bool:
    """Tell whether the maps hold 0 and 255 and no other id; all are read, or as far as it takes."""
    values: set[int] = set()
    every = range(len(maps))
    for places in ([place] for place in every) if isinstance(maps, FolderMaps) else [every]:
        # What cannot be read is told of when it is scored, if it is.
        with suppress(SourceError):
            for labels in maps.read(places):
                values.update(np.flatnonzero(np.bincount(labels.ravel())).tolist())
                if not values <= {0, VOID_8}:
                    return False
    return VOID_8 in values


def _read_scene(path: Path) -> tuple[ClassSet | None, frozenset[int]]:
    try:
        scene = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(str(name) for name in scene["classes"])
        return custom(names), frozenset(int(cut) for cut in scene.get("cuts", ()))
    except (OSError, ValueError, KeyError, TypeError, TempsegError) as error:
        raise SourceError(f"{path}: is no record of a rendered scene ({error})") from error
