"""A folder that takes its name when all went well."""

from __future__ import annotations

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
