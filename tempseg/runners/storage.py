"""Storage that several machines reach: finished chunks pass through it to the run's own disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tempseg.errors import ConfigError, OutputError

__all__ = ["Storage"]

_BEGUN = "begun"


class Storage:
    """A folder at an address that fsspec knows.

    Parameters
    ----------
    url : str
        Such as `s3://bucket/folder`, `gs://bucket/folder` or `file:///mnt/all/folder`.

    Raises
    ------
    ConfigError
        When there is nothing to reach such an address with.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise ConfigError(
                f"run.storage {url}: needs fsspec: pip install 'tempseg[ray]'"
            ) from error
        try:
            found = url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"run.storage {url}: cannot be reached: {error}") from error
        self._system: Any = found[0]
        self._root = found[1].rstrip("/")

    def begin(self) -> None:
        """Make the folder, empty.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        self.clear()
        with self._told("cannot be written"):
            self._system.makedirs(self._root, exist_ok=True)
            self._system.pipe_file(f"{self._root}/{_BEGUN}", b"tempseg\n")

    def begun(self) -> bool:
        """Tell whether the folder is seen from here."""
        with self._told("cannot be read"):
            return bool(self._system.exists(f"{self._root}/{_BEGUN}"))

    def put(self, folder: Path) -> None:
        """Copy a folder's files to one of its name.

        Raises
        ------
        OutputError
            When they cannot be written.
        """
        target = f"{self._root}/{folder.name}"
        files = [path for path in sorted(folder.iterdir()) if path.is_file()]
        with self._told("cannot be written"):
            self._system.makedirs(target, exist_ok=True)
            self._system.put([str(f) for f in files], [f"{target}/{f.name}" for f in files])

    def take(self, folder: Path) -> None:
        """Move the files of the folder of that name into it.

        Raises
        ------
        OutputError
            When they cannot be read.
        """
        source = f"{self._root}/{folder.name}"
        with self._told("cannot be read"):
            names = [name.rpartition("/")[2] for name in self._system.ls(source, detail=False)]
            self._system.get([f"{source}/{n}" for n in names], [str(folder / n) for n in names])
            self._system.rm(source, recursive=True)

    def clear(self) -> None:
        """Remove the folder, as far as that can be done."""
        # What is left is removed by the next run into the same folder.
        with contextlib.suppress(Exception):
            self._system.rm(self._root, recursive=True)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Each kind of storage has errors of its own.
            told = str(error) or type(error).__name__
            raise OutputError(f"run.storage {self.url}: {what}: {told}") from error
