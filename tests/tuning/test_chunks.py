"""A whole recording is replayed in the chunks that a run of it is cut into."""

from __future__ import annotations

import csv
from dataclasses import replace

import av
import numpy as np
import pytest

import tempseg
from tempseg import load_config
from tempseg.outputs.stats import verdict_cells
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.tuning import studies_of
from tempseg.tuning.decisions import Decisions
from tempseg.tuning.replay import replay
from tempseg.tuning.scoring import score
from tempseg.tuning.space import trials
from tempseg.video import read_label_video

from ..video.clips import write_clip
from .conftest import SCORES

FRAMES, CUT = 72, 40
BASE = {
    "segmenter.model": SCORES,
    "run.chunk_s": 0.6,
    "output.overlay": False,
    "output.report": False,
}
CONFIGS = (
    {"keyframe.policy": "share", "keyframe.share": 0.1},
    {"keyframe.policy": "span"},
    {"keyframe.policy": "adaptive", "keyframe.max_interval": 11},
    {"keyframe.policy": "interval", "keyframe.interval": 8, "propagate.lookahead": 0},
    {"keyframe.policy": "interval", "keyframe.interval": 30, "keyframe.forced": [16, "1.5"]},
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video with a cut, that can be read from every eighth frame."""

    def shown(index):
        scene = moving_shapes(
            [MovingShape((40, 36), (20, 30), velocity=(1.9, 0.7))],
            width=128,
            height=96,
            frame_count=FRAMES,
        )
        image = scene.render(index % CUT).image
        return av.VideoFrame.from_ndarray(255 - image if index >= CUT else image, "rgb24")

    return write_clip(
        tmp_path_factory.mktemp("chunks") / "clip.mp4",
        range(FRAMES),
        width=128,
        height=96,
        options={"preset": "veryfast", "g": "8", "sc_threshold": "0"},
        frames=map(shown, range(FRAMES)),
    )


@pytest.fixture(scope="module")
def study(clip, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    (found,) = studies_of([str(clip)], load_config(overrides=BASE), cache=cache)
    return found


def in_one(study):
    """Return the study as if a run were not cut."""
    recording = study.material.recording
    whole = replace(recording.chunks[0], part=replace(recording.chunks[0].part, end=None))
    return replace(recording, chunks=(whole,))


@pytest.mark.parametrize("keys", CONFIGS, ids=str)
def test_a_replay_is_cut_where_the_run_is(study, clip, tmp_path, keys):
    config = load_config(overrides=BASE | keys)
    recording, segmenter = study.material.recording, study.material.segmenter
    assert len(recording.chunks) == 5
    replayed = list(replay(recording, config, segmenter))
    tempseg.run(clip, tmp_path / "run", config=config)
    with (tmp_path / "run" / "frames.csv").open(newline="") as table:
        rows = list(csv.reader(table))[1:]
    told = [
        [
            str(one.frame.index),
            f"{one.frame.time_s:.6f}",
            one.origin.value,
            one.reason.value if one.reason else "",
            str(one.shot),
            *verdict_cells(one),
        ]
        for one in replayed
    ]
    assert told == [row[: len(told[0])] for row in rows]
    written = read_label_video(str(tmp_path / "run" / "masks.mkv"))
    for one, (_, labels) in zip(replayed, written, strict=True):
        assert np.array_equal(one.segmentation.labels, labels)


@pytest.mark.parametrize("keys", [{}, {"propagate.lookahead": 0}], ids=str)
def test_decisions_are_those_of_the_run_in_chunks(study, keys):
    base = load_config(overrides=BASE | keys | {"keyframe.forced": [16, "1.5"]})
    recording, segmenter = study.material.recording, study.material.segmenter
    decisions = Decisions(recording, segmenter)
    # Policies whose decisions may be proved by what the engine saw under another.
    by_frame = [t for t in trials(base) if t.config.keyframe.policy in ("adaptive", "interval")]
    some = by_frame[::13]
    for trial in some:
        results = list(replay(recording, trial.config, segmenter))
        ran = tuple((at, one.reason.value) for at, one in enumerate(results) if one.reason)
        told = decisions.of(trial.config)
        assert told.keyframes == ran, trial.name
        shots = [one.shot for one in results]
        assert told.shots == tuple(i for i, s in enumerate(shots) if not i or s != shots[i - 1])
    assert decisions.replays < len(some)


def test_figures_are_those_of_the_run_in_chunks(study, clip, tmp_path):
    config = load_config(overrides=BASE | {"keyframe.policy": "share", "keyframe.share": 0.1})
    every = load_config(overrides=BASE | {"keyframe.policy": "every"})
    tempseg.run(clip, tmp_path / "run", config=config)
    tempseg.run(clip, tmp_path / "every", config=every)
    found = tempseg.evaluate(tmp_path / "run", video=clip, reference=tmp_path / "every")
    figures, _ = score([study], config)
    ran = found.prediction
    assert figures.fidelity_between == pytest.approx(ran.fidelity.fidelity_between, abs=1e-12)
    assert figures.tc == pytest.approx(ran.motion.temporal.tc, abs=1e-12)


def test_a_budget_is_each_chunks_own(study):
    config = load_config(overrides=BASE | {"keyframe.policy": "share", "keyframe.share": 0.1})
    segmenter = study.material.segmenter

    def keyframes(recording):
        results = replay(recording, config, segmenter)
        return [at for at, one in enumerate(results) if one.reason is not None]

    # Or none of the above can tell one engine from one a chunk.
    assert keyframes(study.material.recording) != keyframes(in_one(study))


def test_a_piece_of_a_sample_is_one_chunk(clip, tmp_path):
    (piece,) = studies_of([str(clip)], load_config(overrides=BASE), cache=tmp_path, sample=40)
    assert len(piece.material.recording.chunks) == 1
