"""What a profile holds."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict

import pytest

import tempseg
from tempseg.errors import ModelError, OutputError
from tempseg.runners.timing import STAGES
from tempseg.runners.trace import Trace
from tests.runners.conftest import SHORT_FRAMES

CONFIG = {"keyframe.policy": "interval", "keyframe.interval": 6, "output.report": False}
MODEL = "python:tests.runners.faulty:raises_after_1000"


@pytest.fixture(scope="module")
def profiled(clip, tmp_path_factory):
    out = tmp_path_factory.mktemp("profiled") / "run"
    tempseg.run(clip, out, model=MODEL, config=CONFIG, profile=out / "trace.json")
    return out, json.loads((out / "trace.json").read_text())


def _slices(events):
    return [event for event in events if event["ph"] == "X"]


def test_every_stage_is_a_slice_on_its_own_thread_with_its_frame(profiled):
    _, events = profiled
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    tracks = defaultdict(set)
    frames = defaultdict(set)
    for event in _slices(events):
        if "args" in event:
            tracks[event["name"]].add(names[event["tid"]])
            frames[event["name"]].add(event["args"]["frame"])
    assert tracks == {
        "decode": {"decode"},
        "motion": {"motion"},
        "segment": {"decide"},
        # What is decided by is carried too.
        "carry": {"decide", "carry"},
        "masks": {"masks"},
        "overlay": {"overlay"},
    }
    every = set(range(SHORT_FRAMES))
    for stage in STAGES:
        assert frames[stage] == (set(range(0, SHORT_FRAMES, 6)) if stage == "segment" else every)


def test_slices_of_a_thread_nest(profiled):
    _, events = profiled
    by_thread = defaultdict(list)
    for event in _slices(events):
        by_thread[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert len(by_thread) >= 5
    for slices in by_thread.values():
        open_until = []
        for start, end in sorted(slices, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= start + 0.01:
                open_until.pop()
            assert not open_until or end <= open_until[-1] + 0.01
            open_until.append(end)


def test_every_event_has_what_the_trace_event_format_asks_of_its_kind(profiled):
    out, events = profiled
    wall_us = json.loads((out / "run.json").read_text())["totals"]["wall_s"] * 1e6
    asked = {"M": {"args"}, "X": {"ts", "dur", "tid"}, "C": {"ts", "args"}, "i": {"ts", "tid", "s"}}
    assert {event["ph"] for event in events} == set(asked)
    for event in events:
        assert asked[event["ph"]] | {"name", "pid"} <= set(event)
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        # Microseconds, as the format has them, since the trace began.
        if event["ph"] == "X":
            assert isinstance(event["tid"], int)
            assert 0 <= event["ts"] <= event["ts"] + event["dur"] < 1.2 * wall_us
        elif event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
        elif event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name"}
            assert isinstance(event["args"]["name"], str)


LONGEST = {"decode": 6, "motion": 6, "decide": 18, "carry": 18, "masks": 4, "overlay": 4}


def test_queues_stay_in_their_bounds_and_memory_is_counted(profiled):
    _, events = profiled
    depths = defaultdict(list)
    for event in events:
        if event["ph"] == "C":
            depths[event["name"]].append(event["args"]["value"])
    for queue, most in LONGEST.items():
        assert 0 < max(depths[f"queue: {queue}"]) <= most
        assert min(depths[f"queue: {queue}"]) == 0
    assert min(depths["memory, MB"]) > 10


def test_the_record_says_what_was_waited_for(profiled):
    out, events = profiled
    totals = json.loads((out / "run.json").read_text())["totals"]
    waited = defaultdict(float)
    for event in _slices(events):
        if event["name"].startswith("wait for "):
            waited[event["name"].removeprefix("wait for ")] += event["dur"] / 1e6
    assert set(totals["wait_s"]) == set(waited)
    for queue, seconds in waited.items():
        assert totals["wait_s"][queue] == pytest.approx(seconds, abs=0.01)
        assert seconds <= totals["wall_s"]


def test_a_run_that_fails_leaves_a_whole_trace(clip, tmp_path):
    trace = tmp_path / "trace.json"
    model = "python:tests.runners.faulty:raises_after_3"
    with pytest.raises(tempseg.RunError):
        tempseg.run(clip, tmp_path / "run", model=model, config=CONFIG, profile=trace)
    done = {e["args"]["frame"] for e in _slices(json.loads(trace.read_text())) if "args" in e}
    assert {0, 17} < done


def test_a_trace_replaces_an_older_one_and_no_other_file(clip, tmp_path):
    source = tmp_path / "clip.mp4"
    shutil.copy(clip, source)
    linked = tmp_path / "trace.json"
    linked.symlink_to(source)
    for trace in (source, linked):
        with pytest.raises(OutputError, match=r"is there already and no trace; .*--profile-to"):
            tempseg.run(source, tmp_path / "run", model=MODEL, config=CONFIG, profile=trace)
    assert source.read_bytes() == clip.read_bytes()
    masks = tmp_path / "run" / "masks.mkv"
    with pytest.raises(OutputError, match=r"masks\.mkv: is where a result goes; .*--profile-to"):
        tempseg.run(clip, tmp_path / "run", model=MODEL, config=CONFIG, profile=masks)
    assert not (tmp_path / "run").exists()
    linked.unlink()
    for _ in range(2):
        with Trace(linked) as trace:
            trace.begin()
    assert len(json.loads(linked.read_text())) == 2


@pytest.mark.parametrize("model", ["nowhere:f", "tests.runners.faulty:raises_after_0"])
def test_a_run_that_comes_to_nothing_leaves_no_trace(clip, tmp_path, model):
    out = tmp_path / "run"
    with pytest.raises(ModelError):
        tempseg.run(clip, out, model=f"python:{model}", config=CONFIG, profile=out / "trace.json")
    assert not out.exists()


def test_a_finished_run_keeps_its_trace_when_it_is_resumed(profiled, clip):
    out, _ = profiled
    before = (out / "trace.json").read_bytes()
    tempseg.run(clip, out, model=MODEL, config=CONFIG, resume=True, profile=out / "trace.json")
    assert (out / "trace.json").read_bytes() == before


def test_a_trace_that_cannot_be_made_is_refused_by_name(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"trace\.json: cannot be written"):
        Trace(tmp_path / "file" / "trace.json").begin()


def test_a_place_for_no_trace_is_refused_before_anything_is_lost(clip, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(tempseg.RunError):
        tempseg.run(clip, out, model="python:tests.runners.faulty:raises_after_3", config=CONFIG)
    left = sorted(out.rglob("*"))
    with pytest.raises(OutputError, match="cannot be written: Is a directory"):
        tempseg.run(clip, out, model=MODEL, config=CONFIG, overwrite=True, profile=tmp_path)
    assert sorted(out.rglob("*")) == left


def test_what_is_no_file_of_its_own_outlives_a_trace(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link.json"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "trace.json")
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        for place in (pipe, link):
            trace = Trace(place)
            trace.begin()
            trace.discard()
    finally:
        os.close(reader)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "pipe"]


def test_a_full_disk_is_told_when_the_trace_is_closed():
    trace = Trace("/dev/full")
    trace.begin()
    for _ in range(1000):
        trace.slice("decode", 0.0, 1.0, frame_index=1)
    with pytest.raises(OutputError, match="/dev/full: cannot be completed"):
        trace.close()
