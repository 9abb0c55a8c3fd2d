from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from av.stream import Disposition

from tempseg.errors import SourceError
from tempseg.video import VideoSource, open_source
from tests.video.clips import HEIGHT, WIDTH, damage, gradient, write_clip


def times(source) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in source]


def test_every_frame_comes_with_its_time(tmp_path):
    source = open_source(str(write_clip(tmp_path / "a.mp4")))
    assert times(source) == [Fraction(i, 25) for i in range(10)]


def test_a_pipe_is_refused_with_what_to_do(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="a pipe or a device"):
        open_source(str(tmp_path / "pipe"))


def test_standard_input_is_refused_with_what_to_do():
    with pytest.raises(SourceError, match="save it to a file"):
        open_source("-")


def test_numbered_images_are_told_to_be_given_as_a_glob(tmp_path):
    with pytest.raises(SourceError, match=r"as a glob, '.*shot_\*\.png'"):
        open_source(str(tmp_path / "shot_%04d.png"))


def test_frames_count_from_zero(tmp_path):
    source = open_source(str(write_clip(tmp_path / "a.mp4")), start=0.2)
    assert [frame.index for frame in source] == list(range(5))


def test_variable_rate_is_kept(tmp_path):
    pts = [0, 1, 5, 6, 20, 21]
    source = open_source(str(write_clip(tmp_path / "a.mp4", pts)))
    assert times(source) == [Fraction(t, 25) for t in pts]


def test_non_zero_start_is_kept(tmp_path):
    source = open_source(str(write_clip(tmp_path / "a.mp4", range(50, 60))))
    assert times(source)[0] == 2


