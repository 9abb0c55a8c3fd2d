"""Chunks in several processes."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

import tempseg
from tempseg.config import load_config
from tempseg.errors import ModelError, RunError
from tempseg.runners.chunks import plan_run
from tempseg.runners.pool import WorkerPool
from tempseg.runners.processes import LocalProcesses
from tempseg.runners.worker import Setup
from tempseg.video import open_source

from ..video.clips import damage, write_clip
from .conftest import CONFIG, FRAMES, digest
from .watching import Counted

MODELS = "python:tests.runners.models"


def _children():
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    found = []
    for child in path.read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"tempseg.runners.worker" in command:
            found.append(int(child))
    return found


def test_two_workers_give_the_bytes_of_one_and_tell_how_far_they_are(material, whole, tmp_path):
    watch = Counted()
    summary = material.run(tmp_path / "run", workers=2, observer=watch)
    assert digest(tmp_path / "run") == digest(whole)
    assert watch.frames == watch.expected == FRAMES
    assert watch.keyframes == summary.totals.keyframes
    assert _children() == []


@pytest.mark.parametrize("packets", [(20, 21, 45), (16, 17), (0, 1)])
def test_a_damaged_video_gives_what_reading_it_through_gives(material, tmp_path, packets):
    harmed = tmp_path / "harmed.mp4"
    shutil.copy(material.clip, harmed)
    damage(harmed, *packets)
    read = [(frame.index, frame.time_s) for frame in open_source(str(harmed))]
    material.run(tmp_path / "one", source=harmed)
    with (tmp_path / "one" / "frames.csv").open() as table:
        rows = [(int(row["index"]), float(row["time_s"])) for row in csv.DictReader(table)]
    assert rows == read
    if packets == (20, 21, 45):
        material.run(tmp_path / "two", source=harmed, workers=2)
        assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_worker_that_is_killed_is_replaced(material, whole, tmp_path):
    killed = []

    def kill():
        killed.extend(_children()[:1])
        os.kill(killed[0], signal.SIGKILL)

    watch = Counted(10, kill)
    material.run(tmp_path / "run", workers=2, observer=watch)
    assert len(killed) == 1
    assert digest(tmp_path / "run") == digest(whole)
    assert watch.frames == FRAMES
    assert _children() == []


def test_a_worker_that_is_killed_is_missed_while_a_child_of_its_model_lives(
    material, tmp_path, monkeypatch
):
    held = tmp_path / "held"
    monkeypatch.setenv("DESERTED", str(held))
    summary = tempseg.run(
        material.clip,
        tmp_path / "run",
        model=f"{MODELS}:deserting",
        config=CONFIG | {"segmenter.classes": "auto"},
        workers=2,
    )
    assert summary.totals.frames == FRAMES
    with held.open() as file:
        # The child, which would write after half a minute, has been ended too.
        fcntl.flock(file, fcntl.LOCK_EX)
        assert file.read() == ""


def test_a_worker_whose_run_has_ended_before_it_began_ends_in_silence(material, monkeypatch, capfd):
    config = load_config(overrides=CONFIG | {"segmenter.model": material.model})
    crew = LocalProcesses(1)
    monkeypatch.setattr(crew, "send", lambda *_: None)
    crew.start(Setup(plan_run(str(material.clip), config), "worker 1", 1, (), every_s=1.0))
    assert crew.bury("worker 1") == "exit status 0"
    assert capfd.readouterr().err == ""


def test_workers_find_what_lies_in_the_current_folder_last(material, tmp_path, monkeypatch):
    (tmp_path / "queue.py").write_text("raise ImportError('not the queue that was meant')\n")
    shutil.copy(Path(__file__).with_name("models.py"), tmp_path / "own_models.py")
    monkeypatch.chdir(tmp_path)
    _run_with_two(material, tmp_path / "run", "python:own_models:bright")


def test_workers_find_a_model_wherever_their_run_does(material, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    shutil.copy(Path(__file__).with_name("models.py"), tmp_path / "models" / "kept_models.py")
    monkeypatch.syspath_prepend(tmp_path / "models")
    _run_with_two(material, tmp_path / "run", "python:kept_models:bright")


def _run_with_two(material, out, model):
    config = CONFIG | {"segmenter.classes": "auto", "source.end": 1.8}
    tempseg.run(material.clip, out, model=model, config=config, workers=2)


def test_workers_match_label_images_of_a_part_as_one_does(material, tmp_path):
    for workers in (1, 2):
        config = {"source.start": 0.9, "source.end": 2.9}
        material.run(tmp_path / str(workers), workers=workers, config=config)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


@pytest.fixture
def bright_end(tmp_path):
    """A clip with a chunk that is bright in its middle."""
    pictures = [np.full((48, 64, 3), 250 if 27 <= i < 31 else 90, np.uint8) for i in range(48)]
    return write_clip(
        tmp_path / "clip.mp4",
        range(48),
        options={"preset": "ultrafast", "g": "8", "sc_threshold": "0"},
        frames=(av.VideoFrame.from_ndarray(picture, "rgb24") for picture in pictures),
    )


def test_a_chunk_that_ends_its_workers_is_named_after_two_more_tries(bright_end, tmp_path):
    config = CONFIG | {"segmenter.classes": "auto", "run.chunk_s": 0.3}
    with pytest.raises(RunError, match=r"chunk 3, from 0\.96 s: its worker died 3 times \(SIGKILL"):
        tempseg.run(
            bright_end, tmp_path / "run", model=f"{MODELS}:deadly", config=config, workers=2
        )
    assert _children() == []
    finished = {n for n in os.listdir(tmp_path / "run" / "partial" / "chunks") if n.isdigit()}
    assert {"00000", "00001", "00002"} <= finished
    assert "00003" not in finished


def test_a_model_that_cannot_be_loaded_or_fails_is_told_as_with_one(material, tmp_path):
    with pytest.raises(ModelError, match="no module 'nowhere'"):
        tempseg.run(
            material.clip, tmp_path / "run", model="python:nowhere:f", config=CONFIG, workers=2
        )
    assert not (tmp_path / "run").exists()
    with pytest.raises((ModelError, RunError), match="the function raised RuntimeError"):
        tempseg.run(
            material.clip,
            tmp_path / "run",
            model="python:tests.segmenters.functions:breaks",
            config=CONFIG | {"segmenter.classes": "binary"},
            workers=2,
        )
    assert _children() == []


def test_a_function_is_known_by_the_file_it_lies_in_however_many_workers(material, tmp_path):
    told = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        tempseg.run(material.clip, out, model=f"{MODELS}:bright", config=CONFIG, workers=workers)
        told.append(json.loads((out / "run.json").read_text()))
    file = Path(__file__).with_name("models.py")
    assert told[0]["model"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told[0]["fingerprint"] == told[1]["fingerprint"]


def test_a_model_that_ends_its_process_when_it_is_loaded_is_told(material, tmp_path):
    with pytest.raises(RunError, match=r"3 workers died while they loaded the model \(SIGKILL"):
        tempseg.run(
            material.clip, tmp_path / "run", model=f"{MODELS}:Doomed", config=CONFIG, workers=2
        )
    assert not (tmp_path / "run").exists()


def test_workers_share_the_processors(material, monkeypatch):
    started = []
    own = subprocess.Popen

    def watched(*arguments, **options):
        started.append(options["env"])
        if len(started) == 2:
            raise OSError("enough is known")
        return own(*arguments, **options)

    monkeypatch.setattr("tempseg.runners.processes.cpus", lambda: 6)
    monkeypatch.setattr("tempseg.runners.processes.subprocess.Popen", watched)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    config = load_config(overrides=CONFIG | {"segmenter.model": material.model})
    with pytest.raises(OSError, match="enough"):
        WorkerPool(plan_run(str(material.clip), config), LocalProcesses(2)).__enter__()
    assert _children() == []
    assert [env["TEMPSEG_THREADS"] for env in started] == ["3", "3"]
    assert {env["OMP_NUM_THREADS"] for env in started} == {"5"}


def test_no_more_workers_than_chunks(material, tmp_path, monkeypatch):
    def none(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("tempseg.runners.processes.subprocess.Popen", none)
    material.run(tmp_path / "run", workers=4, config={"run.chunk_s": 0.0})
