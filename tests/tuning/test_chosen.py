"""Which config is chosen where figures are missing or equal, and how it is written down."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import replace

import pytest

from tempseg.config import load_config
from tempseg.errors import SourceError
from tempseg.report.front_picture import TOP, front_svg
from tempseg.tuning import studies_of
from tempseg.tuning.cost import Carrying, StageMs
from tempseg.tuning.results import Choice, Tuning, TuningNotes, best_toml, choose_among
from tempseg.tuning.sample import Piece, draw_pieces
from tempseg.tuning.space import LOOKAHEAD, trials
from tempseg.tuning.targets import parse_target

from ..video.clips import write_clip
from .conftest import LABELS
from .test_parts import measured, video


def _chosen(some, target, **options):
    return choose_among(some, parse_target(target), floor=0.85, **options)


@pytest.mark.parametrize(
    ("target", "line"), [("share=5%", 0.05), ("fps=50", 50.0), ("fidelity=0.8", 0.8)]
)
def test_a_config_on_the_line_keeps_the_target(target, line):
    choice = _chosen([measured("on it", 0.05, 0.8, ms=20)], target)
    assert choice.reached
    assert choice.value == choice.line == line


@pytest.mark.parametrize(
    ("target", "nearest"), [("share=1%", "few"), ("fidelity=0.99", "good"), ("fps=999", "fast")]
)
def test_where_none_keeps_the_target_the_nearest_is_taken(target, nearest):
    some = [
        measured("few", 0.02, 0.5, ms=20),
        measured("good", 0.05, 0.9, ms=30),
        measured("fast", 0.03, 0.6, ms=10),
    ]
    choice = _chosen(some, target)
    assert (choice.measured.trial.name, choice.reached) == (nearest, False)


def test_a_fidelity_is_kept_with_the_fewest_keyframes_though_more_would_be_better():
    some = [measured("better", 0.1, 0.95), measured("fewer", 0.05, 0.9)]
    assert _chosen(some, "fidelity=0.8").measured.trial.name == "fewer"


def test_of_configs_alike_in_quality_the_one_with_fewer_keyframes_is_taken():
    some = [measured("more", 0.1, 0.9), measured("fewer", 0.05, 0.9), measured("most", 0.2, 0.9)]
    assert _chosen(some, "fps=1").measured.trial.name == "fewer"


@pytest.mark.parametrize("target", ["share=50%", "fidelity=0.99"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_config_of_which_nothing_is_known_is_never_chosen_before_another(target, first):
    some = [measured("known", 0.1, 0.3), measured("unknown", 0.05, math.nan)]
    found = _chosen(some[::-1] if first else some, target)
    assert found.measured.trial.name == "known"


@pytest.mark.parametrize("first", [0, 1])
def test_a_config_whose_consistency_is_unknown_is_not_the_steadier(first):
    some = [measured("steady", 0.1, 0.8, tc=0.9), measured("unknown", 0.1, 0.8, tc=math.nan)]
    found = _chosen(some[::-1] if first else some, "share=50%")
    assert found.measured.trial.name == "steady"


def test_with_a_truth_the_truth_says_what_is_good():
    true, faithful = measured("true", 0.1, 0.7), measured("faithful", 0.1, 0.9)
    true = replace(true, figures=replace(true.figures, miou=0.8))
    faithful = replace(faithful, figures=replace(faithful.figures, miou=0.6))
    some = [true, faithful]
    assert _chosen(some, "share=50%", truth=True).measured is true
    assert _chosen(some, "share=50%").measured is faithful


def _tuning(*some, chosen=0, floor=0.85, sources=("a.mp4",), config=None):
    if config is not None:
        one = some[chosen]
        some = (*some[:chosen], replace(one, trial=replace(one.trial, config=config)))
    notes = TuningNotes(sources, "street", ("a.mp4",), 1000, 77, 9, 8, 7, 1.5, "cache")
    choice = Choice(some[chosen], parse_target("share=5%"), 0.05, 0.04, reached=True)
    return Tuning(notes, StageMs(1, 2, 3, 4, 2), floor, tuple(some), choice)


SLOW_BUT_FEW = measured("slow but few", 0.02, 0.8, ms=50)
FAST_BUT_MANY = measured("fast but many", 0.05, 0.8, ms=10)


def test_a_config_may_be_on_the_front_of_shares_and_not_on_that_of_times():
    tuning = _tuning(SLOW_BUT_FEW, FAST_BUT_MANY)
    assert tuning.front == (SLOW_BUT_FEW,)
    assert tuning.fast_front == (FAST_BUT_MANY,)
    told = json.loads(tuning.to_json())["configs"]
    assert [(c["on_front"], c["on_fast_front"]) for c in told] == [(True, False), (False, True)]


def test_figures_of_the_tune_are_in_its_record():
    told = json.loads(_tuning(SLOW_BUT_FEW).to_json())
    names = ("frames", "segmenter_calls", "tried", "distinct", "sampled", "wall_s")
    assert [told[name] for name in names] == [1000, 77, 9, 8, 7, 1.5]
    assert (told["configs"][0]["ms"], told["configs"][0]["fps"]) == (50, 20)


def test_the_best_config_is_told_with_its_floor_and_its_speed():
    best = best_toml(_tuning(SLOW_BUT_FEW))
    assert "(floor 0.8500)" in best
    assert "# about 20.0 frames/s" in best


def test_the_best_config_does_not_say_which_part_was_tuned_on():
    config = load_config(
        overrides={"source.start": 1.0, "source.end": 2.0, "segmenter.model": "street"}
    )
    told = tomllib.loads(best_toml(_tuning(SLOW_BUT_FEW, config=config)))
    assert told == {"segmenter": {"model": "street"}}


def test_a_key_that_stands_at_its_default_is_told_where_a_model_may_say_otherwise():
    keys = {"keyframe.drift_threshold": 0.2, "propagate.lookahead": 24}
    plain = load_config()
    keys = {key: getattr(getattr(plain, key.split(".")[0]), key.split(".")[1]) for key in keys}
    told = tomllib.loads(best_toml(_tuning(SLOW_BUT_FEW, config=load_config(overrides=keys))))
    assert told == {"keyframe": {"drift_threshold": keys["keyframe.drift_threshold"]}}


@pytest.mark.parametrize("name", ["a\nb = 1.mp4", "a\rb = 1.mp4", "a\x7f.mp4"])
def test_a_source_with_an_odd_name_leaves_a_config_that_can_be_read(name):
    config = load_config(overrides={"segmenter.model": name})
    best = best_toml(_tuning(SLOW_BUT_FEW, config=config, sources=(name.replace("\x7f", ""),)))
    assert tomllib.loads(best) == {"segmenter": {"model": name}}


def test_a_video_a_quarter_longer_than_the_sample_is_still_taken_whole():
    assert draw_pieces("v", video(500), load_config(), frames=400, seed=0) == [Piece("v")]
    assert len(draw_pieces("v", video(501), load_config(), frames=400, seed=0)) == 4


def test_pieces_of_a_part_lie_in_the_part():
    part = replace(video(9000), start_s=60.0)
    config = load_config(overrides={"source.start": 60})
    pieces = draw_pieces("v", part, config, frames=400, seed=0)
    assert all(60 <= piece.start < piece.end <= 60 + 9000 / 25 for piece in pieces)
    plain = draw_pieces("v", video(9000), load_config(), frames=400, seed=0)
    assert [piece.start - 60 for piece in pieces] == pytest.approx([p.start for p in plain])


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_piece_that_falls_into_a_pause_is_passed_over(tmp_path, monkeypatch, pieces):
    monkeypatch.setattr("tempseg.tuning.sample.PIECE_FRAMES", 40 // pieces)
    # Two seconds, nothing for twenty, two seconds.
    times = [*range(50), *range(550, 600)]
    clip = write_clip(tmp_path / "paused.mp4", times, container={"movflags": "faststart"})
    config = load_config(overrides={"segmenter.model": LABELS})
    if pieces == 1:
        with pytest.raises(SourceError, match=r"none lies where pieces were drawn; .*--sample 0"):
            studies_of([str(clip)], config, cache=tmp_path, sample=40, seed=1)
        return
    studies = studies_of([str(clip)], config, cache=tmp_path, sample=40, seed=1)
    assert 0 < len(studies) < pieces


def _places(piece, rate=25):
    """Return the places of the frames that lie in a piece, at an even rate."""
    return range(math.ceil(piece.start * rate), math.ceil(piece.end * rate))


def test_pieces_hold_as_many_frames_as_were_asked_for():
    for seed in range(20):
        pieces = draw_pieces("v", video(9000), load_config(), frames=403, seed=seed)
        assert [len(_places(piece)) for piece in pieces] == [101, 101, 101, 100]


def test_a_piece_may_lie_anywhere_in_its_stretch():
    drawn = [draw_pieces("v", video(252), load_config(), frames=200, seed=s) for s in range(400)]
    for number, (lower, upper) in enumerate([(0, 126), (126, 252)]):
        places = [_places(pieces[number]) for pieces in drawn]
        assert {place.start for place in places} == set(range(lower, upper - 100 + 1))
        assert {place.stop for place in places} == set(range(lower + 100, upper + 1))


def test_few_frames_are_one_piece():
    assert len(draw_pieces("v", video(9000), load_config(), frames=1, seed=0)) == 1
    assert len(draw_pieces("v", video(9000), load_config(), frames=149, seed=0)) == 1
    assert len(draw_pieces("v", video(9000), load_config(), frames=151, seed=0)) == 2


@pytest.mark.parametrize(
    ("piece", "name"),
    [
        (Piece("v"), "v"),
        (Piece("v", 2.5, 6.5), "v from 2.5 to 6.5"),
        (Piece("v", None, 6.5), "v from 0 to 6.5"),
        (Piece("v", 2.5), "v from 2.5"),
    ],
)
def test_a_piece_is_named_by_where_it_begins_and_ends(piece, name):
    assert piece.name == name


def test_a_lookahead_that_is_fixed_is_that_of_every_trial():
    base = load_config(overrides={LOOKAHEAD: 9})
    assert {trial.config.propagate.lookahead for trial in trials(base)} > {9}
    fixed = trials(base, [LOOKAHEAD])
    assert {trial.config.propagate.lookahead for trial in fixed} == {9}


def test_time_is_never_less_than_that_of_any_stage():
    for stage in ("decode", "motion", "write"):
        stages = replace(StageMs(1, 1, 1, 1, cores=64), **{stage: 50.0})
        assert stages.run_ms(Carrying(1, both_ways=True, moves=True), share=0.1) == 50


def test_motion_one_way_takes_half_and_none_takes_nothing():
    stages = StageMs(1, 40, 1, 1, cores=64)
    taken = [
        stages.run_ms(Carrying(1, both_ways=both, moves=moves), share=0.1)
        for both, moves in ((True, True), (False, True), (True, False))
    ]
    assert taken == [40, 20, pytest.approx(1.1)]


def test_a_measured_config_has_a_speed():
    assert measured("x", 0.1, 0.8, ms=4).fps == 250


@pytest.mark.parametrize(("text", "value"), [("floor-100", -1.0), ("floor+100", 1.0)])
def test_a_fidelity_may_lie_as_far_from_the_floor_as_there_are_points(text, value):
    assert parse_target(f"fidelity={text}").value == value


def _by_interval(one):
    return replace(one, trial=replace(one.trial, keys={"keyframe.policy": "interval"}))


def test_the_picture_names_the_policy_interval_only_where_it_was_tried():
    told = "best of policy interval"
    assert told not in front_svg(_tuning(SLOW_BUT_FEW, FAST_BUT_MANY))
    worse = _by_interval(measured("interval 8", 0.06, 0.7))
    assert told in front_svg(_tuning(SLOW_BUT_FEW, worse))
    assert told not in front_svg(_tuning(_by_interval(SLOW_BUT_FEW)))


def test_the_axis_of_quality_ends_at_1():
    picture = front_svg(_tuning(measured("all agree", 0.04, 1.0), floor=1.0))
    assert f'cy="{TOP}.0" r="8"' in picture or f'cy="{TOP}" r="8"' in picture
