"""A run from file to folder, through the public API and the command line."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

import tempseg
from tempseg.errors import ConfigError, ModelError, OutputError, RunError, SourceError
from tempseg.label_images import write_label_image
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Origin, RgbPicture
from tempseg.video import OverlayEncoder, read_label_video

FRAMES = 30
SIZE = (120, 160)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with clip.mp4, of variable rate, and labels/ with its exact label images."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "labels").mkdir()
    scene = moving_shapes(
        [MovingShape((40, 48), (50, 50), velocity=(2.0, 0.5))],
        width=SIZE[1],
        height=SIZE[0],
        frame_count=FRAMES,
    )
    encoder = None
    for index in range(FRAMES):
        frame = scene.render(index)
        planes = RgbPicture(frame.image).yuv420()
        if encoder is None:
            encoder = OverlayEncoder(
                str(folder / "clip.mp4"),
                width=SIZE[1],
                height=SIZE[0],
                time_base=Fraction(1, 1000),
                frame_rate=Fraction(25),
                colour=planes.colour,
            )
        encoder.write(planes, _pts(index))
        write_label_image(folder / "labels" / f"{index:03d}.png", frame.labels)
    encoder.close()
    return folder


def _pts(index):
    return 200 + 40 * index + 7 * (index % 3)


def _masks(clip):
    return f"masks:{clip / 'labels'}"


CONFIG = {
    "keyframe.policy": "interval",
    "keyframe.interval": 7,
    "segmenter.classes": "camvid",
    "refine.smoothing": 0.0,
}


@pytest.fixture(scope="module")
def finished(clip, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    summary = tempseg.run(
        clip / "clip.mp4",
        out,
        model=_masks(clip),
        config=CONFIG,
    )
    return out, summary


def _rows(folder):
    with (folder / "frames.csv").open() as table:
        return list(csv.DictReader(table))


def _untimed(folder):
    return [
        {key: value for key, value in row.items() if not key.endswith("_ms")}
        for row in _rows(folder)
    ]


def test_run_leaves_its_files_and_nothing_else(finished):
    out, _ = finished
    expected = ["frames.csv", "masks.mkv", "overlay.mp4", "report.html", "run.json"]
    assert sorted(os.listdir(out)) == expected


def test_masks_have_the_sources_size_and_times(finished):
    out, _ = finished
    maps = list(read_label_video(str(out / "masks.mkv")))
    assert [round(time * 1000) for time, _ in maps] == [_pts(i) for i in range(FRAMES)]
    assert {labels.shape for _, labels in maps} == {SIZE}


def test_without_smoothing_masks_of_keyframes_are_the_models_exactly(finished, clip):
    out, _ = finished
    for index, (_, labels) in enumerate(read_label_video(str(out / "masks.mkv"))):
        if index % 7 == 0:
            with Image.open(clip / "labels" / f"{index:03d}.png") as image:
                np.testing.assert_array_equal(labels, np.array(image))


def test_overlay_has_the_sources_times(finished):
    out, _ = finished
    with av.open(str(out / "overlay.mp4")) as container:
        stream = container.streams.video[0]
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    assert times == [Fraction(_pts(i), 1000) for i in range(FRAMES)]


def test_table_holds_a_row_a_frame_with_reason_and_evidence(finished):
    rows = _rows(finished[0])
    assert [int(row["index"]) for row in rows] == list(range(FRAMES))
    assert [float(row["time_s"]) for row in rows] == [_pts(i) / 1000 for i in range(FRAMES)]
    assert [i for i, row in enumerate(rows) if row["origin"] == "segmented"] == list(
        range(0, FRAMES, 7)
    )
    assert rows[7]["reason"] == "interval"
    assert rows[3]["origin"] == "interpolated"
    assert float(rows[3]["residual"]) >= 0
    for stage in ("decode", "motion", "segment", "carry", "masks", "overlay"):
        assert float(rows[7][f"{stage}_ms"]) > 0


def test_record_says_what_was_run_and_what_it_took(finished, clip):
    out, summary = finished
    record = json.loads((out / "run.json").read_text())
    assert record["config"]["keyframe"]["interval"] == 7
    assert record["config"]["propagate"]["lookahead"] == 40
    assert record["model"]["name"] == _masks(clip)
    assert len(record["model"]["sha256"]) == 64
    assert record["classes"]["names"][8] == "Car"
    assert record["totals"]["frames"] == FRAMES == summary.totals.frames
    assert record["totals"]["keyframes"] == 5
    assert record["totals"]["wall_s"] > record["totals"]["segmenter_s"] > 0
    assert record["totals"]["peak_memory_mb"] > 10


def test_same_run_twice_gives_the_same_bytes(finished, clip, tmp_path):
    out, _ = finished
    tempseg.run(
        clip / "clip.mp4",
        tmp_path / "again",
        model=_masks(clip),
        config=CONFIG,
    )
    for name in ("masks.mkv", "overlay.mp4"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    assert _untimed(tmp_path / "again") == _untimed(out)


def test_streamed_results_are_those_of_the_run(finished, clip):
    out, _ = finished
    results = list(tempseg.segment(clip / "clip.mp4", model=_masks(clip), config=CONFIG))
    maps = [labels for _, labels in read_label_video(str(out / "masks.mkv"))]
    for result, labels in zip(results, maps, strict=True):
        np.testing.assert_array_equal(result.segmentation.labels, labels)
    assert {result.origin for result in results} >= {Origin.SEGMENTED, Origin.INTERPOLATED}


def test_streaming_may_be_left_half_way(clip):
    import threading

    before = threading.active_count()
    for result in tempseg.segment(clip / "clip.mp4", model=_masks(clip)):
        if result.frame.index == 3:
            break
    del result
    assert threading.active_count() == before


def test_a_part_is_exact_to_the_frame(clip, tmp_path):
    summary = tempseg.run(
        clip / "clip.mp4",
        tmp_path / "part",
        model=_masks(clip),
        config={"source.start": 0.4, "source.end": "00:00.8"},
    )
    wanted = [_pts(i) / 1000 for i in range(FRAMES) if 0.4 <= (_pts(i) - _pts(0)) / 1000 < 0.8]
    assert [float(row["time_s"]) for row in _rows(tmp_path / "part")] == wanted
    assert summary.totals.frames == len(wanted)
    with av.open(str(tmp_path / "part" / "overlay.mp4")) as container:
        assert next(container.decode(video=0)).pts == 0


def test_masks_of_a_part_are_those_of_its_frames(clip, tmp_path):
    config = {"source.start": 0.4, "keyframe.policy": "interval", "keyframe.interval": 1}
    tempseg.run(clip / "clip.mp4", tmp_path / "part", model=_masks(clip), config=config)
    first = next(i for i in range(FRAMES) if (_pts(i) - _pts(0)) / 1000 >= 0.4)
    maps = [labels for _, labels in read_label_video(str(tmp_path / "part" / "masks.mkv"))]
    for place, labels in enumerate(maps):
        with Image.open(clip / "labels" / f"{first + place:03d}.png") as image:
            np.testing.assert_array_equal(labels, np.array(image))


def test_export_writes_an_index_image_a_frame_with_the_palette(finished, tmp_path):
    out, _ = finished
    assert tempseg.export(out, tmp_path / "png") == FRAMES
    names = sorted(os.listdir(tmp_path / "png"))
    assert names == [f"{i:06d}.png" for i in range(FRAMES)]
    maps = [labels for _, labels in read_label_video(str(out / "masks.mkv"))]
    with Image.open(tmp_path / "png" / names[4]) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), maps[4])
        palette = json.loads((out / "run.json").read_text())["classes"]["palette"]
        assert image.getpalette()[: 3 * len(palette)] == [v for rgb in palette for v in rgb]


def test_export_of_no_run_and_of_no_format_are_refused(finished, tmp_path):
    with pytest.raises(SourceError, match="no finished run"):
        tempseg.export(tmp_path, tmp_path / "png")
    with pytest.raises(ConfigError, match="no such format"):
        tempseg.export(finished[0], tmp_path / "png", format="gif")
    assert not (tmp_path / "png").exists()


def test_existing_results_are_refused_unless_told_to_overwrite(clip, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"already holds notes\.txt.*--overwrite"):
        tempseg.run(clip / "clip.mp4", out, model=_masks(clip))
    tempseg.run(clip / "clip.mp4", out, model=_masks(clip), overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "run.json").exists()


def test_the_source_is_never_replaced_by_its_overlay(clip, tmp_path):
    own = tmp_path / "overlay.mp4"
    own.write_bytes((clip / "clip.mp4").read_bytes())
    with pytest.raises(OutputError, match="would replace it"):
        tempseg.run(own, tmp_path, model=_masks(clip), overwrite=True)
    assert own.read_bytes() == (clip / "clip.mp4").read_bytes()


def test_a_partial_folder_of_somebody_else_is_left_alone(clip, tmp_path):
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"mine\.txt, which no run made"):
        tempseg.run(clip / "clip.mp4", tmp_path, model=_masks(clip), overwrite=True)
    assert (tmp_path / "partial" / "mine.txt").read_text() == "precious"


def test_failure_before_the_first_frame_leaves_nothing(clip, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError):
        tempseg.run(clip / "clip.mp4", tmp_path / "run", model=f"masks:{empty}")
    with pytest.raises(SourceError):
        tempseg.run(tmp_path / "none.mp4", tmp_path / "run", model=_masks(clip))
    with pytest.raises(ConfigError, match="no model"):
        tempseg.run(clip / "clip.mp4", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_failure_on_the_way_keeps_what_was_done_and_never_as_finished(clip, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for index in range(12):
        name = f"{index:03d}.png"
        (few / name).write_bytes((clip / "labels" / name).read_bytes())
    config = {"keyframe.policy": "interval", "keyframe.interval": 5}
    with pytest.raises(RunError, match=r"12 label images.*kept in") as caught:
        tempseg.run(clip / "clip.mp4", tmp_path / "run", model=f"masks:{few}", config=config)
    assert isinstance(caught.value.__cause__, ModelError)
    assert os.listdir(tmp_path / "run") == ["partial"]
    done = list(read_label_video(str(tmp_path / "run" / "partial" / "masks.mkv")))
    # The keyframe at 15 has no label image; all frames before it are done.
    assert len(done) == 15
    with pytest.raises(OutputError, match="holds an unfinished run"):
        tempseg.run(clip / "clip.mp4", tmp_path / "run", model=_masks(clip), config=config)
    tempseg.run(
        clip / "clip.mp4", tmp_path / "run", model=_masks(clip), config=config, overwrite=True
    )
    assert not (tmp_path / "run" / "partial").exists()


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}])
def test_a_folder_for_the_unfinished_that_is_a_link_is_refused(clip, tmp_path, options):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"partial: is a link.*in its place"):
        tempseg.run(clip / "clip.mp4", tmp_path / "run", model=_masks(clip), **options)
    assert os.listdir(tmp_path / "elsewhere") == []


def test_links_in_the_way_of_a_run_go_and_what_they_lead_to_stays(clip, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").touch()
    (tmp_path / "run" / "partial").mkdir(parents=True)
    for name in (".partial-done", "partial/chunks"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    config = {"output.report": False, "output.overlay": False}
    tempseg.run(
        clip / "clip.mp4", tmp_path / "run", model=_masks(clip), config=config, overwrite=True
    )
    assert sorted(os.listdir(tmp_path / "run")) == ["frames.csv", "masks.mkv", "run.json"]
    assert os.listdir(tmp_path / "elsewhere") == ["mine"]


def _cli(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "tempseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_command_prints_a_table_and_leaves_the_results(clip, tmp_path):
    done = _cli("run", clip / "clip.mp4", "--model", _masks(clip), "--out", tmp_path / "run")
    assert done.returncode == 0
    assert "keyframes" in done.stdout
    assert done.stderr == ""
    assert (tmp_path / "run" / "run.json").exists()


def test_quiet_command_says_nothing_and_no_overlay_writes_none(clip, tmp_path):
    out = tmp_path / "run"
    done = _cli(
        "run", clip / "clip.mp4", "--model", _masks(clip), "--out", out, "--quiet", "--no-overlay"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (out / "overlay.mp4").exists()
    assert "overlay_ms" not in _rows(out)[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.mp4"], "none.mp4: no such file"),
        (["clip.mp4", "--set", "keyframe.intervl=3"], "did you mean keyframe.interval?"),
        (["clip.mp4", "--config", "none.toml"], "none.toml: no such config file"),
        (["clip.mp4", "--start", "9"], "clip.mp4"),
        (["clip.mp4", "--start", "soon"], "soon"),
        (["labels/000.png", "--end", "-1"], "-1"),
    ],
)
def test_bad_input_is_one_line_and_status_2(clip, tmp_path, arguments, told):
    done = _cli("run", *arguments, "--model", "masks:labels", "--out", tmp_path / "run", cwd=clip)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", ["", ".", "/", "m" * 300])
def test_a_model_that_no_path_can_name_is_bad_input(clip, tmp_path, model):
    done = _cli("run", clip / "clip.mp4", "--model", model, "--out", tmp_path / "run")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_version_is_printed():
    done = _cli("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("tempseg 0.")


def test_failed_run_has_status_1(clip, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    (few / "0.png").write_bytes((clip / "labels" / "000.png").read_bytes())
    done = _cli("run", clip / "clip.mp4", "--model", f"masks:{few}", "--out", tmp_path / "run",
                "--set", "propagate.lookahead=0")  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_importing_tempseg_loads_nothing_heavy():
    code = (
        "import sys, tempseg; "
        "print([m for m in ('tensorflow', 'cv2', 'ray', 'onnxruntime', 'numba', 'av', 'numpy') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_no_numerics():
    code = (
        "import sys\nfrom tempseg.cli import app\n"
        "try:\n    app.app(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('numpy', 'cv2', 'av', 'numba', 'ray', 'fsspec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_second_start_compiles_no_kernel_again(clip, tmp_path):
    code = (
        "import sys, tempseg\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "from tempseg.kernels import carry, fields, paint\n"
        f"tempseg.run({str(clip / 'clip.mp4')!r}, sys.argv[1], model={_masks(clip)!r})\n"
        "found = [k for m in (carry, fields, paint) for k in vars(m).values()]\n"
        "stats = [k.stats for k in found if isinstance(k, Dispatcher)]\n"
        "print(sum(sum(s.cache_misses.values()) for s in stats), "
        "sum(sum(s.cache_hits.values()) for s in stats))"
    )
    for name in ("first", "second"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=True,
        )
    misses, hits = map(int, done.stdout.split()[-2:])
    assert misses == 0
    assert hits > 5


@pytest.mark.parametrize("stderr", ["closed", "/dev/full"])
def test_an_error_nobody_can_be_told_still_has_its_status(tmp_path, stderr):
    def unheard():
        os.close(2)
        if stderr != "closed":
            os.open(stderr, os.O_WRONLY)

    done = subprocess.run(
        [sys.executable, "-m", "tempseg", "run", "none.mp4", "--model", "street", "--out", "run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        preexec_fn=unheard,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2


def test_label_images_beyond_the_last_frame_are_told(clip, tmp_path, caplog):
    config = {**CONFIG, "output.overlay": False, "output.report": False}
    masks = shutil.copytree(clip / "labels", tmp_path / "labels")
    tempseg.run(clip / "clip.mp4", tmp_path / "run", model=f"masks:{masks}", config=config)
    assert "label images" not in caplog.text
    shutil.copy(masks / "000.png", masks / "999.png")
    tempseg.run(clip / "clip.mp4", tmp_path / "more", model=f"masks:{masks}", config=config)
    assert "holds 31 label images, but the source 30 frames" in caplog.text
