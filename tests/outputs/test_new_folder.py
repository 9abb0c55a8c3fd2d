"""A folder that takes its name when all went well."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from tempseg.errors import OutputError
from tempseg.outputs import new_folder


def test_the_working_folder_and_links_are_filled_where_they_are(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.chdir(tmp_path / "here")
    for name, path in ((".", tmp_path / "here"), (tmp_path / "link", tmp_path / "there")):
        with new_folder(name) as folder:
            (folder / "file").write_text("made")
        assert (path / "file").read_text() == "made"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["here", "link", "there"]


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(OutputError, match="already exists"), new_folder(tmp_path):
        pass


@pytest.mark.parametrize("mine", ["file", None])
def test_a_folder_of_others_with_the_unfinished_name_is_left_alone(tmp_path, mine):
    (tmp_path / "out.partial").mkdir()
    if mine:
        (tmp_path / "out.partial" / mine).touch()
    with pytest.raises(OutputError, match="in the way"), new_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out.partial" / (mine or "")).exists()


def test_what_a_killed_command_has_left_is_cleared_away(tmp_path):
    killed = (
        "import os, sys; from tempseg.outputs import new_folder\n"
        "with new_folder(sys.argv[1]) as folder:\n"
        "    (folder / 'old').mkdir(); (folder / 'old' / 'file').touch(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", killed, str(tmp_path / "out")], check=False)
    assert not (tmp_path / "out").exists()
    with new_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "out"]


def test_a_folder_that_another_command_fills_is_left_to_it(tmp_path):
    with new_folder(tmp_path / "out") as folder:
        (folder / "file").touch()
        with (
            pytest.raises(OutputError, match="another command is writing"),
            new_folder(tmp_path / "out"),
        ):
            pass
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["file"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out") as folder:
        (folder / "file").write_text(str(1 / 0))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("named", [True, False])
def test_a_full_disk_is_told_with_the_folder_that_was_asked_for(tmp_path, named):
    failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if named:
        written = OutputError("000000.png: cannot write the label image")
        written.__cause__ = failure
        failure = written
    expected = f"^{tmp_path}/out: cannot be written, the disk is full; make room"
    with pytest.raises(OutputError, match=expected), new_folder(tmp_path / "out"):
        raise failure
