"""What every test can ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of measuring material, or skip where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("TEMPSEG_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip(f"no measuring material at {folder} (set TEMPSEG_SHARED)")
    return folder
