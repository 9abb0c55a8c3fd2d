"""Recordings joined byte by byte, and clocks that run over: what follows goes on, its sound too."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import tempseg
from tempseg.video import open_source, read_label_video

from ..video.clips import packet_times, video_times, write_clip

MODEL = "python:tests.runners.models:bright"
RATE = 25
FRAMES = 50
WRAP_S = 2**33 / 90_000
"""Where the clock of a transport stream begins again."""


def _part(path, start_s, *, audio="aac"):
    offset = {"output_ts_offset": f"{start_s:.3f}"}
    return write_clip(path, range(FRAMES), audio=audio, container=offset)


def _joined(tmp_path, *starts_s, **options):
    parts = [_part(tmp_path / f"{n}.ts", start, **options) for n, start in enumerate(starts_s)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    return joined, sum(len(packet_times(part, "audio")) for part in parts)


def _run(source, out, **keys):
    config = {"keyframe.policy": "interval", "output.report": False, "run.chunk_s": 1.0} | keys
    tempseg.run(source, out, model=MODEL, config=config)
    with (out / "frames.csv").open(newline="") as table:
        return [float(row["time_s"]) for row in csv.DictReader(table)]


@pytest.mark.parametrize("starts_s", [(10, 10), (1000, 10), (10, 10, 10)], ids=str)
def test_what_follows_a_restart_goes_on_in_every_file(tmp_path, starts_s):
    source, sounds = _joined(tmp_path, *starts_s)
    times = _run(source, tmp_path / "run")
    count = FRAMES * len(starts_s)
    assert len(times) == count
    assert np.diff(times) == pytest.approx(np.full(count - 1, 1 / RATE), abs=1e-6)
    shown = video_times(tmp_path / "run" / "overlay.mp4")
    assert [float(time) for time in shown] == pytest.approx(times, abs=1e-3)
    masks = [float(time_s) for time_s, _ in read_label_video(str(tmp_path / "run" / "masks.mkv"))]
    assert masks == pytest.approx(times, abs=1e-3)
    heard = packet_times(tmp_path / "run" / "overlay.mp4", "audio")
    # Where two parts overlap by less than a packet one is left out.
    assert len(heard) >= sounds - len(starts_s)
    assert float(heard[-1]) == pytest.approx(times[-1], abs=0.1)


def test_sound_that_is_encoded_anew_goes_on_too(tmp_path):
    source, _ = _joined(tmp_path, 10, 10, audio="mp2")
    times = _run(source, tmp_path / "run")
    heard = packet_times(tmp_path / "run" / "overlay.mp4", "audio")
    assert float(heard[-1]) == pytest.approx(times[-1], abs=0.1)
    assert max(np.diff([float(time) for time in heard])) < 0.1


def test_sound_stays_beside_its_picture_over_many_restarts(tmp_path):
    source, _ = _joined(tmp_path, *[10] * 6)
    times = _run(source, tmp_path / "run")
    heard = [float(time) for time in packet_times(tmp_path / "run" / "overlay.mp4", "audio")]
    ahead = heard[0] - times[0]
    for part in range(1, 6):
        # Each part's first sound is as far from its first picture as in the first part.
        due = times[part * FRAMES] + ahead
        assert min(abs(time - due) for time in heard) < 0.022


def test_a_clock_that_runs_over_goes_on(tmp_path):
    source = _part(tmp_path / "over.ts", WRAP_S - 1)
    times = _run(source, tmp_path / "run")
    assert np.diff(times) == pytest.approx(np.full(FRAMES - 1, 1 / RATE), abs=1e-6)
    shown = video_times(tmp_path / "run" / "overlay.mp4")
    assert [float(time) for time in shown] == pytest.approx(times, abs=1e-3)
    heard = packet_times(tmp_path / "run" / "overlay.mp4", "audio")
    assert len(heard) >= len(packet_times(source, "audio")) - 1
    assert float(heard[-1]) == pytest.approx(times[-1], abs=0.1)


@pytest.mark.parametrize("starts_s", [(10, 10), (1000, 10)], ids=str)
@pytest.mark.parametrize(("start", "end"), [(0.52, None), (2.6, None), (1.0, 3.0)])
def test_a_part_is_counted_from_the_first_pass_on(tmp_path, starts_s, start, end):
    source, _ = _joined(tmp_path, *starts_s)
    whole = [frame.time_s for frame in open_source(str(source))]
    expected = [t for t in whole if start <= t - whole[0] + 1e-6 < (end or 100)]
    keys = {"source.start": start} | ({} if end is None else {"source.end": end})
    times = _run(source, tmp_path / "run", **keys)
    assert times == pytest.approx(expected, abs=1e-6)
    heard = packet_times(tmp_path / "run" / "overlay.mp4", "audio")
    assert float(heard[0]) < 0.03
    assert float(heard[-1]) == pytest.approx(times[-1] - times[0], abs=0.1)


def test_a_part_behind_a_restart_keeps_its_sound_in_flash_video(tmp_path):
    part = write_clip(tmp_path / "a.flv", range(FRAMES), audio="aac").read_bytes()
    source = tmp_path / "joined.flv"
    # Without the second one's header.
    source.write_bytes(part + part[13:])
    times = _run(source, tmp_path / "run", **{"source.start": 3.0})
    heard = packet_times(tmp_path / "run" / "overlay.mp4", "audio")
    assert float(heard[0]) < 0.03
    assert float(heard[-1]) == pytest.approx(times[-1] - times[0], abs=0.1)


def test_sound_after_the_part_does_not_count_as_skipped(tmp_path, caplog):
    source = _part(tmp_path / "over.ts", WRAP_S - 1)
    _run(source, tmp_path / "run", **{"source.end": 0.5})
    assert "skipped" not in caplog.text
