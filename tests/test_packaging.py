"""What goes into a wheel and into a source distribution."""

from __future__ import annotations

import glob
import re
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


def test_a_source_distribution_holds_what_the_readme_names() -> None:
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    held = {line.split()[1] for line in manifest if line.startswith("graft ")} | {"tempseg"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    words = re.findall(r"[\w./-]+/[\w./-]*", readme)
    # What the README's commands write lies in `out`.
    unheld = {"", ".", "..", "out"}
    named = {word.split("/")[0] for word in words if (ROOT / word).exists()} - unheld
    assert {"assets", "configs", "docs", "scripts"} <= named <= held
    # Else files of `assets` that a source distribution holds would go into the wheel, too.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["include-package-data"] is False
