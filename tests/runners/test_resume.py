"""What a run that ended half way leaves, and what goes on from there."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tempseg
from tempseg.errors import ConfigError, OutputError, RunError, SourceError
from tempseg.label_images import write_label_image
from tempseg.runners import executor as executor_module
from tempseg.runners import ledger as ledger_module
from tempseg.runners.sealed import read_sealed, write_sealed
from tempseg.video import read_label_video

from ..video.clips import damage, video_times
from .conftest import CONFIG, FRAMES, GOP, SIZE, digest
from .watching import StopAfter, StoppedError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}


@pytest.fixture
def stopped(material, tmp_path):
    """A run that ended in its fourth chunk."""
    out = tmp_path / "run"
    with pytest.raises(StoppedError):
        material.run(out, observer=StopAfter(55))
    assert _finished(out) == ["00000", "00001", "00002"]
    return out


def _finished(out):
    return sorted(n for n in os.listdir(out / "partial" / "chunks") if n.isdigit())


def _redone(material, out, monkeypatch):
    """Resume; return the numbers of the chunks that were done."""
    from tempseg.runners.executor import InProcess

    done = []
    own = InProcess.run

    def watched(self, chunks, *arguments, **options):
        done.extend(chunk.number for chunk in chunks)
        return own(self, chunks, *arguments, **options)

    monkeypatch.setattr(InProcess, "run", watched)
    material.run(out, resume=True)
    return done


def test_killed_at_ten_random_moments_and_resumed_gives_the_same_bytes(material, whole, tmp_path):
    moments = random.Random(7)
    shares = [f"{moments.uniform(0.05, 1):.3f}" for _ in range(10)]
    keys = json.dumps(CONFIG)
    done = subprocess.run(
        [sys.executable, "-m", "tests.runners.killed", str(material.clip), material.model,
         str(tmp_path), keys, *shares],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for number in range(10):
        assert digest(tmp_path / str(number)) == digest(whole), done.stdout
    # Otherwise the moments say nothing.
    assert len({line.split()[2] for line in done.stdout.splitlines()}) > 2, done.stdout


def test_finished_chunks_are_kept_and_the_rest_is_done(material, whole, stopped, monkeypatch):
    assert _redone(material, stopped, monkeypatch) == [3, 4]
    assert digest(stopped) == digest(whole)
    assert sorted(os.listdir(stopped)) == sorted(os.listdir(whole))
    totals = [json.loads((f / "run.json").read_text())["totals"] for f in (stopped, whole)]
    for name in ("frames", "keyframes", "reasons", "damaged", "duration_s"):
        assert totals[0][name] == totals[1][name]


def test_a_run_that_is_killed_while_it_clears_up_is_finished(
    material, whole, tmp_path, monkeypatch
):
    out = tmp_path / "run"

    def killed(folder, **_):
        if not Path(folder).exists():
            return
        (Path(folder) / "chunks" / "00000" / "masks.mkv").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tempseg.outputs.staging.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            material.run(out)
    assert sorted(os.listdir(out)) == sorted([".partial-done", *os.listdir(whole)])
    assert _redone(material, out, monkeypatch) == []
    assert digest(out) == digest(whole)
    assert sorted(os.listdir(out)) == sorted(os.listdir(whole))
    with pytest.raises(OutputError, match=r"already holds frames\.csv"):
        material.run(out)


@pytest.mark.parametrize("target", ["loop", "nowhere"])
def test_a_link_to_nothing_is_no_folder_for_results(material, tmp_path, target):
    out = tmp_path / "loop"
    out.symlink_to(tmp_path / target)
    with pytest.raises(OutputError, match=r"loop: is a link to nothing that is there"):
        material.run(out)


def _truncate(chunks):
    path = chunks / "00001" / "masks.mkv"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    return [1]


def _corrupt(chunks):
    path = chunks / "00002" / "overlay.mp4"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return [2]


def _swap_files(chunks):
    first, second = chunks / "00000" / "masks.mkv", chunks / "00001" / "masks.mkv"
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    return [0, 1]


def _swap_folders(chunks):
    (chunks / "00000").rename(chunks / "kept")
    (chunks / "00002").rename(chunks / "00000")
    (chunks / "kept").rename(chunks / "00002")
    return [0, 2]


def _lose_a_file(chunks):
    (chunks / "00001" / "frames.csv").unlink()
    return [1]


def _lose_half_the_record(chunks):
    path = chunks / "00001" / ledger_module.RECORD
    path.write_bytes(path.read_bytes()[:100])
    return [1]


def _change_a_figure(chunks):
    _edit(chunks / "00001" / ledger_module.RECORD, '"frames": ', '"frames": 1')
    return [1]


def _change_how_it_closes(chunks):
    _edit(chunks / "00000" / ledger_module.RECORD, '"closing_shot": ', '"closing_shot": 1')
    return [0]


def _list_hashes(chunks):
    path = chunks / "00001" / ledger_module.RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": []}))
    return [1]


def _name_no_files(chunks):
    path = chunks / "00001" / ledger_module.RECORD
    write_sealed(path, read_sealed(path) | {"sizes": {}, "sha256": {}})
    (chunks / "00001" / "masks.mkv").unlink()
    return [1]


def _put_others_in_their_places(chunks):
    shutil.rmtree(chunks / "00000")
    (chunks / "00000").symlink_to(chunks / "nowhere")
    (chunks / "00001").rename(chunks / "moved")
    (chunks / "00001").write_text("a file")
    shutil.rmtree(chunks / "00003.unfinished", ignore_errors=True)
    (chunks / "00003.unfinished").write_text("a file")
    (chunks / "00004").symlink_to(chunks / "moved")
    return [0, 1]


def _say_it_is_in_one(chunks):
    _edit(chunks / "run.json", '"in_one": false', '"in_one": true')
    return []


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    "harm",
    [
        *(_truncate, _corrupt, _swap_files, _swap_folders, _lose_a_file, _lose_half_the_record),
        *(_change_a_figure, _change_how_it_closes, _list_hashes, _name_no_files),
        *(_say_it_is_in_one, _put_others_in_their_places),
    ],
)
def test_harmed_chunks_are_found_told_of_and_done_again(
    material, whole, stopped, monkeypatch, harm, caplog
):
    chunks = stopped / "partial" / "chunks"
    harmed = harm(chunks)
    lie_there = sum(entry.name.isdecimal() for entry in chunks.iterdir())
    assert _redone(material, stopped, monkeypatch) == sorted([*harmed, 3, 4])
    assert digest(stopped) == digest(whole)
    lost = lie_there - (3 - len(harmed))
    assert (f"{lost} finished chunks are damaged" in caplog.text) == bool(lost)


def test_a_changed_config_is_refused_with_what_changed(material, stopped):
    with pytest.raises(ConfigError, match=r"keyframe\.interval: 5 -> 4"):
        material.run(stopped, resume=True, config={"keyframe.interval": 4})
    with pytest.raises(ConfigError, match=r"otherwise: source\.end: not set -> 3\.0; run"):
        material.run(stopped, resume=True, config={"source.end": 3})
    assert len(_finished(stopped)) == 3
    # What changes no byte is no change.
    material.run(stopped, resume=True, workers=2)


def test_a_changed_config_is_refused_where_records_bear_no_seal_yet(material, stopped):
    made = stopped / "partial" / "chunks" / "run.json"
    made.write_text(json.dumps(read_sealed(made)))
    with pytest.raises(ConfigError, match=r"keyframe\.interval: 5 -> 4"):
        material.run(stopped, resume=True, config={"keyframe.interval": 4})


def test_a_changed_model_is_refused(material, stopped, tmp_path):
    labels = tmp_path / "labels"
    shutil.copytree(material.folder / "labels", labels)
    (labels / "007.png").write_bytes((labels / "007.png").read_bytes() + b"more")
    with pytest.raises(ConfigError, match=r"cannot be resumed.*model: \w+ -> \w+"):
        tempseg.run(material.clip, stopped, model=f"masks:{labels}", config=CONFIG, resume=True)


def test_a_changed_source_is_refused_and_a_moved_one_is_not(material, whole, stopped, tmp_path):
    moved = tmp_path / "moved.mp4"
    shutil.copy(material.clip, moved)
    changed = tmp_path / "changed.mp4"
    shutil.copy(material.clip, changed)
    damage(changed, 40)
    with pytest.raises(ConfigError, match=r"cannot be resumed.*source: "):
        material.run(stopped, source=changed, resume=True)
    material.run(stopped, source=moved, resume=True)
    assert digest(stopped) == digest(whole)


def test_a_source_that_changes_half_way_ends_the_run(material, tmp_path):
    clip = tmp_path / "clip.mp4"
    shutil.copy(material.clip, clip)

    class Touch(StopAfter):
        def advance(self, frames, keyframes):
            self.left -= frames
            if self.left == 0:
                with clip.open("ab") as file:
                    file.write(b"more")

    with pytest.raises(
        RunError, match=r"clip\.mp4: has changed while it was read; .*, with --overwrite$"
    ):
        material.run(tmp_path / "run", source=clip, observer=Touch(20))
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_source_that_vanishes_half_way_ends_the_run_and_can_be_put_back(
    material, whole, tmp_path
):
    clip = tmp_path / "clip.mp4"
    shutil.copy2(material.clip, clip)

    class Remove(StopAfter):
        def advance(self, frames, keyframes):
            self.left -= frames
            if self.left == 0:
                clip.rename(tmp_path / "elsewhere.mp4")

    with pytest.raises(RunError, match=r"clip\.mp4: .*(cannot be found|no such file)"):
        material.run(tmp_path / "run", source=clip, observer=Remove(20))
    (tmp_path / "elsewhere.mp4").rename(clip)
    material.run(tmp_path / "run", source=clip, resume=True)
    assert digest(tmp_path / "run") == digest(whole)


@pytest.mark.parametrize(("good_calls", "finished"), [(3, 0), (8, 16)])
def test_a_failure_tells_how_much_a_resumed_run_begins_with(
    material, tmp_path, good_calls, finished
):
    out = tmp_path / "run"
    told = rf"they are kept in .*partial, {finished} of them in finished chunks; --resume goes on"
    with pytest.raises(RunError, match=told):
        tempseg.run(
            material.clip,
            out,
            model=f"python:tests.runners.faulty:raises_after_{good_calls}",
            config=CONFIG | {"segmenter.classes": "auto"},
        )
    assert GOP * 2 * len(_finished(out)) == finished


@pytest.mark.parametrize("workers", [1, 2])
def test_masks_that_ask_for_other_settings_half_way_promise_no_resumed_run(
    material, tmp_path, workers
):
    labels = tmp_path / "labels"
    shutil.copytree(material.folder / "labels", labels)
    for place in range(65, FRAMES):
        write_label_image(labels / f"{place:03d}.png", np.full(SIZE, 11, np.uint8))
    told = r"0\d\d\.png: holds id 11, .* set that covers it, and begin again with --overwrite"
    with pytest.raises(RunError, match=told) as found:
        tempseg.run(
            material.clip,
            tmp_path / "run",
            model=f"masks:{labels}",
            config=CONFIG | {"run.workers": workers},
        )
    assert "--resume" not in str(found.value)


@pytest.mark.parametrize("smaller", [False, True])
def test_images_that_change_half_way_end_the_run(material, tmp_path, smaller):
    folder = tmp_path / "images"
    shutil.copytree(material.folder / "labels", folder)

    class Replace(StopAfter):
        def advance(self, frames, keyframes):
            self.left -= frames
            if self.left == 0:
                shutil.copy(folder / "000.png", folder / "079.png")
                if smaller:
                    Image.new("L", (16, 16)).save(folder / "079.png")

    with pytest.raises(RunError, match=r"images have changed while they were read; .*overwrite$"):
        material.run(tmp_path / "run", source=folder, observer=Replace(FRAMES))


def test_images_that_differ_in_size_begin_no_run(material, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(material.folder / "labels", folder)
    Image.new("L", (16, 16)).save(folder / "079.png")
    with pytest.raises(SourceError, match=r"079\.png: is 16×16"):
        material.run(tmp_path / "run", source=folder)
    assert not (tmp_path / "run").exists()


def test_what_is_left_can_be_played(stopped):
    maps = list(read_label_video(str(stopped / "partial" / "masks.mkv")))
    assert 48 <= len(maps) < FRAMES
    # Each is written in a thread of its own.
    assert 48 <= len(video_times(stopped / "partial" / "overlay.mp4")) <= len(maps)


def test_a_finished_run_is_left_as_it_is_when_resumed(material, whole):
    before = _state(whole)
    summary = material.run(whole, resume=True)
    assert summary.totals.frames == FRAMES
    assert _state(whole) == before
    with pytest.raises(ConfigError, match=r"keyframe\.interval: 5 -> 3"):
        material.run(whole, resume=True, config={"keyframe.interval": 3})


def test_nothing_to_resume_is_a_run_from_the_start(material, whole, tmp_path):
    material.run(tmp_path / "run", resume=True)
    assert digest(tmp_path / "run") == digest(whole)


def test_an_unfinished_run_is_not_begun_again_by_mistake(material, whole, stopped):
    with pytest.raises(OutputError, match=r"unfinished run.*--resume.*--overwrite"):
        material.run(stopped)
    with pytest.raises(OutputError, match="exclude each other"):
        material.run(stopped, resume=True, overwrite=True)
    material.run(stopped, overwrite=True)
    assert digest(stopped) == digest(whole)


def test_two_runs_do_not_write_into_one_folder(material, stopped):
    other = tempseg.outputs.RunFolder(stopped, resume=True)
    other.open()
    try:
        with pytest.raises(OutputError, match="another run is writing there"):
            material.run(stopped, resume=True)
    finally:
        other.close()
    assert len(_finished(stopped)) == 3


def test_a_run_does_not_replace_what_another_has_finished_meanwhile(
    material, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    own = executor_module.build_segmenter

    def slowly(*arguments, **options):
        monkeypatch.setattr(executor_module, "build_segmenter", own)
        material.run(out)
        before.update(_state(out))
        return own(*arguments, **options)

    before = {}
    monkeypatch.setattr(executor_module, "build_segmenter", slowly)
    with pytest.raises(OutputError, match=r"run: already holds frames\.csv; .*--overwrite"):
        material.run(out)
    assert _state(out) == before
    assert material.run(out, resume=True).totals.frames == FRAMES


def _state(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_told_with_what_is_missing_and_resumed(material, whole, tmp_path, workers):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(f.stat().st_size for f in whole.iterdir())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={int(size * 0.9)}", "tmpfs", str(disk)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        with pytest.raises(RunError, match=r"disk is full: make room for about \d.* --resume"):
            _without_forecast(lambda: material.run(disk / "run", workers=workers))
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        material.run(disk / "run", resume=True)
        assert digest(disk / "run") == digest(whole)
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def _without_forecast(run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempseg.runners.whole.check_space", lambda *a, **k: None)
        run()


def test_a_disk_that_will_not_do_is_told_before_the_first_frame(material, tmp_path, monkeypatch):
    from types import SimpleNamespace

    from tempseg.runners import space

    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(OutputError, match=r"takes about .* make room for about \d"):
        material.run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_write_that_fails_is_no_finished_chunk(material, tmp_path, monkeypatch):
    from tempseg.runners.chunk_record import ChunkRecord

    def full(self, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ChunkRecord, "write", full)
    with pytest.raises(RunError, match="disk is full"):
        material.run(tmp_path / "run")
    assert _finished(tmp_path / "run") == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_interrupting_tells_how_to_go_on_and_leaves_no_process(material, tmp_path, workers, sent):
    out = tmp_path / "run"
    kept = {key: value for key, value in CONFIG.items() if key != "output.report"}
    sets = [f"--set={key}={value}" for key, value in kept.items()]
    command = [
        *(sys.executable, "-m", "tempseg", "run", str(material.clip), "--no-report"),
        *(
            "--model",
            "python:tests.runners.models:slow",
            "--out",
            str(out),
            "--workers",
            str(workers),
        ),
        *sets,
    ]
    running = subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, process_group=0
    )
    _wait_for(lambda: (out / "partial" / "chunks" / "00002").exists(), running)
    children = _children(running.pid)
    assert len(children) == (0 if workers == 1 else workers)
    start = time.monotonic()
    os.killpg(running.pid, sent)
    _, told = running.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert running.returncode == 1
    assert re.search(
        r"interrupted; what was done is in .*; go on with: tempseg run .* --resume", told
    )
    assert told.count("\n") == 1
    assert len(list(read_label_video(str(out / "partial" / "masks.mkv")))) >= 16
    assert len(video_times(out / "partial" / "overlay.mp4")) >= 16
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_interrupting_does_not_wait_for_a_model_that_takes_long(material, tmp_path):
    out = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "tempseg", "run", str(material.clip), "--no-report"),
        *("--model", "python:tests.runners.models:stuck", "--out", str(out)),
        *(f"--set={key}={value}" for key, value in CONFIG.items() if key != "output.report"),
        *("--set", "keyframe.policy=interval", "--set", "keyframe.interval=4"),
    ]
    running = subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, process_group=0
    )
    _wait_for((out / "partial" / "chunks" / "00000" / "chunk.json").exists, running)
    time.sleep(1)
    start = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=40)
    assert time.monotonic() - start < 5
    assert running.returncode == 1
    assert re.search(r"interrupted; what was done is in .*; go on with: .* --resume", told)
    assert (out / "partial" / "masks.mkv").exists()


def _wait_for(ready, running, limit_s=120):
    end = time.monotonic() + limit_s
    while not ready():
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def _children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
