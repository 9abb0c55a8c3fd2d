"""The embedded clip, and the demo on a clip of its own kind."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import typer.testing

import tempseg
from tempseg import demonstration
from tempseg.cli.app import app
from tempseg.demonstration import Clip, demo, embedded_clip
from tempseg.errors import ConfigError, OutputError, SourceError
from tempseg.scene_files import write_scene
from tempseg.synthetic import MovingShape, moving_shapes, street_scene
from tempseg.video import read_label_video

ROOT = Path(__file__).resolve().parents[1]
CUT = 18


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A short clip with one cut, as `tempseg synth` would write it."""
    folder = tmp_path_factory.mktemp("scene")
    scene = moving_shapes(
        [MovingShape((40, 48), (50, 50), velocity=(2.0, 0.5))],
        background_velocity=(-1.0, 0.0),
        frame_count=36,
        cuts=(CUT,),
    )
    write_scene(scene, folder, seed=0)
    return Clip.of(folder)


def settings(clip):
    return {"segmenter.model": f"masks:{clip.labels}", "segmenter.classes": "camvid"}


@pytest.fixture(scope="module")
def shown(clip, tmp_path_factory):
    """What the demo finds with the exact labels in the network's place."""
    out = tmp_path_factory.mktemp("demo") / "out"
    return demo(out, clip=clip, config=settings(clip))


def test_the_demo_leaves_both_runs_a_report_and_all_figures(shown):
    left = {path.name for path in shown.folder.iterdir()}
    run = {"masks.mkv", "overlay.mp4", "frames.csv", "run.json"}
    assert left == run | {"report.html", "demo.json", "per-frame"}
    assert {path.name for path in (shown.folder / "per-frame").iterdir()} == run


def test_the_demo_asks_the_model_on_few_frames_and_beside_that_on_all(shown):
    assert shown.run.totals.keyframes < 8
    assert shown.per_frame.totals.keyframes == shown.per_frame.totals.frames == 36


def test_the_demo_scores_both_runs_against_the_exact_truth(shown):
    columns = shown.evaluation.columns()
    assert columns["reference"]["miou"] == 1.0
    assert 0.8 < columns["prediction"]["miou"] < 1.0
    written = json.loads((shown.folder / "demo.json").read_text())
    assert written["miou"] == columns["prediction"]["miou"]


def test_the_speed_up_is_the_ratio_of_the_wall_times(shown):
    ratio = shown.per_frame.totals.wall_s / shown.run.totals.wall_s
    assert shown.speed_up == pytest.approx(ratio)


def test_the_demo_tells_cuts_found_beside_the_true_ones(shown):
    assert shown.cuts == shown.true_cuts == (CUT,)


def test_an_earlier_demo_is_not_replaced_unasked(shown, clip):
    with pytest.raises(OutputError, match="--overwrite"):
        demo(shown.folder, clip=clip, config=settings(clip))


def test_what_is_in_the_way_is_told_before_any_work(clip, tmp_path):
    (tmp_path / "per-frame").write_text("no folder")
    with pytest.raises(OutputError, match="per-frame: is a file"):
        demo(tmp_path, clip=clip, config=settings(clip), overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"per-frame"}


def test_a_part_of_the_clip_is_refused(clip, tmp_path):
    with pytest.raises(ConfigError, match=r"source\.start, source\.end"):
        demo(tmp_path / "out", clip=clip, config=settings(clip) | {"source.end": 0.5})


def test_a_model_of_other_classes_needs_a_mapping(clip, tmp_path):
    other = settings(clip) | {"segmenter.classes": "voc", "output.report": False}
    with pytest.raises(ConfigError, match="--map FILE"):
        demo(tmp_path / "out", clip=clip, config=other)
    assert list(tmp_path.iterdir()) == []
    mapping = tmp_path / "map.json"
    mapping.write_text(json.dumps({"*": "void"} | {str(n): n for n in range(11)}))
    found = demo(tmp_path / "out", clip=clip, config=other, mapping=mapping)
    assert found.evaluation.columns()["reference"]["miou"] == 1.0


def test_a_clip_without_its_record_is_refused(clip, tmp_path):
    lost = Clip(clip.video, clip.labels, tmp_path / "scene.json")
    with pytest.raises(SourceError, match=r"scene\.json: is no record"):
        demo(tmp_path / "out", clip=lost, config=settings(clip))


def test_the_command_prints_the_run_beside_the_model_on_every_frame(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(demonstration, "embedded_clip", lambda: clip)
    given = ["--set", "segmenter.classes=camvid", "--set", "output.report=false"]
    result = typer.testing.CliRunner().invoke(
        app, ["demo", "--out", str(tmp_path / "out"), "--model", f"masks:{clip.labels}", *given]
    )
    assert result.exit_code == 0, result.output
    rows = {line.split("  ")[0].strip(): line.split() for line in result.output.splitlines()}
    assert rows["network runs"][-1] == "36"
    assert rows["wall time"][-1] == "s"
    assert rows["speed-up over every frame"][-1] == "1×"
    assert rows["mIoU against the truth"][-2] == "1.0000"
    assert rows["scene cuts found"][-3:] == ["1", "of", "1"]
    assert f"watch {tmp_path / 'out' / 'overlay.mp4'}" in result.output.replace("\n", "")


def test_an_error_of_the_command_is_one_line_with_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "demo", "--out", "out", "--model", "nowhere.tflite"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nowhere.tflite")
    assert done.stderr.count("\n") == 1


def test_the_embedded_clip_lasts_ten_seconds_and_is_small():
    clip = embedded_clip()
    assert clip.video.stat().st_size <= 4_000_000
    with av.open(str(clip.video)) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate) == (250, 25)


def test_the_embedded_clip_is_what_synth_renders():
    clip, scene, index = embedded_clip(), street_scene(), 24
    truth = scene.render(index)
    _, labels = next(islice(read_label_video(str(clip.labels)), index, None))
    assert np.array_equal(labels, truth.labels)
    with av.open(str(clip.video)) as container:
        picture = next(islice(container.decode(video=0), index, None)).to_ndarray(format="rgb24")
    assert np.abs(picture.astype(int) - truth.image).mean() < 4
    record = json.loads(clip.scene.read_text())
    assert clip.cuts() == scene.cuts
    assert record["events"] == [
        {"kind": event.kind, "first": event.first, "last": event.last} for event in scene.events
    ]
    assert {"id": 112, "first": 204, "last": 215} in record["absences"]


def all_road(image):
    return np.full(image.shape[:2], 3, np.uint8)


def test_flash_and_fade_of_the_embedded_clip_are_no_scene_cuts():
    # Whether a frame begins a shot hangs on the pictures alone, not on the model.
    quick = {"segmenter.classes": "camvid", "refine.matching": False}
    model = f"python:{__name__}:all_road"
    results = tempseg.segment(embedded_clip().video, model=model, config=quick)
    shots = [r.shot for r in results]
    cuts = [place for place, pair in enumerate(pairwise(shots), start=1) if pair[0] != pair[1]]
    assert tuple(cuts) == embedded_clip().cuts() == (125,)


def test_the_clip_is_installed_with_the_package():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folder = ROOT / setuptools["package-dir"]["tempseg.clip"]
    packaged = {folder / name for name in setuptools["package-data"]["tempseg.clip"]}
    clip = embedded_clip()
    assert packaged == {clip.video, clip.labels, clip.scene}
    assert '"tempseg.clip"' in (ROOT / "setup.py").read_text()
