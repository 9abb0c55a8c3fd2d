"""Chunks on frames that are read in one go."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tempseg.forced import Forced
from tempseg.motion import Step
from tempseg.runners.chunks import Chunk
from tempseg.runners.one_reading import chunk_by_chunk
from tempseg.schedule import Decision
from tempseg.types import Frame
from tempseg.video import FramePart

RATE = Fraction(1, 25)
LUMA = np.zeros((4, 4), np.uint8)
CHUNKS = (
    Chunk(0, FramePart(None, 10, 0), 10),
    Chunk(1, FramePart(10, 20, 10), 10),
    Chunk(2, FramePart(20, None, 20), 5),
)


def frame(index, pts):
    return Frame.from_image(np.zeros((4, 4, 3), np.uint8), index=index, pts=pts, time_base=RATE)


def read(times, worked):
    """Return the frames that chunks give, by their times, and those that begin one."""

    def work(chunk, frames):
        for one in frames:
            worked.append((chunk.number, one.pts))
            yield Decision(Step(one, LUMA), 0, opens=False)

    frames = (frame(index, pts) for index, pts in enumerate(times))
    told = list(chunk_by_chunk(frames, CHUNKS, work, named=Forced()))
    return [one.frame.pts for one, _ in told], [one.frame.pts for one, seam in told if seam]


def test_a_chunk_reads_on_to_the_frame_that_the_next_begins_with():
    worked = []
    assert read(range(25), worked) == (list(range(25)), [10, 20])
    assert [chunk for chunk, pts in worked if pts == 10] == [0, 1]
    assert [chunk for chunk, pts in worked if pts == 20] == [1, 2]
    assert len(worked) == 27


@pytest.mark.parametrize("times", [range(10), range(15), [*range(10), *range(20, 25)]], ids=str)
def test_every_frame_comes_once_whatever_could_not_be_decoded(times):
    assert read(times, [])[0] == list(times)


def test_seams_stay_where_they_are_when_a_frame_before_them_is_lost():
    seams = CHUNKS[1].seams(RATE)
    # The first of the chunk is the ninth that could be decoded.
    assert seams.takes(frame(9, 10), None)
    assert not seams.takes(frame(10, 11), frame(9, 10))
    assert seams.takes(frame(19, 20), frame(18, 19))
