"""What config turns into."""

from __future__ import annotations

from tempseg.config import Config
from tempseg.engine import EngineSettings
from tempseg.policies import AdaptivePolicy, IntervalPolicy, Limits


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
    assert adaptive.limits == Limits(keyframe.min_interval, keyframe.longest)