def test_pictures_are_what_was_encoded(tmp_path):
    source = open_source(str(write_clip(tmp_path / "a.mp4", tags=(6, 1))))
    worst = [np.abs(f.image.astype(int) - gradient(f.index)).mean() for f in source]
    assert max(worst) < 4


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3)])
def test_display_matrix_brings_the_picture_upright(tmp_path, rotation, turns):
    source = open_source(str(write_clip(tmp_path / "a.mp4", rotation=rotation, tags=(6, 1))))
    image = next(iter(source)).image.astype(int)
    assert np.abs(image - np.rot90(gradient(0), turns)).mean() < 4


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p"])
def test_mirrored_display_matrix_brings_the_picture_upright(tmp_path, rotation, pixels):
    clip = write_clip(
        tmp_path / "a.mp4", rotation=rotation, mirrored=True, pixels=pixels, tags=(6, 1)
    )
    frame = next(iter(open_source(str(clip))))
    upright = np.fliplr(np.rot90(gradient(0), rotation // 90)).astype(int)
    assert np.abs(frame.image - upright).mean() < 4
    luma = upright @ [0.257, 0.504, 0.098] + 16
    assert np.abs(frame.luma - luma).mean() < 4
    assert np.abs(frame.picture.yuv420().y - luma).mean() < 4


def test_info_gives_the_upright_size(tmp_path):
    info = open_source(str(write_clip(tmp_path / "a.mp4", rotation=90))).info
    assert (info.width, info.height) == (HEIGHT, WIDTH)


def test_info_tells_rate_count_and_media(tmp_path):
    path = str(write_clip(tmp_path / "a.mp4"))
    info = open_source(path).info
    assert (info.frame_rate, info.frame_count, info.media_path) == (25, 10, path)


@pytest.mark.parametrize(
    ("codec", "pixels", "size"),
    [
        ("libx264", "yuv420p10le", (64, 48)),
        ("libx264", "yuv444p", (63, 47)),
        ("libx264", "yuvj420p", (64, 48)),
        ("ffv1", "gray", (63, 47)),
        ("ffv1", "gray16le", (64, 48)),
        ("ffv1", "yuva420p", (64, 48)),
        ("ffv1", "bgra", (63, 47)),
    ],
)
def test_formats_and_odd_sizes_are_read(tmp_path, codec, pixels, size):
    width, height = size
    clip = write_clip(
        tmp_path / "a.mkv", codec=codec, pixels=pixels, width=width, height=height, tags=(6, 0)
    )
    frames = list(open_source(str(clip)))
    assert len(frames) == 10
    expected = gradient(0, width=width, height=height).astype(int)
    if pixels.startswith("gray"):
        expected = np.repeat(expected @ [[0.299], [0.587], [0.114]], 3, axis=2)
    assert np.abs(frames[0].image - expected).mean() < 6


@pytest.mark.parametrize("packet", [3, 8, 9])
def test_corrupt_packet_costs_only_its_frame(tmp_path, packet):
    options = {"preset": "ultrafast", "g": "1"}
    clip = write_clip(tmp_path / "a.mp4", options=options)
    damage(clip, packet)
    source = open_source(str(clip))
    assert times(source) == [Fraction(i, 25) for i in range(10) if i != packet]
    assert source.damaged == 1


def test_corrupt_packets_are_warned_of_once(tmp_path, caplog):
    clip = write_clip(tmp_path / "a.mp4", options={"preset": "ultrafast", "g": "1"})
    damage(clip, 2, 5, 7)
    with caplog.at_level(logging.WARNING):
        list(open_source(str(clip)))
    assert [record.name for record in caplog.records] == ["tempseg.video.source"]


def test_a_look_at_the_first_frame_warns_of_no_damage(tmp_path, caplog):
    clip = write_clip(tmp_path / "a.mp4")
    damage(clip, 1)
    with caplog.at_level(logging.WARNING):
        next(iter(open_source(str(clip))))
    assert not caplog.records


def test_ffmpeg_stays_silent_about_corrupt_packets(tmp_path, capfd):
    clip = write_clip(tmp_path / "a.mp4", options={"preset": "ultrafast", "g": "1"})
    damage(clip, 2)
    list(open_source(str(clip)))
    assert capfd.readouterr().err == ""


def _cut_short(clip, *packets):
    """Blank out the last half of video packets, which only spoils the bottom of their pictures."""
    with av.open(str(clip)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(clip.read_bytes())
    for packet in packets:
        position, size = places[packet]
        data[position + size // 2 : position + size] = bytes(size - size // 2)
    clip.write_bytes(bytes(data))


def _noisy(path, codec, options, pixels, *, rotation=0):
    """A clip of 25 frames in which every block has something to code."""
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    noise = noise.repeat(8, axis=0).repeat(8, axis=1)
    frames = [
        av.VideoFrame.from_ndarray(np.roll(noise, (3 * i, 5 * i), (0, 1)), "rgb24")
        for i in range(25)
    ]
    return write_clip(
        path,
        range(25),
        width=320,
        height=240,
        frames=frames,
        codec=codec,
        pixels=pixels,
        options=options,
        rotation=rotation,
    )


@pytest.mark.parametrize(
    ("codec", "pixels", "options"),
    [
        ("libx264", "yuv420p", {"preset": "fast", "g": "100"}),
        ("mjpeg", "yuvj420p", {}),
        ("prores_ks", "yuv422p10le", {}),
        ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    ],
)
def test_pictures_of_a_damaged_file_do_not_depend_on_who_holds_frames(
    tmp_path, codec, pixels, options
):
    clip = _noisy(tmp_path / "a.mkv", codec, options, pixels)
    _cut_short(clip, 4, 9, 14, 19)
    dropped = [frame.luma.copy() for frame in open_source(str(clip))]
    held = [frame.luma for frame in list(open_source(str(clip)))]
    assert len(dropped) == len(held) > 12
    assert all(np.array_equal(a, b) for a, b in zip(dropped, held, strict=True))


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_a_file_that_ends_too_soon_is_warned_of(tmp_path, caplog, name):
    clip = write_clip(tmp_path / name, range(30), container={"movflags": "faststart"})
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    with caplog.at_level(logging.WARNING):
        frames = list(open_source(str(clip)))
    assert 0 < len(frames) < 30
    assert "damaged" in caplog.text


@pytest.mark.parametrize("live", ["0", "1"])
def test_a_whole_matroska_file_is_not_taken_for_cut_short(tmp_path, live):
    clip = write_clip(tmp_path / "a.mkv", container={"live": live})
    source = open_source(str(clip))
    assert len(list(source)) == 10
    assert source.damaged == 0


def test_mjpeg_that_is_cut_short_is_counted_and_shown(tmp_path, caplog):
    clip = _noisy(tmp_path / "a.mkv", "mjpeg", {}, "yuvj420p")
    whole = [frame.luma for frame in open_source(str(clip))]
    _cut_short(clip, 0, 9, 24)
    source = open_source(str(clip))
    shown = [frame.luma for frame in source]
    assert times(open_source(str(clip))) == [Fraction(i, 25) for i in range(25)]
    assert source.damaged == 3
    assert len(caplog.records) == 2
    spoilt = [i for i, (a, b) in enumerate(zip(whole, shown, strict=True)) if (a != b).any()]
    assert spoilt == [0, 9, 24]
    assert all(np.array_equal(shown[i][:80], whole[i][:80]) for i in spoilt)


def test_a_turn_is_known_though_the_first_frame_is_damaged(tmp_path):
    clip = _noisy(tmp_path / "a.mov", "mjpeg", {}, "yuvj420p", rotation=90)
    _cut_short(clip, 0)
    source = open_source(str(clip))
    assert (source.info.width, source.info.height) == (240, 320)
    assert (len(list(source)), source.damaged) == (25, 1)


def test_corrupt_packet_before_the_part_is_not_counted(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", options={"preset": "ultrafast", "g": "5"})
    damage(clip, 2)
    source = open_source(str(clip), start=0.28)
    assert len(list(source)) == 3
    assert source.damaged == 0


def test_frame_of_another_size_is_scaled_to_the_first(tmp_path):
    both = tmp_path / "both.ts"
    parts = [write_clip(tmp_path / f"{w}.ts", width=w, height=48) for w in (64, 96)]
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert {frame.size for frame in open_source(str(both))} == {(48, 64)}


def test_restarted_clock_goes_on(tmp_path):
    both = tmp_path / "both.ts"
    part = write_clip(tmp_path / "one.ts", range(100, 110))
    both.write_bytes(part.read_bytes() * 2)
    pts = [frame.pts for frame in open_source(str(both))]
    assert len(pts) == 20
    assert all(a < b for a, b in pairwise(pts))


def test_stream_without_timestamps_gets_the_average_rate(tmp_path):
    source = open_source(str(write_clip(tmp_path / "a.h264")))
    found = times(source)
    assert {b - a for a, b in pairwise(found)} == {Fraction(1, 25)}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 0.2, range(5)),
        (0.2, None, range(5, 30)),
        ("0.44", "00:00.48", range(11, 12)),
        ("00:00:00.44", "00:00:01:00", range(11, 25)),
        (0.41, 0.49, range(11, 13)),
        (0, 5, range(30)),
    ],
)
@pytest.mark.parametrize("origin", [0, 50])
@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3", "b-pyramid": "normal"}])
def test_part_is_exact_to_the_frame(tmp_path, start, end, expected, origin, options):
    clip = write_clip(
        tmp_path / "a.mp4", range(origin, origin + 30), options={"g": "12", **options}
    )
    source = open_source(str(clip), start=start, end=end)
    assert times(source) == [Fraction(origin + i, 25) for i in expected]


def test_a_written_time_names_its_own_frame(tmp_path):
    base = Fraction(1001, 30000)
    clip = str(write_clip(tmp_path / "a.mp4", range(10), time_base=base))
    for place in range(1, 8):
        written = f"{float(place * base):.6f}"
        assert times(open_source(clip, start=written))[0] == place * base
        assert times(open_source(clip, end=written))[-1] == (place - 1) * base


def test_part_of_a_stream_without_timestamps_is_exact(tmp_path):
    source = open_source(str(write_clip(tmp_path / "a.h264")), start=0.2, end=0.32)
    assert len(list(source)) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"bf": "3", "g": "12"},
        {"bf": "8", "b-pyramid": "normal", "g": "24"},
        {"bf": "16", "g": "30"},
        {"bf": "0", "g": "12"},
    ],
    ids=str,
)
def test_frames_of_an_avi_keep_their_times_in_a_part(tmp_path, options):
    options = {"preset": "ultrafast", "b-adapt": "0", **options}
    clip = str(write_clip(tmp_path / "a.avi", range(60), options=options))
    whole = [(frame.pts, frame.luma.tobytes()) for frame in open_source(clip)]
    first = whole[0][0]
    assert [pts for pts, _ in whole] == list(range(first, first + 60))
    for start in (0.2, 0.96, 1.24, 2.0):
        part = [(frame.pts, frame.luma.tobytes()) for frame in open_source(clip, start=start)]
        assert part == whole[round(start * 25) :]


