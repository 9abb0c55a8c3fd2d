"""Interlaced H.264 whose frames are coded as two fields, each a packet of its own."""

from __future__ import annotations

import re
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempseg.video import FramePart, open_source, survey
from tempseg.video.fields import FieldPairs

SIDE = 32
GROUP, FRAMES = 5, 15


def golomb(*values: int) -> str:
    return "".join(f"{n + 1:0{2 * (n + 1).bit_length() - 1}b}" for n in values)


def unit(kind: int, bits: str) -> bytes:
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    content = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\0\0\0\1" + bytes([kind]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", content)


def parameter_sets(*, high: bool) -> bytes:
    profile = f"{100 if high else 77:08b}{0:08b}{30:08b}" + golomb(0)
    if high:
        # 4:2:0 in 8 bits; of eight scaling lists the first is told, as flat.
        profile += golomb(1, 0, 0) + "0" + "1" + "1" + "1" * 16 + "0" * 7
    # Numbers of frames in 4 bits, orders in 8; a frame is 2×2 macroblocks, and may be fields;
    # 50 of them a second.
    sequence = profile + golomb(0, 0, 4, 1) + "0" + golomb(1, 0) + "0010"
    sequence += "1" + "00001" + f"{1:032b}{50:032b}" + "10000"
    picture = golomb(0, 0) + "00" + golomb(0, 0, 0) + "000" + golomb(0, 0, 0) + "100"
    return unit(0x67, sequence) + unit(0x68, picture)


def field(frame: int, bottom: int) -> bytes:
    """A field of gray, sample by sample."""
    place = frame % GROUP
    opens = place == 0 and not bottom
    bits = golomb(0, 7, 0) + f"{place:04b}1{bottom}"
    bits += (golomb(frame // GROUP % 2) if opens else "") + f"{2 * place + bottom:08b}"
    bits += ("00" if opens else "0") + golomb(0, 1)
    for _ in range(SIDE // 16):
        bits += golomb(25)
        bits += "0" * (-len(bits) % 8) + f"{100 + 8 * frame:08b}" * 256 + f"{128:08b}" * 128
    return unit(0x65 if opens else 0x61, bits)


def write_fields(path, *, high: bool = False, timed: bool = True):
    """Write frames of two fields; `timed` gives the second ones a time too."""
    sets = parameter_sets(high=high)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = SIDE
        stream.codec_context.time_base = Fraction(1, 90000)
        for frame in range(FRAMES):
            fields = [b"\0\0\0\1\x09\x10" + field(frame, bottom) for bottom in (0, 1)]
            if frame % GROUP == 0:
                fields[0] = sets + fields[0]
            for place, data in enumerate(fields if timed else [b"".join(fields)]):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 90000)
                packet.pts = packet.dts = 3600 * frame + 1800 * place
                packet.is_keyframe = frame % GROUP == 0 and place == 0
                out.mux_one(packet)
    return path


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("timed", [True, False])
def test_two_fields_are_one_frame(tmp_path, high, timed):
    clip = str(write_fields(tmp_path / "a.ts", high=high, timed=timed))
    source = open_source(clip)
    found = survey(source, apart_s=0.1)
    source.close()
    assert found.frames == FRAMES
    assert [point.before for point in found.points] == [5, 10], found.doubt
    every = [(frame.pts, frame.luma.copy()) for frame in open_source(clip)]
    assert [int(luma[0, 0]) for _, luma in every] == [100 + 8 * i for i in range(FRAMES)]
    for point in found.points:
        part = open_source(clip, part=FramePart(point.pts, None, point.before))
        for frame, (pts, luma) in zip(part, every[point.before :], strict=True):
            assert frame.pts == pts
            np.testing.assert_array_equal(frame.luma, luma)


def test_frames_before_a_part_are_no_fields(tmp_path):
    clip = str(write_fields(tmp_path / "a.ts"))
    assert open_source(clip, start=0.28).count_before() == 7


def test_frames_of_two_fields_without_times_last_as_long_as_both(tmp_path):
    units = [field(frame, bottom) for frame in range(FRAMES) for bottom in (0, 1)]
    (tmp_path / "a.h264").write_bytes(b"".join([parameter_sets(high=False), *units]))
    times = [frame.time_s for frame in open_source(str(tmp_path / "a.h264"))]
    assert times == pytest.approx([0.04 * i for i in range(FRAMES)])


def test_packets_of_both_fields_are_whole_frames():
    context = SimpleNamespace(name="h264", extradata=parameter_sets(high=False))
    # The numbers of frames that are not referred to are alike, and film begins with either field.
    fields = FieldPairs(context)
    for first in (0, 1, 0):
        packet = av.Packet(field(1, first) + field(1, 1 - first))
        assert not fields.completes(packet)


@given(st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_damaged_headers_are_read_to_their_end(sets, slice_, framed):
    head = b"\x01\0\0\0\xff\xe1" + len(sets).to_bytes(2, "big") if framed else b"\0\0\1\x67"
    context = SimpleNamespace(name="h264", extradata=head + sets)
    start = len(slice_ + b"\x41").to_bytes(4, "big") if framed else b"\0\0\1"
    packet = av.Packet(start + b"\x41" + slice_)
    assert not FieldPairs(context).completes(packet)
