"""Answers that no later tune may use."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tempseg import Prediction, load_config
from tempseg.errors import OutputError
from tempseg.tuning import studies_of
from tempseg.tuning.passing import PassingStore
from tempseg.types import Placement
from tests.tuning import conftest
from tests.tuning.conftest import SCORES

ANSWER = Prediction(Placement.stretch((2, 3), (2, 3)), labels=np.zeros((2, 3), np.uint8))

KILLED = """
import os, signal, sys
from pathlib import Path
from tempseg.tuning.passing import PassingStore

store = PassingStore(Path(sys.argv[1]))
(store.folder / "000000.answer").write_bytes(b"")
os.kill(os.getpid(), signal.SIGKILL)
"""


def _folders(parent):
    return sorted(entry for entry in parent.iterdir() if entry.is_dir())


def test_answers_go_with_the_store_and_those_of_others_stay(tmp_path):
    first, second = PassingStore(tmp_path), PassingStore(tmp_path)
    for store in (first, second):
        store.put(3, ANSWER, ms=1.0)
    assert _folders(tmp_path) == sorted([first.folder, second.folder])
    del first
    gc.collect()
    assert _folders(tmp_path) == [second.folder]
    assert second.get(3) is not None


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(_folders(tmp_path)) == 1
    store = PassingStore(tmp_path)
    assert _folders(tmp_path) == [store.folder]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be written: .*--cache"):
        PassingStore(tmp_path / "file")


def test_a_function_is_asked_again_by_the_next_tune(source, tmp_path):
    config = load_config(overrides={"segmenter.model": SCORES, "source.end": 0.4})
    for _ in range(2):
        before = len(conftest.CALLS)
        (study,) = studies_of([source], config, cache=tmp_path)
        assert len(conftest.CALLS) - before == study.material.segmenter.calls == 10
        del study
        gc.collect()
        assert _folders(tmp_path / "passing") == []


def test_two_tunes_of_one_video_at_a_time_share_one_recording(scene, tmp_path):
    script = """
import sys
from pathlib import Path
from tempseg import load_config
from tempseg.tuning import studies_of

config = load_config(
    overrides={"segmenter.model": f"masks:{sys.argv[2]}", "segmenter.classes": "camvid"}
)
(study,) = studies_of([sys.argv[1]], config, cache=Path(sys.argv[3]))
print(len(study), round(study.material.floor, 6))
"""
    command = [sys.executable, "-c", script, scene / "video.mp4", scene / "labels", tmp_path]
    tunes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    told = [tune.communicate()[0] for tune in tunes]
    assert [tune.returncode for tune in tunes] == [0, 0]
    assert told[0] == told[1] != ""
