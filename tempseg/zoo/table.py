"""The table of well-known public segmenters."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from tempseg.zoo.errors import ZooError

__all__ = [
    "ZooEntry",
    "ZooFile",
    "entry_for",
    "entry_of_bytes",
    "find_entry",
    "read_table",
    "zoo_entries",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class ZooFile:
    """One file of a model, and how it is known to be the right one.

    Parameters
    ----------
    address : str
        Where it is published, `http` or `https`.
    sha256 : str or None
        None where no file was at hand: the first that arrives is then pinned.
    bytes : int or None
        The exact size, known with the checksum.
    max_bytes : int or None
        The most to accept, where the size is not known.
    place : str
        Where it lies in the model's folder; by default its own name.
    archive : str or None
        `tar` (plain or gzip) or `zip`, unpacked into the folder `unpacked`.
    max_unpacked_bytes : int
        The most that an archive may hold.
    also : tuple of str
        Other names of copies of the same bytes.
    """

    address: str
    sha256: str | None = None
    bytes: int | None = None
    max_bytes: int | None = None
    place: str = ""
    archive: Literal["tar", "zip"] | None = None
    max_unpacked_bytes: int = 0
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if urlsplit(self.address).scheme not in ("http", "https"):
            raise ValueError(f"{self.address}: expected an http or https address")
        if self.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.address}: {self.sha256!r} is no SHA-256 in lower case")
        if (self.sha256 is None) != (self.bytes is None):
            raise ValueError(f"{self.address}: sha256 and bytes are known together or not at all")
        if (self.bytes is None) == (self.max_bytes is None):
            raise ValueError(f"{self.address}: needs one of bytes and max_bytes")
        if (self.archive is None) != (self.max_unpacked_bytes == 0):
            raise ValueError(f"{self.address}: archive and max_unpacked_bytes go together")
        if not self.place:
            object.__setattr__(self, "place", self.name)
        path = PurePosixPath(self.place)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise ValueError(f"{self.address}: place {self.place!r} leaves the model's folder")

    @property
    def name(self) -> str:
        """The file's name at its address."""
        return unquote(urlsplit(self.address).path).rpartition("/")[2]

    @property
    def limit_bytes(self) -> int:
        """The most bytes to accept."""
        return self.bytes if self.bytes is not None else (self.max_bytes or 0)


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One model of the zoo.

    Parameters
    ----------
    name : str
        What `--model` takes: small letters, digits, hyphens.
    title, licence, home, input : str
        For people: what it is, under which terms, the publisher's page, what it takes.
    model : str
        The file or folder to open, in the model's folder.
    files : tuple of ZooFile
        Fetched in this order; at most one archive; none where the model is embedded.
    segmenter : mapping
        The `[segmenter]` keys that the model needs.
    note : str
        What else to know, such as that it was never tried.
    embedded : bool
        It came with the package: `model` lies in this package's folder.
    """

    name: str
    title: str
    licence: str
    home: str
    input: str
    model: str
    files: tuple[ZooFile, ...]
    segmenter: Mapping[str, Any]
    note: str = ""
    embedded: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name: small letters, digits and hyphens")
        if self.embedded and self.files:
            raise ValueError(f"{self.name}: is embedded, and has files to fetch")
        archives = sum(file.archive is not None for file in self.files)
        if archives > 1 or not (self.files or self.embedded):
            raise ValueError(f"{self.name}: needs files, and at most one archive among them")
        object.__setattr__(self, "segmenter", MappingProxyType(dict(self.segmenter)))


def read_table(text: str) -> tuple[ZooEntry, ...]:
    """Return the entries that a TOML table of models holds.

    Raises
    ------
    ValueError, TypeError
        When a value is wrong, a key is missing or not known, or a name comes twice.
    """
    entries = []
    for row in tomllib.loads(text)["models"]:
        listed = tuple(
            ZooFile(**{**file, "also": tuple(file.get("also", ()))})
            for file in row.get("files", ())
        )
        entries.append(ZooEntry(**{**row, "files": listed}))
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"a name comes twice: {sorted(names)}")
    return tuple(entries)


@cache
def zoo_entries() -> tuple[ZooEntry, ...]:
    """Return all models of the zoo, in the table's order.

    Examples
    --------
    >>> "coral-cityscapes" in [entry.name for entry in zoo_entries()]
    True
    """
    return read_table((files("tempseg.zoo") / "table.toml").read_text(encoding="utf-8"))


def find_entry(name: str) -> ZooEntry:
    """Return the model of that name.

    Raises
    ------
    ZooError
        When there is none; names the nearest ones.

    Examples
    --------
    >>> find_entry("coral-voc").licence
    'Apache-2.0'
    """
    entries = {entry.name: entry for entry in zoo_entries()}
    if name in entries:
        return entries[name]
    raise ZooError(f"the zoo has no model {name!r}{_nearest(name, list(entries))}")


def entry_for(model: str) -> ZooEntry | None:
    """Return the zoo's model that a MODEL stands for; none where it is a path or a prefixed name.

    What exists on disk goes before a zoo name; only an embedded model's is not hidden by a folder
    that holds no model, such as one of a rendered street.

    Raises
    ------
    ZooError
        When it can only be a zoo name, and is none.

    Examples
    --------
    >>> entry_for("models/mine.tflite") is None
    True
    >>> entry_for("coral-vok")
    Traceback (most recent call last):
        ...
    tempseg.zoo.errors.ZooError: there is no file, folder or zoo model 'coral-vok'; \
did you mean coral-voc or coral-voc-small? (tempseg models list)
    """
    if not _NAME.fullmatch(model):
        return None
    entries = {entry.name: entry for entry in zoo_entries()}
    path = Path(model)
    is_other_folder = path.is_dir() and not (path / "saved_model.pb").is_file()
    if path.exists() and not (is_other_folder and model in entries and entries[model].embedded):
        return None
    if model in entries:
        return entries[model]
    near = _nearest(model, list(entries))
    raise ZooError(f"there is no file, folder or zoo model {model!r}{near}")


def entry_of_bytes(sha256: str) -> ZooEntry | None:
    """Return the zoo's model that is one file of this SHA-256, whatever it is called here.

    Examples
    --------
    >>> entry_of_bytes("0" * 64) is None
    True
    """
    for entry in zoo_entries():
        # An embedded model has no file to fetch.
        known = [file.sha256 for file in entry.files if file.archive is None]
        if len(entry.files) == 1 and known == [sha256]:
            return entry
    return None


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    near += [other for other in known if name.lower() in other and other not in near]
    if not near:
        return f"; there are {', '.join(known)}"
    return f"; did you mean {' or '.join(near[:3])}? (tempseg models list)"
