"""Many inputs on one command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import tempseg
from tempseg.errors import ConfigError, SourceError
from tempseg.many import _names, expand_inputs, read_list

from .video.clips import write_clip

MODEL = "python:tests.runners.models:bright"
CONFIG = {"output.report": False}


@pytest.fixture
def clips(tmp_path):
    for name in ("a/one.mp4", "a/two.mp4", "b/one.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_clip(tmp_path / name, range(6))
    (tmp_path / "a" / "bad.mp4").write_bytes(b"no video")
    return tmp_path


def test_one_bad_input_does_not_stop_the_others(clips):
    sources = [str(clips / name) for name in ("a/one.mp4", "a/bad.mp4", "a/two.mp4", "b/one.mp4")]
    outcomes = list(tempseg.run_each(sources, clips / "out", model=MODEL, config=CONFIG))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True, True]
    assert isinstance(outcomes[1].error, SourceError)
    assert sorted(os.listdir(clips / "out")) == ["a-one.mp4", "b-one.mp4", "two"]
    assert all((o.folder / "run.json").exists() for o in outcomes if o.error is None)


def test_what_is_done_is_kept_when_many_are_resumed(clips):
    sources = [str(clips / "a" / "one.mp4"), str(clips / "a" / "two.mp4")]
    list(tempseg.run_each(sources[:1], clips / "out", model=MODEL, config=CONFIG))
    before = (clips / "out" / "one" / "run.json").stat().st_mtime_ns
    outcomes = list(
        tempseg.run_each(sources, clips / "out", model=MODEL, config=CONFIG, resume=True)
    )
    assert [outcome.summary.totals.frames for outcome in outcomes] == [6, 6]
    assert (clips / "out" / "one" / "run.json").stat().st_mtime_ns == before


def test_an_address_is_no_pattern():
    assert expand_inputs(["http://a/b?c"]) == ["http://a/b?c"]


def test_patterns_of_videos_are_many_inputs_and_of_images_one(clips):
    (clips / "images").mkdir()
    for name in ("1.png", "2.png"):
        (clips / "images" / name).write_bytes(b"")
    images = str(clips / "images" / "*.png")
    assert expand_inputs([images]) == [images]
    found = expand_inputs([str(clips / "a" / "*.mp4"), "x.mp4"])
    assert found == [*(str(clips / "a" / n) for n in ("bad.mp4", "one.mp4", "two.mp4")), "x.mp4"]
    (clips / "images" / "3.mp4").write_bytes(b"")
    with pytest.raises(SourceError, match="2 images and 1 other files"):
        expand_inputs([str(clips / "images" / "*.*")])
    with pytest.raises(SourceError, match="no file matches"):
        expand_inputs([str(clips / "*.mov")])


def test_an_input_that_is_named_twice_is_refused(clips):
    twice = [str(clips / "a" / "one.mp4"), str(clips / "a" / ".." / "a" / "one.mp4")]
    with pytest.raises(ConfigError, match="is named twice"):
        list(tempseg.run_each(twice, clips / "out", model=MODEL))


def test_lists_pass_over_remarks_and_empty_lines(tmp_path):
    (tmp_path / "list.txt").write_text("# night\n\n a.mp4 \nb c.mp4\n", encoding="utf-8")
    assert read_list(tmp_path / "list.txt") == ["a.mp4", "b c.mp4"]
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(ConfigError, match="names no input"):
        read_list(tmp_path / "empty.txt")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_list(tmp_path / "none.txt")
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory$"):
        read_list(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\xff")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_list(tmp_path / "a.mp4")


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-1"])
def test_lists_name_files_as_the_file_system_does(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode(encoding, "surrogateescape"))
    names = [b"\xc3\xa0", b"\xfc.mp4", b"\x85 b\xc2\xa0.mp4"]
    (tmp_path / "list.txt").write_bytes(b"\n".join([b"# n\xe4chste", *names]))
    read = read_list(tmp_path / "list.txt")
    assert [name.encode(encoding, "surrogateescape") for name in read] == names
    (tmp_path / "list.txt").write_bytes("\ufeffü.mp4\r\n".encode())
    assert read_list(tmp_path / "list.txt") == ["ü.mp4"]


def test_the_command_sums_up_and_fails_when_any_did(clips):
    (clips / "list.txt").write_text("a/one.mp4\na/bad.mp4\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "run", "b/*.mp4", "--list", "list.txt", "--model", MODEL,
         "--out", "out", "--no-report", "--no-overlay", "--audit", "2",
         "--set", "keyframe.policy=interval", "--set", "keyframe.interval=3"],
        cwd=clips, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "a/bad.mp4: not a video" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: 1 of 3 inputs failed; the others are done"
    assert "frames/s" in done.stdout
    record = json.loads((clips / "out" / "b-one.mp4" / "run.json").read_text())
    assert record["totals"]["frames"] == 6
    (row,) = [line for line in done.stdout.splitlines() if "b/one.mp4" in line]
    assert f" {record['audit']['fidelity']['mean']:.3f} " in row


def test_where_all_failed_none_is_said_to_be_done(clips):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "run", "a/bad.mp4", "a/none.mp4", "--model", MODEL,
         "--out", "failed", "--no-report", "--no-overlay", "--quiet"],
        cwd=clips, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: 2 of 2 inputs failed"


def test_no_two_inputs_share_a_folder_whatever_their_names():
    names = ["c/t[1].mp4", "c/t_1_.mp4", "c/x.mp4", "c/X.mp4", "d/x.mp4", "c/x.mp4-2"]
    chosen = _names(names)
    assert len({name.lower() for name in chosen}) == len(names)
    assert chosen == ["t_1_.mp4", "t_1_.mp4-2", "x.mp4", "X.mp4-3", "d-x.mp4", "x.mp4-2"]


def test_a_finished_run_whose_reader_has_left_has_not_failed(clips):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "run", "b/one.mp4", "--model", MODEL, "--out", "unread",
         "--no-report", "--no-overlay"],
        cwd=clips, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    os.close(writer)
    assert "Error" not in done.stderr
    assert done.returncode == 0
    assert (clips / "unread" / "run.json").exists()


def test_names_that_stdout_cannot_show_are_escaped(clips):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ascii_only = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"}
    (clips / "日.mp4").write_bytes((clips / "b" / "one.mp4").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "run", "日.mp4", "--model", MODEL, "--out", "日",
         "--no-report", "--no-overlay"],
        cwd=clips, env=environment | ascii_only,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\\u65e5" in done.stdout
