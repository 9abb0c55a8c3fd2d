"""The report from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.conftest import SOURCE


def _cli(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tempseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_report_names_the_page_that_it_wrote(copied):
    (copied / "report.html").unlink()
    done = _cli("report", copied)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(copied / "report.html")
    assert (copied / "report.html").exists()


def test_report_of_no_run_is_one_line_and_status_2(tmp_path):
    done = _cli("report", tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "holds no finished run" in done.stderr


def test_a_run_told_to_write_no_report_writes_none(material, tmp_path):
    done = _cli(
        "run", material / SOURCE, "--model", f"masks:{material / 'labels'}",
        "--out", tmp_path / "run", "--no-report", "--no-overlay", "--quiet",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_stdout_is_one_line_and_status_2(copied):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tempseg", "report", str(copied)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "stdout: cannot be written" in done.stderr
