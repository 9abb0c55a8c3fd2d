"""A run within a promise, on a rendered street whose masks are the model."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import tempseg
from tempseg.config import load_config
from tempseg.errors import ConfigError, OutputError
from tempseg.promise import tightened

INTERRUPTED = """
import tempseg.promise
from tempseg.cli.app import main

def interrupted(*_):
    raise KeyboardInterrupt

tempseg.promise.tightened = interrupted
main()
"""


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("promise") / "street"
    tempseg.synthesise(folder, duration_s=1.6, width=160, height=96)
    return folder


def _within(street, out, max_drop, *, fixed=("keyframe.policy",), **keys):
    config = {
        "segmenter.classes": "camvid",
        "output.overlay": False,
        "output.report": False,
        "run.audit": 12,
        "keyframe.policy": "interval",
        "keyframe.interval": 20,
    }
    return tempseg.run_within(
        street / "video.mp4",
        out / "run",
        max_drop=max_drop,
        model=f"masks:{street / 'labels'}",
        config=config | keys,
        fixed=fixed,
        cache=out / "cache",
    )


def test_an_occupied_folder_is_told_before_anything_is_chosen(street, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "frames.csv").touch()
    monkeypatch.setattr("tempseg.promise.studies_of", None)
    with pytest.raises(OutputError, match=r"already holds frames\.csv"):
        _within(street, tmp_path, 1.0)


def test_a_wide_promise_is_kept_with_few_keyframes_and_written_down(street, tmp_path):
    promise = _within(street, tmp_path, 60.0)
    assert promise.kept
    assert promise.message.startswith("kept")
    assert promise.summary.totals.keyframe_share < 0.5
    told = json.loads((tmp_path / "run" / "run.json").read_text())["promise"]
    assert told["kept"] is True
    assert len(told["attempts"]) == len(promise.attempts)


@pytest.mark.parametrize(
    ("max_drop", "status", "said"),
    [("60", 0, "kept:"), ("0.001", 1, "NOT kept:"), ("0", 2, "error")],
)
def test_command_says_what_came_of_the_promise(street, tmp_path, max_drop, status, said):
    told = subprocess.run(
        [
            *(sys.executable, "-m", "tempseg", "run", street / "video.mp4", "--no-overlay"),
            *("--out", tmp_path / "run", "--no-report", "--model", f"masks:{street / 'labels'}"),
            # The only policy with which the model does not answer every frame in the end.
            *("--set", "keyframe.policy=interval", "--set", "keyframe.interval=20"),
            *("--set", "segmenter.classes=camvid", "--audit", "12", "--max-drop", max_drop),
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == status, told.stderr
    assert said in told.stdout + told.stderr
    assert "Traceback" not in told.stderr


def test_a_promise_that_thresholds_cannot_keep_is_said_not_to_be(street, tmp_path):
    # Exact masks agree with one another far better than what is carried agrees with them.
    promise = _within(street, tmp_path, 0.001, fixed=["keyframe.policy", "keyframe.interval"])
    assert not promise.kept
    assert len(promise.attempts) == 1
    assert promise.message.startswith("NOT kept")


def test_a_promise_about_two_frames_is_told_without_figures(tmp_path):
    tempseg.synthesise(tmp_path / "street", duration_s=0.08, width=160, height=96)
    promise = _within(
        tmp_path / "street",
        tmp_path,
        1.0,
        fixed=["keyframe.policy", "keyframe.interval"],
        **{"propagate.lookahead": 0, "keyframe.scene_threshold": 1.0},
    )
    assert not promise.kept
    assert promise.message.startswith("NOT kept")
    assert promise.message.endswith("cannot be told on so few frames")


@pytest.mark.parametrize("max_drop", [0.0, -1.0, 101.0])
def test_no_promise_out_of_range(street, tmp_path, max_drop):
    with pytest.raises(ConfigError, match="--max-drop"):
        _within(street, tmp_path, max_drop)


@pytest.mark.parametrize(
    ("keys", "key", "value"),
    [
        ({"policy": "interval", "interval": 10}, "interval", 6),
        ({"policy": "share", "share": 0.3}, "share", 0.5),
        ({"policy": "span", "doubt_threshold": 2.0}, "doubt_threshold", 1.2),
        ({"policy": "adaptive", "drift_threshold": 0.1}, "drift_threshold", 0.06),
    ],
)
def test_each_policy_is_tightened_by_its_own_key(keys, key, value):
    config = load_config(overrides={f"keyframe.{name}": given for name, given in keys.items()})
    tighter = tightened(config)
    assert getattr(tighter.keyframe, key) == pytest.approx(value)
    held = tightened(config, [f"keyframe.{key}"])
    if keys["policy"] == "interval":
        assert held is None
    else:
        assert getattr(held.keyframe, key) == keys[key]


def test_what_would_stay_as_it_is_is_no_tightening():
    keys = {"policy": "share", "share": 0.1, "min_interval": 1}
    config = load_config(overrides={f"keyframe.{name}": given for name, given in keys.items()})
    assert tightened(config, ["keyframe.policy", "keyframe.share"]) is None


def test_an_interrupted_promise_is_begun_again(street, tmp_path):
    arguments = [
        *("run", street / "video.mp4", "--no-overlay"),
        *("--out", tmp_path / "run", "--no-report", "--model", f"masks:{street / 'labels'}"),
        *("--set", "segmenter.classes=camvid", "--max-drop", "0.001"),
        # Little to choose from.
        *("--set", "keyframe.policy=interval", "--set", "keyframe.interval=20"),
    ]
    # As Ctrl-C would, once the first attempt is done.
    told = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1, told.stderr
    assert "keeps no promise yet; begin again with: tempseg run" in " ".join(told.stderr.split())
    assert "--overwrite" in told.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["promise"]["attempts"]


def test_a_key_that_is_no_key_is_told_before_anything_is_chosen(tmp_path):
    with pytest.raises(ConfigError, match=r"did you mean keyframe\.interval\?"):
        tempseg.run_within(
            "video.mp4",
            tmp_path / "run",
            max_drop=1.0,
            model="street",
            fixed=["keyframe.intervall"],
            cache=str(tmp_path),
        )


def test_every_frame_cannot_be_tightened():
    assert tightened(load_config(overrides={"keyframe.policy": "every"})) is None
    assert (
        tightened(load_config(overrides={"keyframe.policy": "interval", "keyframe.interval": 1}))
        is None
    )
