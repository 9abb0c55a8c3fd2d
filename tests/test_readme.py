"""The README's own commands and code, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_commands_and_code_of_the_readme_run(tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    (commands,) = _blocks("bash")
    subprocess.run(
        ["bash", "-euc", commands], cwd=tmp_path, env=environment, check=True, timeout=300
    )
    assert len(list((tmp_path / "png").iterdir())) == 50
    printed = "".join(
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for code in _blocks("python")
    )
    assert "keyframes; last frame at 1.96 s" in printed
    assert re.search(r"\d+ frames/s", printed)


def test_files_that_the_readme_names_exist():
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(([\w./-]+)\)", text)) | set(re.findall(r"(scripts/\w+\.sh)", text))
    named |= set(re.findall(r"(configs/\w+\.toml)", text))
    assert named
    assert [name for name in sorted(named) if not (README.parent / name).exists()] == []
