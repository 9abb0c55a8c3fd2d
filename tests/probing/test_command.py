"""`tempseg probe` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import tempseg
from tempseg.probing import draw_sheet
from tests.probing.conftest import write_levels


def probe(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tempseg", "probe", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
    )


def test_a_model_is_told_saved_and_drawn(tmp_path: Path, picture: Path) -> None:
    write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5)
    done = probe(
        "levels.onnx", "--image", picture, "--save", "--json", "all.json", "--threads", 1,
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        0,
        "sheet: levels.probe.png\nsaved: levels.toml\n",
    )
    for told in ("channels, height, width (NCHW)", "[-1, 1]", "ms a frame", "[segmenter]"):
        assert told in done.stdout
    assert (tmp_path / "levels.toml").read_text() in done.stdout
    assert json.loads((tmp_path / "all.json").read_text())["timings"][0]["median_ms"] > 0
    assert cv2.imread(str(tmp_path / "levels.probe.png")) is not None


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is an empty file"), (b"no model", "not a readable TensorFlow Lite model")],
)
def test_a_bad_file_is_one_line_and_status_2(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "bad.tflite").write_bytes(content)
    done = probe("bad.tflite", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: bad.tflite: {told}")


def test_the_sheet_shows_what_each_candidate_sees(tmp_path: Path, picture: Path) -> None:
    model = write_levels(tmp_path / "levels.onnx", mean=127.5, scale=1 / 127.5)
    found = tempseg.probe(model, image=picture, threads=())
    draw_sheet(found, tmp_path / "sheet.png")
    shown = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert shown.shape[1] > 1000
    best = found.views[0]
    assert best.candidate == found.candidates[0].candidate
    assert best.labels.shape == best.picture.shape[:2]
    assert set(np.unique(best.labels)) == {0, 1, 2, 3}
    colours = {tuple(colour) for colour in shown.reshape(-1, 3)[::7].tolist()}
    assert found.class_set.colours[1] in colours
