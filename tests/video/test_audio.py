from __future__ import annotations

import logging
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from tempseg.video import AudioTracks, OverlayEncoder, open_source
from tests.video.clips import packet_times, write_clip


def carry(clip, out, *, start=None, end=None) -> AudioTracks:
    source = open_source(str(clip), start=start, end=end)
    info = source.info
    audio = AudioTracks(info.media_path, start_s=info.start_s, end_s=info.end_s)
    encoder = None
    for frame in source:
        planes = frame.picture.yuv420()
        if encoder is None:
            encoder = OverlayEncoder(
                str(out),
                width=info.width,
                height=info.height,
                time_base=info.time_base,
                frame_rate=info.frame_rate,
                colour=planes.colour,
                crf=30,
                preset="ultrafast",
                audio=audio,
                origin_pts=0 if info.start_s is None else frame.pts,
            )
        encoder.write(planes, frame.pts)
    encoder.close()
    return audio


def codecs(path) -> list[str]:
    with av.open(str(path)) as clip:
        return [stream.codec_context.name for stream in clip.streams.audio]


def sound(path) -> list[bytes]:
    with av.open(str(path)) as clip:
        return [bytes(packet) for packet in clip.demux(audio=0) if packet.size]


@pytest.mark.parametrize("codec", ["aac", "ac3", "libmp3lame"])
def test_sound_that_mp4_takes_is_copied(tmp_path, codec):
    clip = write_clip(tmp_path / "a.mkv", range(50), audio=codec)
    carry(clip, tmp_path / "o.mp4")
    assert sound(tmp_path / "o.mp4") == sound(clip)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "pcm_s16le"), ("a.mov", "pcm_s16be")])
def test_other_sound_becomes_aac(tmp_path, name, codec):
    carry(write_clip(tmp_path / name, range(50), audio=codec), tmp_path / "o.mp4")
    assert codecs(tmp_path / "o.mp4") == ["aac"]
    times = packet_times(tmp_path / "o.mp4", "audio")
    assert times[-1] == pytest.approx(2, abs=0.06)


def test_transport_streams_sound_is_carried(tmp_path):
    clip = write_clip(tmp_path / "a.ts", range(50), audio="aac")
    carry(clip, tmp_path / "o.mp4")
    assert len(sound(tmp_path / "o.mp4")) == len(sound(clip))


@pytest.mark.parametrize("audio_start_s", [0.0, 0.5])
@pytest.mark.parametrize("video_start", [0, 25])
@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_keeps_its_place_beside_the_picture(tmp_path, audio_start_s, video_start, codec):
    clip = write_clip(
        tmp_path / "a.mkv",
        range(video_start, video_start + 50),
        audio=codec,
        audio_start_s=audio_start_s,
    )
    carry(clip, tmp_path / "o.mp4")

    def lag(path) -> Fraction:
        return min(packet_times(path, "audio")) - min(packet_times(path, "video"))

    # A newly encoded stream begins with the codec's run-up of 1024 samples, which players drop.
    run_up = Fraction(1024, 48000) if codec == "pcm_s16le" else 0
    assert float(lag(tmp_path / "o.mp4") + run_up) == pytest.approx(float(lag(clip)), abs=0.002)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_of_a_part_begins_with_the_picture(tmp_path, codec):
    clip = write_clip(tmp_path / "a.mkv", range(25, 100), audio=codec, audio_start_s=1.0)
    carry(clip, tmp_path / "o.mp4", start=1, end=2)
    times = packet_times(tmp_path / "o.mp4", "audio")
    assert -0.03 < times[0] < 0.03
    assert 0.9 < times[-1] < 1.0


def test_sound_of_a_part_is_that_part(tmp_path):
    clip = write_clip(tmp_path / "a.mkv", range(100), audio="aac")
    carry(clip, tmp_path / "o.mp4", start=2, end=3)
    whole, part = sound(clip), sound(tmp_path / "o.mp4")
    where = whole.index(part[0])
    assert part == whole[where : where + len(part)]
    assert packet_times(clip, "audio")[where] == pytest.approx(2, abs=0.022)


def test_sound_is_interleaved_with_the_picture(tmp_path):
    clip = write_clip(tmp_path / "a.mkv", range(250), audio="pcm_s16le")
    carry(clip, tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as out:
        kinds = [packet.stream.type for packet in out.demux() if packet.size]
    longest, run = 0, 0
    for a, b in pairwise(kinds):
        run = run + 1 if a == b else 0
        longest = max(longest, run)
    assert longest < 100


def test_same_sound_gives_the_same_bytes(tmp_path):
    clip = write_clip(tmp_path / "a.avi", range(50), audio="pcm_s16le")
    for name in ("a.mp4", "b.mp4"):
        carry(clip, tmp_path / name)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_silent_source_gives_a_silent_overlay(tmp_path):
    carry(write_clip(tmp_path / "a.mp4"), tmp_path / "o.mp4")
    assert codecs(tmp_path / "o.mp4") == []


@pytest.mark.parametrize("codec", ["aac", "flac", "mp2"])
def test_broken_sound_does_not_fail_the_run(tmp_path, codec):
    clip = write_clip(tmp_path / "a.mkv", range(50), audio=codec)
    with av.open(str(clip)) as opened:
        places = [(p.pos, p.size) for p in opened.demux(audio=0) if p.size]
    data = bytearray(clip.read_bytes())
    for position, size in places[10:30]:
        data[position + 12 : position + size] = b"\xff" * (size - 12)
    clip.write_bytes(bytes(data))
    carry(clip, tmp_path / "o.mp4")
    assert len(packet_times(tmp_path / "o.mp4", "video")) == 50
    assert packet_times(tmp_path / "o.mp4", "audio")[-1] > Fraction(19, 10)


def test_source_that_lost_its_sound_is_warned_of(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        AudioTracks(str(tmp_path / "gone.mp4"))
    assert "gone.mp4" in caplog.text
