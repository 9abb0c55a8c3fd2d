"""The classes that label maps are scored in, and the way there from the ids in the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.class_sets import ClassSet, class_set, custom, generic
from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation.inputs import LabelSequence
from tempseg.evaluation.mapping import ClassMapping
from tempseg.kernels.paint import count_labels
from tempseg.metrics.confusion import MAX_CLASSES
from tempseg.types import VOID_8, VOID_16, LabelArray

__all__ = ["Classes", "IdReader", "agree_on_classes", "require_scorable"]


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes that are scored; ids are 0 to K-1.

    Parameters
    ----------
    class_set : ClassSet
    told_by : str
        Who said so; empty where nobody did and every 8-bit id but void counts.
    """

    class_set: ClassSet
    told_by: str

    @property
    def count(self) -> int:
        """K."""
        return len(self.class_set.names)

    @property
    def void(self) -> int:
        """The id that stands for none, in maps that were read: 255, or 65535 for many classes."""
        return VOID_8 if self.count <= VOID_8 else VOID_16


def agree_on_classes(
    prediction: LabelSequence,
    truth: LabelSequence | None,
    reference: LabelSequence | None,
    *,
    asked: int | str | Sequence[str] | None = None,
    mapping: ClassMapping | None = None,
    truth_mapping: ClassMapping | None = None,
) -> Classes:
    """Return the classes that all sequences are scored in.

    What was asked for; else what a mapping maps to; else what a run or scene tells; else two where
    masks hold 0 and 255 only; else every 8-bit id.

    Parameters
    ----------
    prediction, truth, reference : LabelSequence
    asked : int, str or sequence of str, optional
        A number of classes, a well-known set's name, or names.
    mapping, truth_mapping : ClassMapping, optional

    Raises
    ------
    ConfigError
        When the sequences' classes differ, are too many, or 16-bit ids come without classes.
    """
    classes = _agreed(prediction, truth, reference, asked, mapping, truth_mapping)
    require_scorable(classes.class_set, classes.told_by, "map their ids to fewer with --map FILE")
    return classes


def require_scorable(class_set: ClassSet, told_by: str, fix: str) -> None:
    """Refuse more classes than can be scored; `fix` says what to do instead.

    Raises
    ------
    ConfigError
        When they are too many.
    """
    count = len(class_set.names)
    if count > MAX_CLASSES:
        raise ConfigError(
            f"{told_by}: has {count} classes, but at most {MAX_CLASSES} can be scored; {fix}"
        )


def _agreed(
    prediction: LabelSequence,
    truth: LabelSequence | None,
    reference: LabelSequence | None,
    asked: int | str | Sequence[str] | None,
    mapping: ClassMapping | None,
    truth_mapping: ClassMapping | None,
) -> Classes:
    if asked is not None:
        return Classes(_asked(asked), "--classes")
    known = _known(prediction, truth, reference, mapping, truth_mapping)
    if mapping is not None or truth_mapping is not None:
        return _mapped(known, mapping, truth_mapping)
    named = {told: found for told, found in known.items() if found.name != "generic"}
    _check_alike(named)
    pool = named or known
    if pool:
        told, found = max(pool.items(), key=lambda item: len(item[1].names))
        return _without_single_object(Classes(found, told), prediction, truth, reference)
    given = [entry for entry in (prediction, truth, reference) if entry is not None]
    if any(entry.two_valued for entry in given):
        return Classes(class_set("binary"), "masks of 0 and 255")
    wide = next((entry for entry in given if entry.bits == 16), None)
    if wide is not None:
        raise ConfigError(f"{wide.name}: label maps of 16 bits need --classes")
    return Classes(generic(VOID_8), "")


def _check_alike(named: Mapping[str, ClassSet]) -> None:
    """Raise where class sets differ: in their number, or in what id one name stands for."""
    counts = {len(found.names) for found in named.values()}
    if len(counts) > 1:
        told = ", ".join(f"{name} has {len(found.names)}" for name, found in named.items())
        raise ConfigError(f"{told} classes: map them with --map FILE, or say --classes")
    seen: dict[str, tuple[int, str]] = {}
    for names, told in {found.names: told for told, found in named.items()}.items():
        for class_id, name in enumerate(names):
            # Two sets may call one class by two names, but not two classes by one.
            first_id, by = seen.setdefault(name.casefold(), (class_id, told))
            if first_id != class_id and by != told:
                raise ConfigError(
                    f"{name} is class {first_id} in {by} and class {class_id} in {told}: map them "
                    "with --map FILE, or say --classes"
                )


def _asked(asked: int | str | Sequence[str]) -> ClassSet:
    if isinstance(asked, str) and asked.isdecimal():
        asked = int(asked)
    if isinstance(asked, int):
        if not 1 <= asked <= MAX_CLASSES:
            raise ConfigError(f"--classes {asked}: expected 1 to {MAX_CLASSES}")
        return generic(asked)
    if isinstance(asked, str) and "," not in asked:
        return class_set(asked)
    return custom(
        [name.strip() for name in (asked.split(",") if isinstance(asked, str) else asked)]
    )


