"""What is kept on disk is used again, and trusted only as far as it is whole."""

from __future__ import annotations

import os
import re
import shutil
from collections import namedtuple

import numpy as np
import pytest

from tempseg import load_config
from tempseg.errors import ModelError, OutputError, SourceError
from tempseg.flows import DisFlow
from tempseg.segmenters import LiteRTSegmenter
from tempseg.tuning import recording as recordings
from tempseg.tuning import studies_of
from tempseg.tuning.journal import Journal, JournalWriter, Layer
from tempseg.tuning.recording import record
from tempseg.tuning.sample import Piece
from tests.tuning.conftest import CALLS, FRAMES, SCORES


@pytest.fixture
def estimates(monkeypatch):
    """Count the flows that are estimated."""
    counted = []
    estimate = DisFlow.estimate

    def counting(self, target, source):
        counted.append(1)
        return estimate(self, target, source)

    monkeypatch.setattr(recordings.DisFlow, "estimate", counting)
    return counted


def arrays_of(recording):
    return {
        layer.name: np.array(recording.journal.array(layer.name))
        for layer in recording.journal.layers
    }


def assert_same(one, other):
    assert [row["pts"] for row in one.journal.rows] == [row["pts"] for row in other.journal.rows]
    for name, values in arrays_of(one).items():
        assert np.array_equal(values, arrays_of(other)[name]), name


def test_a_recording_is_made_once(source, base, tmp_path, estimates):
    first = record(Piece(source), base, tmp_path)
    made = len(estimates)
    assert made == 2 * (FRAMES - 1)
    assert_same(first, record(Piece(source), base, tmp_path))
    assert len(estimates) == made


def test_other_flow_settings_make_another_recording(source, base, tmp_path):
    first = record(Piece(source), base, tmp_path)
    other = load_config(overrides={"flow.preset": "fast"})
    assert record(Piece(source), other, tmp_path).folder != first.folder


def test_a_source_that_has_changed_is_recorded_anew(source, base, tmp_path):
    copy = tmp_path / "copy.mp4"
    shutil.copy(source, copy)
    first = record(Piece(str(copy)), base, tmp_path / "cache")
    os.utime(copy, ns=(1, 1))
    assert record(Piece(str(copy)), base, tmp_path / "cache").folder != first.folder


class Stopped(Exception):  # noqa: N818 - no error
    """Stands for an end from outside."""


class Stopping:
    """An observer that ends the work after so many frames."""

    def __init__(self, after):
        self.left = after

    def begin(self, name, frames):
        pass

    def advance(self):
        self.left -= 1
        if self.left < 0:
            raise Stopped


def test_an_interrupted_recording_is_gone_on_with(source, base, tmp_path, estimates):
    whole = record(Piece(source), base, tmp_path / "whole")
    made = len(estimates)
    with pytest.raises(Stopped):
        record(Piece(source), base, tmp_path / "cut", observer=Stopping(30))
    stopped = len(estimates)
    again = record(Piece(source), base, tmp_path / "cut")
    assert_same(whole, again)
    # One pair more, of which the first frame after the break needs the one before.
    assert len(estimates) - stopped < made / 2


@pytest.mark.parametrize("file", ["frames-onto.bin", "frames-planes.bin", "frames-work.bin"])
def test_a_damaged_recording_is_told_and_made_anew(source, base, tmp_path, caplog, file):
    first = record(Piece(source), base, tmp_path)
    path = first.folder / file
    before = arrays_of(first)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))
    again = record(Piece(source), base, tmp_path)
    assert "is damaged" in caplog.text
    for name, values in arrays_of(again).items():
        assert np.array_equal(values, before[name]), name


@pytest.mark.parametrize("damage", ["", "{", "not json\n", '{"head": {}}\n', "[]\n"])
def test_a_journal_that_cannot_be_read_vouches_for_nothing(source, base, tmp_path, damage):
    first = record(Piece(source), base, tmp_path)
    before = arrays_of(first)
    (first.folder / "frames.jsonl").write_text(damage)
    again = record(Piece(source), base, tmp_path)
    assert np.array_equal(again.journal.array("onto"), before["onto"])


