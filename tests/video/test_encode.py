from __future__ import annotations

import hashlib
import resource
from fractions import Fraction

import av
import numpy as np
import pytest

from tempseg.errors import OutputError, SourceError
from tempseg.types import ColourTags, Planes
from tempseg.video import (
    DecodedPicture,
    LabelEncoder,
    LabelJoiner,
    OverlayEncoder,
    OverlayJoiner,
    open_source,
    read_label_video,
)
from tests.video.clips import gradient, video_times, write_clip

TIMES = [0, 512, 1024, 4000, 4512]
BASE = Fraction(1, 12800)


def label_maps(count: int, *, dtype=np.uint8, height: int = 47, width: int = 63) -> list:
    rng = np.random.default_rng(7)
    top = np.iinfo(dtype).max
    coarse = rng.integers(0, top, (count, height // 8 + 1, width // 8 + 1), endpoint=True)
    fine = np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)
    return list(fine[:, :height, :width].astype(dtype))


def write_labels(path, maps, pts=TIMES, time_base=BASE):
    height, width = maps[0].shape
    encoder = LabelEncoder(
        str(path),
        width=width,
        height=height,
        time_base=time_base,
        frame_rate=Fraction(25),
        bits=maps[0].dtype.itemsize * 8,
    )
    for labels, time in zip(maps, pts, strict=True):
        encoder.write(labels, time)
    encoder.close()
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(47, 63), (1, 1), (3, 200)])
def test_labels_come_back_exactly(tmp_path, dtype, size):
    maps = label_maps(5, dtype=dtype, height=size[0], width=size[1])
    back = list(read_label_video(str(write_labels(tmp_path / "m.mkv", maps))))
    assert all(np.array_equal(a, b) for a, (_, b) in zip(maps, back, strict=True))
    assert {labels.dtype for _, labels in back} == {np.dtype(dtype)}


def test_label_times_are_kept_to_the_millisecond(tmp_path):
    path = write_labels(tmp_path / "m.mkv", label_maps(5))
    back = [time for time, _ in read_label_video(str(path))]
    assert all(abs(a - t * BASE) <= Fraction(1, 2000) for a, t in zip(back, TIMES, strict=True))


def test_label_times_may_start_anywhere_and_lie_close(tmp_path):
    path = write_labels(tmp_path / "m.mkv", label_maps(5), [99999, 100000, 100001, 100002, 200000])
    assert len(list(read_label_video(str(path)))) == 5


def test_labels_of_one_millisecond_are_joined(tmp_path):
    maps = label_maps(5)
    part = write_labels(tmp_path / "m.mkv", maps, [99999, 100000, 100001, 100002, 200000])
    joiner = LabelJoiner(str(tmp_path / "joined.mkv"))
    joiner.add(str(part), first_s=Fraction(99999) * BASE)
    joiner.close()
    joined = list(read_label_video(str(tmp_path / "joined.mkv")))
    assert joined[1][0] == joined[2][0]
    assert all(np.array_equal(a, b) for a, (_, b) in zip(maps, joined, strict=True))


@pytest.mark.parametrize("ending", ["close", "abandon"])
def test_no_picture_is_written_to_a_closed_file(tmp_path, ending):
    colour = ColourTags(1, False, 1, 1)
    encoder = OverlayEncoder(
        str(tmp_path / "a.mp4"),
        width=64,
        height=48,
        time_base=BASE,
        frame_rate=Fraction(25),
        colour=colour,
    )
    encoder.write(encoder.allocate(), 0)
    getattr(encoder, ending)()
    with pytest.raises(OutputError, match="is closed"):
        encoder.write(encoder.allocate(), 512)


def test_nothing_is_written_to_a_closed_file(tmp_path):
    for name, dtype in (("a.mkv", np.uint8), ("b.mkv", np.uint16)):
        maps = label_maps(1, dtype=dtype)
        height, width = maps[0].shape
        encoder = LabelEncoder(
            str(tmp_path / name),
            width=width,
            height=height,
            time_base=BASE,
            frame_rate=Fraction(25),
            bits=maps[0].dtype.itemsize * 8,
        )
        encoder.write(maps[0], 0)
        encoder.close()
        with pytest.raises(OutputError, match=name):
            encoder.write(maps[0], 512)


