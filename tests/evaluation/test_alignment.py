"""Which label map belongs to which frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tempseg.class_sets import class_set
from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation.alignment import align
from tempseg.evaluation.inputs import LabelSequence
from tempseg.evaluation.maps import FolderMaps, VideoMaps
from tempseg.evaluation.runs import RunNotes


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


def _run(count, start_s):
    notes = RunNotes(
        folder=Path("run"),
        class_set=class_set("voc"),
        void=255,
        source="video.mp4",
        start_s=start_s,
        end_s=None,
        frame_rate=Fraction(25),
        numbers=tuple(range(count)),
        times_s=tuple(round((start_s or 0) + index / 25, 6) for index in range(count)),
        keyframes=(0,),
        cuts=frozenset(),
    )
    return LabelSequence("run", VideoMaps(Path("masks.mkv"), count), (2, 3), 8, run=notes)


def test_numbers_count_from_the_sources_first_frame_whatever_part_a_run_is_of():
    truth = _folder(*(f"{number:04d}" for number in range(40)))
    found = align(_run(10, 1.0), truth, before=lambda _: 25)
    assert (found.frames, found.places) == (tuple(range(10)), tuple(range(25, 35)))
    assert found.rule == "number"
    found = align(truth, _run(10, 1.0), before=lambda _: 25)
    assert (found.frames, found.places) == (tuple(range(25, 35)), tuple(range(10)))


def test_frames_before_a_part_are_counted_only_where_numbers_decide():
    def refuse(_):
        raise AssertionError

    assert align(_run(3, 1.0), _folder("7", "8", "9"), before=refuse).rule == "order"
    assert align(_run(3, None), _folder("1"), before=refuse).frames == (1,)


def test_runs_of_different_parts_meet_by_time():
    found = align(_run(10, 1.0), _run(50, None))
    assert (found.frames, found.places) == (tuple(range(10)), tuple(range(25, 35)))
    assert found.rule == "time"
    # As many frames on both sides, yet not the same ones.
    assert align(_run(10, 0.2), _run(10, None)).frames == tuple(range(5))


def test_runs_of_parts_that_share_no_frame_are_refused():
    with pytest.raises(SourceError, match=r"begins at 0 s, run at 1 s, .* runs of one part"):
        align(_run(10, 1.0), _run(10, None))


def test_a_label_video_of_another_count_is_refused_as_its_maps_have_no_names():
    with pytest.raises(SourceError, match=r"holds 40 label maps, masks\.mkv has 50 .* --every N"):
        align(_video(50), _video(40))
    assert align(_video(50), _video(5), every=10).frames == (0, 10, 20, 30, 40)
