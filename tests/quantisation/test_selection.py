"""Which frames calibrate, and which compare."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.api import quantize
from tempseg.errors import SourceError
from tempseg.quantisation import selection
from tempseg.quantisation.selection import choose_frames, farthest_first, picked
from tempseg.types import Frame


class Shots:
    """A source of plain frames, one a gray level."""

    class info:  # noqa: N801 - as a source's
        name = "shots"

    def __init__(self, levels):
        self._levels = levels
        self.read = 0

    def __iter__(self):
        for index, level in enumerate(self._levels):
            self.read += 1
            yield Frame.from_image(np.full((18, 32, 3), level, np.uint8), index=index)


def test_kinds_as_one_string_are_refused():
    with pytest.raises(TypeError, match="kinds is the string 'int8', expected a list"):
        quantize("street", calibrate="video.mp4", kinds="int8")


def test_every_next_point_is_the_farthest_from_those_before():
    points = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32)
    order = farthest_first(points, 12)
    for count in range(1, 12):
        apart = ((points[:, None] - points[order[:count]]) ** 2).sum(axis=2).min(axis=1)
        assert apart[order[count]] == pytest.approx(apart.max())


def test_every_point_is_taken_once_even_where_all_are_alike():
    assert sorted(farthest_first(np.zeros((6, 3), np.float32), 6)) == list(range(6))


def test_calibration_takes_one_frame_of_every_shot_before_a_second_of_any():
    levels = [10] * 20 + [120] * 3 + [240] * 20
    choice = choose_frames(Shots(levels), calibrate=3, hold_out=2)
    assert {levels[index] for index in choice.calibration} == {10, 120, 240}
    assert not set(choice.calibration) & set(choice.held_out)
    assert len(choice.held_out) == 2


def test_a_short_source_is_divided_in_the_ratio_asked_for():
    choice = choose_frames(Shots(range(0, 240, 40)), calibrate=32, hold_out=16)
    assert (len(choice.calibration), len(choice.held_out)) == (4, 2)


def test_two_frames_are_one_of_each_and_one_is_refused():
    choice = choose_frames(Shots([0, 200]), calibrate=32, hold_out=16)
    assert (len(choice.calibration), len(choice.held_out)) == (1, 1)
    with pytest.raises(SourceError, match="shots: has only one frame"):
        choose_frames(Shots([0]), calibrate=1, hold_out=1)


def test_candidates_of_a_long_source_are_few_and_reach_its_end(monkeypatch):
    monkeypatch.setattr(selection, "MOST_CANDIDATES", 8)
    choice = choose_frames(Shots([index % 256 for index in range(61)]), calibrate=6, hold_out=2)
    chosen = sorted((*choice.calibration, *choice.held_out))
    assert chosen == [index for index in range(0, 64, 8) if index <= 61]


def test_nothing_is_read_behind_the_last_frame_wanted():
    shots = Shots(range(100))
    assert [frame.index for frame in picked(shots, {3, 7})] == [3, 7]
    assert shots.read == 8
