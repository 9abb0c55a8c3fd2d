"""Files that take their names only when they are known to be right."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tempseg.errors import OutputError

__all__ = ["file_names", "staged"]


def file_names(out: Path, model: str, kind: str) -> tuple[Path, Path]:
    """Return where a quantised model and the file beside it go: `NAME_KIND.tflite` and `.toml`."""
    # `.` and `..` have names of their own only once they are spelled out.
    path = Path(os.path.abspath(model))
    name = path.name if path.is_dir() else path.stem
    stem = f"{name}_{kind.replace('-', '_')}"
    return out / f"{stem}.tflite", out / f"{stem}.toml"


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Give a folder inside `out` to write into, which is gone afterwards, whatever happens.

    Raises
    ------
    OutputError
        When `out` cannot be made or written to.
    """
    made = not out.exists()
    folder: Path | None = None
    try:
        if out.exists() and not out.is_dir():
            raise OutputError(f"{out}: is a file, expected a folder; choose another --out")
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".quantize-", dir=out))
        yield folder
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if made and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
