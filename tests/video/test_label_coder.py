"""FFV1 packets of label maps against FFmpeg's own encoder."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempseg.video import LabelEncoder
from tempseg.video import encode as encode_module
from tempseg.video import label_coder as coder_module
from tempseg.video.label_coder import FFV1_8, LabelCoder, slices_of

GROUP = 12


def _as_ffmpeg(maps):
    context = av.CodecContext.create("ffv1", "w")
    context.height, context.width = maps[0].shape
    context.pix_fmt, context.time_base = "gray", Fraction(1, 25)
    context.thread_count = 1
    context.flags |= av.codec.context.Flags.bitexact.value
    context.options = {**FFV1_8, "slices": str(slices_of(*maps[0].shape))}
    packets = []
    for place, labels in enumerate(maps):
        frame = av.VideoFrame.from_ndarray(labels, format="gray")
        frame.pts = place
        packets += context.encode(frame)
    return packets


def _blocks(rng, size, values, side):
    rows, columns = (-(-pixels // side) for pixels in size)
    small = rng.choice(values, (rows, columns))
    return np.kron(small, np.ones((side, side), int))[: size[0], : size[1]].astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(2, 40),
    width=st.integers(2, 70),
    values=st.lists(st.integers(0, 255), min_size=1, max_size=6),
    side=st.integers(1, 24),
    frames=st.integers(1, GROUP + 3),
    seed=st.integers(0, 9),
)
def test_packets_are_those_of_ffmpeg(height, width, values, side, frames, seed):
    rng = np.random.default_rng(seed)
    maps = [_blocks(rng, (height, width), values, side) for _ in range(frames)]
    coder = LabelCoder.of(height, width)
    assert coder is not None
    for labels, theirs in zip(maps, _as_ffmpeg(maps), strict=True):
        assert coder.next_is_keyframe == theirs.is_keyframe
        assert coder.packet(labels) == bytes(theirs)


def test_noise_of_all_labels_is_written_as_ffmpeg_does():
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, 256, (120, 333), dtype=np.uint8) for _ in range(GROUP + 1)]
    coder = LabelCoder.of(120, 333)
    assert [coder.packet(labels) for labels in maps] == [bytes(p) for p in _as_ffmpeg(maps)]


def test_labels_that_lie_apart_in_memory_are_written_as_ffmpeg_does():
    rng = np.random.default_rng(0)
    wide = _blocks(rng, (64, 200), [0, 3, 9], 7)
    part = wide[::2, 5:99]
    assert LabelCoder.of(*part.shape).packet(part) == bytes(_as_ffmpeg([part.copy()])[0])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_maps_that_cannot_be_split_are_left_to_ffmpeg(size):
    assert LabelCoder.of(*size) is None


@pytest.mark.parametrize(
    "spoil",
    [lambda packet: packet[:-1] + bytes([packet[-1] ^ 1]), lambda packet: packet + packet],
    ids=["another checksum", "more slices"],
)
def test_where_ffmpeg_writes_otherwise_it_is_left_to_ffmpeg(monkeypatch, spoil):
    usual = coder_module._as_ffmpeg
    monkeypatch.setattr(coder_module, "_as_ffmpeg", lambda maps: [spoil(p) for p in usual(maps)])
    coder_module._headers.cache_clear()
    assert LabelCoder.of(30, 40) is None
    coder_module._headers.cache_clear()


@pytest.mark.parametrize("size", [(720, 1280), (17, 33), (15, 400), (400, 3)])
def test_files_are_the_same_whoever_codes_them(tmp_path, monkeypatch, size):
    rng = np.random.default_rng(size[0])
    maps = [_blocks(rng, size, [0, 1, 2, 200, 255], 11) for _ in range(GROUP + 2)]

    def written(name):
        encoder = LabelEncoder(
            str(tmp_path / name),
            width=size[1],
            height=size[0],
            time_base=Fraction(1, 600),
            frame_rate=Fraction(25),
        )
        for place, labels in enumerate(maps):
            encoder.write(labels, place * 24 + 7)
        encoder.close()
        return (tmp_path / name).read_bytes()

    ours = written("ours.mkv")
    monkeypatch.setattr(encode_module.LabelCoder, "of", lambda height, width: None)
    assert ours == written("theirs.mkv")
    with av.open(str(tmp_path / "ours.mkv")) as container:
        read = [frame.to_ndarray() for frame in container.decode(video=0)]
    np.testing.assert_array_equal(read, maps)
