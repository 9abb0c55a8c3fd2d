"""Unpacks archives from strangers: nothing outside the folder, no links, nothing too large."""

from __future__ import annotations

import errno
import gzip
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast

from tempseg.zoo.errors import ArchiveError

__all__ = ["MAX_FILES", "unpack"]

MAX_FILES = 10_000
"""The most members that an archive may have."""

_BLOCK_BYTES = 1 << 16
# Room for a tar's headers and padding, beside the bytes of its files.
_TAR_MARGIN_BYTES = MAX_FILES * 2048
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    ValueError,
    IndexError,
)


class _Capped:
    """Reads from a file and refuses to give more than a number of bytes."""

    def __init__(self, file: IO[bytes], limit_bytes: int) -> None:
        self._file = file
        self._left = limit_bytes

    def read(self, count: int = -1) -> bytes:
        wanted = self._left + 1 if count < 0 else min(count, self._left + 1)
        block = self._file.read(wanted)
        self._left -= len(block)
        if self._left < 0:
            raise ArchiveError("unpacks to more than it may")
        return block


def unpack(archive: Path, folder: Path, *, kind: Literal["tar", "zip"], limit_bytes: int) -> None:
    """Unpack an archive's files; `folder` is there with all of them, or not at all.

    Members are files and folders; links and devices are refused, and so are names that lead
    elsewhere. Owners, dates and permissions are dropped. One unpacking at a time a folder.

    Parameters
    ----------
    archive : Path
    folder : Path
        Does not exist yet.
    kind : {'tar', 'zip'}
        `tar` plain or compressed by gzip.
    limit_bytes : int
        The most that its files may have together.

    Raises
    ------
    ArchiveError
        When it is damaged, too large, or holds what it should not; nothing is left behind.
    """
    unfinished = folder.with_name(".unpacking")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        members = _tar_members(archive, limit_bytes) if kind == "tar" else _zip_members(archive)
        _write_all(members, unfinished, limit_bytes)
        unfinished.rename(folder)
    except ArchiveError as error:
        raise ArchiveError(f"{archive}: {error}") from error
    except (*_DAMAGE, OSError) as error:
        # A damaged zip makes zipfile seek to before the file's beginning: EINVAL.
        if not isinstance(error, _DAMAGE) and error.errno != errno.EINVAL:
            raise
        raise ArchiveError(f"{archive}: is damaged, or no {kind} archive ({error})") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_all(
    members: Iterator[tuple[str, IO[bytes] | None]], folder: Path, limit_bytes: int
) -> None:
    left = limit_bytes
    for count, (name, content) in enumerate(members, start=1):
        if count > MAX_FILES:
            raise ArchiveError(f"has more than {MAX_FILES} members")
        target = folder.joinpath(*_parts(name))
        try:
            if content is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                capped = _Capped(content, left)
                while block := capped.read(_BLOCK_BYTES):
                    file.write(block)
                    left -= len(block)
        except (FileExistsError, NotADirectoryError) as error:
            raise ArchiveError(f"member {name!r} comes twice") from error


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    strange = path.is_absolute() or ".." in path.parts or not path.parts
    if strange or re.search(r"[\x00-\x1f\\:]", name) or any(len(p) > 200 for p in path.parts):
        raise ArchiveError(f"member {name!r} has a name that is not safe to unpack")
    return path.parts


def _tar_members(archive: Path, limit_bytes: int) -> Iterator[tuple[str, IO[bytes] | None]]:
    with archive.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if packed else raw)
        # As a stream, and capped: names and headers can be bombs as much as files can.
        capped = cast(IO[bytes], _Capped(stream, limit_bytes + _TAR_MARGIN_BYTES))
        with tarfile.open(fileobj=capped, mode="r|") as tar:
            for member in tar:
                if member.isdir():
                    if PurePosixPath(member.name).parts:
                        yield member.name, None
                elif member.isreg() and not member.issparse():
                    yield member.name, tar.extractfile(member)
                else:
                    raise ArchiveError(f"member {member.name!r} is neither file nor folder")


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = member.external_attr >> 16 & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise ArchiveError(f"member {member.filename!r} is neither file nor folder")
            if member.flag_bits & 1:
                raise ArchiveError(f"member {member.filename!r} is encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ArchiveError(f"member {member.filename!r} is compressed in an unusual way")
            if member.is_dir():
                yield member.filename, None
                continue
            with opened.open(member) as content:
                yield member.filename, content
