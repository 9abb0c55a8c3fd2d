"""`tempseg quantize` as a user types it."""

from __future__ import annotations

import json
import sys

import pytest

from tempseg.cli import app

CLASSES = 'segmenter.classes=["red","green","blue"]'


@pytest.fixture
def typed(monkeypatch, capfd):
    """Return a function that runs a command line: its status, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tempseg", "quantize", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return run


def test_the_table_compares_every_kind_with_the_original(typed, tiny, clip, tmp_path):
    status, out, err = typed(
        tiny.path("logits.keras"), "--calibrate", clip, "--out", tmp_path, "--set", CLASSES
    )
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["MB", "ms", "a", "frame", "same", "pixels", "mIoU", "to", "original"]
    assert [row.split()[0] for row in rows[:3]] == ["original", "float16", "int8"]
    assert [len(row.split()) for row in rows[:3]] == [3, 5, 5]
    # A narrow terminal breaks long paths.
    assert str(tmp_path / "logits_int8.tflite") in "".join(out.split())


def test_json_on_stdout_is_one_object(typed, tiny, clip, tmp_path):
    words = ("--calibrate", clip, "--out", tmp_path, "--kind", "int8-weights", "--json", "-")
    status, out, _ = typed(tiny.path("logits.keras"), *words, "--set", CLASSES)
    assert status == 0
    (model,) = json.loads(out)["models"]
    assert model["kind"] == "int8-weights"


@pytest.mark.usefixtures("int8_fails")
def test_a_kind_that_is_not_kept_is_told_in_one_line_with_status_1(typed, tiny, clip, tmp_path):
    words = ("--calibrate", clip, "--out", tmp_path, "--set", CLASSES)
    status, out, err = typed(tiny.path("fixed"), *words)
    assert status == 1
    assert "not kept" in out
    assert err.startswith(f"error: {tiny.path('fixed')}: int8: ")
    assert err.count("\n") == 1


def test_bad_input_ends_with_status_2_and_one_line(typed, tiny, clip, tmp_path):
    status, out, err = typed(tiny.path("ids.tflite"), "--calibrate", clip, "--out", tmp_path)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
