"""What kind of file one is, by its first bytes: a page that asks to log in is no model."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

__all__ = ["is_of_kind"]

_HEAD_BYTES = 512
# What a protocol buffer begins with may look like a bracket, but not like this.
_PAGE = re.compile(rb"<[!?a-zA-Z]|\{\s*\"|\{\s*\}")
# Where a kind of file says which it is, by the ending of its name.
_SIGNATURES = {
    ".tflite": (4, b"TFL3"),
    ".keras": (0, b"PK\x03\x04"),
    ".h5": (0, b"\x89HDF\r\n\x1a\n"),
}


def is_of_kind(path: Path, name: str) -> bool:
    """Return whether a file can be what its name says.

    Of kinds without a signature all is taken but pages and messages.

    Parameters
    ----------
    path : Path
    name : str
        The file's name at its address.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    found = _SIGNATURES.get(PurePosixPath(name).suffix.lower())
    if found is not None:
        offset, signature = found
        return head[offset:].startswith(signature)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return bool(text) and not _PAGE.match(text)
