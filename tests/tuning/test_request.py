"""What a tune is asked for is what is done, and where its files may go."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import tempseg
from tempseg import trade_off
from tempseg.errors import OutputError, TempsegError
from tempseg.trade_off import FILES
from tempseg.tuning import TruthRequest


class Asked(Exception):  # noqa: N818 - no error
    """Ends a tune once it is known what it was asked for."""


@pytest.fixture
def asked(monkeypatch):
    told = {}

    def tune_config(sources, config, **options):
        told.update(options, sources=sources, config=config)
        raise Asked

    monkeypatch.setattr(trade_off, "tune_config", tune_config)

    def asked(*arguments, **options):
        with pytest.raises(Asked):
            tempseg.tune(*arguments, **options)
        return told

    return asked


def test_all_that_was_asked_for_reaches_the_tune(asked, tmp_path):
    observer = object()
    wanted = {
        "target": "fps=30",
        "sample": 70,
        "seed": 5,
        "fixed": ["keyframe.policy"],
        "cache": tmp_path / "cache",
        "observer": observer,
        "command": ["tempseg", "tune"],
    }
    told = asked(tmp_path / "a.mp4", model="street", configs=7, truth=["labels"], **wanted)
    assert told.pop("config").segmenter.model.endswith("street")
    assert told == wanted | {
        "sources": [str(tmp_path / "a.mp4")],
        "truths": [TruthRequest("labels")],
        "in_full": 7,
    }


def test_the_folder_is_made_before_the_work_with_those_above_it(monkeypatch, tmp_path):
    out = tmp_path / "far" / "out"

    def tune_config(*arguments, **options):
        assert out.is_dir()
        raise Asked

    monkeypatch.setattr(trade_off, "tune_config", tune_config)
    with pytest.raises(Asked):
        tempseg.tune("a.mp4", out, model="street")


@pytest.mark.parametrize("model", ["street", "masks:nowhere"])
def test_a_wrong_request_leaves_no_folder(tmp_path, model):
    (tmp_path / "kept").mkdir()
    for out in ("kept", "far/out"):
        with pytest.raises(TempsegError):
            tempseg.tune(tmp_path / "gone.mp4", tmp_path / out, model=model, cache=tmp_path / "c")
    assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / "far").exists()


def test_a_tune_that_is_broken_off_leaves_no_folder(asked, tmp_path):
    asked("a.mp4", tmp_path / "far" / "out", model="street")
    assert not (tmp_path / "far").exists()


@pytest.mark.parametrize("name", FILES)
def test_each_file_of_an_earlier_tune_is_kept_and_named(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match=f"already holds {name}; .*--overwrite"):
        tempseg.tune("a.mp4", tmp_path, model="street")
    assert (tmp_path / name).read_text() == "mine"


def test_an_earlier_tune_may_be_replaced_where_that_is_said(asked, tmp_path):
    (tmp_path / "tune.json").write_text("mine")
    asked("a.mp4", tmp_path, model="street", overwrite=True)


def test_a_folder_with_other_files_is_taken(asked, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    asked("a.mp4", tmp_path, model="street")


INTERRUPTED = """
import tempseg.trade_off
from tempseg.cli.app import main

def interrupted(*_, **__):
    raise KeyboardInterrupt

tempseg.trade_off.tune_config = interrupted
main()
"""


def test_ctrl_c_says_how_to_go_on_and_ends_with_1(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "tune", "a.mp4", "--model", "street", "--out", "tuned"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    told = "error: interrupted; what was recorded and asked is kept: run the same again to go on"
    assert done.stderr.startswith(told)
