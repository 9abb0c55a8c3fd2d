"""Commands whose stderr takes nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from tempseg.cli.models import TransferBar
from tempseg.cli.stderr import say
from tempseg.segmenters.native_log import quiet_native_log

from .video.clips import damage, write_clip

MODEL = "python:tests.runners.models:bright"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


class _Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        raise OSError(28, "No space left on device")


def _closed():
    os.close(2)


def _full():
    os.dup2(os.open("/dev/full", os.O_WRONLY), 2)


def _unread():
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 2)


@pytest.mark.parametrize("unheard", [_closed, _full, _unread])
def test_neither_warnings_nor_errors_nobody_can_be_told_end_the_other_inputs(tmp_path, unheard):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    # Of the one the error is told, of the other that it is damaged.
    damage(write_clip(tmp_path / "harmed.mp4", range(10)), 3)
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "run", "bad.mp4", "harmed.mp4", "--model", MODEL,
         "--out", "out", "--no-report", "--no-overlay"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, preexec_fn=unheard,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    names = ["frames.csv", "masks.mkv", "run.json"]
    assert sorted(os.listdir(tmp_path / "out" / "harmed")) == names


@pytest.mark.parametrize("stderr", [None, _Full()])
def test_what_a_model_and_its_download_tell_ends_nothing(monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    say("a line")
    with TransferBar("model", quiet=False) as bar:
        bar.begin("https://example.org", done=0, total=None)
    with quiet_native_log():
        pass


def test_no_file_takes_the_place_of_a_closed_stderr(tmp_path):
    code = (
        "from tempseg.cli.stderr import keep_its_number; keep_its_number(); "
        "print(open('result', 'w').fileno())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_closed,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) > 2
