"""From a model of the zoo to its files: the cache, else a mirror, else the network."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from tempseg.locks import locked
from tempseg.zoo.cache import Pins, cache_folder, sha256_of
from tempseg.zoo.download import TransferObserver, TransferSettings, download
from tempseg.zoo.errors import TransferError, ZooError
from tempseg.zoo.table import ZooEntry, ZooFile, entry_for
from tempseg.zoo.unpack import unpack

__all__ = ["cached_model", "expected_checksum", "fetch", "resolve_model"]

_log = logging.getLogger(__name__)

_PATIENT = TransferSettings()


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
                    _bring(entry, file, cache, mirror, observer, settings)
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
        return (folder / "unpacked").is_dir()
    path = folder / file.place
    return path.is_file() and expected_checksum(entry, file, cache) == sha256_of(path)


def _bring(
    entry: ZooEntry,
    file: ZooFile,
    cache: Path,
    mirror: Path | None,
    observer: TransferObserver | None,
    settings: TransferSettings,
) -> None:
    folder = cache / entry.name
    target = folder / file.place
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = expected_checksum(entry, file, cache)
    source = target
    if not _put_by_hand(entry, file, target, expected):
        source = _brought(entry, file, target, expected, mirror, observer, settings)
    sha256 = sha256_of(source)
    if file.archive is not None:
        limit = file.max_unpacked_bytes
        unpack(source, folder / "unpacked", kind=file.archive, limit_bytes=limit)
        source.unlink()
    elif source != target:
        source.replace(target)
    for leftover in (_part(target), _part(target).with_name(_part(target).name + ".json")):
        leftover.unlink(missing_ok=True)
    if expected is None:
        Pins(cache).add(_key(entry, file), sha256)
        _log.warning(
            "%s: %s has no known checksum; the one it came with is now pinned: %s",
            entry.name,
            file.name,
            sha256,
        )


def _brought(
    entry: ZooEntry,
    file: ZooFile,
    target: Path,
    expected: str | None,
    mirror: Path | None,
    observer: TransferObserver | None,
    settings: TransferSettings,
) -> Path:
    copied = None if mirror is None else _copied(file, mirror, target, expected)
    if copied is not None:
        return copied
    part = _part(target)
    _log.info("%s: downloading %s", entry.name, file.address)
    try:
        download(
            file.address,
            part,
            size=file.bytes,
            limit_bytes=file.limit_bytes,
            settings=settings,
            observer=observer,
        )
    except TransferError as error:
        raise ZooError(
            f"{entry.name}: {error}; bring the file yourself and put it at {target}, "
            f"or name a folder that holds {file.name} with --mirror DIR or TEMPSEG_MIRROR"
        ) from error
    actual = sha256_of(part)
    if expected in (None, actual):
        return part
    part.unlink()
    known = "the zoo's table" if file.sha256 else "what first came (pins.json)"
    raise ZooError(
        f"{entry.name}: {file.address} gives another file than {known}: SHA-256 {actual}, "
        f"expected {expected}; it was not kept"
    )


def _put_by_hand(entry: ZooEntry, file: ZooFile, target: Path, expected: str | None) -> bool:
    if not target.is_file():
        return False
    actual = sha256_of(target)
    if expected in (None, actual) and target.stat().st_size <= file.limit_bytes:
        return True
    _log.warning(
        "%s: %s is not the right file (SHA-256 %s); bringing it anew", entry.name, target, actual
    )
    return False


def _copied(file: ZooFile, mirror: Path, target: Path, expected: str | None) -> Path | None:
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
        if expected in (None, sha256_of(copy)):
            return copy
        copy.unlink()
    if found:
        told = f"SHA-256 {expected}" if expected else f"at most {file.limit_bytes} bytes"
        raise ZooError(f"{found[0]}: is not the file that the zoo knows (expected {told})")
    return None


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _key(entry: ZooEntry, file: ZooFile) -> str:
    return f"{entry.name}/{file.name}"