def _known(
    prediction: LabelSequence,
    truth: LabelSequence | None,
    reference: LabelSequence | None,
    mapping: ClassMapping | None,
    truth_mapping: ClassMapping | None,
) -> dict[str, ClassSet]:
    """Return the classes of the sequences that no mapping changes, by their names."""
    kept = [entry for entry in (prediction, reference) if entry is not None and mapping is None]
    kept += [truth] if truth is not None and truth_mapping is None else []
    return {entry.name: entry.class_set for entry in kept if entry.class_set is not None}


def _mapped(
    known: dict[str, ClassSet],
    mapping: ClassMapping | None,
    truth_mapping: ClassMapping | None,
) -> Classes:
    mappings = [entry for entry in (mapping, truth_mapping) if entry is not None]
    for entry in mappings:
        if entry.class_set is not None:
            return Classes(entry.class_set, entry.name)
    if known:
        told, found = next(reversed(known.items()))
        return Classes(found, told)
    widest = max(mappings, key=lambda entry: entry.target_count)
    if widest.target_count > MAX_CLASSES:
        raise ConfigError(
            f"{widest.name}: maps to id {widest.target_count - 1}, expected 0 to {MAX_CLASSES - 1}"
        )
    return Classes(generic(widest.target_count), widest.name)


def _without_single_object(classes: Classes, *given: LabelSequence | None) -> Classes:
    for entry in given:
        if entry is not None and entry.two_valued and classes.count > 2:
            raise ConfigError(
                f"{entry.name}: holds 0 and 255 only, masks of one object, but {classes.told_by} "
                f"has {classes.count} classes; map them to two with --map FILE, or say --classes"
            )
    return classes


class IdReader:
    """Turns the ids in files into classes, and refuses those that are none.

    Parameters
    ----------
    sequence : LabelSequence
    classes : Classes
    void : int, optional
        The id in files that stands for none; that of the classes by default. The highest of the
        files' bits always does, unless a mapping says otherwise.
    mapping : ClassMapping, optional
        Goes from the ids in the files to classes; `void` is then one of its targets.
    option : str
        What gives the mapping, for errors.

    Raises
    ------
    ConfigError
        When `void` is one of the classes, or the mapping maps to none of them.
    """

    def __init__(
        self,
        sequence: LabelSequence,
        classes: Classes,
        *,
        void: int | None = None,
        mapping: ClassMapping | None = None,
        option: str = "--map",
    ) -> None:
        values = 1 << sequence.bits
        void = classes.void if void is None else void
        if void < classes.count and classes.told_by:
            raise ConfigError(
                f"--void {void}: is one of the {classes.count} classes that {classes.told_by} "
                "tells; choose another"
            )
        self._sequence = sequence
        self._classes = classes
        self._option = option
        self._dtype = np.dtype(np.uint8 if classes.void == VOID_8 else np.uint16)
        self._counts = np.zeros(values, np.int64)
        self._stray = np.zeros(values, np.bool_)
        self._table = np.full(values, classes.void, self._dtype)
        if mapping is None:
            self._fill_plain(values, void)
        else:
            self._fill_mapped(values, void, mapping)
        own_void = values - 1 if sequence.run is None else sequence.run.void
        if mapping is None or not mapping.names(own_void, sequence.class_set):
            foreground = sequence.two_valued and classes.count == 2 and mapping is None
            self._table[own_void] = 1 if foreground else classes.void
            self._stray[own_void] = False
        self._same: NDArray[np.bool_] = self._table == np.arange(values)

    def read(self, labels: LabelArray, place: int) -> LabelArray:
        """Return a map in classes: uint8 with 255, or uint16 with 65535, for void.

        Raises
        ------
        SourceError
            When the map has another size than the first, or holds an id that is no class.
        """
        where = self._sequence.maps.where
        if labels.shape != self._sequence.size or labels.dtype.itemsize * 8 != self._sequence.bits:
            height, width = labels.shape
            raise SourceError(
                f"{where(place)}: is {width}×{height} of {labels.dtype.itemsize * 8} bits, but the "
                f"first is {self._sequence.size[1]}×{self._sequence.size[0]} of "
                f"{self._sequence.bits}; label maps of one video have one size"
            )
        count_labels(labels, self._counts)
        present = np.flatnonzero(self._counts)
        stray = present[self._stray[present]]
        if stray.size:
            raise SourceError(
                f"{where(place)}: holds id {stray[0]}, expected 0 to {self._classes.count - 1} or "
                f"void; say --classes, or map the ids with {self._option} FILE"
            )
        if labels.dtype == self._dtype and self._same[present].all():
            return labels
        if labels.dtype == self._dtype == np.uint8:
            return np.asarray(cv2.LUT(labels, self._table), np.uint8)
        return self._table[labels]

    def _fill_plain(self, values: int, void: int) -> None:
        count = min(self._classes.count, values)
        self._table[:count] = np.arange(count)
        self._stray[count:] = True
        if void < values:
            self._table[void] = self._classes.void
            self._stray[void] = False

    def _fill_mapped(self, values: int, void: int, mapping: ClassMapping) -> None:
        self._stray[:] = True
        targets = mapping.targets(self._sequence.class_set, values=values)
        for value, target in targets.items():
            self._stray[value] = False
            if target is None or target in (void, VOID_16):
                continue
            if target < self._classes.count:
                self._table[value] = target
            else:
                raise ConfigError(
                    f"{mapping.name}: maps to id {target}, but {self._classes.told_by} has "
                    f"{self._classes.count} classes; void is 'void' or {void}"
                )
