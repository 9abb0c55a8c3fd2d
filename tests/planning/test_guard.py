"""The guard: the model on every frame where that is cheaper than carrying its answer."""

from __future__ import annotations

import csv
import time

import numpy as np
import pytest

import tempseg
from tempseg.errors import ConfigError
from tempseg.planning import guard

from ..runners.watching import StopAfter, StoppedError
from ..video.clips import write_clip

CONFIG = {
    "keyframe.guard": True,
    "keyframe.policy": "interval",
    "run.chunk_s": 1.0,
    "output.report": False,
    "output.overlay": False,
}


def cheap(image):
    """Say the same of every pixel, at once."""
    return np.zeros(image.shape[:2], np.uint8)


cheap.classes = ("all",)


def dear(image):
    """Take longer than carrying does."""
    time.sleep(0.08)
    return cheap(image)


dear.classes = cheap.classes

CHEAP, DEAR = (f"python:{__name__}:{name}" for name in ("cheap", "dear"))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    options = {"preset": "ultrafast", "g": "25"}
    path = tmp_path_factory.mktemp("guard") / "clip.mp4"
    return write_clip(path, range(100), width=192, height=108, options=options)


def _table(folder):
    with (folder / "frames.csv").open(newline="") as table:
        return [
            {name: value for name, value in row.items() if not name.endswith("_ms")}
            for row in csv.DictReader(table)
        ]


def test_a_model_that_is_cheaper_than_carrying_runs_on_every_frame(video, tmp_path, caplog):
    plan = tempseg.plan(video, model=CHEAP, config=CONFIG)
    assert plan.keyframe_share == 1
    assert "the model runs on every frame (keyframe.guard)" in caplog.text
    summary = tempseg.run(video, tmp_path / "run", model=CHEAP, config=CONFIG)
    assert summary.totals.keyframe_share == 1


def test_a_model_that_is_dearer_than_carrying_is_left_to_the_policy(video, tmp_path):
    summary = tempseg.run(video, tmp_path / "run", model=DEAR, config=CONFIG | {"source.end": 1.0})
    assert summary.totals.keyframe_share < 0.2


def test_what_the_guard_decided_holds_when_a_run_is_gone_on_with(video, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with pytest.raises(StoppedError):
        tempseg.run(video, out, model=CHEAP, config=CONFIG, observer=StopAfter(60))
    # The clock is not asked again: it might say otherwise.
    monkeypatch.setattr(guard, "rehearse", None)
    tempseg.run(video, out, model=CHEAP, config=CONFIG, resume=True)
    tempseg.run(video, out, model=CHEAP, config=CONFIG, resume=True)
    every = CONFIG | {"keyframe.guard": False, "keyframe.policy": "every"}
    tempseg.run(video, tmp_path / "whole", model=CHEAP, config=every)
    assert _table(out) == _table(tmp_path / "whole")


def test_a_run_that_was_left_to_the_policy_is_gone_on_with_so(video, tmp_path, monkeypatch):
    out = tmp_path / "run"
    unguarded = CONFIG | {"keyframe.guard": False}
    monkeypatch.setattr("tempseg.api.guarded", lambda _source, config, **_: config)
    with pytest.raises(StoppedError):
        tempseg.run(video, out, model=CHEAP, config=CONFIG, observer=StopAfter(60))
    monkeypatch.undo()
    tempseg.run(video, out, model=CHEAP, config=CONFIG, resume=True)
    tempseg.run(video, tmp_path / "whole", model=CHEAP, config=unguarded)
    assert _table(out) == _table(tmp_path / "whole")


def test_a_guard_that_is_new_on_resuming_is_refused(video, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(StoppedError):
        tempseg.run(
            video,
            out,
            model=CHEAP,
            config=CONFIG | {"keyframe.guard": False},
            observer=StopAfter(60),
        )
    with pytest.raises(ConfigError, match=r"keyframe\.guard: False -> True"):
        tempseg.run(video, out, model=CHEAP, config=CONFIG, resume=True)


def test_the_guard_decides_where_resuming_finds_nothing(video, tmp_path):
    summary = tempseg.run(video, tmp_path / "run", model=CHEAP, config=CONFIG, resume=True)
    assert summary.totals.keyframe_share == 1
