"""`tempseg eval` and `tempseg compare` as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tempseg.cli import app
from tempseg.label_images import write_label_image


@pytest.fixture
def typed(monkeypatch, capfd):
    """Return a function that runs a command line: its status, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tempseg", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return run


def test_eval_prints_every_figure_beside_segmenter_and_copy(typed, finished, clip):
    status, out, err = typed(
        "eval", finished, "--truth", clip.masks, "--reference", clip.masks, "--max-frames", 12
    )
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["this", "per", "frame", "copied"]
    (miou,) = (row.split() for row in rows if row.startswith("miou"))
    assert miou[1] == "↑"
    assert miou[3] == "1.0000" > miou[2] > miou[4]
    for key in ("tc", "flicker", "vc8", "boundary_jitter", "fidelity_floor", "worst frames"):
        assert any(row.startswith(f"{key} ") for row in rows), key


def test_eval_says_where_the_time_goes(typed, clip):
    _, out, _ = typed("eval", clip.masks, "--video", clip.video, "--max-frames", 5)
    (line,) = (row for row in out.splitlines() if row.startswith("time"))
    assert "frames/s" in line
    assert "judge" in line


def test_steadiness_alone_comes_with_a_warning(typed, finished, clip):
    words = ("eval", finished, "--max-frames", 4)
    assert "add --truth GT or --reference PER_FRAME" in " ".join(typed(*words)[1].split())
    assert "never moves" not in typed(*words, "--truth", clip.masks)[1]


def test_what_the_source_would_tell_is_said_to_be_missing(typed, finished, clip, tmp_path):
    moved = shutil.copytree(finished, tmp_path / "run")
    record = json.loads((moved / "run.json").read_text())
    record["source"]["name"] = "gone.mp4"
    (moved / "run.json").write_text(json.dumps(record))
    told = "missing tc, flicker: needs --video: the run's source gone.mp4 is not there; a relative"
    for words in (("eval", moved), ("compare", moved, clip.masks, "--classes", "camvid")):
        out = " ".join(typed(*words, "--max-frames", 2)[1].split())
        assert told in out
        assert "never moves" not in out


def test_json_on_stdout_is_one_object_and_no_table(typed, clip):
    status, out, _ = typed("eval", clip.masks, "--truth", clip.masks, "--json", "-")
    assert status == 0
    assert json.loads(out)["miou"] == 1.0


def test_the_tables_rows_are_the_json_objects_keys(typed, finished, clip, tmp_path):
    file = tmp_path / "figures.json"
    _, out, _ = typed("eval", finished, "--truth", clip.masks, "--json", file, "--max-frames", 4)
    found = json.loads(file.read_text())
    rows = {row.split()[0] for row in out.splitlines() if "↑" in row or "↓" in row} - {"iou:"}
    numbers = {key for key, value in found.items() if isinstance(value, float)}
    assert rows <= set(found)
    assert numbers - rows <= {"wall_s", "frames_per_s"}


def test_quiet_says_nothing(typed, clip):
    assert typed("eval", clip.masks, "--quiet") == (0, "", "")


def test_names_in_brackets_are_printed_as_they_are(typed, tmp_path):
    folder = tmp_path / "[bold]mine"
    folder.mkdir()
    write_label_image(folder / "0.png", np.zeros((4, 4), np.uint8))
    _, out, _ = typed("eval", folder)
    assert "[bold]mine" in out.replace("\n", "").replace(" ", "")


