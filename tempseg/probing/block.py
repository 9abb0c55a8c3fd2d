"""The file beside a model that says what it needs."""

from __future__ import annotations

from pathlib import Path

from tempseg.config import sidecar_path
from tempseg.errors import OutputError

__all__ = ["save_block"]


def save_block(model: str, block: str, *, overwrite: bool = False) -> Path:
    """Write the table beside a model, where every run finds it; return the file.

    Raises
    ------
    OutputError
        When the model is no file, something else stands there, or it cannot be written.
    """
    path = sidecar_path(model)
    if path is None:
        raise OutputError(
            f"{model}: is no file or folder to save beside; paste the block into a config file"
        )
    try:
        if path.exists() and not overwrite and path.read_text(encoding="utf-8") != block:
            raise OutputError(
                f"{path}: is there and says something else; pass --overwrite, or move it"
            )
        path.write_text(block, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{path}: cannot be written ({reason}); paste the block into a config file"
        ) from error
    return path
