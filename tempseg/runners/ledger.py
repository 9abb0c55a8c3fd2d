"""The chunks of a run on disk: what is finished, and whether it is still what it was."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from tempseg.config import Config
from tempseg.errors import OutputError, is_full
from tempseg.outputs import CHUNKS, make_room
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import Chunk, ChunkPlan
from tempseg.runners.sealed import read_sealed, write_sealed

__all__ = ["CHUNK_FILES", "RECORD", "ChunkFolder", "Ledger", "is_whole"]

_log = logging.getLogger(__name__)

CHUNK_FILES = ("masks.mkv", "overlay.mp4", "frames.csv")
RECORD = "chunk.json"
UNFINISHED = ".unfinished"


class ChunkFolder:
    """Where a chunk writes: under another name until it is finished.

    Parameters
    ----------
    chunks : Path
        The folder of all chunks.
    chunk : Chunk
    """

    def __init__(self, chunks: Path, chunk: Chunk) -> None:
        self.path = chunks / chunk.name
        self.unfinished = chunks / (chunk.name + UNFINISHED)

    def begin(self) -> Path:
        """Make an empty folder for the files; return it.

        Raises
        ------
        OutputError
            When it cannot be made.
        """
        try:
            for old in (self.path, self.unfinished):
                make_room(old)
            self.unfinished.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made: {error.strerror}") from error
        return self.unfinished

    def checksums(self) -> tuple[dict[str, int], dict[str, str]]:
        """Return sizes and hashes of the written files by name."""
        sizes, hashes = {}, {}
        try:
            for name in CHUNK_FILES:
                path = self.unfinished / name
                if path.exists():
                    sizes[name] = path.stat().st_size
                    hashes[name] = _sha256(path)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be read back: {error.strerror}") from error
        return sizes, hashes

    def finish(self, record: ChunkRecord) -> None:
        """Put the record beside the files and give the folder its name.

        Raises
        ------
        OutputError
            When that cannot be written.
        """
        try:
            record.write(self.unfinished / RECORD)
            self.unfinished.rename(self.path)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be completed: {error.strerror}") from error


class Ledger:
    """What a run is made of, and which of its chunks are finished.

    Parameters
    ----------
    partial : Path
        The folder of the unfinished run.
    """

    def __init__(self, partial: Path) -> None:
        self.chunks = partial / CHUNKS
        self._made = partial / CHUNKS / "run.json"

    def stored(self) -> dict[str, object] | None:
        """Return what the run that left these chunks was made of; none where nothing is left."""
        try:
            fingerprint = read_sealed(self._made, unsealed=True)["fingerprint"]
        except (OSError, ValueError, KeyError):
            return None
        return fingerprint if isinstance(fingerprint, dict) else None

    def in_one(self) -> bool:
        """Return whether the source was found not to be cut."""
        try:
            return bool(read_sealed(self._made)["in_one"])
        except (OSError, ValueError, KeyError):
            return False

    def begin(self, fingerprint: Mapping[str, object], *, in_one: bool = False) -> None:
        """Write down what the run is made of.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        try:
            self.chunks.mkdir(parents=True, exist_ok=True)
            fresh = self._made.with_suffix(".new")
            write_sealed(fresh, {"in_one": in_one, "fingerprint": fingerprint})
            fresh.replace(self._made)
        except OSError as error:
            why = "the disk is full; make room there" if is_full(error) else error.strerror
            raise OutputError(f"{self._made}: cannot be written: {why}") from error

    def finished(self, plan: ChunkPlan, run: str) -> dict[int, ChunkRecord]:
        """Return the records of the chunks whose files are whole, by number."""
        found, lost = {}, 0
        for chunk in plan.chunks:
            record = self._verified(chunk, run, _files(plan.config))
            if record is not None:
                found[chunk.number] = record
            elif os.path.lexists(self.chunks / chunk.name):
                lost += 1
        if lost:
            _log.warning(
                "%s: %d finished chunks are damaged or of another version; they are done again",
                self.chunks,
                lost,
            )
        return found

    def folder_of(self, number: int) -> Path:
        """Return the folder of a finished chunk."""
        return self.chunks / f"{number:05d}"

    def unfinished(self, number: int) -> Path:
        """Return the folder that a chunk has before it is finished."""
        return self.chunks / f"{number:05d}{UNFINISHED}"

    def _verified(self, chunk: Chunk, run: str, files: set[str]) -> ChunkRecord | None:
        folder = self.chunks / chunk.name
        try:
            record = ChunkRecord.read(folder / RECORD)
            named = record.sizes.keys() == record.sha256.keys() == files
            whole = named and record.is_of(chunk, run) and is_whole(record, folder)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if whole else None


def is_whole(record: ChunkRecord, folder: Path) -> bool:
    """Tell whether a chunk's files have the sizes and hashes of its record.

    Raises
    ------
    OSError
        When one is not there or cannot be read.
    """
    return all(
        (folder / name).stat().st_size == record.sizes[name] and _sha256(folder / name) == digest
        for name, digest in record.sha256.items()
    )


def _files(config: Config) -> set[str]:
    """Return the names of what a chunk of a run writes."""
    return set(CHUNK_FILES) - (set() if config.output.overlay else {"overlay.mp4"})


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
