"""Targets, fronts, samples, spaces and answers, one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tempseg import Prediction, load_config
from tempseg.errors import ConfigError
from tempseg.kernels import carry
from tempseg.label_images import write_label_image
from tempseg.planning import Rehearsal
from tempseg.tuning.answers import AnswerStore, packed, unpacked
from tempseg.tuning.cost import Carrying, StageMs
from tempseg.tuning.pareto import front, layers
from tempseg.tuning.reference import open_model
from tempseg.tuning.results import choose_among
from tempseg.tuning.sample import draw_pieces
from tempseg.tuning.scoring import Figures
from tempseg.tuning.search import Measured
from tempseg.tuning.space import LOOKAHEAD, SPACE, Trial, trials
from tempseg.tuning.targets import Target, parse_target
from tempseg.types import Placement, Segment, VideoInfo

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=24)


def naive_front(points):
    """Return what no other point beats, of equals the first: by the definition."""

    def beats(one, other):
        return one != other and one[0] <= other[0] and one[1] >= other[1]

    found = [
        i
        for i, point in enumerate(points)
        if not any(beats(other, point) for other in points) and point not in points[:i]
    ]
    return sorted(found, key=lambda i: points[i][0])


@given(POINTS)
def test_the_front_is_what_nothing_beats(points):
    assert front(points) == naive_front(points)


@given(POINTS)
def test_layers_hold_every_point_once(points):
    found = [i for layer in layers(points) for i in layer]
    assert sorted(found) == list(range(len(points)))


def test_a_point_with_nan_is_on_no_front_and_in_the_last_layer():
    points = [(1.0, math.nan), (2.0, 0.5)]
    assert front(points) == [1]
    assert layers(points) == [[1], [0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("share=5%", Target("share", 0.05)),
        ("share = 0.05", Target("share", 0.05)),
        ("share=100%", Target("share", 1.0)),
        ("fps=30", Target("fps", 30.0)),
        ("fps=29.97", Target("fps", 29.97)),
        ("fidelity=floor", Target("fidelity", 0.0, from_floor=True)),
        ("fidelity=floor-1", Target("fidelity", -0.01, from_floor=True)),
        ("fidelity=floor - 1.5", Target("fidelity", -0.015, from_floor=True)),
        ("fidelity=floor+2", Target("fidelity", 0.02, from_floor=True)),
        ("fidelity=85%", Target("fidelity", 0.85)),
        ("fidelity=0.85", Target("fidelity", 0.85)),
    ],
)
def test_targets_are_read(text, expected):
    found = parse_target(text)
    assert found.kind == expected.kind
    assert found.from_floor == expected.from_floor
    assert found.value == pytest.approx(expected.value)
    again = parse_target(str(found))
    assert again.value == pytest.approx(found.value)
    assert again.kind == found.kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "share",
        "share=",
        "speed=3",
        "share=five",
        "share=0",
        "share=120%",
        "share=-5%",
        "share=nan",
        "share=inf",
        "fps=0",
        "fps=-3",
        "fps=30%",
        "fidelity=floor1",
        "fidelity=floor-",
        "fidelity=floor-200",
        "fidelity=floor-100.5",
        "nonsense=5%",
        "fidelity=flor-1",
        "fidelity=2",
    ],
)
def test_what_is_no_target_is_refused(text):
    with pytest.raises(ConfigError, match="--target"):
        parse_target(text)


def test_a_share_above_one_is_taken_for_a_forgotten_percent_sign():
    with pytest.raises(ConfigError, match="did you mean share=5%"):
        parse_target("share=5")


@pytest.mark.parametrize("text", ["share=0", "share=101", "share=-1"])
def test_no_percent_sign_is_missed_where_it_would_not_help(text):
    with pytest.raises(ConfigError) as refused:
        parse_target(text)
    assert "did you mean" not in str(refused.value)


def measured(name, share, fidelity, ms=10.0, tc=0.9):
    rest = dict.fromkeys(
        [
            "fidelity_p5",
            "fidelity_worst",
            "fidelity_p5_between",
            "fidelity_worst_between",
            "flicker",
            "miou",
        ],
        math.nan,
    )
    figures = Figures(
        frames=1000,
        keyframes=round(1000 * share),
        share=share,
        fidelity=fidelity,
        fidelity_between=fidelity,
        tc=tc,
        carry_ms=0.0,
        **rest,
    )
    # A stage that is all there is tells the time of a frame.
    return Measured(Trial(name, {}, load_config()), figures, StageMs(0.0, 0.0, 0.0, ms, cores=64))


SOME = [
    measured("few", 0.02, 0.70, ms=8),
    measured("fair", 0.05, 0.80, ms=20),
    measured("fair and steady", 0.05, 0.80, ms=20, tc=0.95),
    measured("many", 0.30, 0.90, ms=60),
]


@pytest.mark.parametrize(
    ("target", "name", "reached"),
    [
        ("share=5%", "fair and steady", True),
        ("share=4.9%", "few", True),
        ("share=1%", "few", False),
        ("fps=50", "fair and steady", True),
        ("fps=100", "few", True),
        ("fps=1000", "few", False),
        ("fidelity=floor-1", "many", True),
        ("fidelity=floor-10", "fair and steady", True),
        ("fidelity=0.95", "many", False),
    ],
)
def test_the_best_that_keeps_the_target_is_chosen_or_the_nearest(target, name, reached):
    choice = choose_among(SOME, parse_target(target), floor=0.85)
    assert (choice.measured.trial.name, choice.reached) == (name, reached)


def video(count, rate=25):
    return VideoInfo("v", 64, 64, Fraction(1, 1000), Fraction(rate), frame_count=count)


@given(st.integers(500, 100_000), st.sampled_from([100, 150, 400, 1000]), st.integers(0, 5))
@example(679, 400, 2)
@settings(max_examples=60)
def test_pieces_of_a_long_video_lie_across_it_and_apart(count, frames, seed):
    pieces = draw_pieces("v", video(count), load_config(), frames=frames, seed=seed)
    if len(pieces) == 1 and pieces[0].start is None:
        assert count <= frames * 5 // 4
        return
    spans = [(piece.start * 25, piece.end * 25) for piece in pieces]
    assert sum(round(end - max(start, -0.5)) for start, end in spans) == pytest.approx(
        frames, abs=len(spans)
    )
    assert all(a[1] <= b[0] + 0.51 for a, b in pairwise(spans))
    assert spans[-1][1] <= count
    # A stretch begins at a whole frame, and a piece half a frame early; times are rounded.
    bounds = [count * i // len(spans) for i in range(len(spans) + 1)]
    for (begin, _), (lower, upper) in zip(spans, pairwise(bounds), strict=True):
        assert lower - 0.51 <= begin < upper


def test_pieces_follow_from_the_seed():
    drawn = [
        draw_pieces("v", video(9000), load_config(), frames=400, seed=seed) for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_short_video_is_taken_whole():
    (piece,) = draw_pieces("v", video(450), load_config(), frames=400, seed=0)
    assert (piece.start, piece.end) == (None, None)


def test_the_space_holds_hundreds_of_configs_each_once():
    found = trials(load_config())
    assert len(found) > 150
    assert len({trial.config.model_dump_json() for trial in found}) == len(found)
    assert len({trial.name for trial in found}) == len(found)


def test_every_policy_of_the_table_is_a_policy():
    for family in SPACE:
        load_config(overrides={"keyframe.policy": family.policy})
        assert all(key.startswith("keyframe.") for key in family.values)


def test_what_is_held_fast_stays():
    base = load_config(overrides={"keyframe.min_interval": 4, "keyframe.policy": "adaptive"})
    found = trials(base, ["keyframe.min_interval", "keyframe.policy"])
    assert {trial.config.keyframe.min_interval for trial in found} == {4}
    assert {trial.config.keyframe.policy for trial in found} == {"adaptive"}


def test_a_live_config_is_tried_without_looking_ahead():
    found = trials(load_config(overrides={LOOKAHEAD: 0}))
    assert {trial.config.propagate.lookahead for trial in found} == {0}


def scores_of(seed, classes):
    random = np.random.default_rng(seed)
    # Many equals, and many that are equal only once they are packed.
    raw = random.choice([0.0, 0.25, 0.5, 0.5 + 1e-4, 1.0], (9, 7, classes))
    raw += random.random((9, 7, classes)) * random.choice([0, 1e-5, 1])
    return np.ascontiguousarray(np.clip(raw, 0, 1), np.float32)


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_scores_come_back_as_the_engine_packs_them(seed, classes):
    scores = scores_of(seed, classes)
    prediction = Prediction(Placement.stretch((9, 7), (90, 70)), scores=scores)
    again, ms = unpacked(packed(prediction, ms=3.5))
    assert again.placement == prediction.placement
    assert ms == 3.5
    kept = []
    for given_scores in (scores, again.scores):
        bytes_of, winners = np.empty(scores.shape, np.uint8), np.empty((9, 7), np.uint8)
        carry.pack(given_scores, bytes_of, winners)
        kept.append((bytes_of.tobytes(), winners.tobytes()))
    assert kept[0] == kept[1]


def test_scores_that_the_engine_refuses_are_not_kept(tmp_path):
    scores = np.full((9, 7, 2), np.nan, np.float32)
    store = AnswerStore(tmp_path)
    with pytest.raises(ValueError, match="scores are not finite"):
        store.put(3, Prediction(Placement(1, 0, 1, 0), scores=scores), ms=1)
    assert store.get(3) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_and_segments_come_back(dtype):
    labels = np.arange(12, dtype=dtype).reshape(3, 4)
    segments = {3: Segment(3, 1, 0.5, True), 300: Segment(300, 2)}
    prediction = Prediction(Placement(1.0, 0.5, 2.0, 0.0), labels=labels, segments=segments)
    again, _ = unpacked(packed(prediction))
    assert again.labels.dtype == dtype
    assert np.array_equal(again.labels, labels)
    assert again.segments == segments


@pytest.mark.parametrize("place", [0, 20, 60, -1])
def test_a_damaged_answer_is_told_and_dropped(tmp_path, caplog, place):
    store = AnswerStore(tmp_path)
    store.put(7, Prediction(Placement(1, 0, 1, 0), labels=np.eye(20, dtype=np.uint8)), ms=1)
    content = bytearray(store.file(7).read_bytes())
    content[place] ^= 1
    store.file(7).write_bytes(bytes(content))
    assert store.get(7) is None
    assert not store.file(7).exists()
    assert "the model is asked again" in caplog.text


def test_an_answer_cut_short_is_dropped(tmp_path):
    store = AnswerStore(tmp_path)
    store.put(0, Prediction(Placement(1, 0, 1, 0), labels=np.eye(20, dtype=np.uint8)), ms=1)
    content = store.file(0).read_bytes()
    for length in (0, 5, len(content) // 2, len(content) - 1):
        store.file(0).write_bytes(content[:length])
        assert store.get(0) is None


def test_time_is_that_of_the_slowest_or_of_all_work_shared_out():
    stages = StageMs(decode=2, motion=4, segment=100, write=6, cores=2)
    assert stages.run_ms(Carrying(20, both_ways=True, moves=True), share=0.0) == 20
    many = stages.run_ms(Carrying(1, both_ways=True, moves=False), share=1.0)
    assert many == pytest.approx(104.5)
    one_way = Carrying(10, both_ways=False, moves=True)
    alone = replace(stages, cores=1).run_ms(one_way, share=0.1)
    assert alone == pytest.approx(2 + 2 + 10 + 6 + 10)


def rehearsal(frames=10, wall_s=0.25, segmenter_s=0.05):
    return Rehearsal(frames, 2, wall_s, segmenter_s, 0.1, 1000, 1000, 100.0)


def test_stages_that_slow_one_another_down_tell_what_a_run_took():
    stages = StageMs(decode=5, motion=5, segment=100, write=10, cores=2)
    carrying = Carrying(10, both_ways=True, moves=True)
    assert stages.run_ms(carrying, share=0.0) == 15
    held = stages.held_to(rehearsal(), carrying)
    # 30 ms of work in 20 ms, the segmenter's own 5 aside.
    assert held == replace(stages, cores=1.5)
    assert held.run_ms(carrying, share=0.0) == pytest.approx(20)
    assert held.run_ms(carrying, share=0.1) == pytest.approx(30)


@pytest.mark.parametrize("wall_s", [0.05, 0.1])
def test_no_more_work_is_done_at_a_time_than_there_are_cores(wall_s):
    stages = StageMs(decode=5, motion=5, segment=100, write=10, cores=2)
    carrying = Carrying(10, both_ways=True, moves=True)
    assert stages.held_to(rehearsal(wall_s=wall_s), carrying) == stages


def test_a_model_of_more_classes_than_can_be_scored_is_refused(tmp_path):
    write_label_image(tmp_path / "0.png", np.full((4, 5), 5000, np.uint16))
    config = load_config(overrides={"segmenter.model": f"masks:{tmp_path}"})
    with pytest.raises(ConfigError, match=r"has 5001 classes, but at most 4096.*keyframe"):
        open_model(config)
