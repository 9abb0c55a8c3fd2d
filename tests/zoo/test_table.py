"""The table, and names."""

from __future__ import annotations

import pytest

from tempseg.build import with_zoo_keys
from tempseg.config import load_config
from tempseg.zoo import ZooEntry, ZooError, ZooFile, entry_for, find_entry, zoo_entries
from tempseg.zoo.table import read_table

ROW = """
[[models]]
name = "toy"
title = "A toy"
licence = "MIT"
home = "https://example.org"
input = "none"
model = "toy.tflite"
segmenter = {}
"""
FILE = '[[models.files]]\naddress = "https://example.org/toy.tflite"\nmax_bytes = 10\n'
SHA = "0" * 64


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_what_an_entry_needs_is_a_valid_config(entry: ZooEntry) -> None:
    config = with_zoo_keys(load_config(overrides={"segmenter.model": entry.name}))
    assert config.segmenter.model_fields_set == {"model", *entry.segmenter}


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_a_file_without_checksum_is_said_not_to_be_tried(entry: ZooEntry) -> None:
    unknown = [file.address for file in entry.files if file.sha256 is None]
    assert bool(unknown) == entry.note.startswith("Not tried")


def test_addresses_are_encrypted() -> None:
    files = [file for entry in zoo_entries() for file in entry.files]
    assert [file.address for file in files if not file.address.startswith("https://")] == []


def test_what_is_set_goes_before_what_the_zoo_says() -> None:
    config = load_config(overrides={"segmenter.model": "selfie", "segmenter.mean": 3.0})
    segmenter = with_zoo_keys(config).segmenter
    assert (segmenter.mean, segmenter.classes) == (3.0, "person")


def test_a_config_without_a_model_of_the_zoo_stays_as_it_is() -> None:
    config = load_config(overrides={"segmenter.model": "some/model.tflite"})
    assert with_zoo_keys(config) is config


def test_a_path_that_exists_goes_before_a_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry_for("selfie") is not None
    (tmp_path / "selfie").mkdir()
    assert entry_for("selfie") is None


def test_an_embedded_model_is_hidden_by_a_model_of_its_name_only(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "street"
    folder.mkdir()  # as `tempseg synth street` leaves it
    assert entry_for("street") == find_entry("street")
    (folder / "saved_model.pb").touch()
    assert entry_for("street") is None


@pytest.mark.parametrize(
    "model",
    ["a/selfie", "selfie.tflite", "masks:selfie", "python:a:b", "", ".", "m" * 300, "a\0b", "A b"],
)
def test_what_cannot_be_a_name_is_left_to_the_segmenters(model: str) -> None:
    assert entry_for(model) is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("selfy", "did you mean selfie"),
        ("cityscapes", "did you mean coral-cityscapes"),
        ("x", "there are street, street-savedmodel, deeplab-voc-257"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(wrong: str, told: str) -> None:
    for look_up in (entry_for, find_entry):
        with pytest.raises(ZooError, match=told):
            look_up(wrong)


def test_a_table_is_read() -> None:
    (entry,) = read_table(ROW + FILE)
    assert (entry.name, entry.files[0].name, entry.files[0].limit_bytes) == (
        "toy",
        "toy.tflite",
        10,
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (ROW + FILE + "colour = 3\n", TypeError),
        (ROW.replace('licence = "MIT"\n', "") + FILE, TypeError),
        (ROW + FILE + ROW + FILE, ValueError),
        (ROW.replace('"toy"', '"Toy"') + FILE, ValueError),
        (ROW.replace("segmenter = {}", "segmenter = {}\nfiles = []"), ValueError),
        (ROW, ValueError),
        (ROW + "embedded = true\n" + FILE, ValueError),
    ],
)
def test_a_wrong_table_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_table(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "file:///etc/passwd"},
        {"address": "ftp://example.org/x"},
        {"max_bytes": None},
        {"sha256": SHA},
        {"sha256": SHA.replace("0", "A"), "bytes": 3, "max_bytes": None},
        {"sha256": SHA, "bytes": 3},
        {"place": "../x"},
        {"place": "/x"},
        {"archive": "tar"},
        {"max_unpacked_bytes": 3},
    ],
)
def test_a_wrong_file_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"example\.org|expected an http"):
        ZooFile(**({"address": "https://example.org/x", "max_bytes": 3} | wrong))  # type: ignore[arg-type]
