"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from tempseg.errors import OutputError
from tempseg.evaluation.whole_file import write_whole


def test_what_was_there_is_replaced_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "figures.json"
    file.write_text("old")
    write_whole(file, "new ä\udcff")
    assert file.read_bytes() == "new ä?".encode()
    assert list(tmp_path.iterdir()) == [file]


def test_what_was_there_stays_where_writing_fails(tmp_path, monkeypatch):
    file = tmp_path / "figures.json"
    file.write_text("old")

    def full(self, content):
        with self.open("wb") as out:
            out.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError, match=r"figures\.json: cannot be written: No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "figures")
    reader.join(timeout=10)
    assert read == ["figures"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_the_system_links_to_a_pipe_is_written_to():
    reader, writer = os.pipe()
    # As /dev/stdout is one, whose target has no name in any folder.
    write_whole(f"/proc/self/fd/{writer}", "figures")
    os.close(writer)
    assert os.read(reader, 100) == b"figures"
    os.close(reader)


def test_a_links_target_is_written(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, "new")
    assert target.read_text() == "new"
    assert link.is_symlink()
