"""Which label map belongs to which frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation.alignment import align
from tempseg.evaluation.inputs import LabelSequence
from tempseg.evaluation.maps import FolderMaps, VideoMaps


def _folder(*stems):
    maps = FolderMaps(tuple(Path(f"{stem}.png") for stem in stems))
    return LabelSequence("folder", maps, (2, 3), 8)


def _video(count):
    return LabelSequence("masks.mkv", VideoMaps(Path("masks.mkv"), count), (2, 3), 8)


def test_as_many_maps_go_by_order_whatever_they_are_called():
    found = align(_folder("a", "b", "c"), _folder("9", "10", "30"))
    assert (found.frames, found.places, found.rule) == ((0, 1, 2), (0, 1, 2), "order")


def test_every_and_offset_say_which_frame_a_map_belongs_to():
    found = align(_video(25), _folder("a", "b", "c"), every=10, offset=2)
    assert (found.frames, found.places) == ((2, 12, 22), (0, 1, 2))
    assert found.rule == "every 10"


def test_an_offset_alone_moves_maps_of_every_frame():
    assert align(_video(9), _folder("a", "b"), offset=4).frames == (4, 5)


def test_fewer_maps_are_matched_by_equal_names():
    found = align(_folder("x1", "x2", "y1", "y2"), _folder("x2", "y2", "z9"))
    assert (found.frames, found.places, found.rule) == ((1, 3), (0, 1), "name")


def test_names_of_a_runs_source_images_count_as_names_of_its_frames():
    found = align(_video(3), _folder("drive_b"), names=("drive_a", "drive_b", "drive_c"))
    assert (found.frames, found.rule) == ((1,), "name")


def test_without_equal_names_the_last_number_in_a_name_is_the_frame():
    found = align(_video(40), _folder("shot2_000004", "shot2_000014.true"))
    assert (found.frames, found.places, found.rule) == ((4, 14), (0, 1), "number")


def test_numbers_that_come_twice_match_nothing():
    with pytest.raises(SourceError, match="none of its 2 label maps"):
        align(_video(40), _folder("a_4", "b_4"))


def test_maps_that_meet_no_frame_are_refused_with_the_ways_out():
    with pytest.raises(SourceError, match=r"none of its 2 label maps .* --every N"):
        align(_video(5), _folder("truth_100", "truth_200"))


def test_every_that_leads_past_the_last_frame_is_refused():
    with pytest.raises(SourceError, match=r"last belongs to frame 20, but masks\.mkv has 20"):
        align(_video(20), _folder("a", "b", "c"), every=10)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"offset": -1}])
def test_steps_and_offsets_that_are_none_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected at least"):
        align(_video(5), _folder("a"), **wrong)
