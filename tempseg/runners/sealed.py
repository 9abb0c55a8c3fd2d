"""JSON files that hold their own hash, so that a damaged one is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["read_sealed", "write_sealed"]

_SEAL = "seal"


def write_sealed(path: Path, values: Mapping[str, Any]) -> None:
    """Write values as JSON, and the hash of what they are beside them."""
    text = json.dumps({**values, _SEAL: _hash(values)}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def read_sealed(path: Path, *, unsealed: bool = False) -> dict[str, Any]:
    """Return the values in a file.

    Parameters
    ----------
    path : Path
    unsealed : bool
        Whether a file without a hash will do: versions before wrote none.

    Raises
    ------
    OSError, ValueError
        When there is none, or it is not what was written.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(found, dict) and unsealed and _SEAL not in found:
        return found
    if not isinstance(found, dict) or found.pop(_SEAL, None) != _hash(found):
        raise ValueError(f"{path}: is not what was written")
    return found


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