def test_compare_puts_runs_side_by_side(typed, finished, clip, tmp_path):
    file = tmp_path / "figures.json"
    status, out, err = typed(
        "compare", finished, clip.masks, "--truth", clip.masks, "--max-frames", 5, "--json", file,
        "--classes", "camvid",
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split() == ["run", "labels", "run:", "copied"]
    runs = json.loads(file.read_text())["runs"]
    assert [entry["settings"]["prediction"] for entry in runs] == [str(finished), str(clip.masks)]
    assert runs[1]["miou"] == 1.0


def test_no_figure_of_many_runs_is_cut_short(typed, clip, tmp_path):
    runs = [tmp_path / f"keyframes-every-{n}" for n in range(9)]
    for run in runs:
        run.symlink_to(clip.masks)
    status, out, _ = typed("compare", *runs, "--truth", clip.masks, "--max-frames", 3)
    assert status == 0
    assert "…" not in out
    (row,) = (line.split() for line in out.splitlines() if line.startswith("miou "))
    assert row[2:] == ["1.0000"] * 9


def _small(folder, value=0, size=(12, 16), count=3):
    folder.mkdir()
    for index in range(count):
        write_label_image(folder / f"{index}.png", np.full(size, value, np.uint8))
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none"], "none: no such file or folder"),
        (["empty"], "holds no label images"),
        (["few", "--truth", "big"], "bring them to one size"),
        (["few", "--truth", "other"], "none of its 2 label maps belongs"),
        (["few", "--truth", "few", "--every", "10"], "the last belongs to frame 20"),
        (["nine", "--classes", "3"], "holds id 9, expected 0 to 2"),
        (["nine", "--classes", "3"], "with --map FILE"),
        (["few", "--truth", "nine", "--classes", "3"], "with --map-truth FILE"),
        (["few", "--compat", "mine"], "no such mode"),
        (["few", "--classes", "vok"], "did you mean 'voc'"),
        (["few", "--map", "none.json"], "no readable file of classes"),
        (["few", "--video", "none.mp4"], "none.mp4: no such file"),
        (["few", "--video", "longer"], "goes on after 3 frames"),
        (["few", "--json", "nowhere/out.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_status_2(typed, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    _small(tmp_path / "few")
    _small(tmp_path / "big", size=(13, 16))
    _small(tmp_path / "nine", value=9)
    other = tmp_path / "other"
    other.mkdir()
    for index in (70, 80):
        write_label_image(other / f"{index}.png", np.zeros((12, 16), np.uint8))
    _small(tmp_path / "longer", count=5)
    status, out, err = typed("eval", *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_the_command_runs_on_its_own(clip):
    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "eval", str(clip.masks), "--json", "-"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout)["settings"]["frames"] == 24
    assert done.stderr == ""


def test_a_mapping_to_more_classes_than_can_be_scored_is_status_2(typed, tmp_path):
    file = tmp_path / "map.json"
    file.write_text('{"*": 5000}')
    status, _, err = typed("eval", _small(tmp_path / "few"), "--map", file)
    assert (status, err.count("\n")) == (2, 1)
    assert "maps to id 5000, expected 0 to 4095" in err


def test_compare_learns_before_the_work_that_a_page_needs_runs(typed, clip, finished, tmp_path):
    page = tmp_path / "page.html"
    status, out, err = typed("compare", finished, clip.masks, "--html", page)
    assert (status, out, page.exists()) == (2, "", False)
    assert "holds no finished run" in err


def test_compare_takes_objects_and_cuts_like_eval(typed, finished, clip, tmp_path):
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("13\n")
    words = ("--truth", clip.masks, "--objects", "--cuts", cuts, "--classes", "camvid")
    _, out, _ = typed("compare", finished, clip.masks, *words, "--json", "-")
    run, folder = json.loads(out)["runs"]
    assert (run["cut_f1"], folder["jf"]) == (1.0, 1.0)
    assert run["jf"] == json.loads(typed("eval", finished, *words, "--json", "-")[1])["jf"]


def test_the_table_says_how_many_windows_were_compared(typed, clip):
    _, out, _ = typed("eval", clip.masks, "--truth", clip.masks)
    (line,) = (row for row in out.splitlines() if row.startswith("windows"))
    assert line.split(maxsplit=1)[1].strip() == "17 of 8 frames, 9 of 16 frames"
