"""What the figures of chunks come to in a run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from tempseg.config import load_config
from tempseg.runners.chunks import Chunk, SourceState, cut, plan_run
from tempseg.runners.executor import InProcess
from tempseg.runners.fingerprint import changes
from tempseg.runners.joining import RunJoiner
from tempseg.runners.work import SeamError
from tempseg.video import SeekPoint, Survey, open_source

from ..video.clips import damage
from .conftest import CONFIG, FRAMES


@pytest.fixture(scope="module")
def done(material, tmp_path_factory):
    """A plan, a folder of its finished chunks, and their records."""
    folder = tmp_path_factory.mktemp("done")
    config = load_config(overrides=CONFIG | {"segmenter.model": material.model})
    plan = plan_run(str(material.clip), config)
    with InProcess(plan) as executor:
        records = list(executor.run(plan.chunks, folder, run="", progress=lambda *_: None))
    return plan, folder, records


def _joined(done, out, **changed):
    """Return the totals of a run whose chunks say this of themselves, one value a chunk."""
    plan, folder, records = done
    joiner = RunJoiner(plan, out)
    try:
        for place, record in enumerate(records):
            own = replace(record, **{key: values[place] for key, values in changed.items()})
            joiner.add(own, folder / f"{record.number:05d}")
        joiner.finish()
    finally:
        joiner.abandon()
    return joiner.totals(wall_s=4.0)


def test_seconds_of_stages_and_waits_and_damaged_frames_are_added_up(done, tmp_path):
    seconds = [{"segment": float(n), "decode": 1.0} for n in range(5)]
    waits = [{"decode": 0.5}, {}, {"carry": 2.0}, {"decode": 1.0}, {}]
    totals = _joined(done, tmp_path, stage_s=seconds, wait_s=waits, damaged=[1, 0, 2, 0, 4])
    assert totals.stage_s == {"segment": 10.0, "decode": 5.0}
    assert totals.segmenter_s == 10.0
    assert totals.wait_s == {"decode": 1.5, "carry": 2.0}
    assert totals.damaged == 7


@pytest.mark.parametrize("shots", [0, 1])
def test_what_was_cut_short_in_an_unfinished_chunk_is_left_out(done, tmp_path, shots):
    plan, folder, records = done
    shutil.copytree(folder / "00001", tmp_path / "unfinished")
    table = tmp_path / "unfinished" / "frames.csv"
    lines = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join(lines[:5]) + b"666,2")
    joiner = RunJoiner(plan, tmp_path)
    joiner.add(replace(records[0], closing_shot=shots), folder / "00000")
    joiner.add_unfinished(tmp_path / "unfinished", 1)
    joiner.abandon()
    rows = (tmp_path / "frames.csv").read_bytes().splitlines(keepends=True)
    assert len(rows) == 1 + plan.chunks[0].frames + 4
    assert rows[-1].endswith(b"\n")


def test_memory_is_the_most_of_each_process_and_the_sum_of_processes(done, tmp_path):
    totals = _joined(
        done,
        tmp_path,
        process=["a", "b", "a", "b", "a"],
        peak_memory_mb=[5.0, 3.0, 9.0, 2.0, 7.0],
    )
    assert totals.peak_memory_mb == 12.0


def test_a_run_lasts_from_its_first_frame_to_its_last(done, tmp_path):
    totals = _joined(done, tmp_path)
    times = [frame.time_s for frame in open_source(done[0].source)]
    assert totals.duration_s == pytest.approx(times[-1] - times[0])
    assert (totals.frames, totals.frames_per_s) == (FRAMES, FRAMES / 4.0)


def test_a_chunk_that_begins_with_another_frame_than_closed_the_last_is_not_joined(done, tmp_path):
    openings = [record.opening for record in done[2]]
    openings[3] = replace(openings[3], checksum=openings[3].checksum + 1)
    with pytest.raises(SeamError, match=f"a seek to {openings[3].pts} gives another frame"):
        _joined(done, tmp_path, opening=openings)


def test_damage_in_several_chunks_is_counted_as_in_one(material, tmp_path):
    harmed = tmp_path / "harmed.mp4"
    shutil.copy(material.clip, harmed)
    damage(harmed, 20, 21, 45)
    told = {}
    for name, chunk_s in (("many", 0.6), ("one", 0.0)):
        material.run(tmp_path / name, source=harmed, config={"run.chunk_s": chunk_s})
        told[name] = json.loads((tmp_path / name / "run.json").read_text())["totals"]["damaged"]
    assert told["many"] == told["one"] > 0


def _cut(*befores, frames=100, least=25):
    points = tuple(SeekPoint(pts=10 * before, before=before) for before in befores)
    found = cut(Survey(points, frames=frames, digest="", bytes_read=0), least=least)
    assert [chunk.number for chunk in found] == list(range(len(found)))
    return [chunk.frames for chunk in found]


def test_a_last_chunk_that_is_too_short_joins_the_one_before():
    assert _cut(50, 75) == [50, 25, 25]
    assert _cut(50, 76) == [50, 50]
    assert _cut(76, 90) == [100]


def test_a_seek_point_at_the_start_cuts_nothing_off():
    assert _cut(0, 50) == [50, 50]


def test_no_chunk_is_empty_however_short_chunks_may_be():
    assert _cut(50, 100, least=0) == [50, 50]


def test_a_source_that_is_no_file_has_no_state_to_change(tmp_path):
    SourceState().check()


def test_what_is_no_longer_there_is_a_change_too():
    assert changes({"a.b": 1, "a.c": 2}, {"a.c": 3}) == ["a.c: 2 -> 3", "a.b: 1 -> not set"]


def test_chunks_are_named_so_that_they_sort():
    names = [Chunk(number, None, 1).name for number in (0, 9, 10, 12345)]
    assert names == sorted(names) == ["00000", "00009", "00010", "12345"]
