"""From a model of the zoo to its files: the cache, else a mirror, else the network."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tempseg.locks import locked
from tempseg.zoo.cache import Pins, cache_folder, sha256_of
from tempseg.zoo.download import TransferObserver, TransferSettings, download
from tempseg.zoo.errors import TransferError, ZooError
from tempseg.zoo.kinds import is_of_kind
from tempseg.zoo.table import ZooEntry, ZooFile, entry_for
from tempseg.zoo.unpack import unpack

__all__ = ["cached_model", "expected_checksum", "fetch", "resolve_model"]

_log = logging.getLogger(__name__)

_PATIENT = TransferSettings()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file of a model that the cache lacks, and the checksum that it must have, if any."""

    entry: ZooEntry
    file: ZooFile
    cache: Path
    expected: str | None

    @property
    def folder(self) -> Path:
        return self.cache / self.entry.name

    @property
    def target(self) -> Path:
        return self.folder / self.file.place

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def by_hand(self) -> str:
        return (
            f"bring the file yourself and put it at {self.target}, or name a folder that holds "
            f"{self.file.name} with --mirror DIR or TEMPSEG_MIRROR"
        )

    @property
    def unpinning(self) -> str:
        """How to take another file than the pinned one; nothing where the table knows it."""
        if self.expected is None or self.file.sha256 is not None:
            return ""
        pins, key = Pins(self.cache).path, _key(self.entry, self.file)
        return f'; if it is the right one, take "{key}" out of {pins} and try again'

    def is_right(self, path: Path) -> bool:
        """Return whether a file is the known one; where none is known, whether it is a model's."""
        if self.expected is not None:
            return self.expected == sha256_of(path)
        # Unpacking tells what is no archive.
        return self.file.archive is not None or is_of_kind(path, self.file.name)


def resolve_model(model: str) -> str:
    """Return what to open for a MODEL: itself, or the file that its zoo name stands for.

    Parameters
    ----------
    model : str

    Raises
    ------
    ZooError
        When it is a name that the zoo does not have, or whose files cannot be had.
    """
    entry = entry_for(model)
    return model if entry is None else str(fetch(entry))


def cached_model(entry: ZooEntry, cache: Path | None = None) -> Path | None:
    """Return where a model lies, here or in the cache; none where files are missing or wrong."""
    if entry.embedded:
        model = _embedded(entry)
        return model if model.exists() else None
    cache = cache_folder() if cache is None else cache
    folder = cache / entry.name
    model = folder / entry.model
    if not model.exists():
        return None
    return model if all(_is_there(entry, file, cache) for file in entry.files) else None


def expected_checksum(entry: ZooEntry, file: ZooFile, cache: Path | None = None) -> str | None:
    """Return the SHA-256 that a file must have: the table's, else the pinned one, else none."""
    return file.sha256 or Pins(cache_folder() if cache is None else cache).get(_key(entry, file))


def fetch(
    entry: ZooEntry,
    *,
    cache: Path | None = None,
    mirror: Path | None = None,
    observer: TransferObserver | None = None,
    settings: TransferSettings = _PATIENT,
) -> Path:
    """Return a model's file or folder, brought and verified where it is not in the cache.

    Parameters
    ----------
    entry : ZooEntry
    cache : Path, optional
        By default `cache_folder()`.
    mirror : Path, optional
        A folder that is searched for the files, by name, before the network is; by default what
        `TEMPSEG_MIRROR` names.
    observer : TransferObserver, optional
        Follows the download.
    settings : TransferSettings, optional

    Raises
    ------
    ZooError
        When a file cannot be had or is not the right one; says where to put it by hand.
    """
    if entry.embedded:
        model = _embedded(entry)
        if not model.exists():
            raise ZooError(f"{entry.name}: {model} should have come with tempseg; install it anew")
        return model
    cache = cache_folder() if cache is None else cache
    if mirror is None and os.environ.get("TEMPSEG_MIRROR"):
        mirror = Path(os.environ["TEMPSEG_MIRROR"]).expanduser()
    try:
        # Before the lock: a cache that cannot be written may still hold the model.
        found = cached_model(entry, cache)
        if found is not None:
            return found
        if mirror is not None and not mirror.is_dir():
            raise ZooError(f"{mirror}: is no folder that could mirror models")
        with locked(cache / entry.name / ".lock"):
            for file in entry.files:
                if not _is_there(entry, file, cache):
                    expected = expected_checksum(entry, file, cache)
                    _bring(_Wanted(entry, file, cache, expected), mirror, observer, settings)
    except OSError as error:
        raise ZooError(
            f"{entry.name}: {cache} cannot be used ({error.strerror or error}); "
            "set TEMPSEG_CACHE to a folder that can be written"
        ) from error
    model = cache / entry.name / entry.model
    if not model.exists():
        raise ZooError(f"{entry.name}: {model} was not among what was unpacked")
    return model


