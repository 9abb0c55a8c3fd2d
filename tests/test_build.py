"""What config turns into."""

from __future__ import annotations

import pytest

from tempseg.build import forced_before_part, forced_frames
from tempseg.config import Config, load_config
from tempseg.engine import EngineSettings
from tempseg.errors import ConfigError
from tempseg.forced import Forced
from tempseg.policies import AdaptivePolicy, IntervalPolicy, Limits, SharePolicy, SpanPolicy


def test_defaults_of_the_config_are_those_of_the_classes_it_builds():
    config = Config()
    engine, keyframe, carried = EngineSettings(), config.keyframe, config.propagate
    assert engine.lookahead == carried.lookahead
    assert engine.keyframes_per_side == carried.keyframes_per_side
    assert engine.blend.residual_scale == carried.residual_scale
    assert engine.blend.residual_blur_px == carried.residual_blur_px
    assert engine.blend.time_scale == carried.time_scale
    assert engine.blend.smoothing == config.refine.smoothing
    assert engine.matching == config.refine.matching
    assert engine.void_unexplained == config.refine.void_unexplained
    assert engine.scene_threshold == keyframe.scene_threshold
    assert engine.resolution_px == config.flow.resolution_px
    assert IntervalPolicy().interval == keyframe.interval
    adaptive = AdaptivePolicy()
    assert adaptive.drift_threshold == keyframe.drift_threshold
    assert adaptive.doubt_threshold == keyframe.doubt_threshold
    assert adaptive.limits == Limits(keyframe.shortest, keyframe.longest)
    span = SpanPolicy()
    assert span.doubt_threshold == keyframe.doubt_threshold
    assert span.span_threshold == keyframe.span_threshold
    longest = load_config(overrides={"keyframe.policy": "span"}).keyframe.longest
    assert span.limits == Limits(keyframe.shortest, longest)
    assert SharePolicy().share == keyframe.share


def test_forced_keyframes_are_numbers_and_times():
    config = load_config(overrides={"keyframe.forced": [3, "12.5", "01:02", "1:00:00.25"]})
    assert forced_frames(config) == Forced(frozenset({3}), (12.5, 62.0, 3600.25))


@pytest.mark.parametrize(
    ("start", "early"),
    [(None, []), (1, ["0.5 s"]), ("00:01", ["0.5 s"]), ("2.5", ["0.5 s", "2 s"]), ("0:0:9:01", [])],
)
def test_a_time_before_the_part_forces_nothing(start, early):
    keys = {"keyframe.forced": ["0.5", "00:02", "12"], "source.start": start}
    config = load_config(overrides=keys)
    assert forced_before_part(config) == early
    assert forced_frames(config).times_s == (0.5, 2.0, 12.0)[len(early) :]


def test_a_time_that_is_the_parts_beginning_is_in_it():
    # One frame's time, with six decimals and with all.
    keys = {"keyframe.forced": [str(1001 / 30000)], "source.start": "0.033367"}
    assert forced_before_part(load_config(overrides=keys)) == []


@pytest.mark.parametrize("wanted", ["abc", "-1", "", "00:00:01:05"])
def test_a_forced_keyframe_that_is_neither_is_a_wrong_config(wanted):
    config = load_config(overrides={"keyframe.forced": [wanted]})
    told = rf"keyframe\.forced: '{wanted}': give a frame's number, or a time as seconds"
    with pytest.raises(ConfigError, match=told):
        forced_frames(config)
