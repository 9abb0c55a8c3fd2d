"""What a plan makes of the stretches that it rehearsed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tempseg.build import build_segmenter, build_source
from tempseg.config import load_config
from tempseg.decisions import KeyframeReason
from tempseg.planning import Cost, PlannedKeyframe, RunPlan, plan
from tempseg.planning.rehearsal import Rehearsal, choose_stretch, rehearse

FRAMES = 100


@pytest.fixture
def planned(street, monkeypatch):
    """Plan with stretches that took so long; the first of them 7 s more than that."""

    def planned(*, keyframes=5, observer=None, compile_s=(), **keys):
        stretches = []

        def rehearsed(source, segmenter, config, stretch, *, part_s):
            source.close()
            stretches.append(stretch)
            here_s = dict(enumerate(compile_s, start=1)).get(len(stretches), 0.0)
            took_s = (2.0 + here_s, 0.1 * keyframes, 1.0 + here_s)
            return Rehearsal(50, keyframes, *took_s, 10**6, 3 * 10**6, 300.0, here_s)

        clock = iter([10.0, 19.0])
        monkeypatch.setattr(plan, "rehearse", rehearsed)
        monkeypatch.setattr(plan, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        config = {
            "segmenter.model": f"masks:{street / 'labels'}",
            "segmenter.classes": "camvid",
            "keyframe.policy": "interval",
            "keyframe.interval": 10,
        }
        made = plan.make_plan(
            str(street / "video.mp4"), load_config(overrides=config | keys), observer=observer
        )
        return made, stretches[1]

    return planned


def test_a_run_takes_the_pace_of_its_stretch_and_is_loaded_once(planned):
    made, _ = planned()
    # Twice as many frames, of which so many more are keyframes, and what loading took.
    expected = 2 * 2.0 + 0.1 * (len(made.keyframes) - 2 * 5) + (9.0 - 2.0)
    assert made.cost.wall_s == pytest.approx(expected)


def test_what_was_compiled_for_good_on_the_way_is_no_part_of_the_plan(planned):
    cold, warm = planned(compile_s=(5.0, 4.0))[0].cost, planned()[0].cost
    assert cold.wall_s == pytest.approx(warm.wall_s - 5.0)
    assert cold.carrying_ms == warm.carrying_ms


def test_figures_of_a_frame_a_call_and_the_disk_are_in_their_units(planned):
    cost = planned()[0].cost
    assert (cost.rehearsed_frames, cost.rehearsed_keyframes, cost.memory_mb) == (50, 5, 300.0)
    assert cost.segmenter_ms == pytest.approx(100)
    assert cost.carrying_ms == pytest.approx(1000 / 45)
    assert (cost.masks_mb, cost.overlay_mb, cost.disk_mb) == pytest.approx((2.0, 6.0, 8.0))


@pytest.mark.parametrize("audit", [0, 7, 5000])
def test_an_audit_takes_two_calls_for_each_frame_that_it_can_draw(planned, audit):
    made, _ = planned(**{"run.audit": audit})
    between = FRAMES - len(made.keyframes)
    assert made.cost.audit_s == pytest.approx(0.1 * 2 * min(audit, between))


def test_keyframes_that_are_exact_are_expected_as_they_are(planned):
    made, _ = planned(keyframes=40)
    assert made.cost.keyframes == len(made.keyframes)


@pytest.mark.parametrize("keyframes", [9, 50, 150])
def test_keyframes_that_borders_decide_are_expected_as_on_the_stretch(planned, keyframes):
    made, stretch = planned(keyframes=keyframes, **{"keyframe.policy": "share"})
    pictured = sum(keyframe.index in stretch for keyframe in made.keyframes)
    expected = min(FRAMES, round(len(made.keyframes) * keyframes / max(pictured, 1)))
    assert made.cost.keyframes == expected
    assert expected != len(made.keyframes)


def test_an_observer_follows_every_frame_of_a_plan(planned):
    told = []
    observer = SimpleNamespace(
        begin=lambda name, frames: told.append(frames), advance=lambda: told.append("advance")
    )
    planned(observer=observer)
    assert told == [FRAMES, *["advance"] * FRAMES]


@pytest.mark.parametrize("stretch", [range(5), range(4, 11), range(95, 100)])
def test_a_rehearsal_takes_the_frames_of_its_stretch_alone(street, stretch):
    config = load_config(
        overrides={
            "segmenter.model": f"masks:{street / 'labels'}",
            "segmenter.classes": "camvid",
            "keyframe.policy": "every",
        }
    )
    source = build_source(str(street / "video.mp4"), config)
    segmenter = build_segmenter(config, source=source)
    part_s = stretch[0] / 25, (stretch[-1] + 1) / 25
    found = rehearse(source, segmenter, config, stretch, part_s=part_s)
    assert found.frames == found.keyframes == len(stretch)


def test_a_stretch_holds_some_keyframes_even_where_they_are_far_apart():
    assert len(choose_stretch([i % 50 == 0 for i in range(2000)], segmenter_s=0.01)) == 200
    assert len(choose_stretch([i % 500 == 0 for i in range(5000)], segmenter_s=0.01)) == 300


def test_a_stretch_may_be_the_last_that_there_is_room_for():
    found = choose_stretch([i in {0, 54, *range(100, 130, 5)} for i in range(150)], segmenter_s=0)
    assert found == range(54, 150)


def test_a_stretch_is_not_so_far_on_that_getting_there_takes_long():
    found = choose_stretch([i % 10 == 0 for i in range(90_000)], segmenter_s=0.01)
    assert found.start <= 5000


def _advice(segmenter_ms, carrying_ms):
    cost = Cost(96, 7, 10, 9.0, 0.0, segmenter_ms, carrying_ms, 1.0, 2.0, 300.0)
    keyframes = (PlannedKeyframe(0, 0.0, KeyframeReason.FIRST),)
    return RunPlan("clip.mp4", 100, 3.96, keyframes, True, cost).advice


def test_advice_tells_what_a_call_takes_against_a_frame():
    assert "(19.0 ms a call against 20.0 ms a frame)" in _advice(19.0, 20.0)
    assert _advice(20.0, 20.0) is None
