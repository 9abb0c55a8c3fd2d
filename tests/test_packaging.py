"""What goes into a wheel."""

from __future__ import annotations

import glob
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_file_of_the_package_that_is_no_module_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folder = ROOT / "tempseg"
    packaged = {
        found
        for pattern in project["tool"]["setuptools"]["package-data"]["tempseg"]
        for found in glob.glob(pattern, root_dir=folder, recursive=True)
        if (folder / found).is_file()
    }
    there = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".nbi", ".nbc"}
    }
    assert there == packaged
