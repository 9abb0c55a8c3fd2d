"""A tune as a whole: what it finds is what a run gives."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import tempseg
from tempseg import load_config
from tempseg.cli.app import app
from tempseg.errors import ConfigError, OutputError, TempsegError
from tempseg.evaluation import evaluate
from tempseg.planning import Rehearsal
from tempseg.tuning import TruthRequest, choose, studies_of
from tempseg.tuning import search as searching
from tempseg.tuning import tune as tuning_room
from tempseg.tuning.cost import StageMs, measure_stages, rehearse_piece
from tempseg.tuning.scoring import score
from tempseg.tuning.search import search
from tempseg.tuning.space import trials
from tests.tuning.conftest import FRAMES, SCORES

FEW = (
    "keyframe.policy",
    "keyframe.min_interval",
    "keyframe.drift_threshold",
)


@pytest.fixture(scope="module")
def done(scene, tmp_path_factory):
    """A tune of the scene, for a share, and its folder."""
    folder = tmp_path_factory.mktemp("done")
    tuning = tempseg.tune(
        scene / "video.mp4",
        folder / "out",
        model=SCORES,
        fixed=["keyframe.min_interval", "keyframe.drift_threshold"],
        target="share=12%",
        cache=folder / "cache",
        configs=3,
        command=["tempseg", "tune", "a b.mp4"],
    )
    return tuning, folder / "out"


def test_the_chosen_config_runs_to_the_figures_it_promised(scene, done, tmp_path):
    tuning, folder = done
    best, per_frame = tmp_path / "best", tmp_path / "per-frame"
    tempseg.run(scene / "video.mp4", best, config=folder / "best.toml")
    tempseg.run(
        scene / "video.mp4",
        per_frame,
        model=SCORES,
        config={"keyframe.policy": "interval", "keyframe.interval": 1},
    )
    found = evaluate(best, reference=per_frame)
    assert found.settings.cuts == (24,)
    figures = tuning.choice.measured.figures
    run = json.loads((best / "run.json").read_text())["totals"]
    assert (run["frames"], run["keyframes"]) == (figures.frames, figures.keyframes)
    told = found.columns()["prediction"]
    for key in ("fidelity", "fidelity_p5", "fidelity_worst", "fidelity_between", "tc", "flicker"):
        assert told[key] == getattr(figures, key), key
    assert found.fidelity_floor == tuning.floor


def test_a_piece_is_run_for_real_with_the_answers_that_are_known(study, base):
    found = rehearse_piece(study.material, base)
    figures, _ = score([study], base)
    assert (found.frames, found.keyframes) == (figures.frames, figures.keyframes)
    assert found.wall_s > found.segmenter_s > 0
    assert found.overlay_bytes > 0


def test_speeds_are_predicted_by_what_a_stretch_of_a_run_took(scene, done, tmp_path, monkeypatch):
    _, folder = done
    slow = Rehearsal(10, 1, 100.0, 0.0, 1.0, 1000, 1000, 100.0)
    monkeypatch.setattr(tuning_room, "rehearse_piece", lambda material, config: slow)
    found = tempseg.tune(
        scene / "video.mp4",
        tmp_path / "out",
        model=SCORES,
        config={"keyframe.policy": "interval"},
        fixed=["keyframe.policy", "keyframe.min_interval"],
        target="fps=1",
        cache=folder.parent / "cache",
        configs=1,
    )
    assert not found.choice.reached
    for m in found.measured:
        if m.figures.keyframes < m.figures.frames:
            # Ten seconds a frame that all carry alike, and what the model takes.
            assert m.ms == pytest.approx(10_000, rel=0.5)


def test_the_choice_keeps_the_target_and_nothing_that_keeps_it_is_better(done):
    tuning, _ = done
    assert tuning.choice.reached
    figures = tuning.choice.measured.figures
    assert figures.share <= 0.12
    keep = [m for m in tuning.measured if m.figures.share <= 0.12]
    assert figures.fidelity_between == max(m.figures.fidelity_between for m in keep)


def test_what_was_given_is_measured_and_names_are_unique(done):
    tuning, _ = done
    names = [m.trial.name for m in tuning.measured]
    assert "as given" in names
    assert len(set(names)) == len(names)
    same = [name for m in tuning.measured for name in m.same_as]
    assert not set(same) & set(names)
    assert tuning.notes.tried >= tuning.notes.distinct >= tuning.notes.sampled


@pytest.mark.parametrize("configs", [1, 2])
def test_fewer_configs_are_compared_where_fewer_are_wanted(study, base, configs):
    tried = trials(base)[::4]
    stages = measure_stages(study.material, base)
    found = search([study], tried, stages, in_full=configs)
    baselines = [
        m
        for m in found.measured
        if not m.trial.keys or m.trial.keys["keyframe.policy"] in ("interval", "every")
    ]
    assert len(found.measured) <= len(baselines) + 10 * configs
    policies = {m.trial.config.keyframe.policy for m in found.measured}
    assert policies == {"interval", "share", "span", "adaptive"}


def test_what_a_first_part_shows_to_be_worse_is_not_measured_in_full(study, base, monkeypatch):
    monkeypatch.setattr("tempseg.tuning.scoring.LEAST_PART", 10)
    shown = {}

    def watched(studies, config, *, part=1.0):
        figures, seconds = score(studies, config, part=part)
        if part < 1:
            shown[config.model_dump_json()] = figures.fidelity_between
        return figures, seconds

    monkeypatch.setattr(searching, "score", watched)
    # Motion is dear, so that what needs none is told from the rest by its time.
    stages = StageMs(decode=1.0, motion=1000.0, segment=1.0, write=1.0, cores=1)
    found = search([study], trials(base)[::4], stages, in_full=3)
    full = [
        m.trial.config.model_dump_json()
        for m in found.measured
        if m.trial.keys and m.trial.keys["keyframe.policy"] not in ("interval", "every")
    ]
    assert 0 < len(full) <= 3 < len(shown)
    assert max(shown.values()) in [shown[key] for key in full]
    for m in found.measured:
        assert (m.ms < 500) == (m.figures.keyframes == m.figures.frames)


def test_the_files_tell_the_same(done):
    tuning, folder = done
    told = json.loads((folder / "tune.json").read_text())
    assert told["target"] == {
        "text": "share=12%",
        "line": 0.12,
        "value": tuning.choice.value,
        "reached": True,
    }
    assert [c["name"] for c in told["configs"]] == [m.trial.name for m in tuning.measured]
    (chosen,) = [c for c in told["configs"] if c["chosen"]]
    assert chosen["fidelity"] == tuning.choice.measured.figures.fidelity
    page = (folder / "tune.html").read_text()
    for m in tuning.measured:
        assert m.trial.name in page
    assert "a b.mp4" in page
    assert re.search(r"; \d+\.\d cores", page)
    # Only what charts need is megabytes large.
    assert len(page) < 300_000
    best = (folder / "best.toml").read_text()
    assert f"{tuning.choice.measured.figures.share:.2%}" in best
    assert "# tempseg tune 'a b.mp4'" in best
    assert tomllib.loads(best)["segmenter"]["model"] == SCORES


def test_the_picture_has_a_point_for_every_config_but_the_model_on_every_frame(done):
    tuning, folder = done
    root = ElementTree.parse(folder / "pareto.svg").getroot()
    svg = "{http://www.w3.org/2000/svg}"
    dots = [c for c in root.iter(f"{svg}circle") if c.get("class") == "dot"]
    shown = [m for m in tuning.measured if m.figures.keyframes < m.figures.frames]
    assert len(dots) == 2 * len(shown)
    for circle in root.iter(f"{svg}circle"):
        assert 0 <= float(circle.get("cx")) <= 440
        assert 0 <= float(circle.get("cy")) <= 330
    assert len([c for c in root.iter(f"{svg}circle") if c.get("class") == "chosen"]) == 2


def test_one_config_is_chosen_for_several_videos(scene, tmp_path):
    other = tmp_path / "other"
    tempseg.synthesise(other, seed=8, width=160, height=96, duration_s=1.2)
    sources = [str(scene / "video.mp4"), str(other / "video.mp4")]
    config = load_config(overrides={"segmenter.model": SCORES})
    studies = studies_of(sources, config, cache=tmp_path / "cache")
    assert [len(study) for study in studies] == [FRAMES, 30]
    choice = choose(studies, "share=15%", config=config, fixed=FEW, in_full=2)
    figures = choice.measured.figures
    assert figures.frames == FRAMES + 30
    alone = [score([study], choice.config)[0] for study in studies]
    assert sum(one.keyframes for one in alone) == figures.keyframes
    weighed = sum(one.fidelity * one.frames for one in alone) / figures.frames
    assert figures.fidelity == pytest.approx(weighed)


def test_a_long_video_is_sampled(source, tmp_path):
    config = load_config(overrides={"segmenter.model": SCORES})
    studies = studies_of([source], config, cache=tmp_path, sample=16, seed=1)
    assert [len(study) for study in studies] == [16]
    recording = studies[0].material.recording
    assert recording.first_index > 0
    # The piece is what a run of that part sees.
    part = load_config(
        overrides={
            "segmenter.model": SCORES,
            "source.start": recording.piece.start,
            "source.end": recording.piece.end,
        }
    )
    ran = [r.frame.pts for r in tempseg.segment(source, config=part)]
    assert [row["pts"] for row in recording.journal.rows] == ran


def test_the_truth_says_what_is_good_as_eval_does(scene, source, tmp_path):
    mapping = tmp_path / "map.toml"
    names = ["dark", "middle", "bright"]
    lines = [f'"{name}" = {number}' for number, name in enumerate(names)]
    mapping.write_text("\n".join(lines) + "\n")
    labels = str(scene / "labels")
    request = TruthRequest(labels, mapping=mapping, classes="camvid")
    config = load_config(overrides={"segmenter.model": SCORES, "keyframe.max_interval": 6})
    (study,) = studies_of([source], config, cache=tmp_path / "cache", truths=[request])
    figures, _ = score([study], config)
    tempseg.run(source, tmp_path / "run", config=config)
    found = evaluate(tmp_path / "run", truth=labels, mapping=mapping, classes="camvid")
    assert figures.miou == found.columns()["prediction"]["miou"]
    assert not math.isnan(figures.miou)


def test_truth_of_some_frames_is_matched_on_a_sample(scene, source, tmp_path):
    masks = {"segmenter.model": f"masks:{scene / 'labels'}", "segmenter.classes": "camvid"}
    config = load_config(overrides=masks)
    (study,) = studies_of(
        [source],
        config,
        cache=tmp_path,
        sample=16,
        seed=1,
        truths=[TruthRequest(scene / "labels")],
    )
    assert sorted(study.truth.maps) == list(range(16))
    every = load_config(
        overrides=config.set_keys() | {"keyframe.policy": "interval", "keyframe.interval": 1}
    )
    # The model is the truth itself, and each frame has met its own.
    assert score([study], every)[0].miou == 1.0


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"target": "speed=3"}, "--target"),
        ({"sample": -1}, "--sample"),
        ({"truth": ["a", "b"]}, "--truth"),
        ({"configs": 0}, "--configs"),
        ({"model": "masks:x", "sources": ["a.mp4", "b.mp4"]}, "one by one"),
        ({"sources": []}, "needs a source"),
        ({"config": {"keyframe.intervall": 3}}, "did you mean"),
    ],
)
def test_a_wrong_request_is_told_before_the_work(source, tmp_path, problem, message):
    wanted = {"sources": [source], "model": SCORES, "cache": tmp_path / "cache"} | problem
    with pytest.raises(ConfigError, match=message):
        tempseg.tune(**wanted)
    assert not (tmp_path / "cache" / "recordings").exists()


def test_files_in_place_of_folders_are_refused(source, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match=r"--cache .*file: is a file, expected a folder"):
        tempseg.tune(source, model=SCORES, cache=tmp_path / "file")
    with pytest.raises(OutputError, match=r"file: is a file, expected a folder"):
        tempseg.tune(source, tmp_path / "file", model=SCORES, cache=tmp_path / "cache")


def test_what_an_earlier_tune_left_is_not_replaced(source, tmp_path):
    (tmp_path / "best.toml").write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        tempseg.tune(source, tmp_path, model=SCORES, cache=tmp_path / "cache")
    assert (tmp_path / "best.toml").read_text() == "mine"


def invoke(*arguments):
    return CliRunner().invoke(app, ["tune", *map(str, arguments)], catch_exceptions=True)


def test_the_command_prints_the_front_and_ends_with_0(source, tmp_path):
    held = ["--set", "keyframe.policy=interval"]
    common = ["--model", SCORES, "--cache", tmp_path / "cache", "--configs", 1, *held]
    result = invoke(
        source, "--out", tmp_path / "out", "--target", "share=20%", "--end", 0.8, *common
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"→\s+interval", result.output)
    assert "20 times" in result.output
    assert (tmp_path / "out" / "best.toml").exists()


def test_a_target_out_of_reach_ends_with_1_and_gives_the_nearest(source, tmp_path):
    held = ["--set", "keyframe.policy=interval"]
    common = ["--model", SCORES, "--cache", tmp_path / "cache", "--configs", 1, *held]
    result = invoke(source, "--out", tmp_path, "--target", "share=1%", "--end", 0.8, *common)
    assert result.exit_code == 1
    assert "out of reach" in result.output
    assert "not reached" in (tmp_path / "best.toml").read_text()
    assert load_config(tmp_path / "best.toml").keyframe.interval == 20


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--map", "ids.toml", "--every", 3], "--map, --every: of a truth; give one with --truth"),
        (["--offset", 2], "--offset: of a truth; give one with --truth"),
        (["--set", "keyframe=3"], "keyframe: is a section; give one of keyframe.policy"),
        (["--seed", 0, "--set", "keyframe.intervall=3"], "did you mean keyframe.interval?"),
    ],
)
def test_options_that_would_do_nothing_are_errors(source, tmp_path, given, told):
    result = invoke(source, "--out", tmp_path / "o", "--model", SCORES, *given)
    assert isinstance(result.exception, ConfigError)
    assert told in str(result.exception)


def test_keys_of_a_table_are_held_too(source, tmp_path):
    held = 'keyframe={policy="interval",interval=8}'
    common = ["--model", SCORES, "--cache", tmp_path / "cache", "--end", 0.8]
    result = invoke(
        source, "--out", tmp_path / "out", "--target", "share=50%", "--set", held, *common
    )
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "out" / "tune.json").read_text())
    assert [config["name"] for config in told["configs"]] == ["as given"]
    assert load_config(tmp_path / "out" / "best.toml").keyframe.interval == 8


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fixed": ["keyframe.intervall"]}, "did you mean keyframe.interval?"),
        ({"seed": -1}, "--seed -1: expected a whole number, at least 0"),
        ({"sample": 1.5}, "--sample 1.5: expected frames"),
    ],
)
def test_wrong_requests_in_python_are_errors_of_config(source, tmp_path, options, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        tempseg.tune(source, model=SCORES, cache=str(tmp_path), **options)


@pytest.mark.parametrize("target", ["share=five", "nonsense", "fps=0"])
def test_a_bad_target_is_an_error_of_config(source, tmp_path, target):
    result = invoke(source, "--out", tmp_path / "o", "--model", SCORES, "--target", target)
    assert isinstance(result.exception, TempsegError)
    assert "--target" in str(result.exception)
    assert not Path(tmp_path / "o" / "best.toml").exists()
