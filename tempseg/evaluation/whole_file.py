"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tempseg.errors import OutputError

__all__ = ["write_whole"]


def write_whole(path: str | Path, text: str) -> None:
    """Write a text in UTF-8; where that fails, what the path held before is still there.

    A device or a pipe is written to, never replaced by a file; a link's target is what is written.

    Parameters
    ----------
    path : str or Path
    text : str
        What is no text in it, as bytes in file names may be, is written as `?`.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    content = text.encode("utf-8", errors="replace")
    partial: Path | None = None
    try:
        # As it is named: what a link of the system's to a pipe leads to has no name.
        if os.path.exists(path) and not os.path.isfile(path):
            Path(path).write_bytes(content)
            return
        target = Path(os.path.realpath(path))
        partial = target.with_name(f".{target.name}.partial")
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        if partial is not None:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