def _embedded(entry: ZooEntry) -> Path:
    return Path(__file__).parent / entry.model


def _is_there(entry: ZooEntry, file: ZooFile, cache: Path) -> bool:
    folder = cache / entry.name
    if file.archive is not None:
        unpacked, model = folder / "unpacked", folder / entry.model
        return unpacked.is_dir() and (model.exists() or unpacked not in model.parents)
    path = folder / file.place
    return path.is_file() and expected_checksum(entry, file, cache) == sha256_of(path)


def _bring(
    wanted: _Wanted,
    mirror: Path | None,
    observer: TransferObserver | None,
    settings: TransferSettings,
) -> None:
    entry, file, target = wanted.entry, wanted.file, wanted.target
    target.parent.mkdir(parents=True, exist_ok=True)
    source = None
    if _put_by_hand(wanted):
        source = target
    elif mirror is not None:
        source = _copied(wanted, mirror)
    if source is None:
        source = _downloaded(wanted, observer, settings)
    sha256 = sha256_of(source)
    if file.archive is not None:
        unpacked = wanted.folder / "unpacked"
        if unpacked.is_dir():
            _log.warning("%s: %s lacks the model; unpacking it anew", entry.name, unpacked)
            shutil.rmtree(unpacked)
        unpack(source, unpacked, kind=file.archive, limit_bytes=file.max_unpacked_bytes)
        source.unlink()
    elif source != target:
        source.replace(target)
    part = wanted.part
    for leftover in (part, part.with_name(part.name + ".json")):
        leftover.unlink(missing_ok=True)
    if wanted.expected is None:
        Pins(wanted.cache).add(_key(entry, file), sha256)
        _log.warning(
            "%s: %s has no known checksum; the one it came with is now pinned: %s",
            entry.name,
            file.name,
            sha256,
        )


def _put_by_hand(wanted: _Wanted) -> bool:
    target = wanted.target
    if not target.is_file():
        return False
    if target.stat().st_size <= wanted.file.limit_bytes and wanted.is_right(target):
        return True
    _log.warning(
        "%s: %s is not the right file (SHA-256 %s); bringing it anew%s",
        wanted.entry.name,
        target,
        sha256_of(target),
        wanted.unpinning,
    )
    return False


def _copied(wanted: _Wanted, mirror: Path) -> Path | None:
    file, target = wanted.file, wanted.target
    names = {file.name, *file.also}
    found = sorted(
        Path(folder) / name
        for folder, _, held in os.walk(mirror)
        for name in names.intersection(held)
    )
    copy = target.with_name(target.name + ".copy")
    for path in found:
        if not path.is_file() or path.stat().st_size > file.limit_bytes:
            continue
        shutil.copyfile(path, copy)
        if wanted.is_right(copy):
            return copy
        copy.unlink()
    if found:
        told = f"SHA-256 {wanted.expected}"
        if wanted.expected is None:
            told = f"a {Path(file.name).suffix} file of at most {file.limit_bytes} bytes"
        raise ZooError(
            f"{found[0]}: is not the file that the zoo knows (expected {told}){wanted.unpinning}"
        )
    return None


def _downloaded(
    wanted: _Wanted, observer: TransferObserver | None, settings: TransferSettings
) -> Path:
    entry, file, part = wanted.entry, wanted.file, wanted.part
    began_earlier = part.exists()
    _transfer(wanted, observer, settings)
    if began_earlier and not wanted.is_right(part):
        # What lay there may be to blame, not the address.
        _log.warning("%s: %s was damaged; bringing it anew", entry.name, part)
        part.unlink()
        _transfer(wanted, observer, settings)
    if wanted.is_right(part):
        return part
    actual = sha256_of(part)
    part.unlink()
    if wanted.expected is None:
        raise ZooError(
            f"{entry.name}: {file.address} gives no {Path(file.name).suffix} file, but something "
            f"else, such as a page to log in; it was not kept; {wanted.by_hand}"
        )
    known = "the zoo's table" if file.sha256 else "what first came (pins.json)"
    raise ZooError(
        f"{entry.name}: {file.address} gives another file than {known}: SHA-256 {actual}, "
        f"expected {wanted.expected}; it was not kept{wanted.unpinning}"
    )


def _transfer(
    wanted: _Wanted, observer: TransferObserver | None, settings: TransferSettings
) -> None:
    entry, file = wanted.entry, wanted.file
    _log.info("%s: downloading %s", entry.name, file.address)
    try:
        download(
            file.address,
            wanted.part,
            size=file.bytes,
            limit_bytes=file.limit_bytes,
            settings=settings,
            observer=observer,
        )
    except TransferError as error:
        raise ZooError(f"{entry.name}: {error}; {wanted.by_hand}") from error


def _key(entry: ZooEntry, file: ZooFile) -> str:
    return f"{entry.name}/{file.name}"
