"""The folder that models are kept in: where it is, its locks and its pinned checksums."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from tempseg.locks import locked
from tempseg.zoo.errors import ZooError

__all__ = ["Pins", "cache_folder", "sha256_of"]

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder that models are kept in; it need not exist yet.

    `TEMPSEG_CACHE`, else `tempseg` under `XDG_CACHE_HOME`, else `~/.cache/tempseg`.
    """
    named = os.environ.get("TEMPSEG_CACHE")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "tempseg"
    except RuntimeError as error:
        raise ZooError("there is no home folder to cache models in; set TEMPSEG_CACHE") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Pins:
    """Checksums of files that the table has none for, as they were when they first arrived.

    Parameters
    ----------
    cache : Path
        Holds `pins.json`.
    """

    def __init__(self, cache: Path) -> None:
        self.path = cache / "pins.json"

    def get(self, key: str) -> str | None:
        """Return the checksum that was pinned for a file, if any.

        Raises
        ------
        ZooError
            When `pins.json` is damaged or cannot be read.
        """
        return self._read().get(key)

    def add(self, key: str, sha256: str) -> None:
        """Pin a file's checksum; what others pinned meanwhile stays."""
        with locked(self.path.with_name(".pins.lock")):
            pins = self._read() | {key: sha256}
            unfinished = self.path.with_name(".pins.json")
            unfinished.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n")
            unfinished.replace(self.path)

    def _read(self) -> dict[str, str]:
        try:
            pins = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ZooError(
                f"{self.path}: cannot be read ({error.strerror or error}); remove it to pin anew"
            ) from error
        except (ValueError, RecursionError):
            pins = None
        if not isinstance(pins, dict) or not all(isinstance(v, str) for v in pins.values()):
            raise ZooError(f"{self.path}: is no table of checksums; remove it to pin anew")
        return pins
