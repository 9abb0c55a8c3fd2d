"""`tempseg models`, and a zoo name as MODEL."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import tempseg
from tempseg.class_sets import class_set
from tempseg.cli.models import info, list_models, pull, pull_for_run
from tempseg.zoo import cache_folder, find_entry, zoo_entries
from tempseg.zoo import table as zoo_table
from tests.zoo.conftest import Reply, entry_of, known_file

CONTENT = b"model" * 1000
STREET = "data/camvid/val/0016E5_07959.jpg"
CAR = "data/davis/JPEGImages/car-roundabout/00000.jpg"
DESK = "data/videos/volcomix_doctor.mp4"
# A source whose first frame shows a class on at least that share of it.
AT_HAND = {
    "coral-cityscapes": (STREET, "road", 0.1),
    "coral-voc": (CAR, "car", 0.1),
    "coral-voc-small": (CAR, "car", 0.1),
    "deeplab-voc-257": (CAR, "car", 0.1),
    "mlperf-ade20k": (STREET, "road", 0.1),
    "mlperf-ade20k-int8": (STREET, "road", 0.1),
    "hair": (DESK, "hair", 0.01),
    "selfie": (DESK, "person", 0.1),
}


def cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tempseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "http_proxy": "", "https_proxy": ""},
        timeout=120,
        check=False,
    )


@pytest.fixture
def toy(web, monkeypatch):
    """A zoo of one model, on this machine."""
    web.replies["/toy.tflite"] = Reply(CONTENT)
    entry = entry_of(known_file(web.address("/toy.tflite"), CONTENT), classes="person")
    monkeypatch.setattr(zoo_table, "zoo_entries", lambda: (entry,))
    return entry


def test_list_has_a_line_for_every_model(capsys) -> None:
    list_models()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [entry.name for entry in zoo_entries()]


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_info_tells_licence_address_and_checksum(entry, capsys) -> None:
    info(entry.name)
    told = capsys.readouterr().out
    assert entry.licence in told
    for file in entry.files:
        assert file.address in told
        assert (file.sha256 or "not known; pinned on first use") in told


def test_info_tells_classes_with_their_colours(capsys) -> None:
    info("coral-voc")
    told = capsys.readouterr().out
    assert "#000000 background (untinted)" in told
    assert "#c08080 person" in told


def test_pull_brings_a_model_and_prints_where_it_lies(toy, capsys) -> None:
    pull(toy.name, mirror=None)
    told = capsys.readouterr()
    assert told.out == f"{cache_folder() / 'toy' / 'toy.tflite'}\n"
    assert told.err == f"toy: downloading {toy.files[0].address}, 0.0 MB\n"


def test_quiet_says_nothing_of_the_download(toy, capsys) -> None:
    pull(toy.name, mirror=None, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_run_says_what_it_downloads_and_only_once(toy, capsys) -> None:
    pull_for_run(toy.name, quiet=False)
    assert "toy: downloading http://127.0.0.1" in capsys.readouterr().err
    pull_for_run(toy.name, quiet=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("model", [None, "a/path.tflite", "masks:labels"])
def test_a_run_without_a_model_of_the_zoo_downloads_nothing(model) -> None:
    pull_for_run(model, quiet=False)
    assert not cache_folder().exists()


@pytest.mark.parametrize("command", [("models", "info", "selfy"), ("models", "pull", "selfy")])
def test_a_wrong_name_ends_in_one_line_and_status_2(command) -> None:
    done = cli(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the zoo has no model 'selfy'; did you mean selfie")
    assert done.stderr.count("\n") == 1


def test_a_run_with_a_wrong_name_ends_in_one_line_and_status_2(tmp_path) -> None:
    done = cli("run", "nowhere.mp4", "--model", "coral-vok", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert (
        "there is no file, folder or zoo model 'coral-vok'; did you mean coral-voc" in done.stderr
    )


@pytest.mark.shared
@pytest.mark.parametrize("name", AT_HAND)
def test_a_zoo_name_segments_a_frame(name, shared, monkeypatch) -> None:
    monkeypatch.setenv("TEMPSEG_MIRROR", str(shared / "models"))
    source, expected, share = AT_HAND[name]
    classes = class_set(find_entry(name).segmenter["classes"]).names
    (result,) = tempseg.segment(shared / source, model=name, config={"source.end": 0.02})
    assert (result.segmentation.labels == classes.index(expected)).mean() > share
