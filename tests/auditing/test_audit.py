"""An audited run, through the public API and the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import tempseg
from tempseg.api import report
from tempseg.auditing import Audit
from tempseg.errors import ConfigError, RunError
from tempseg.label_images import write_label_image
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import RgbPicture
from tempseg.video import OverlayEncoder

FRAMES = 36
INTERVAL = 6
BETWEEN = 30
SIZE = (96, 128)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with clip.mp4 and labels/, whose images flicker as a network's would."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "labels").mkdir()
    scene = moving_shapes(
        [MovingShape((40, 48), (40, 50), velocity=(1.5, 0.5))],
        width=SIZE[1],
        height=SIZE[0],
        frame_count=FRAMES,
    )
    chance = np.random.default_rng(2)
    encoder = None
    for index in range(FRAMES):
        frame = scene.render(index)
        planes = RgbPicture(frame.image).yuv420()
        if encoder is None:
            encoder = OverlayEncoder(
                str(folder / "clip.mp4"),
                width=SIZE[1],
                height=SIZE[0],
                time_base=Fraction(1, 1000),
                frame_rate=Fraction(25),
                colour=planes.colour,
            )
        encoder.write(planes, 40 * index)
        labels = np.roll(frame.labels, chance.integers(-3, 4), axis=1)
        write_label_image(folder / "labels" / f"{index:03d}.png", labels)
    encoder.close()
    return folder


def _run(clip, out, **config):
    keys = {
        "keyframe.policy": "interval",
        "keyframe.interval": INTERVAL,
        "segmenter.classes": "camvid",
        "output.overlay": False,
        "output.report": False,
        **config,
    }
    return tempseg.run(clip / "clip.mp4", out, model=f"masks:{clip / 'labels'}", config=keys)


@pytest.fixture(scope="module")
def complete(clip, tmp_path_factory):
    """A run of which every frame between keyframes was audited."""
    out = tmp_path_factory.mktemp("complete") / "run"
    return out, _run(clip, out, **{"run.audit": 1000}).audit


def test_audit_of_all_frames_is_the_evaluation_against_every_frame(clip, complete, tmp_path):
    out, audit = complete
    assert audit.complete
    assert audit.between == len(audit.frames) == BETWEEN
    _run(clip, tmp_path / "every", **{"keyframe.interval": 1})
    scores = tempseg.evaluate(out, reference=tempseg_masks(tmp_path / "every")).as_dict()
    assert audit.fidelity.mean == pytest.approx(scores["fidelity_between"])
    assert audit.fidelity.low == audit.fidelity.high == audit.fidelity.mean
    # The evaluation's floor takes the pairs that end on keyframes too.
    assert audit.floor.mean == pytest.approx(scores["fidelity_floor"], abs=0.02)


def tempseg_masks(folder):
    return folder / "masks.mkv"


def test_audited_frames_have_the_scores_they_have_among_all(clip, complete, tmp_path):
    audit = _run(clip, tmp_path / "run", **{"run.audit": 8, "run.seed": 5}).audit
    every = {frame.index: frame for frame in complete[1].frames}
    assert len(audit.frames) == 8
    assert [every[frame.index] for frame in audit.frames] == list(audit.frames)
    assert audit.fidelity.low < complete[1].fidelity.mean < audit.fidelity.high


def test_no_keyframe_is_audited_and_another_seed_takes_other_frames(clip, tmp_path):
    first = _run(clip, tmp_path / "first", **{"run.audit": 8}).audit
    again = _run(clip, tmp_path / "again", **{"run.audit": 8}).audit
    other = _run(clip, tmp_path / "other", **{"run.audit": 8, "run.seed": 1}).audit
    with (tmp_path / "first" / "frames.csv").open() as table:
        origins = [row["origin"] for row in csv.DictReader(table)]
    assert all(origins[frame.index] != "segmented" for frame in first.frames)
    assert first.frames == again.frames
    assert first.frames != other.frames


def test_a_part_is_audited_on_its_own_frames(clip, complete, tmp_path):
    config = {"run.audit": 100, "source.start": INTERVAL * 2 * 0.04, "refine.smoothing": 0.0}
    audit = _run(clip, tmp_path / "part", **config).audit
    whole = _run(clip, tmp_path / "whole", **{"run.audit": 100, "refine.smoothing": 0.0}).audit
    floors = {round(frame.time_s, 6): frame.floor for frame in whole.frames}
    assert len(audit.frames) == BETWEEN - 10
    assert [frame.floor for frame in audit.frames] == [
        floors[round(frame.time_s, 6)] for frame in audit.frames
    ]


def test_audit_changes_no_file_but_the_record(clip, complete, tmp_path):
    _run(clip, tmp_path / "run")
    assert (tmp_path / "run" / "masks.mkv").read_bytes() == (complete[0] / "masks.mkv").read_bytes()
    assert sorted(os.listdir(complete[0])) == ["frames.csv", "masks.mkv", "run.json"]
    assert "audit" not in json.loads((tmp_path / "run" / "run.json").read_text())


def test_record_holds_the_audit(complete):
    out, audit = complete
    told = json.loads((out / "run.json").read_text())["audit"]
    assert told["verdict"] == audit.verdict
    assert told["fidelity"]["mean"] == audit.fidelity.mean
    assert told["frames"][0]["index"] == audit.frames[0].index
    assert Audit.from_dict(told) == audit


def test_every_frame_a_keyframe_leaves_nothing_to_audit(clip, tmp_path):
    config = {"keyframe.interval": 1, "run.audit": 5, "output.report": True}
    audit = _run(clip, tmp_path / "run", **config).audit
    assert audit.frames == ()
    assert audit.verdict is None
    assert "every frame is a keyframe" in audit.message
    told = json.loads((tmp_path / "run" / "run.json").read_text())["audit"]
    assert told["fidelity"]["mean"] is None
    assert "Nothing to audit" in (tmp_path / "run" / "report.html").read_text()


def test_shots_that_begin_without_a_keyframe_are_audited(clip, tmp_path):
    config = {"keyframe.policy": "span", "run.audit": 1000}
    audit = _run(clip, tmp_path / "run", **config).audit
    assert audit.complete
    assert audit.between > 0
    for frame in audit.frames:
        assert 0 <= frame.fidelity <= 1
        assert np.isnan(frame.floor) == (frame.index == 0)


def test_no_audit_is_the_default(clip, tmp_path):
    assert _run(clip, tmp_path / "run").audit is None


def test_audit_of_fewer_than_no_frames_is_refused(clip, tmp_path):
    with pytest.raises(ConfigError, match=r"run\.audit"):
        _run(clip, tmp_path / "run", **{"run.audit": -1})


@pytest.fixture
def numbered(clip, tmp_path):
    """A folder of label images with an id above what can be scored."""
    (tmp_path / "numbered").mkdir()
    for index in range(FRAMES):
        labels = np.full(SIZE, 5000, np.uint16)
        write_label_image(tmp_path / "numbered" / f"{index:03d}.png", labels)
    return tmp_path / "numbered"


def test_classes_that_cannot_be_scored_are_told_before_the_run(clip, numbered, tmp_path):
    config = {"run.audit": 5}
    with pytest.raises(ConfigError, match=r"has 5001 classes, but at most 4096.*leave out --audit"):
        tempseg.run(clip / "clip.mp4", tmp_path / "run", model=f"masks:{numbered}", config=config)
    assert not (tmp_path / "run").exists()


def test_classes_that_cannot_be_scored_leave_a_report(clip, numbered, tmp_path):
    config = {"output.overlay": False, "output.report": False}
    tempseg.run(clip / "clip.mp4", tmp_path / "run", model=f"masks:{numbered}", config=config)
    page = report(tmp_path / "run").read_text(encoding="utf-8")
    assert "TC and flicker are not judged: the run has 5001 classes" in page
    with pytest.raises(ConfigError, match=r"has 5001 classes, but at most 4096.*--map FILE"):
        tempseg.evaluate(tmp_path / "run")


def test_a_segmenter_that_fails_on_an_audited_frame_loses_no_work(clip, tmp_path):
    # Enough label images for all keyframes, not for the frames behind the last one.
    few = tmp_path / "few"
    few.mkdir()
    for index in range(FRAMES - INTERVAL + 1):
        name = f"{index:03d}.png"
        (few / name).write_bytes((clip / "labels" / name).read_bytes())
    out = tmp_path / "run"
    config = {
        "keyframe.policy": "interval",
        "keyframe.interval": INTERVAL,
        "segmenter.classes": "camvid",
        "run.audit": 30,
    }
    with pytest.raises(RunError, match=r"31 label images.*the audit failed.*holds the finished"):
        tempseg.run(clip / "clip.mp4", out, model=f"masks:{few}", config=config)
    assert sorted(os.listdir(out)) == [
        "frames.csv",
        "masks.mkv",
        "overlay.mp4",
        "report.html",
        "run.json",
    ]
    assert json.loads((out / "run.json").read_text())["totals"]["frames"] == FRAMES


def test_a_source_that_changed_since_is_told(clip, complete):
    from tempseg.api import effective_config
    from tempseg.auditing import audit_run
    from tempseg.build import build_segmenter, build_source
    from tempseg.errors import SourceError

    model = f"masks:{clip / 'labels'}"
    shorter = effective_config({"source.end": 0.8, "segmenter.classes": "camvid"}, model)
    segmenter = build_segmenter(shorter)
    with pytest.raises(SourceError, match="another source by now"):
        audit_run(
            complete[0],
            build_source(str(clip / "clip.mp4"), shorter),
            segmenter,
            shorter,
            count=30,
        )
    later = effective_config({"source.start": 0.2, "segmenter.classes": "camvid"}, model)
    with pytest.raises(SourceError, match="but the run saw frame"):
        audit_run(
            complete[0],
            build_source(str(clip / "clip.mp4"), later),
            segmenter,
            later,
            count=30,
        )


def test_page_shows_the_audit(clip, tmp_path):
    _run(clip, tmp_path / "run", **{"run.audit": 9, "output.report": True})
    page = (tmp_path / "run" / "report.html").read_text()
    assert "9 of 30 frames between keyframes were given to the segmenter" in page
    assert 'data-chart="audit"' in page


def _cli(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tempseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "COLUMNS": "400"},
    )


def test_command_prints_fidelity_with_its_interval_beside_the_floor(clip, tmp_path):
    done = _cli("run", clip / "clip.mp4", "--model", f"masks:{clip / 'labels'}", "--out",
                tmp_path / "run", "--audit", 6, "--set", "segmenter.classes=camvid",
                "--set", "keyframe.policy=interval", "--set", "keyframe.interval=6")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "95 %:" in done.stdout
    assert "noise floor" in done.stdout
    told = json.loads((tmp_path / "run" / "run.json").read_text())["audit"]
    shown = ", ".join(str(frame["index"]) for frame in told["frames"])
    assert f"6 of 30 frames between keyframes, seed 0: {shown}" in done.stdout


def test_a_failed_audit_has_status_1_and_says_that_the_run_is_there(clip, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for index in range(31):
        name = f"{index:03d}.png"
        (few / name).write_bytes((clip / "labels" / name).read_bytes())
    done = _cli("run", clip / "clip.mp4", "--model", f"masks:{few}", "--out", tmp_path / "run",
                "--audit", 30, "--set", "segmenter.classes=camvid",
                "--set", "keyframe.policy=interval", "--set", "keyframe.interval=6")  # fmt: skip
    assert done.returncode == 1
    assert "holds the finished run" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_number_of_frames_is_bad_input(clip, tmp_path):
    done = _cli("run", clip / "clip.mp4", "--model", "street", "--out", tmp_path / "run",
                "--set", "run.audit=many")  # fmt: skip
    assert done.returncode == 2
    assert "run.audit" in done.stderr


@pytest.mark.shared
def test_interval_of_a_real_model_holds_the_mean_over_all_frames(shared, tmp_path):
    video = shared / "data" / "videos" / "intel_one-by-one-person-detection.mp4"
    config = {
        "source.end": 8,
        "output.overlay": False,
        "output.report": False,
        "run.audit": 10_000,
    }
    every = tempseg.run(video, tmp_path / "every", model="street", config=config).audit
    few = tempseg.run(
        video, tmp_path / "few", model="street", config={**config, "run.audit": 12}
    ).audit
    assert every.complete
    assert few.fidelity.low <= every.fidelity.mean <= few.fidelity.high
    assert few.floor.low <= every.floor.mean <= few.floor.high
    assert every.verdict == "below"
