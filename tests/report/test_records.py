"""Reading a finished run back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tempseg.errors import SourceError
from tempseg.report import write_page
from tempseg.report.records import read_run
from tests.report.conftest import FRAMES, SOURCE, frame_ticks


def test_a_run_is_read_back_as_it_was_written(finished):
    run = read_run(finished)
    assert run.name == SOURCE
    assert (run.width, run.height, run.void) == (160, 90, 255)
    np.testing.assert_allclose(run.frames.time_s, [frame_ticks(i) / 1000 for i in range(FRAMES)])
    assert run.frames.reasons[8] == "interval"
    assert run.frames.origins[9] == "interpolated"
    assert np.isnan(run.frames.evidence["age"][0])
    assert run.frames.evidence["age"][8] == 8
    assert list(run.frames.stage_ms) == ["decode", "motion", "segment", "carry", "masks", "overlay"]
    assert run.totals.frames == FRAMES


def _edit_record(folder, change):
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))


def _edit_table(folder, change):
    lines = (folder / "frames.csv").read_text().splitlines()
    (folder / "frames.csv").write_text("\n".join(change(lines)) + "\n")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: (f / "run.json").unlink(), "holds no finished run"),
        (lambda f: (f / "run.json").write_text("{"), "run.json: is no record"),
        (lambda f: (f / "run.json").write_text("[]"), "run.json: is no record"),
        (lambda f: _edit_record(f, lambda r: r.pop("totals")), "run.json: is no record"),
        (lambda f: _edit_record(f, lambda r: r["totals"].pop("wall_s")), "wall_s"),
        (lambda f: _edit_record(f, lambda r: r["config"].update(flow=3)), "run.json: is no record"),
        (lambda f: (f / "frames.csv").unlink(), "frames.csv: cannot be read"),
        (lambda f: (f / "frames.csv").write_bytes(b"\xff\xfe"), "frames.csv: is no table"),
        (lambda f: _edit_table(f, lambda rows: rows[:-1]), "holds 39 frames, expected 40"),
        (lambda f: _edit_table(f, lambda rows: [*rows[:-1], "39"]), "frame 39 has 1 cells"),
        (lambda f: _edit_table(f, lambda rows: [rows[0], *reversed(rows[1:])]), "do not increase"),
        (lambda f: _edit_table(f, lambda rows: [rows[0], "0,soon" + rows[1][10:]]), "time_s is"),
        (
            lambda f: _edit_table(f, lambda rows: [rows[0].replace("origin", "o"), *rows[1:]]),
            "has no column origin",
        ),
        (lambda f: (f / "masks.mkv").unlink(), "masks.mkv"),
        (lambda f: (f / "masks.mkv").write_bytes(b"no video"), "masks.mkv"),
        (
            lambda f: (f / "masks.mkv").write_bytes((f / "overlay.mp4").read_bytes()),
            "no label maps",
        ),
        (lambda f: (f / "overlay.mp4").write_bytes(b"no video"), "overlay.mp4"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(copied, damage, told):
    damage(copied)
    page = (copied / "report.html").read_bytes()
    with pytest.raises(SourceError) as caught:
        write_page(copied)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (copied / "report.html").read_bytes() == page


def test_maps_of_fewer_frames_than_the_table_has_are_told(copied, material, tmp_path):
    from tests.report.conftest import segment_clip

    segment_clip(material, tmp_path / "short", config={"source.end": 0.8})
    (copied / "masks.mkv").write_bytes((tmp_path / "short" / "masks.mkv").read_bytes())
    with pytest.raises(SourceError, match=r"masks\.mkv: holds 20 label maps, expected 40"):
        write_page(copied)
