from __future__ import annotations

import logging
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from av.stream import Disposition

from tempseg.video import AudioTracks, OverlayEncoder, audio, open_source
from tests.video.clips import packet_times, video_times, write_clip


def carry(clip, out, *, start=None, end=None) -> AudioTracks:
    source = open_source(str(clip), start=start, end=end)
    info = source.info
    tracks = AudioTracks(
        info.media_path, start_s=info.start_s, end_s=info.end_s, origin_s=info.origin_s
    )
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
                audio=tracks,
                origin_pts=frame.pts if info.start_s else 0,
            )
        encoder.write(planes, frame.pts)
    encoder.close()
    return tracks


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


@pytest.mark.parametrize(("name", "codec"), [("two.mp4", "aac"), ("two.mkv", "pcm_s16le")])
def test_the_track_that_is_played_is_the_sources(tmp_path, name, codec):
    told = [(Disposition.comment, "Comment"), (Disposition.default, "Main")]
    one = write_clip(tmp_path / "one.mkv", range(25), audio=codec)
    carry(_two_tracks(one, tmp_path / name, told), tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as clip:
        assert told == [(s.disposition, s.metadata["name"]) for s in clip.streams.audio]


def _two_tracks(clip, path, told):
    with av.open(str(clip)) as source, av.open(str(path), "w") as out:
        picture = out.add_stream_from_template(source.streams.video[0])
        sounds = [out.add_stream_from_template(source.streams.audio[0]) for _ in told]
        for sound, (disposition, title) in zip(sounds, told, strict=True):
            sound.disposition, sound.metadata["title"] = disposition, title
        for packet in source.demux():
            if packet.size and packet.stream.type == "video":
                packet.stream = picture
                out.mux(packet)
        for sound in sounds:
            with av.open(str(clip)) as again:
                for packet in again.demux(audio=0):
                    if packet.size:
                        packet.stream = sound
                        out.mux(packet)
    return path


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


@pytest.mark.parametrize("start", [0.2, 0.6])
def test_sound_of_an_early_part_is_whole(tmp_path, start):
    # A seek to before the first frame of an AVI leads to one behind it.
    clip = write_clip(tmp_path / "a.avi", range(75), audio="ac3")
    carry(clip, tmp_path / "o.mp4", start=start, end=2)
    times = packet_times(tmp_path / "o.mp4", "audio")
    assert 0 <= times[0] < 0.033
    assert 2 - start - 0.05 < times[-1] < 2 - start


def test_sound_before_a_late_picture_is_kept_from_zero_on(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", range(100, 150), audio="aac")
    carry(clip, tmp_path / "o.mp4", start=0)
    times = packet_times(tmp_path / "o.mp4", "audio")
    assert 0 <= times[0] < 0.022


def test_sound_stored_ahead_of_its_picture_is_found(tmp_path):
    clip = write_clip(tmp_path / "a.mkv", range(100), audio="aac")
    carry(_sound_first(clip, tmp_path / "b.mkv"), tmp_path / "o.mp4", start=2.5, end=3.5)
    carry(clip, tmp_path / "p.mp4", start=2.5, end=3.5)
    assert sound(tmp_path / "o.mp4") == sound(tmp_path / "p.mp4")


def _sound_first(clip, path):
    with av.open(str(clip)) as source:
        packets = [packet for packet in source.demux() if packet.size]
        with av.open(str(path), "w", container_options={"max_interleave_delta": "1"}) as out:
            streams = [out.add_stream_from_template(stream) for stream in source.streams]
            for packet in sorted(packets, key=lambda packet: packet.stream.type):
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return path


def test_sound_of_a_recording_that_begins_amid_a_group_ends_with_the_picture(tmp_path):
    options = {"preset": "ultrafast", "g": "50"}
    clip = write_clip(tmp_path / "a.ts", range(150), audio="aac", options=options)
    data = clip.read_bytes()
    clip.write_bytes(data[len(data) // 10 // 188 * 188 :])
    with av.open(str(clip)) as cut:
        first = cut.streams.video[0].start_time * cut.streams.video[0].time_base
    carry(clip, tmp_path / "o.mp4", end=2)
    last = video_times(tmp_path / "o.mp4")[-1]
    assert video_times(tmp_path / "o.mp4")[0] > first + 1
    assert packet_times(tmp_path / "o.mp4", "audio")[-1] == pytest.approx(float(last), abs=0.05)


@pytest.fixture
def read(monkeypatch):
    """Times of the sound's packets as they are read, one of which may be set wrong."""
    demuxed, times, wrong = audio.demuxed, [], {}

    def watched(container, streams):
        for packet in demuxed(container, streams):
            if packet.size:
                packet.pts += wrong.get(len(times), 0)
                times.append(float(packet.pts * packet.time_base))
            yield packet

    monkeypatch.setattr(audio, "demuxed", watched)
    return times, wrong


def test_sound_after_a_part_is_not_read(tmp_path, read):
    times, _ = read
    carry(write_clip(tmp_path / "a.mkv", range(250), audio="aac"), tmp_path / "o.mp4", end=1)
    assert max(times) < 1.1


def test_one_wrong_time_does_not_end_the_sound(tmp_path, read):
    _, wrong = read
    wrong[10] = 100_000
    carry(write_clip(tmp_path / "a.mkv", range(75), audio="aac"), tmp_path / "o.mp4", end=2)
    times = packet_times(tmp_path / "o.mp4", "audio")
    assert len(times) == pytest.approx(2 * 48000 / 1024, abs=3)


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
