"""Files as they are opened and read, whatever they turn out to hold."""

from __future__ import annotations

import av
import pytest

from tempseg.video import open_source
from tempseg.video.container import demuxed, may_restart, open_input

from .clips import write_clip


class Late:
    """A container that fails on a stream it did not know when it was opened, as PyAV's do."""

    def __init__(self, packets):
        self._packets = packets

    def demux(self, streams):
        yield from self._packets
        raise IndexError("list index out of range")


def test_a_stream_that_damage_shows_late_takes_no_packet_along():
    assert list(demuxed(Late([1, 2, 3]), [])) == [1, 2, 3]


def test_what_cannot_be_read_on_is_told():
    class Broken(Late):
        def demux(self, streams):
            raise av.error.InvalidDataError(1, "damaged")

    with pytest.raises(av.error.InvalidDataError):
        list(demuxed(Broken([]), []))


@pytest.mark.parametrize(("name", "restarts"), [("a.ts", True), ("a.mp4", False), ("a.mkv", False)])
def test_transport_streams_are_those_whose_clock_may_start_again(tmp_path, name, restarts):
    with open_input(str(write_clip(tmp_path / name))) as container:
        assert may_restart(container) is restarts


def test_frames_before_a_part_are_counted_in_a_damaged_stream(tmp_path):
    clip = write_clip(tmp_path / "a.ts", range(100))
    data = bytearray(clip.read_bytes())
    # A stretch of packets near the end that are none.
    data[-20 * 188 : -10 * 188] = bytes(10 * 188)
    clip.write_bytes(bytes(data))
    assert open_source(str(clip), start=1).count_before() == 25
