"""Models that fail in the middle of a run: what is left, what is told, and how it ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import pytest

import tempseg
from tempseg.cli.app import main
from tempseg.errors import ModelTimeoutError, RunError
from tempseg.video import read_label_video
from tests.runners.faulty import FAULTS

INTERVAL = 6
CONFIG = {
    "keyframe.policy": "interval",
    "keyframe.interval": INTERVAL,
    "propagate.lookahead": INTERVAL,
    "segmenter.timeout_s": 0.5,
}


def _model(fault: str, *, after: int) -> str:
    return f"python:tests.runners.faulty:{fault}_after_{after}"


def _frames_of(folder: Path) -> tuple[int, int, int]:
    """Return how many frames masks, overlay and table of a folder hold."""
    with av.open(str(folder / "overlay.mp4")) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    masks = sum(1 for _ in read_label_video(str(folder / "masks.mkv")))
    return masks, pictures, len((folder / "frames.csv").read_text().splitlines()) - 1


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_what_was_done_before_a_model_fails_is_kept_and_the_failure_named(fault, clip, tmp_path):
    with pytest.raises(RunError) as caught:
        tempseg.run(clip, tmp_path / "run", model=_model(fault, after=3), config=CONFIG)
    told = str(caught.value)
    for part in ("tests.runners.faulty", "18", "kept in"):
        assert part in told
    assert "\n" not in told
    # The keyframe at 18 fails; every frame before it is done.
    assert _frames_of(tmp_path / "run" / "partial") == (18, 18, 18)
    del caught
    gc.collect()
    left = [thread for thread in threading.enumerate() if thread.name == "tempseg-segment"]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def test_a_hang_on_the_first_frame_leaves_nothing(clip, tmp_path):
    with pytest.raises(ModelTimeoutError, match=r"frame 0 .*segmenter\.timeout_s"):
        tempseg.run(clip, tmp_path / "run", model=_model("hangs", after=0), config=CONFIG)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("after", [0, 2])
def test_the_command_ends_with_status_1_soon_after_a_hang(after, clip, tmp_path):
    command = [sys.executable, "-m", "tempseg", "run", str(clip), "--quiet"]
    command += ["--model", _model("hangs", after=after), "--out", str(tmp_path / "run")]
    for key, value in CONFIG.items():
        command += ["--set", f"{key}={value}"]
    start = time.monotonic()
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=root
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: python:tests.runners.faulty:hangs")
    assert done.stderr.count("\n") == 1
    assert "within 0.5 s" in done.stderr
    # Starting is most of it.
    assert time.monotonic() - start < 45


def test_a_command_called_inside_a_program_leaves_it_its_own_hung_model(monkeypatch):
    let_go = threading.Event()
    hung = threading.Thread(target=let_go.wait, name="tempseg-hung", daemon=True)
    hung.start()
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sys, "argv", ["tempseg", "--help"])
    with pytest.raises(SystemExit):
        main()
    let_go.set()
    hung.join()
    assert not ended
