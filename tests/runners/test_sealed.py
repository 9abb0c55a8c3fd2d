"""What a damaged record is taken for."""

from __future__ import annotations

import pytest

from tempseg.runners.sealed import read_sealed, write_sealed

VALUES = {"drift": 2, "last_s": 1.96, "closing": None, "row": ["9", "é"], "sizes": {"a": 10}}


def test_what_was_written_is_read(tmp_path):
    write_sealed(tmp_path / "record.json", VALUES)
    assert read_sealed(tmp_path / "record.json") == VALUES


def test_no_flipped_bit_changes_what_is_read(tmp_path):
    path = tmp_path / "record.json"
    write_sealed(path, VALUES)
    good = path.read_bytes()
    refused = 0
    for place in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            path.write_bytes(bad)
            try:
                assert read_sealed(path) == VALUES
            except ValueError:
                refused += 1
    assert refused > 7 * len(good)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"drift": 2}', '{"seal": ""}'])
def test_what_has_no_seal_is_refused(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        read_sealed(tmp_path / "record.json")