def test_same_labels_give_the_same_bytes(tmp_path):
    hashes = {
        hashlib.sha256(write_labels(tmp_path / name, label_maps(5)).read_bytes()).hexdigest()
        for name in ("a.mkv", "b.mkv")
    }
    assert len(hashes) == 1


def test_labels_of_another_shape_or_type_are_refused(tmp_path):
    encoder = LabelEncoder(
        str(tmp_path / "m.mkv"), width=8, height=4, time_base=BASE, frame_rate=Fraction(25)
    )
    with pytest.raises(ValueError, match=r"uint16 \(4, 8\), expected uint8"):
        encoder.write(np.zeros((4, 8), np.uint16), 0)
    encoder.abandon()


def test_ordinary_video_is_no_label_video(tmp_path):
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match="no label maps"):
        next(read_label_video(str(clip)))


def test_read_labels_belong_to_the_caller(tmp_path):
    path = write_labels(tmp_path / "m.mkv", label_maps(5))
    for _, labels in read_label_video(str(path)):
        labels[...] = 0
    back = [labels for _, labels in read_label_video(str(path))]
    assert all(np.array_equal(a, b) for a, b in zip(label_maps(5), back, strict=True))


def planes(index: int, *, width: int = 64, height: int = 48) -> Planes:
    frame = av.VideoFrame.from_ndarray(gradient(index, width=width, height=height), "rgb24")
    return DecodedPicture(frame).yuv420()


def overlay(path, **changes) -> OverlayEncoder:
    options = {
        "width": 64,
        "height": 48,
        "time_base": BASE,
        "frame_rate": Fraction(25),
        "colour": ColourTags(6),
        "crf": 12,
        "preset": "veryfast",
    }
    return OverlayEncoder(str(path), **{**options, **changes})


def write_overlay(path, pts=TIMES, **changes):
    encoder = overlay(path, **changes)
    width, height = changes.get("width", 64), changes.get("height", 48)
    for i, time in enumerate(pts):
        encoder.write(planes(i, width=width, height=height), time)
    encoder.close()
    return path


@pytest.mark.parametrize(
    "base", [BASE, Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 1000)]
)
@pytest.mark.parametrize("offset", [0, 12345])
def test_overlay_times_are_exact(tmp_path, base, offset):
    pts = [offset + t for t in (0, 40, 81, 200, 240, 700)]
    path = write_overlay(tmp_path / "o.mp4", pts, time_base=base)
    assert video_times(path) == [t * base for t in pts]


def test_overlay_counts_in_the_time_base_of_the_source(tmp_path):
    with av.open(str(write_overlay(tmp_path / "o.mp4"))) as clip:
        assert clip.streams.video[0].time_base == BASE


# In order, or FFmpeg refuses shorter steps already.
NANOSECONDS = {"time_base": Fraction(1, 10**9), "preset": "ultrafast"}


def test_a_step_that_mp4_cannot_hold_is_refused(tmp_path):
    path = write_overlay(tmp_path / "near.mp4", [0, 2 * 10**9, 4 * 10**9], **NANOSECONDS)
    assert video_times(path) == [0, 2, 4]
    expected = r"far\.mp4: frames 3\.000 s apart are too far for MP4 .* --no-overlay"
    with pytest.raises(OutputError, match=expected):
        write_overlay(tmp_path / "far.mp4", [0, 3 * 10**9], **NANOSECONDS)


def test_a_seam_that_mp4_cannot_hold_is_refused(tmp_path):
    part = str(write_overlay(tmp_path / "part.mp4", [0, 10**9], **NANOSECONDS))
    joiner = OverlayJoiner(str(tmp_path / "whole.mp4"), time_base=NANOSECONDS["time_base"])
    joiner.add(part, first_s=Fraction(0))
    with pytest.raises(OutputError, match=r"whole\.mp4: frames .* too far for MP4"):
        joiner.add(part, first_s=Fraction(4))
    joiner.abandon()


def test_origin_becomes_zero(tmp_path):
    path = write_overlay(tmp_path / "o.mp4", [1000, 1512], origin_pts=1000)
    assert video_times(path) == [0, 512 * BASE]


