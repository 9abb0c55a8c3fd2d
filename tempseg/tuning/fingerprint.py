"""What tells a source, and a way of reading it, from every other."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from tempseg.video import image_files

__all__ = ["digest", "source_fingerprint"]


def digest(told: Mapping[str, object]) -> str:
    """Return a name for a set of facts: 16 hexadecimal digits of their SHA-256.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(told, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_fingerprint(spec: str) -> dict[str, object]:
    """Return where a source lies, how large it is and when it was last changed.

    Of a folder or a glob of images, of each of them. Nothing is read but the file system's own
    notes: a video of an hour is not hashed for a tune of ten seconds.
    """
    path = os.path.abspath(spec)
    files = [spec] if os.path.isfile(spec) else image_files(spec)
    notes = hashlib.sha256()
    size = 0
    for file in files:
        status = Path(file).stat()
        size += status.st_size
        told = f"{os.path.basename(file)}\0{status.st_size}\0{status.st_mtime_ns}\0"
        notes.update(os.fsencode(told))
    return {"path": path, "files": len(files), "bytes": size, "notes": notes.hexdigest()}
