"""Files that grow by a frame at a time and are trusted as far as their journal vouches for them."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import OutputError

__all__ = ["Journal", "JournalWriter", "Layer"]

_SEAL = "seal"


@dataclass(frozen=True, slots=True)
class Layer:
    """One array a frame, all of one shape, in a file of their own.

    Parameters
    ----------
    name : str
    dtype : numpy dtype
    shape : tuple of int
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes a frame."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def file(self, folder: Path, journal: str) -> Path:
        """Return where its arrays lie."""
        return folder / f"{journal}-{self.name}.bin"


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal vouches for.

    Parameters
    ----------
    folder : Path
    name : str
    layers : sequence of Layer
    head : mapping
        What was written first; says what all of it is about.
    rows : list of mapping
        One a frame that is whole, in order.
    end : mapping or None
        What was written last; none where the work was cut short.
    damaged : bool
        Whether something that the journal tells of is not as it was written.
    """

    folder: Path
    name: str
    layers: Sequence[Layer]
    head: Mapping[str, Any]
    rows: list[dict[str, Any]]
    end: Mapping[str, Any] | None
    damaged: bool = False

    @classmethod
    def read(
        cls, folder: Path, name: str, layers: Sequence[Layer], head: Mapping[str, Any]
    ) -> Journal:
        """Return as much as is whole: every line and every array is checked against its checksum.

        A journal of another head, or none, vouches for nothing.
        """
        nothing = cls(folder, name, layers, head, [], None)
        try:
            lines = (folder / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return nothing
        except OSError:
            return replace(nothing, damaged=True)
        entries = [_entry(line, number) for number, line in enumerate(lines)]
        if not entries or entries[0] != {"head": dict(head)}:
            return replace(nothing, damaged=bool(entries))
        rows: list[dict[str, Any]] = []
        for entry in entries[1:]:
            if entry is None or "row" not in entry:
                break
            rows.append(entry["row"])
        after = entries[1 + len(rows) :]
        whole = min([len(rows)] + [_whole(layer, folder, name, rows) for layer in layers])
        end = after[0].get("end") if len(after) == 1 and after[0] else None
        # A last line cut short is the mark of an interruption, not of damage.
        cut_short = not lines[-1].endswith(b"\n")
        broken = whole < len(rows) if end is not None else bool(after[: -1 if cut_short else None])
        complete = whole == len(rows)
        return cls(folder, name, layers, head, rows[:whole], end if complete else None, broken)

    def array(self, layer: str) -> NDArray[Any]:
        """Return the arrays of a layer, mapped from the disk, frames first; read-only."""
        found = next(one for one in self.layers if one.name == layer)
        shape = (len(self.rows), *found.shape)
        if not self.rows:
            return np.zeros(shape, found.dtype)
        return np.memmap(found.file(self.folder, self.name), found.dtype, "r", shape=shape)


def _line(entry: Mapping[str, object], number: int) -> str:
    """Return an entry as the line of this number, with a checksum that vouches for it there only.

    So the last line vouches for the number of rows before it.
    """
    return json.dumps({**entry, _SEAL: _seal(entry, number)}) + "\n"


def _entry(line: bytes, number: int) -> dict[str, Any] | None:
    """Return what was written as a line of this number; none where it is not what was written."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.pop(_SEAL, None) != _seal(found, number):
        return None
    return found


def _seal(entry: Mapping[str, object], number: int) -> int:
    return zlib.crc32(json.dumps(entry).encode(), number)


def _whole(layer: Layer, folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how many arrays of a layer, from the first on, are as they were written."""
    try:
        with layer.file(folder, name).open("rb") as file:
            for number, row in enumerate(rows):
                if zlib.crc32(file.read(layer.nbytes)) != row["crc"].get(layer.name):
                    return number
    except OSError:
        return 0
    return len(rows)


class JournalWriter:
    """Adds frames to a journal, behind those that are whole already.

    A row is written when its arrays are, so that a process that is killed leaves what was done.

    Parameters
    ----------
    journal : Journal
        What is there.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._files: dict[str, IO[bytes]] = {}
        self._log: IO[str] | None = None
        self._lines = 0

    def __enter__(self) -> JournalWriter:
        journal = self._journal
        try:
            journal.folder.mkdir(parents=True, exist_ok=True)
            path = journal.folder / f"{journal.name}.jsonl"
            lines = [{"head": dict(journal.head)}, *({"row": row} for row in journal.rows)]
            unfinished = path.with_name(f".{path.name}.partial")
            unfinished.write_text("".join(_line(one, number) for number, one in enumerate(lines)))
            for layer in journal.layers:
                file = layer.file(journal.folder, journal.name).open("ab")
                self._files[layer.name] = file
                file.truncate(len(journal.rows) * layer.nbytes)
            unfinished.replace(path)
            self._log, self._lines = path.open("a", encoding="utf-8"), len(lines)
        except OSError as error:
            self._close()
            raise self._failure(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def add(self, arrays: Mapping[str, NDArray[Any]], **told: object) -> None:
        """Write a frame's arrays, one a layer, and what else is told of it.

        Raises
        ------
        OutputError
            When the disk takes no more.
        """
        crc = {}
        try:
            for layer in self._journal.layers:
                array = np.ascontiguousarray(arrays[layer.name], layer.dtype)
                if array.shape != layer.shape:
                    raise ValueError(f"{layer.name} is {array.shape}, expected {layer.shape}")
                data = array.tobytes()
                crc[layer.name] = zlib.crc32(data)
                self._files[layer.name].write(data)
                self._files[layer.name].flush()
            self._tell({"row": {**told, "crc": crc}})
        except OSError as error:
            raise self._failure(error) from error

    def finish(self, **told: object) -> None:
        """Say that nothing comes after.

        Raises
        ------
        OutputError
            When the disk takes no more.
        """
        try:
            for file in self._files.values():
                os.fsync(file.fileno())
            self._tell({"end": told})
        except OSError as error:
            raise self._failure(error) from error

    def _tell(self, entry: Mapping[str, object]) -> None:
        assert self._log is not None
        self._log.write(_line(entry, self._lines))
        self._log.flush()
        self._lines += 1

    def _close(self) -> None:
        files: list[IO[bytes] | IO[str]] = list(self._files.values())
        files += [] if self._log is None else [self._log]
        for file in files:
            # What could not be flushed is not in the journal either.
            with suppress(OSError):
                file.close()

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self._journal.folder}: cannot be written: {error.strerror}; free some space or "
            "name another place with --cache"
        )