def test_a_part_of_a_program_stream_is_what_the_whole_has_there(tmp_path):
    options = {"bf": "2", "g": "8"}
    clip = str(write_clip(tmp_path / "a.mpg", range(40), codec="mpeg2video", options=options))
    whole = [(frame.pts, frame.luma.tobytes()) for frame in open_source(clip)]
    for start in (0.36, 0.72, 1.2):
        part = [(frame.pts, frame.luma.tobytes()) for frame in open_source(clip, start=start)]
        assert part == whole[round(start * 25) :]


def test_a_part_of_pulled_down_film_has_the_times_of_the_whole(tmp_path):
    path = write_clip(tmp_path / "a.m2v", range(40), codec="mpeg2video", options={"g": "8"})
    data = bytearray(path.read_bytes())
    place, pictures = data.find(b"\0\0\1\xb5"), 0
    while place >= 0:
        if data[place + 4] >> 4 == 1:
            # Not a progressive sequence: each other frame is then shown for three fields.
            data[place + 5] &= ~8
        elif data[place + 4] >> 4 == 8:
            first, third = ((1, 1), (0, 0), (0, 1), (1, 0))[pictures % 4]
            data[place + 7] = data[place + 7] & ~0x82 | first << 7 | third << 1
            pictures += 1
        place = data.find(b"\0\0\1\xb5", place + 4)
    path.write_bytes(data)
    whole = times(open_source(str(path)))
    assert len({b - a for a, b in pairwise(whole)}) == 2
    for start in (0.36, 0.72, 1.2):
        wanted = [time for time in whole if time - whole[0] >= start]
        assert times(open_source(str(path), start=start)) == wanted


