"""Figures of label sequences, from files."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pytest

import tempseg
from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation import compare, evaluate
from tempseg.evaluation.inputs import open_labels
from tempseg.evaluation.results import FrameScores, worst_frames
from tempseg.label_images import write_label_image
from tempseg.metrics.area_jitter import area_jitter
from tempseg.metrics.changes import blink, flip_rate, static_flip_rate
from tempseg.metrics.confusion import mean_iou
from tempseg.metrics.video_consistency import video_consistency

from .conftest import CUT, FRAMES


def _write(folder, maps, names=None):
    folder.mkdir(parents=True)
    for index, labels in enumerate(maps):
        name = f"{index:04d}" if names is None else names[index]
        write_label_image(folder / f"{name}.png", labels)
    return folder


@pytest.fixture(scope="module")
def random_maps(tmp_path_factory):
    """Return 20 random label maps of 3 classes, others as their truth, and the folders of both."""
    rng = np.random.default_rng(5)
    top = tmp_path_factory.mktemp("random")
    labels = rng.integers(0, 3, (20, 12, 16)).astype(np.uint8)
    truth = np.where(rng.random(labels.shape) < 0.8, np.roll(labels[:1], 1), labels)
    truth = np.repeat(truth[::10], 10, axis=0).astype(np.uint8)
    return labels, truth, _write(top / "labels", labels), _write(top / "truth", truth)


@pytest.fixture(scope="module")
def scored(finished, clip):
    """Return the evaluation of the run against the exact labels, as truth and as reference."""
    return evaluate(finished, truth=clip.masks, reference=clip.masks, classes="camvid")


def test_figures_are_those_of_the_metrics_on_whole_arrays(random_maps):
    labels, truth, label_folder, truth_folder = random_maps
    found = evaluate(label_folder, truth=truth_folder, classes=3).as_dict()
    assert found["miou"] == mean_iou(labels, truth, classes=3)
    assert found["flip_rate"] == flip_rate(labels)
    assert found["blink"] == pytest.approx(blink(labels))
    assert found["static_flip_rate"] == static_flip_rate(labels, truth)
    assert found["area_jitter"] == pytest.approx(area_jitter(labels, classes=3).area_jitter)
    for window in (8, 16):
        whole = video_consistency(labels, truth, window=window)
        assert found[f"vc{window}"] == pytest.approx(whole.vc)
        assert found["settings"]["windows"][str(window)] == whole.windows


def test_compat_is_handed_to_every_metric_that_knows_it(random_maps):
    labels, truth, label_folder, truth_folder = random_maps
    found = evaluate(label_folder, truth=truth_folder, classes=4, compat="vspw").as_dict()
    assert found["miou"] == mean_iou(labels, truth, classes=4, compat="vspw")
    whole = video_consistency(labels, truth, window=16, compat="vspw")
    assert found["vc16"] == pytest.approx(whole.vc)
    assert found["settings"]["windows"]["16"] == whole.windows == 4
    assert found["settings"]["compat"] == "vspw"


def test_semseg_counts_absent_classes_as_zero(random_maps):
    labels, truth, label_folder, truth_folder = random_maps
    found = evaluate(label_folder, truth=truth_folder, classes=6, compat="semseg")
    assert found.prediction.accuracy.confusion.miou == pytest.approx(
        mean_iou(labels, truth, classes=3) / 2
    )


def test_labels_equal_to_the_truth_score_one(clip):
    found = evaluate(clip.masks, truth=clip.masks).as_dict()
    wanted = ("miou", "pixel_accuracy", "fw_iou", "vc8", "vc8_correct", "boundary_iou")
    assert {key: found[key] for key in wanted} == dict.fromkeys(wanted, 1.0)


def test_a_row_a_frame_holds_that_frames_own_figures(random_maps):
    labels, truth, label_folder, truth_folder = random_maps
    rows = evaluate(label_folder, truth=truth_folder, classes=3).frames
    assert [row.index for row in rows] == list(range(20))
    assert rows[7].miou == mean_iou(labels[7], truth[7], classes=3)
    assert rows[7].flip_rate == flip_rate(labels[6:8])
    assert rows[7].blink == blink(labels[6:9])
    assert (rows[0].flip_rate, rows[0].blink, rows[19].blink) == (None, None, None)
    assert (rows[7].tc, rows[7].fidelity, rows[7].time_s) == (None, None, None)


def test_sparse_truth_is_met_by_every(random_maps, tmp_path):
    labels, truth, label_folder, _ = random_maps
    sparse = _write(tmp_path / "sparse", truth[2::5], names=list("abcd"))
    found = evaluate(label_folder, truth=sparse, every=5, offset=2, classes=3)
    assert found.as_dict()["miou"] == mean_iou(labels[2::5], truth[2::5], classes=3)
    assert found.settings.truth_frames == 4
    assert found.as_dict()["vc8"] is None
    assert "8 frames in a row" in found.settings.skipped["vc8"]
    assert "two frames in a row" in found.settings.skipped["static_flip_rate"]


def test_sparse_truth_is_met_by_name(random_maps, tmp_path):
    labels, truth, label_folder, _ = random_maps
    sparse = _write(tmp_path / "sparse", truth[[3, 17]], names=["0003", "0017"])
    found = evaluate(label_folder, truth=sparse, classes=3)
    assert found.as_dict()["miou"] == mean_iou(labels[[3, 17]], truth[[3, 17]], classes=3)
    assert [row.index for row in found.frames if row.miou is not None] == [3, 17]


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_truth_meets_a_runs_frames_by_the_names_of_its_images(clip, tmp_path, pattern):
    names = [f"drive_{1000 + 7 * index}" for index in range(6)]
    images = tmp_path / "images"
    images.mkdir()
    scene = np.random.default_rng(3).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    from PIL import Image

    for name in names:
        Image.fromarray(scene).save(images / f"{name}.png")
    # A label image may be one, but no frame is.
    Image.fromarray(scene).save(images / "animation.gif")
    masks = _write(tmp_path / "masks", np.eye(6, 48 * 64, dtype=np.uint8).reshape(6, 48, 64))
    config = {"keyframe.policy": "interval", "keyframe.interval": 1, "output.overlay": False}
    tempseg.run(str(images / pattern), tmp_path / "run", model=f"masks:{masks}", config=config)
    truth = _write(tmp_path / "truth", open_labels(masks).maps.read([4]), names=[names[4]])
    found = evaluate(tmp_path / "run", truth=truth)
    assert [row.index for row in found.frames if row.miou is not None] == [4]
    assert found.as_dict()["miou"] == 1.0


def test_a_mapping_turns_the_predictions_classes_into_the_truths(random_maps, tmp_path):
    labels, truth, _, truth_folder = random_maps
    renamed = _write(tmp_path / "renamed", labels + 5)
    mapping = tmp_path / "map.json"
    mapping.write_text(json.dumps({"5": 0, "6": 1, "7": 2}))
    found = evaluate(renamed, truth=truth_folder, mapping=mapping)
    assert found.as_dict()["miou"] == mean_iou(labels, truth, classes=3)


def test_windows_and_pairs_stop_at_a_cut(random_maps, tmp_path):
    labels, _, label_folder, truth_folder = random_maps
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("10\n")
    found = evaluate(label_folder, truth=truth_folder, classes=3, cuts=cuts)
    halves = (slice(0, 10), slice(10, 20))
    flips = np.mean([flip_rate(labels[half]) for half in halves])
    assert found.as_dict()["flip_rate"] == pytest.approx(flips)
    assert found.settings.windows == {8: 6, 16: 0}
    assert found.settings.cuts == (10,)
    assert found.frames[10].flip_rate is None


def test_a_cut_is_seen_by_the_flow_where_nobody_tells_it(clip):
    found = evaluate(clip.masks, video=clip.video)
    assert found.settings.cuts == (CUT,)
    assert found.settings.pairs == FRAMES - 2
    assert [row.index for row in found.frames if row.tc is None] == [0, CUT]


def test_exact_labels_of_a_smooth_motion_hardly_flicker(clip):
    found = evaluate(clip.masks, video=clip.video).as_dict()
    assert found["tc"] > 0.9
    assert found["flicker"] < 0.01 < found["flip_rate"]


def test_a_run_is_judged_on_its_own_source_where_that_still_is(scored, clip):
    assert scored.settings.video == str(clip.video)
    assert scored.prediction.motion.temporal.pairs == FRAMES - 2
    assert scored.frames[3].time_s == pytest.approx(0.12)


def test_a_run_whose_source_is_gone_is_scored_without_motion(finished, tmp_path):
    moved = tmp_path / "run"
    shutil.copytree(finished, moved)
    record = json.loads((moved / "run.json").read_text())
    record["source"]["name"] = str(tmp_path / "gone.mp4")
    (moved / "run.json").write_text(json.dumps(record))
    found = evaluate(moved)
    assert "tc" not in found.as_dict()
    assert "gone.mp4 is not there" in found.settings.skipped["tc"]


def test_keyframes_are_those_of_the_frames_that_are_scored(finished):
    # At 0, 5, 10, the cut at 13, and after it.
    assert evaluate(finished, max_frames=10).settings.keyframes == 2
    assert evaluate(finished, max_frames=11).settings.keyframes == 3


@pytest.mark.parametrize(
    ("predictions", "error", "told"),
    [
        ("run", TypeError, "predictions is a str, expected a list of paths"),
        ([], ConfigError, "compare: needs label maps"),
        ([np.zeros((2, 4, 4), np.uint8)], TypeError, "label maps are a ndarray, expected the path"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(predictions, error, told):
    with pytest.raises(error, match=told):
        compare(predictions)


def test_an_unfinished_run_is_told_from_a_folder_without_images(tmp_path):
    (tmp_path / "partial").mkdir()
    with pytest.raises(SourceError, match=r"holds an unfinished run; .*--resume"):
        evaluate(tmp_path)


def test_a_part_of_a_video_is_judged_on_that_part(clip, tmp_path):
    config = {"source.start": 0.2, "source.end": 0.4, "output.overlay": False}
    tempseg.run(clip.video, tmp_path / "part", model=f"masks:{clip.masks}", config=config)
    found = evaluate(tmp_path / "part")
    assert (found.settings.frames, found.settings.pairs) == (5, 4)
    assert found.frames[0].time_s == pytest.approx(0.2)


@pytest.fixture(scope="module")
def part(clip, tmp_path_factory):
    """Return a run of frames 5 to 9, each a keyframe."""
    out = tmp_path_factory.mktemp("part") / "run"
    config = {
        "source.start": 0.2,
        "source.end": 0.4,
        "output.overlay": False,
        "output.report": False,
        "keyframe.policy": "interval",
        "keyframe.interval": 1,
    }
    tempseg.run(clip.video, out, model=f"masks:{clip.masks}", config=config)
    return out


def test_truth_of_the_whole_video_meets_a_part_at_its_own_frames(part, clip):
    found = evaluate(part, truth=clip.masks)
    assert found.prediction.accuracy.confusion.miou == 1.0
    assert (found.settings.truth_frames, found.settings.truth_rule) == (5, "number")


def test_a_run_of_a_part_as_reference_meets_the_frames_of_its_times(part, finished):
    found = evaluate(finished, reference=part, classes=256, void=65535)
    assert (found.settings.reference_frames, found.settings.reference_rule) == (5, "time")
    # The run's keyframes are the reference's own answers.
    assert found.frames[5].fidelity == 1.0
    assert [frame.index for frame in found.frames if frame.fidelity is not None] == [5, 6, 7, 8, 9]


def test_a_part_of_a_video_that_is_gone_meets_truth_by_every_only(part, clip, tmp_path):
    moved = shutil.copytree(part, tmp_path / "moved")
    record = moved / "run.json"
    record.write_text(record.read_text().replace(str(clip.video), "gone.mp4"))
    with pytest.raises(SourceError, match=r"begins at 0\.2 s of gone\.mp4, .* --every N"):
        evaluate(moved, truth=clip.masks)


def test_a_part_that_is_no_time_is_no_record(part, tmp_path):
    moved = shutil.copytree(part, tmp_path / "moved")
    record = moved / "run.json"
    record.write_text(record.read_text().replace('"start_s": 0.2', '"start_s": NaN'))
    with pytest.raises(SourceError, match=r"run\.json: is no record of a run"):
        evaluate(moved)


def _last_keyframes(finished):
    keyframes = open_labels(finished).run.keyframes
    return [max(key for key in keyframes if key <= index) for index in range(FRAMES)]


def test_the_segmenters_answer_at_the_last_keyframe_is_copied(scored, finished, clip):
    copied = clip.labels[_last_keyframes(finished)]
    assert scored.columns()["copy_last"]["miou"] == mean_iou(copied, clip.labels, classes=11)
    assert scored.columns()["copy_last"]["fidelity"] < scored.columns()["prediction"]["fidelity"]


def test_without_a_reference_the_runs_own_keyframe_is_copied(finished, clip):
    maps = list(open_labels(finished).maps.read(range(FRAMES)))
    copied = np.stack([maps[key] for key in _last_keyframes(finished)])
    found = evaluate(finished, truth=clip.masks, classes="camvid").columns()
    assert found["copy_last"]["miou"] == mean_iou(copied, clip.labels, classes=11)


def test_fidelity_between_keyframes_leaves_keyframes_out(scored, finished):
    keyframes = open_labels(finished).run.keyframes
    figures = scored.columns()["prediction"]
    between = [row.fidelity for row in scored.frames if row.index not in keyframes]
    assert figures["fidelity_between"] == pytest.approx(np.mean(between))
    assert figures["fidelity"] > figures["fidelity_between"]
    assert scored.frames[figures["fidelity_worst_frame"]].fidelity == min(between)


def test_the_reference_is_scored_like_the_prediction(scored):
    columns = scored.columns()
    assert columns["reference"]["miou"] == 1.0
    assert columns["reference"]["tc"] > 0.9
    assert 0.8 < columns["prediction"]["fidelity_floor"] <= 1.0


def test_true_cuts_give_the_runs_cuts_a_score(finished, tmp_path):
    truth = tmp_path / "cuts.json"
    truth.write_text(json.dumps([CUT + 1]))
    found = evaluate(finished, cuts=truth).as_dict()
    assert (found["cut_f1"], found["cut_f1@0"]) == (1.0, 0.0)


def test_true_cuts_are_frames_of_the_source_also_beside_a_part(part, tmp_path):
    truth = tmp_path / "cuts.txt"
    truth.write_text("0\n5\n7\n40\n")
    assert evaluate(part, cuts=truth).settings.cuts == (2,)


def test_cuts_beside_a_part_need_the_source(part, clip, tmp_path):
    moved = shutil.copytree(part, tmp_path / "moved")
    record = moved / "run.json"
    record.write_text(record.read_text().replace(str(clip.video), "gone.mp4"))
    cuts = tmp_path / "cuts.json"
    cuts.write_text("[7.0]")
    with pytest.raises(ConfigError, match=r"--cuts: counts frames of the source.*--video"):
        evaluate(moved, cuts=cuts)
    assert evaluate(moved, cuts=cuts, video=clip.video).settings.cuts == (2,)


def test_the_first_frame_is_no_cut(finished, tmp_path):
    truth = tmp_path / "cuts.txt"
    truth.write_text(f"0\n{CUT}\n")
    assert evaluate(finished, cuts=truth).as_dict()["cut_f1"] == 1.0


def test_ids_on_both_sides_are_followed(clip, tmp_path):
    found = evaluate(clip.folder, truth=clip.folder, things=[8, 9]).as_dict()
    assert (found["stq"], found["vpq"], found["vpq_4"]) == (1.0, 100.0, 100.0)


def test_objects_get_their_region_measures(random_maps):
    _, _, label_folder, truth_folder = random_maps
    found = evaluate(label_folder, truth=truth_folder, classes=3, objects=True).as_dict()
    assert 0 < found["j_mean"] < 1
    assert found["jf"] == pytest.approx((found["j_mean"] + found["f_mean"]) / 2)


def test_the_warping_error_of_the_clip_itself_is_small(clip):
    found = evaluate(clip.masks, video=clip.video, warp_video=clip.video)
    assert 0 < found.as_dict()["warp_error"] < 0.01


def test_only_the_first_frames_are_scored_where_that_is_asked(scored, finished, clip):
    found = evaluate(finished, truth=clip.masks, classes="camvid", max_frames=9)
    assert len(found.frames) == found.settings.frames == 9
    assert [row.miou for row in found.frames] == [row.miou for row in scored.frames[:9]]


def test_json_holds_every_figure_and_nothing_that_is_no_number(scored):
    text = scored.to_json()
    assert "NaN" not in text
    found = json.loads(text)
    assert found["iou_per_class"]["Car"] > 0.5
    assert found["iou_per_class"]["Sky"] is None
    assert found["reference"]["iou_per_class"]["Car"] == 1.0
    assert found["copy_last"]["miou"] < found["miou"]
    assert found["settings"]["classes"] == 11
    assert {"flow", "warp", "occlusion", "averaging", "pairs", "windows"} <= set(found["settings"])
    assert set(found["stage_s"]) == {"labels", "video", "judge", "scores"}
    assert found["frames_per_s"] > 0


def test_what_was_not_given_is_told_and_not_there(clip):
    found = evaluate(clip.masks).as_dict()
    skipped = found["settings"]["skipped"]
    for key, reason in (
        ("miou", "needs --truth"),
        ("tc", "needs --video"),
        ("fidelity", "needs --reference"),
        ("copy_last", "needs a run's folder"),
        ("j_mean", "needs --objects"),
    ):
        assert key not in found
        assert reason in skipped[key]


def test_every_absent_figure_has_its_reason(scored, clip):
    present = {key.split("@")[0] for key, value in scored.as_dict().items() if value is not None}
    skipped = set(scored.settings.skipped)
    assert not present & skipped
    assert {key for key, value in scored.as_dict().items() if value is None} <= skipped | {
        "vc16_correct"
    }


def test_threads_end_with_the_evaluation(clip):
    before = threading.active_count()
    evaluate(clip.masks, video=clip.video, max_frames=5)
    assert threading.active_count() == before


def test_several_runs_are_scored_alike(finished, clip):
    found = compare([finished, clip.masks], truth=clip.masks, classes="camvid", max_frames=6)
    assert [entry.settings.prediction for entry in found] == [str(finished), str(clip.masks)]
    assert found[1].as_dict()["miou"] == 1.0


def test_worst_frames_keep_apart():
    flicker = {3: 0.5, 4: 0.9, 12: 0.4, 30: 0.7}
    rows = [FrameScores(index, flicker=flicker.get(index, 0.0)) for index in range(40)]
    assert worst_frames(rows) == (4, 30, 12)


def test_worst_frames_are_ten_at_most():
    rows = [FrameScores(index, flip_rate=0.5) for index in range(200)]
    assert worst_frames(rows) == tuple(range(0, 80, 8))


def test_a_video_that_ends_early_is_refused(clip, random_maps, tmp_path):
    maps = _write(tmp_path / "more", [*clip.labels, clip.labels[0]])
    with pytest.raises(SourceError, match=rf"ends after {FRAMES} frames, but .* {FRAMES + 1} "):
        evaluate(maps, video=clip.video)


def test_a_video_that_goes_on_is_refused(clip, tmp_path):
    maps = _write(tmp_path / "fewer", clip.labels[:-1])
    with pytest.raises(SourceError, match=rf"goes on after {FRAMES - 1} frames"):
        evaluate(maps, video=clip.video)


def test_a_video_of_another_size_is_refused(clip, random_maps):
    with pytest.raises(SourceError, match=r"160×120, the label maps of .* are 16×12"):
        evaluate(random_maps[2], video=clip.video)


def test_truth_of_another_size_is_refused(clip, random_maps):
    with pytest.raises(SourceError, match=r"are 16×12, those of .* 160×120"):
        evaluate(clip.masks, truth=random_maps[3])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"compat": "vspv"}, "did you mean vspw"),
        ({"compat": "semseg"}, "say how many by --classes"),
        ({"max_frames": 0}, "--max-frames 0"),
        ({"things": "Kar", "classes": "camvid"}, "--things Kar: no such class; there are .*Car"),
        ({"things": "Kar", "classes": 12}, "--things Kar: .* no names here; give ids up to 11, or"),
        ({"cuts": "none.txt"}, "no readable file of cuts"),
        ({"warp_video": "overlay.mp4"}, "--warp-error needs --video"),
        ({"objects": True, "classes": 1}, "--objects: needs ids above 0"),
        ({"classes": 4097, "void": 65535}, "--classes 4097: expected 1 to 4096"),
    ],
)
def test_options_that_are_wrong_are_refused(clip, options, told):
    with pytest.raises(ConfigError, match=told):
        evaluate(clip.masks, **options)


@pytest.mark.parametrize("content", [b"-5\n", b"\xff\xfe\x00", b"a b"])
def test_files_that_hold_no_cuts_are_refused(finished, tmp_path, content):
    file = tmp_path / "cuts.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cuts\.txt: holds (no cuts|cut -5)"):
        evaluate(finished, cuts=file)


@pytest.mark.parametrize("content", ['"15"', "[14.9]", "[true, null]"])
def test_json_that_holds_no_frame_numbers_is_refused(finished, tmp_path, content):
    file = tmp_path / "cuts.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="holds no cuts"):
        evaluate(finished, cuts=file)


def test_cuts_nested_without_end_are_refused(finished, tmp_path):
    file = tmp_path / "cuts.json"
    file.write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="holds no cuts"):
        evaluate(finished, cuts=file)


@pytest.mark.parametrize(
    ("row", "cell"), [("3,0.12", "-7,0.12"), ("3,0.12", "2,0.12"), ("3,0.12", "3,nan,")]
)
def test_a_frame_table_out_of_order_is_refused(finished, tmp_path, row, cell):
    moved = shutil.copytree(finished, tmp_path / "moved")
    table = moved / "frames.csv"
    told = table.read_text()
    assert f"\n{row}" in told
    table.write_text(told.replace(f"\n{row}", f"\n{cell}"))
    with pytest.raises(SourceError, match=r"frames\.csv: is no frame table of a run"):
        evaluate(moved)


def test_a_source_whose_name_no_path_can_have_is_one_that_is_gone(finished, clip, tmp_path):
    moved = shutil.copytree(finished, tmp_path / "moved")
    record = moved / "run.json"
    record.write_text(record.read_text().replace(str(clip.video), "b" * 5000))
    assert evaluate(moved, max_frames=2).settings.flow is None
    with pytest.raises(SourceError, match="no such file"):
        evaluate(moved, video="b" * 5000)