def test_a_missing_file_of_a_recording_is_made_anew(source, base, tmp_path):
    first = record(Piece(source), base, tmp_path)
    (first.folder / "frames-back.bin").unlink()
    again = record(Piece(source), base, tmp_path)
    assert len(again) == FRAMES


def test_a_journal_written_half_way_keeps_its_whole_rows(tmp_path):
    layers = [Layer("a", np.dtype(np.uint8), (3,))]
    with JournalWriter(Journal.read(tmp_path, "j", layers, {"v": 1})) as writer:
        for value in range(3):
            writer.add({"a": np.full(3, value, np.uint8)}, value=value)
    path = tmp_path / "j.jsonl"
    path.write_text(path.read_text()[:-9])
    found = Journal.read(tmp_path, "j", layers, {"v": 1})
    assert [row["value"] for row in found.rows] == [0, 1]
    assert found.end is None
    assert not found.damaged
    with JournalWriter(found) as writer:
        writer.add({"a": np.full(3, 9, np.uint8)}, value=9)
        writer.finish()
    whole = Journal.read(tmp_path, "j", layers, {"v": 1})
    assert whole.array("a")[:, 0].tolist() == [0, 1, 9]
    assert whole.end is not None
    assert Journal.read(tmp_path, "j", layers, {"v": 2}).rows == []