def test_lost_frames_of_an_avi_leave_the_times_of_the_rest(tmp_path):
    options = {"preset": "ultrafast", "b-adapt": "0", "bf": "3", "g": "12"}
    clip = write_clip(tmp_path / "a.avi", range(60), options=options)
    whole = [frame.pts for frame in open_source(str(clip))]
    damage(clip, 15, 30)
    left = [frame.pts for frame in open_source(str(clip))]
    assert len(left) >= 56
    assert left[-12:] == whole[-12:]


def test_part_shows_the_same_pictures_as_the_whole(tmp_path):
    clip = str(write_clip(tmp_path / "a.mp4", range(30)))
    whole = [frame.luma.copy() for frame in open_source(clip)]
    part = next(iter(open_source(clip, start=0.48)))
    assert np.array_equal(part.luma, whole[12])


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (1, 1, "not after"),
        ("0:02", 1, "not after"),
        (None, 0, "not after"),
        (-1, None, "start is -1"),
        ("soon", None, "start is 'soon'"),
        (5, None, "no frame between"),
        (5, 6, "no frame between"),
    ],
)
def test_impossible_parts_are_named(tmp_path, start, end, message):
    clip = str(write_clip(tmp_path / "a.mp4"))
    with pytest.raises(SourceError, match=message):
        open_source(clip, start=start, end=end)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_garbage_is_named(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4: .*(read|video)"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["none.mp4", "none/*.png"])
def test_nothing_there_is_named(tmp_path, name):
    with pytest.raises(SourceError, match="none"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("spec", ["http://a/b.mp4?c=d", "rtsp://a/b", "camera:0"])
def test_an_address_is_refused_with_what_is_read(spec):
    with pytest.raises(SourceError, match=f"^{re.escape(spec)}: an address, and only files"):
        open_source(spec)


def test_a_pattern_in_the_name_of_an_image_is_no_pattern(tmp_path):
    for index, name in enumerate(["f%03d.png", "f000.png", "f001.png"]):
        image = av.VideoFrame.from_ndarray(gradient(index), "rgb24").to_image()
        image.save(tmp_path / name)
    frames = list(open_source(str(tmp_path / "f%03d.png")))
    assert len(frames) == 1
    assert np.array_equal(frames[0].image, gradient(0))


def test_sound_alone_is_no_source(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48000)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(SourceError, match="only audio"):
        open_source(str(path))


@pytest.mark.parametrize(
    ("first", "frames"),
    [(Disposition(0), 10), (Disposition.default, 1)],
    ids=["not_the_default", "a_still"],
)
def test_of_several_videos_the_one_that_players_show_is_read(tmp_path, first, frames):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, width in zip(streams, (32, 64), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
        streams[0].disposition, streams[1].disposition = first, Disposition.default
        for stream, count in zip(streams, (frames, 10), strict=True):
            for index in range(count):
                image = gradient(index, width=stream.width, height=48)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            out.mux(stream.encode(None))
    assert open_source(str(path)).info.width == 64


def test_a_cover_is_no_source(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        stream.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(gradient(0), "rgb24").reformat(format="yuvj420p")
        out.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(SourceError, match="no video stream in it, only cover picture"):
        open_source(str(path))


def test_messages_take_one_line(tmp_path):
    with pytest.raises(SourceError) as caught:
        open_source(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_source_is_read_once(tmp_path):
    source = VideoSource(str(write_clip(tmp_path / "a.mp4")))
    list(source)
    with pytest.raises(SourceError, match="read once"):
        iter(source)


def test_abandoned_iteration_can_be_closed_twice(tmp_path):
    source = VideoSource(str(write_clip(tmp_path / "a.mp4")))
    frames = iter(source)
    next(frames)
    frames.close()
    source.close()
    source.close()


def test_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4").rename(tmp_path / "take:2.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source("take:2.mp4"))) == 10


def test_importing_the_room_leaves_opencv_alone():
    check = "import sys, tempseg.video; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize("matrix", [8, 12, 14])
def test_a_colour_matrix_that_nothing_converts_is_named_at_once(tmp_path, matrix):
    frames = [
        av.VideoFrame.from_ndarray(gradient(0), "rgb24").reformat(format="yuv420p")
        for _ in range(3)
    ]
    clip = write_clip(tmp_path / "clip.mp4", range(3), tags=(matrix, 1), frames=frames)
    with pytest.raises(SourceError, match=rf"clip\.mp4: .* colour matrix {matrix} cannot be"):
        open_source(str(clip))
