"""A run in chunks: what they are, and what they are joined into."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from fractions import Fraction
from itertools import islice, pairwise

import av
import cv2
import numpy as np
import pytest

import tempseg
from tempseg.build import build_segmenter
from tempseg.config import load_config
from tempseg.runners.chunks import plan_run
from tempseg.runners.executor import InProcess
from tempseg.runners.work import SeamError
from tempseg.segmenters.time_limit import time_limited
from tempseg.video import FramePart, open_source, read_label_video

from ..video.clips import damage, packet_times, video_times, write_clip
from .conftest import CHUNKS, CONFIG, FRAMES, GOP, digest
from .watching import Counted

MEDIA = ("masks.mkv", "overlay.mp4")


def _plan(material, source=None, **keys):
    config = load_config(overrides=CONFIG | {"segmenter.model": material.model} | keys)
    return plan_run(str(source or material.clip), config)


def _rows(folder):
    with (folder / "frames.csv").open() as table:
        return list(csv.DictReader(table))


def test_chunks_begin_at_seek_points_and_cover_every_frame_once(material):
    plan = _plan(material)
    assert len(plan.chunks) == CHUNKS
    firsts = [chunk.part.first_index for chunk in plan.chunks]
    assert all(first % GOP == 0 for first in firsts)
    assert [*firsts[1:], FRAMES] == [c.part.first_index + c.frames for c in plan.chunks]
    assert [c.part.end for c in plan.chunks[:-1]] == [c.part.begin for c in plan.chunks[1:]]


def test_a_plan_is_the_same_whoever_makes_it_and_can_be_sent(material):
    plan = _plan(material)
    assert pickle.loads(pickle.dumps(plan)) == plan == _plan(material)


def test_a_part_reads_what_the_whole_reads_there_and_one_frame_more(material):
    every = {f.index: (f.pts, f.image.copy()) for f in open_source(str(material.clip))}
    for chunk in _plan(material).chunks:
        read = list(open_source(str(material.clip), part=chunk.part))
        closing = 0 if chunk.part.end is None else 1
        assert len(read) == chunk.frames + closing
        for frame in read:
            pts, image = every[frame.index]
            assert frame.pts == pts
            np.testing.assert_array_equal(frame.image, image)


def test_one_chunk_alone_is_that_of_the_run(material, tmp_path):
    plan = _plan(material)
    kept = {}
    with InProcess(plan) as executor:
        for folder, chunks in (("all", plan.chunks), ("alone", plan.chunks[2:3])):
            records = executor.run(chunks, tmp_path / folder, run="", progress=lambda *_: None)
            kept[folder] = {record.number: record for record in records}
    alone, among = kept["alone"][2], kept["all"][2]
    for name in ("masks.mkv", "overlay.mp4"):
        assert alone.sha256[name] == among.sha256[name]
    assert (alone.opening, alone.closing) == (among.opening, among.closing)


class Remembering:
    """A segmenter that notes what it is asked."""

    def __init__(self, segmenter):
        self._segmenter = segmenter
        self.asked = []

    @property
    def info(self):
        return self._segmenter.info

    def segment(self, frame):
        self.asked.append(frame.index)
        return self._segmenter.segment(frame)

    def forget(self):
        self.asked.append("forget")


def test_the_first_frame_decides_what_answers_are_also_where_it_is_no_keyframe(material, tmp_path):
    plan = _plan(material, **{"keyframe.policy": "share", "keyframe.share": 0.05})
    segmenter = Remembering(build_segmenter(plan.config))
    with InProcess(plan, segmenter) as executor:
        list(executor.run(plan.chunks[:1], tmp_path, run="", progress=lambda *_: None))
    first, forgot, second, *_ = segmenter.asked
    assert (first, forgot) == (0, "forget")
    assert second > 0
    asked = []

    def watched(image):
        asked.append(image.tobytes())
        return np.zeros(image.shape[:2], np.uint8)

    keys = plan.config.set_keys() | {"segmenter.model": None, "segmenter.classes": "binary"}
    next(tempseg.segment(material.clip, model=watched, config=keys))
    assert asked[0] == next(iter(open_source(str(material.clip)))).image.tobytes()
    assert asked[1] != asked[0]


@pytest.mark.parametrize("timeout_s", [None, 60.0])
def test_a_model_forgets_between_chunks_and_reads_its_first_answer_from_the_first_frame(
    material, tmp_path, timeout_s
):
    plan = _plan(material)
    segmenter = Remembering(build_segmenter(plan.config))
    asked = segmenter if timeout_s is None else time_limited(segmenter, timeout_s=timeout_s)
    with InProcess(plan, asked) as executor:
        list(executor.run(plan.chunks[2:4], tmp_path, run="", progress=lambda *_: None))
    second, third = (chunk.part.first_index for chunk in plan.chunks[2:4])
    assert segmenter.asked[:3] == [0, "forget", second]
    assert segmenter.asked.count("forget") == 2
    # The frame that both share is a keyframe of both.
    assert segmenter.asked.count(third) == 2


def test_times_and_sound_of_the_join_are_the_sources(material, whole):
    times = video_times(material.clip)
    assert video_times(whole / "overlay.mp4") == times
    maps = list(read_label_video(str(whole / "masks.mkv")))
    assert [round(time * 1000) for time, _ in maps] == [round(time * 1000) for time in times]
    assert packet_times(whole / "overlay.mp4", "audio") == packet_times(material.clip, "audio")


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast", "medium"])
def test_the_join_decodes_in_order_and_its_packets_are_timed_in_order(material, tmp_path, preset):
    material.run(tmp_path / "run", config={"output.preset": preset})
    with av.open(str(tmp_path / "run" / "overlay.mp4")) as joined:
        stream = joined.streams.video[0]
        packets = [(p.dts, p.pts) for p in joined.demux(stream) if p.size]
        assert all(dts <= pts for dts, pts in packets)
        assert all(a[0] < b[0] for a, b in pairwise(packets))
    assert video_times(tmp_path / "run" / "overlay.mp4") == video_times(material.clip)


@pytest.mark.parametrize("preset", ["ultrafast", "medium"])
def test_chunks_of_one_frame_are_joined_too(material, tmp_path, preset):
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for frame in islice(open_source(str(material.clip)), 6):
        Image.fromarray(frame.image).save(folder / f"{frame.index:03d}.png")
    assert len(_plan(material, folder, **{"run.chunk_s": 0.04}).chunks) == 6
    config = {"run.chunk_s": 0.04, "output.preset": preset}
    material.run(tmp_path / "run", source=folder, config=config)
    times = [Fraction(index, 25) for index in range(6)]
    assert video_times(tmp_path / "run" / "overlay.mp4") == times
    assert [time for time, _ in read_label_video(str(tmp_path / "run" / "masks.mkv"))] == times


def test_pictures_of_the_join_are_those_of_its_chunks(material, tmp_path):
    plan = _plan(material)
    with InProcess(plan) as executor:
        list(executor.run(plan.chunks, tmp_path / "chunks", run="", progress=lambda *_: None))
    material.run(tmp_path / "run")
    pictures = []
    for chunk in plan.chunks:
        with av.open(str(tmp_path / "chunks" / chunk.name / "overlay.mp4")) as part:
            pictures += [frame.to_ndarray() for frame in part.decode(video=0)]
    with av.open(str(tmp_path / "run" / "overlay.mp4")) as joined:
        found = [frame.to_ndarray() for frame in joined.decode(video=0)]
    np.testing.assert_array_equal(np.stack(found), np.stack(pictures))


def test_seams_are_keyframes_on_both_sides_and_carried_to(material, whole):
    rows = _rows(whole)
    assert [int(row["index"]) for row in rows] == list(range(FRAMES))
    for chunk in _plan(material).chunks[1:]:
        first = chunk.part.first_index
        assert rows[first]["origin"] == "segmented"
        # Counted from the chunk before, which saw it too.
        assert int(rows[first]["age"]) > 0
        assert rows[first - 1]["origin"] in ("interpolated", "segmented")
    assert [row["reason"] for row in rows].count("first") == 1
    record = json.loads((whole / "run.json").read_text())
    reasons = [row["reason"] for row in rows if row["reason"]]
    assert record["totals"]["reasons"] == {r: reasons.count(r) for r in sorted(set(reasons))}
    assert record["totals"]["frames"] == FRAMES


@pytest.mark.parametrize("policy", ["adaptive", "span", "share"])
def test_the_first_chunk_is_as_the_whole_up_to_the_last_frames_before_its_seam(
    material, tmp_path, policy
):
    keys = {"keyframe.policy": policy}
    material.run(tmp_path / "run", config=keys)
    streamed = tempseg.segment(material.clip, model=material.model, config=CONFIG | keys)
    first = next(iter(streamed))
    row = _rows(tmp_path / "run")[0]
    assert row["origin"] == first.origin.value
    assert row["reason"] == (first.reason.value if first.reason else "")
    assert row["shot"] == "0"


def test_a_scene_cut_on_a_seam_is_still_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (2, 12, 16, 3), np.uint8)
    shots = noise.repeat(4, axis=1).repeat(4, axis=2)
    pictures = [shots[i // 16] for i in range(32)]
    clip = write_clip(
        tmp_path / "cut.mp4",
        range(32),
        options={"preset": "ultrafast", "g": "8", "sc_threshold": "0"},
        frames=(av.VideoFrame.from_ndarray(p, "rgb24") for p in pictures),
    )
    model = "python:tests.runners.models:bright"
    tempseg.run(clip, tmp_path / "run", model=model, config=CONFIG | {"segmenter.classes": "auto"})
    rows = _rows(tmp_path / "run")
    assert rows[16]["reason"] == "scene_cut"
    assert [row["shot"] for row in rows] == ["0"] * 16 + ["1"] * 16


def test_a_part_of_a_video_is_cut_too_and_begins_at_zero(material, tmp_path):
    material.run(tmp_path / "run", config={"source.start": 0.5, "source.end": 2.5})
    times = [t for t in video_times(material.clip) if 0.5 <= t - Fraction(9, 10) < 2.5]
    assert video_times(tmp_path / "run" / "overlay.mp4") == [t - times[0] for t in times]
    maps = list(read_label_video(str(tmp_path / "run" / "masks.mkv")))
    assert [round(time * 1000) for time, _ in maps] == [round(time * 1000) for time in times]
    assert len(_rows(tmp_path / "run")) == len(times)


def test_a_folder_of_images_is_cut_by_time(material, tmp_path):
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for frame in open_source(str(material.clip)):
        Image.fromarray(frame.image).save(folder / f"{frame.index:03d}.png")
    # One that cannot be read, on a seam.
    (folder / "015.png").write_bytes(b"no image")
    plan = _plan(material, folder)
    assert [chunk.part.begin for chunk in plan.chunks] == [None, 15, 30, 45, 60]
    material.run(tmp_path / "one", source=folder)
    hashes = []
    for name, chunks in (("forth", plan.chunks), ("back", plan.chunks[::-1])):
        with InProcess(plan) as executor:
            records = executor.run(chunks, tmp_path / name, run="", progress=lambda *_: None)
            hashes.append({(r.number, file): r.sha256[file] for r in records for file in MEDIA})
    assert hashes[0] == hashes[1]
    places = [int(row["index"]) for row in _rows(tmp_path / "one")]
    assert places == [place for place in range(FRAMES) if place != 15]


def test_no_chunks_where_none_are_wanted_and_where_times_are_broken(material, tmp_path):
    assert len(_plan(material, **{"run.chunk_s": 0.0}).chunks) == 1
    assert len(_plan(material, **{"run.chunk_s": 60.0}).chunks) == 1
    twice = write_clip(
        tmp_path / "twice.mkv",
        # Matroska counts milliseconds, in which two of these fall together.
        [*range(0, 4000, 100), 3900, *range(4000, 8000, 100)],
        time_base=Fraction(1, 2500),
        options={"preset": "ultrafast", "g": "8", "bf": "0"},
    )
    plan = _plan(material, twice)
    assert len(plan.chunks) == 1
    assert plan.chunks[0].part == FramePart()


def test_a_seek_that_gives_another_frame_makes_the_run_one_chunk(
    material, whole, tmp_path, monkeypatch
):
    from tempseg.video.decoding import VideoDecoder

    exact = VideoDecoder.frames_from

    def late(self, pts, **_):
        frames = exact(self, pts)
        for frame in frames:
            if frame.pts is not None and frame.pts >= pts:
                break
        yield from frames

    monkeypatch.setattr(VideoDecoder, "frames_from", late)
    summary = material.run(tmp_path / "run")
    monkeypatch.undo()
    material.run(tmp_path / "one", config={"run.chunk_s": 0.0})
    assert summary.totals.frames == FRAMES
    assert digest(tmp_path / "run") == digest(tmp_path / "one")
    with pytest.raises(SeamError, match="a seek to"):
        _with_late_seek(material, tmp_path, monkeypatch, late)


@pytest.mark.parametrize("packets", [range(16), range(16, 32), range(64, 80)])
@pytest.mark.parametrize("units_kept", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_chunk_in_which_nothing_can_be_decoded_stops_nothing(
    material, tmp_path, packets, units_kept, workers
):
    harmed = tmp_path / "harmed.mp4"
    shutil.copy(material.clip, harmed)
    damage(harmed, *packets, units_kept=units_kept)
    read = [(str(frame.index), f"{frame.time_s:.6f}") for frame in open_source(str(harmed))]
    assert 0 < len(read) < FRAMES
    material.run(tmp_path / "run", source=harmed, config={"run.workers": workers})
    assert [(row["index"], row["time_s"]) for row in _rows(tmp_path / "run")] == read


def _with_late_seek(material, tmp_path, monkeypatch, late):
    from tempseg.video.decoding import VideoDecoder

    plan = _plan(material)
    monkeypatch.setattr(VideoDecoder, "frames_from", late)
    with InProcess(plan) as executor:
        list(executor.run(plan.chunks[1:2], tmp_path / "c", run="", progress=lambda *_: None))


@pytest.mark.parametrize(
    ("told", "rotation", "shown"),
    [("4/3", 90, "3/4"), ("8/9", 0, "8/9")],
)
def test_pixels_that_are_not_square_stay_so(tmp_path, told, rotation, shown):
    clip = write_clip(
        tmp_path / "clip.mp4",
        range(80),
        options={"g": "16", "preset": "ultrafast"},
        rotation=rotation,
        pixel_aspect=Fraction(told),
    )
    config = CONFIG | {"segmenter.classes": "auto"}
    tempseg.run(clip, tmp_path / "run", model="python:tests.runners.models:bright", config=config)
    with av.open(str(tmp_path / "run" / "overlay.mp4")) as container:
        aspect = container.streams.video[0].sample_aspect_ratio
    assert (aspect or Fraction(1)) == Fraction(shown)


def test_opencv_keeps_to_one_thread_but_for_models_of_ones_own(material, tmp_path):
    seen = []

    class Watch(Counted):
        def advance(self, frames, keyframes):
            seen.append(cv2.getNumThreads())
            super().advance(frames, keyframes)

    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        material.run(tmp_path / "masks", observer=Watch())
        after = cv2.getNumThreads()
        tempseg.run(
            material.clip,
            tmp_path / "own",
            model="python:tests.runners.models:counts_threads",
            config=CONFIG | {"segmenter.classes": "auto"},
        )
    finally:
        cv2.setNumThreads(before)
    assert 1 in seen
    assert after == 3
    _, labels = next(iter(read_label_video(str(tmp_path / "own" / "masks.mkv"))))
    assert np.unique(labels).tolist() == [3]


def test_forced_frames_after_the_last_are_told(material, tmp_path, caplog):
    forced = [3, FRAMES - 1, FRAMES, 9000, "00:01.2", "01:00"]
    material.run(tmp_path / "run", config={"keyframe.forced": forced})
    told = [record.getMessage() for record in caplog.records]
    (unused,) = [message for message in told if "keyframe.forced" in message]
    assert unused.startswith(f"keyframe.forced: {FRAMES}, 9000, 60 s: after the last frame")


def test_a_time_before_the_part_is_told_and_changes_nothing(material, tmp_path, caplog):
    part = {"source.start": 1.0, "keyframe.policy": "share", "keyframe.share": 0.05}
    material.run(tmp_path / "free", config=part)
    material.run(tmp_path / "run", config=part | {"keyframe.forced": ["00:00.5"]})
    (told,) = [r.getMessage() for r in caplog.records if "keyframe.forced" in r.getMessage()]
    assert told == "keyframe.forced: 0.5 s: before the part that is run, so not used"
    free, forced = (
        [row["index"] for row in _rows(tmp_path / name) if row["origin"] == "segmented"]
        for name in ("free", "run")
    )
    assert free == forced


def test_what_is_forced_is_called_so_on_a_seam_too(material, tmp_path):
    seam = _plan(material).chunks[1].part.first_index
    material.run(tmp_path / "run", config={"keyframe.forced": [seam]})
    assert _rows(tmp_path / "run")[seam]["reason"] == "forced"
    told = json.loads((tmp_path / "run" / "run.json").read_text())["totals"]["reasons"]
    assert told["forced"] == 1
    assert told["first"] == 1


def test_a_first_chunk_without_a_keyframe_of_its_own_has_a_first_all_the_same(material, tmp_path):
    slow = {"keyframe.policy": "share", "keyframe.share": 0.005, "run.chunk_s": 0.1}
    material.run(tmp_path / "run", config=slow)
    rows = _rows(tmp_path / "run")
    reasons = [row["reason"] for row in rows if row["reason"]]
    assert reasons[0] == "first"
    told = json.loads((tmp_path / "run" / "run.json").read_text())["totals"]["reasons"]
    assert told == {reason: reasons.count(reason) for reason in sorted(set(reasons))}