@pytest.mark.parametrize("colour", [ColourTags(1, False, 1, 1), ColourTags(6, True, 6, 6)])
def test_colour_tags_are_written(tmp_path, colour):
    with av.open(str(write_overlay(tmp_path / "o.mp4", colour=colour))) as clip:
        frame = next(clip.decode(video=0))
    found = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    full = 2 if colour.full_range else 1
    assert found == (colour.matrix, full, colour.primaries, colour.transfer)


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47)])
def test_odd_sides_are_padded_by_their_last_samples(tmp_path, width, height):
    path = write_overlay(tmp_path / "o.mp4", width=width, height=height)
    frame = next(iter(open_source(str(path))))
    assert frame.size == (48, 64)
    luma = frame.luma.astype(int)
    assert np.abs(luma[:, -1] - luma[:, -2]).mean() < 4
    assert np.abs(luma[-1] - luma[-2]).mean() < 4


def test_pictures_are_what_was_written(tmp_path):
    path = write_overlay(tmp_path / "o.mp4")
    for i, frame in enumerate(open_source(str(path))):
        assert np.abs(frame.image.astype(int) - gradient(i)).mean() < 4


def test_painting_in_place_gives_the_same_bytes(tmp_path):
    copied = write_overlay(tmp_path / "a.mp4")
    encoder = overlay(tmp_path / "b.mp4")
    for i, time in enumerate(TIMES):
        own, source = encoder.allocate(), planes(i)
        own.y[...], own.u[...], own.v[...] = source.y, source.u, source.v
        encoder.write(own, time)
    encoder.close()
    assert (tmp_path / "b.mp4").read_bytes() == copied.read_bytes()


def test_same_pictures_give_the_same_bytes(tmp_path):
    # Which they did not with macroblock trees, in one run of ten.
    found = {write_overlay(tmp_path / "a.mp4", range(30)).read_bytes() for _ in range(12)}
    assert len(found) == 1


def test_encoder_leaves_the_planes_it_is_given_alone(tmp_path):
    given = planes(0, width=63, height=47)
    before = given.y.copy()
    encoder = overlay(tmp_path / "o.mp4", width=63, height=47)
    encoder.write(given, 0)
    encoder.close()
    assert np.array_equal(given.y, before)


def test_planes_of_another_size_are_refused(tmp_path):
    encoder = overlay(tmp_path / "o.mp4")
    with pytest.raises(ValueError, match="expected"):
        encoder.write(planes(0, width=32, height=32), 0)
    encoder.abandon()


def make(kind, path):
    if kind == "overlay":
        return overlay(path)
    return LabelEncoder(
        str(path), width=64, height=48, time_base=BASE, frame_rate=Fraction(25), bits=8
    )


@pytest.mark.parametrize("kind", ["overlay", "labels"])
def test_missing_folder_is_named(tmp_path, kind):
    with pytest.raises(OutputError, match="nowhere"):
        make(kind, tmp_path / "nowhere" / "out.mp4")


@pytest.mark.parametrize("kind", ["overlay", "labels"])
def test_closing_twice_and_abandoning_after_is_harmless(tmp_path, kind):
    encoder = make(kind, tmp_path / "out.mp4")
    encoder.close()
    encoder.close()
    encoder.abandon()


@pytest.fixture
def small_files():
    """Let no file grow beyond 64 kB, which fails like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["overlay", "labels"])
def test_full_disk_names_the_file(tmp_path, small_files, kind):
    rng = np.random.default_rng(0)
    encoder = make(kind, tmp_path / "out.mp4")

    def fill() -> None:
        for i in range(100):
            noise = rng.integers(0, 256, (48, 64), dtype=np.uint8)
            half = np.ascontiguousarray(noise[::2, ::2])
            if kind == "overlay":
                encoder.write(Planes(noise, half, half, ColourTags(6)), i * 512)
            else:
                encoder.write(noise, i * 512)
        encoder.close()

    with pytest.raises(OutputError, match=r"out\.mp4: cannot be written"):
        fill()
    encoder.abandon()


def test_a_picture_that_is_too_wide_for_the_overlay_names_what_to_leave_out(tmp_path):
    with pytest.raises(OutputError, match="leave the overlay out with --no-overlay"):
        write_overlay(tmp_path / "o.mp4", pts=[0], width=16400, height=16)