def test_a_full_disk_is_told_before_the_work(source, base, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(recordings.shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(OutputError, match=r"--cache.*--sample"):
        record(Piece(source), base, tmp_path)


def test_a_cache_that_is_a_file_is_refused(source, base, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(OutputError, match="--cache"):
        record(Piece(source), base, tmp_path / "cache")


def test_an_empty_source_is_refused(base, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(SourceError, match=r"empty\.mp4"):
        studies_of([str(tmp_path / "empty.mp4")], base, cache=tmp_path)


@pytest.fixture
def asked(monkeypatch):
    """Count the frames that the embedded network is shown."""
    counted = []
    segment = LiteRTSegmenter.segment

    def counting(self, frame):
        counted.append(frame.index)
        return segment(self, frame)

    monkeypatch.setattr(LiteRTSegmenter, "segment", counting)
    return counted


def street(**keys):
    from tempseg.api import effective_config

    return effective_config({"segmenter.model": "street", "source.end": 0.4} | keys)


def test_the_model_is_asked_once_a_frame_and_never_again(source, tmp_path, asked):
    (first,) = studies_of([source], street(), cache=tmp_path)
    assert asked == list(range(10))
    (again,) = studies_of([source], street(), cache=tmp_path)
    assert asked == list(range(10))
    assert again.material.segmenter.calls == 0
    assert again.material.floor == first.material.floor
    assert again.material.segment_ms == first.material.segment_ms > 0
    assert again.material.labels == first.material.labels


def test_other_keys_of_the_model_are_asked_anew(source, tmp_path, asked):
    studies_of([source], street(), cache=tmp_path)
    studies_of([source], street(**{"segmenter.threads": 1}), cache=tmp_path)
    assert len(asked) == 10
    studies_of([source], street(**{"segmenter.flip": True}), cache=tmp_path)
    assert len(asked) > 10


def test_a_damaged_answer_is_asked_for_again(source, tmp_path, asked, caplog):
    (first,) = studies_of([source], street(), cache=tmp_path)
    (file,) = tmp_path.glob("answers/*/000004.answer")
    file.write_bytes(file.read_bytes()[:-1])
    (again,) = studies_of([source], street(), cache=tmp_path)
    assert asked == [*range(10), 4]
    assert "is damaged" in caplog.text
    assert again.material.labels == first.material.labels


def test_answers_that_came_before_a_failure_are_kept(source, tmp_path, monkeypatch, asked):
    segment = LiteRTSegmenter.segment

    def failing(self, frame):
        if frame.index == 6:
            raise ModelError("no more")
        return segment(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(LiteRTSegmenter, "segment", failing)
        with pytest.raises(ModelError, match="no more"):
            studies_of([source], street(), cache=tmp_path)
    studies_of([source], street(), cache=tmp_path)
    assert asked == list(range(10))


def test_functions_are_asked_each_time_and_leave_no_answers(source, tmp_path):
    from tempseg.tuning import tune_config

    config = load_config(overrides={"segmenter.model": SCORES, "source.end": 0.4})
    for _ in range(2):
        before = len(CALLS)
        fixed = ["keyframe.policy", "keyframe.min_interval", "keyframe.max_interval"]
        tune_config([source], config, cache=tmp_path, fixed=fixed)
        assert len(CALLS) - before == 10
    assert not list(tmp_path.rglob("*.answer"))


def test_a_judged_motion_that_is_damaged_is_judged_anew(source, tmp_path, caplog):
    (first,) = studies_of([source], street(), cache=tmp_path)
    path = first.material.recording.folder / "judged-forward.bin"
    before = np.array(first.material.forward(4))
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(bytes(content))
    (again,) = studies_of([source], street(), cache=tmp_path)
    assert "is damaged" in caplog.text
    assert np.array_equal(np.array(again.material.forward(4)), before, equal_nan=True)
    assert again.material.judged.end is not None


def written(folder, rows=3):
    """Write a journal of frames that are all alike; return its path and its layers."""
    layers = [Layer("a", np.dtype(np.uint8), (3,))]
    with JournalWriter(Journal.read(folder, "j", layers, {"v": 1})) as writer:
        for value in range(rows):
            writer.add({"a": np.full(3, 7, np.uint8)}, value=value)
        writer.finish(damaged=0)
    return folder / "j.jsonl", layers


def test_no_flipped_bit_changes_what_a_journal_tells(tmp_path):
    path, layers = written(tmp_path, rows=1)
    good = path.read_bytes()
    for place in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            path.write_bytes(bad)
            found = Journal.read(tmp_path, "j", layers, {"v": 1})
            assert [row["value"] for row in found.rows] == list(range(len(found.rows)))
            assert found.end is None or (found.end == {"damaged": 0} and len(found.rows) == 1)


@pytest.mark.parametrize(("line", "kept"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_a_journal_that_lacks_a_line_is_trusted_up_to_there(tmp_path, line, kept):
    path, layers = written(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:line] + lines[line + 1 :]))
    found = Journal.read(tmp_path, "j", layers, {"v": 1})
    assert len(found.rows) == kept
    assert found.end is None
    assert found.damaged


def test_a_journal_without_checksums_of_its_lines_vouches_for_nothing(tmp_path):
    path, layers = written(tmp_path)
    path.write_text(re.sub(r', "seal": \d+', "", path.read_text()))
    found = Journal.read(tmp_path, "j", layers, {"v": 1})
    assert not found.rows
    assert found.damaged


DAMAGE = {
    "floor.json": (r"0\.\d", "0.1"),
    "judged.jsonl": (r'"change": 0\.\d', '"change": 0.9'),
    "frames.jsonl": (r'"pts": \d', '"pts": 9'),
}


@pytest.mark.parametrize("file", DAMAGE)
def test_changed_figures_in_the_cache_are_told_and_made_anew(source, tmp_path, caplog, file, asked):
    (first,) = studies_of([source], street(), cache=tmp_path)
    (path,) = tmp_path.rglob(file)
    good = path.read_text()
    pattern, other = DAMAGE[file]
    begin = len(good) // 2
    path.write_text(good[:begin] + re.sub(pattern, other, good[begin:], count=1))
    assert path.read_text() != good
    (again,) = studies_of([source], street(), cache=tmp_path)
    assert "is damaged, or holds no checksum" in caplog.text
    assert again.material.floor_pairs[1:] == first.material.floor_pairs[1:]
    assert again.material.cuts == first.material.cuts
    assert_same(first.material.recording, again.material.recording)
    assert asked == list(range(10))
    caplog.clear()
    studies_of([source], street(), cache=tmp_path)
    assert not caplog.text
