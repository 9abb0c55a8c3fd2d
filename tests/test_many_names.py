"""What many inputs are called, and what each of their runs is given."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from tempseg import many
from tempseg.config import Config
from tempseg.errors import RunError, SourceError
from tempseg.many import expand_inputs, read_list, run_each


def _given(sources, out="out", *, fails=None, **options):
    """Return what each run was given, and the outcomes."""
    given = []

    def run_one(source, folder, **keys):
        given.append((source, folder, keys))
        if fails is not None:
            raise fails
        return "summary"

    return given, list(run_each(sources, out, run_one=run_one, **options))


def _folders(sources):
    return [folder.name for _, folder, _ in _given(sources)[0]]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        return list(names)

    return make


def test_each_run_is_given_what_was_asked_for(here):
    command = ["tempseg", "run"]
    options = {"overwrite": True, "resume": False, "workers": 3, "command": command}
    given, outcomes = _given(here("a.mp4"), model="street", **options)
    ((source, folder, keys),) = given
    config = keys.pop("config")
    assert isinstance(config, Config)
    assert keys == options | {"ray": None}
    assert (source, str(folder)) == ("a.mp4", os.path.join("out", "a"))
    assert outcomes[0].summary == "summary"


@pytest.mark.parametrize(
    ("config", "options", "joined"),
    [
        ({}, {}, []),
        ({"run.ray": "auto"}, {}, [("auto", None)]),
        ({"run.ray": "auto", "run.workers": 3}, {}, [("auto", 3)]),
        ({"run.ray": "auto", "run.workers": 3}, {"ray": "h:1", "workers": 5}, [("h:1", 5)]),
    ],
)
def test_a_cluster_is_joined_once_for_all_by_what_the_call_or_the_config_says(
    here, monkeypatch, config, options, joined
):
    told = []

    @contextmanager
    def connected(address, workers):
        told.append((address, workers))
        yield

    monkeypatch.setattr(many, "connected", connected)
    _given(here("a.mp4", "b.mp4"), config=config, **options)
    assert told == joined


def test_what_nobody_foresaw_is_named_and_does_not_stop_the_others(here):
    failure = UnicodeError("no text")
    given, outcomes = _given(here("a.mp4", "b.mp4"), fails=failure)
    assert len(given) == 2
    assert [type(outcome.error) for outcome in outcomes] == [RunError, RunError]
    assert str(outcomes[0].error) == "a.mp4: unexpected UnicodeError: no text"
    assert outcomes[0].error.__cause__ is failure


def test_a_file_whose_name_looks_like_a_pattern_is_taken_as_it_is(here):
    assert expand_inputs(here("take [1].mp4", "take 1.mp4")[:1]) == ["take [1].mp4"]


def test_folders_that_a_pattern_matches_are_no_inputs(here):
    here("a/one.mp4", "a/more/two.mp4")
    assert expand_inputs(["a/*"]) == ["a/one.mp4"]


def test_a_pattern_reaches_into_folders_where_it_says_so(here):
    here("a/one.mp4", "a/b/two.mp4")
    assert expand_inputs(["a/**/*.mp4"]) == ["a/b/two.mp4", "a/one.mp4"]


def test_a_pattern_that_matches_folders_alone_matches_nothing(here):
    here("a/b/one.mp4")
    with pytest.raises(SourceError, match="no file matches"):
        expand_inputs(["a/*"])


def test_a_list_that_an_editor_marked_as_utf8_begins_with_its_first_source(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.mp4\nb.mp4\n")
    assert read_list(tmp_path / "list.txt") == ["a.mp4", "b.mp4"]


def test_names_that_differ_in_capitals_alone_are_told_apart(here):
    assert _folders(here("a/Day.mp4", "b/day.mp4")) == ["a-Day.mp4", "b-day.mp4"]


def test_a_folder_keeps_what_follows_the_dot_in_its_name(here):
    here("take.1/0.png", "take.2/0.png")
    assert _folders(["take.1", "take.2"]) == ["take.1", "take.2"]


def test_names_hold_nothing_that_makes_a_pattern_or_a_path(here):
    assert _folders(["shots/*.png", "c:x?.png"]) == ["_.png", "c_x_.png"]


def test_a_source_that_has_no_name_gets_one(here):
    assert _folders(["/"]) == ["input"]
    assert _folders([*here("a/. ..mp4")]) == ["input"]
