"""Label maps as users have them."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tempseg.class_sets import class_set
from tempseg.errors import SourceError
from tempseg.evaluation.inputs import open_labels
from tempseg.label_images import write_label_image
from tempseg.video import LabelEncoder, read_label_video

from .conftest import CUT, FRAMES, INTERVAL


def _maps(sequence):
    return list(sequence.maps.read(range(len(sequence))))


def test_a_run_tells_classes_keyframes_cuts_times_and_source(finished, clip):
    sequence = open_labels(finished)
    run = sequence.run
    assert (len(sequence), sequence.size, sequence.bits) == (FRAMES, (120, 160), 8)
    assert sequence.class_set == class_set("camvid")
    assert set(range(0, CUT, INTERVAL)) | {CUT} <= set(run.keyframes)
    assert run.cuts == {CUT}
    assert run.times_s[5] == pytest.approx(0.2)
    assert run.source == str(clip.video)
    assert sequence.numbers == tuple(range(FRAMES))


def test_maps_of_a_run_are_the_frames_of_its_label_video(finished):
    whole = [labels for _, labels in read_label_video(str(finished / "masks.mkv"))]
    np.testing.assert_array_equal(_maps(open_labels(finished)), whole)


def test_masks_mkv_in_a_runs_folder_is_the_run(finished):
    assert open_labels(finished / "masks.mkv").run == open_labels(finished).run


def test_masks_mkv_on_its_own_is_label_maps_and_no_more(finished, tmp_path):
    alone = tmp_path / "masks.mkv"
    shutil.copy(finished / "masks.mkv", alone)
    sequence = open_labels(alone)
    assert (len(sequence), sequence.run, sequence.class_set) == (FRAMES, None, None)
    np.testing.assert_array_equal(_maps(sequence), _maps(open_labels(finished)))


def test_chosen_maps_of_a_video_are_those_at_their_places(finished):
    maps = open_labels(finished).maps
    every = list(maps.read(range(FRAMES)))
    np.testing.assert_array_equal(list(maps.read((2, 11, 20))), [every[i] for i in (2, 11, 20)])


def test_a_rendered_scene_brings_ids_classes_and_cuts(clip, tmp_path):
    scene = tmp_path / "scene"
    shutil.copytree(clip.folder, scene)
    (scene / "scene.json").write_text(json.dumps({"classes": ["a", "b"], "cuts": [CUT]}))
    sequence = open_labels(scene)
    assert len(sequence.ids) == len(sequence) == FRAMES
    assert sequence.class_set.names == ("a", "b")
    assert sequence.cuts == {CUT}


def _pairs(folder, labels, ids):
    for kind, names in (("labels", labels), ("ids", ids)):
        (folder / kind).mkdir()
        for name in names:
            image = np.full((2, 2), sum(Path(name).stem.encode()) % 256, np.uint8)
            write_label_image(folder / kind / name, image)
    return folder


def test_ids_belong_to_the_labels_of_their_name(tmp_path):
    # The suffix turns the order: a.bmp sorts before a.c.png, a.png after it.
    sequence = open_labels(_pairs(tmp_path, ["a.png", "a.c.png"], ["a.bmp", "a.c.png"]))
    ids = list(sequence.ids.read(range(2)))
    np.testing.assert_array_equal(ids, _maps(sequence))


def test_ids_of_other_names_than_the_labels_are_refused(tmp_path):
    names = [f"{place:04}.png" for place in range(6)]
    folder = _pairs(tmp_path, names[:2] + names[3:], names[:4] + names[5:])
    with pytest.raises(SourceError, match=r"labels/0004\.png: has no image of ids of its name in"):
        open_labels(folder)


def test_ids_are_paired_with_labels_by_number_where_names_differ_in_the_rest(tmp_path):
    folder = _pairs(tmp_path, ["9_l.png", "10_l.png"], ["0009_ids.png", "0010_ids.png"])
    ids = open_labels(folder).ids
    assert ids is not None
    assert [path.name for path in ids.paths] == ["0009_ids.png", "0010_ids.png"]


def test_masks_of_0_and_255_are_seen_as_such(tmp_path):
    for index in range(3):
        mask = np.zeros((4, 5), np.uint8)
        mask[1, index] = 255 if index else 0
        Image.fromarray(mask).save(tmp_path / f"{index}.png")
    assert open_labels(tmp_path).two_valued


def test_masks_with_another_id_are_not_of_one_object(tmp_path):
    Image.fromarray(np.uint8([[0, 255]])).save(tmp_path / "0.png")
    Image.fromarray(np.uint8([[0, 1]])).save(tmp_path / "1.png")
    assert not open_labels(tmp_path).two_valued


def _video(path, maps):
    height, width = maps[0].shape
    encoder = LabelEncoder(
        str(path),
        width=width,
        height=height,
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
    )
    for index, labels in enumerate(maps):
        encoder.write(labels, index)
    encoder.close()
    return path


@pytest.mark.parametrize("form", ["folder", "video"])
@pytest.mark.parametrize("late", [1, 255])
def test_what_255_is_hangs_on_every_map(tmp_path, form, late):
    maps = np.zeros((60, 16, 16), np.uint8)
    maps[:, 0, 0] = 255 if late == 1 else 0
    maps[51, 4] = late
    for index, labels in enumerate(maps):
        Image.fromarray(labels).save(tmp_path / f"{index:02}.png")
    given = tmp_path
    if form == "video":
        given = _video(tmp_path / "maps.mkv", maps)
    assert open_labels(given).two_valued == (late == 255)


def test_a_map_that_cannot_be_read_is_told_of_where_it_is_scored(tmp_path):
    for index in range(4):
        Image.fromarray(np.uint8([[0, 255]])).save(tmp_path / f"{index}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    sequence = open_labels(tmp_path)
    assert sequence.two_valued
    with pytest.raises(SourceError, match=r"3\.png"):
        list(sequence.maps.read([3]))


def _empty(tmp_path, finished):
    return tmp_path


def _no_record(tmp_path, finished):
    shutil.copy(finished / "masks.mkv", tmp_path)
    return tmp_path


def _no_masks(tmp_path, finished):
    for name in ("run.json", "frames.csv"):
        shutil.copy(finished / name, tmp_path)
    return tmp_path


def _short_table(tmp_path, finished):
    shutil.copytree(finished, tmp_path / "run")
    table = tmp_path / "run" / "frames.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-3]) + "\n")
    return tmp_path / "run"


def _other_table(tmp_path, finished):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "frames.csv").write_text("a,b\n1,2\n")
    return tmp_path / "run"


def _text(tmp_path, finished):
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path / "notes.txt"


def _broken_video(tmp_path, finished):
    (tmp_path / "masks.mkv").write_bytes(b"nothing")
    return tmp_path / "masks.mkv"


def _fewer_ids(tmp_path, finished):
    for folder, count in (("labels", 2), ("ids", 1)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            write_label_image(tmp_path / folder / f"{index}.png", np.zeros((2, 2), np.uint8))
    return tmp_path


def _nothing(tmp_path, finished):
    return tmp_path / "none"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (_empty, "holds no label images"),
        (_no_record, "no finished run"),
        (_no_masks, "has no masks.mkv"),
        (_short_table, f"masks.mkv holds {FRAMES} frames, frames.csv {FRAMES - 3}"),
        (_other_table, "no frame table"),
        (_text, "no label video"),
        (_broken_video, "not a video"),
        (_fewer_ids, "ids holds 1 images, labels 2"),
        (_nothing, "no such file or folder"),
    ],
)
def test_what_holds_no_label_maps_is_refused(made, told, tmp_path, finished):
    with pytest.raises(SourceError, match=told):
        open_labels(made(tmp_path, finished))


def test_a_colour_video_is_no_label_video(clip):
    with pytest.raises(SourceError, match="no label maps"):
        open_labels(clip.video)
