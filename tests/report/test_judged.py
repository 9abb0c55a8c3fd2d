"""Pages with what the metrics say: a run's own, an evaluation's, and a comparison's."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import tempseg
from tempseg.api import report
from tempseg.report import write_comparison, write_evaluation_page
from tempseg.report.judging import judgement_of
from tests.report.conftest import FRAMES, segment_clip


@pytest.fixture(scope="module")
def evaluation(finished):
    return tempseg.evaluate(finished)


def _data(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.findall(r'id="page-data">(.*?)</script>', text)[0])


def _titles(chart):
    return [
        re.sub(r"<[^>]*>", "", note["narrow_text"])
        for note in chart["layout"]["annotations"]
        if "narrow_text" in note
    ]


def test_report_draws_temporal_consistency_and_flicker_of_every_pair(copied):
    page = report(copied)
    assert page == copied / "report.html"
    chart = _data(page)["charts"]["steadiness"]
    assert _titles(chart) == ["TC", "flicker", "flip rate", "blink"]
    drawn = chart["data"][0]["y"]
    assert len(drawn) == FRAMES
    assert drawn[0] is None
    assert all(0 < value <= 1 for value in drawn[1:])


def test_temporal_consistency_never_stands_without_its_warning_and_the_copied_keyframe(copied):
    text = report(copied).read_text(encoding="utf-8")
    assert "Labels that never change score a TC of 1" in text
    assert "last keyframe copied" in text


def test_the_worst_moments_of_a_judged_run_are_those_that_flicker_most(copied, evaluation):
    text = report(copied).read_text(encoding="utf-8")
    shown = [float(time) for time in re.findall(r'data-seek="([\d.]+)"', text)]
    assert shown == [evaluation.frames[index].time_s for index in evaluation.worst]
    assert shown


def test_curves_keep_the_place_of_frames_that_were_not_evaluated(evaluation):
    scores = judgement_of(evaluation, frames=FRAMES + 5)
    assert all(len(curve) == FRAMES + 5 for curve in scores.curves.values())
    assert np.isnan(scores.curves["tc"][FRAMES:]).all()
    assert scores.curves["flip_rate"][20] == pytest.approx(evaluation.frames[20].flip_rate)


def test_an_evaluations_page_holds_its_figures_and_curves(evaluation, tmp_path):
    page = write_evaluation_page(tmp_path / "page.html", evaluation)
    text = page.read_text(encoding="utf-8")
    assert f"{evaluation.columns()['prediction']['tc']:.4f}" in text
    assert "TC" in _titles(_data(page)["charts"]["steadiness"])
    for window, count in evaluation.settings.windows.items():
        assert re.search(rf"windows: {window}</th>\s*<td[^>]*>{count}<", text)
    assert "Labels that never change score a TC of 1" in text


def test_a_sparse_truth_is_drawn_with_marks(finished, material, tmp_path):
    truth = tmp_path / "truth"
    truth.mkdir()
    for index in range(0, FRAMES, 10):
        name = f"{index:03d}.png"
        (truth / name).write_bytes((material / "labels" / name).read_bytes())
    scored = tempseg.evaluate(finished, truth=truth, every=10)
    page = write_evaluation_page(tmp_path / "page.html", scored)
    accuracy = _data(page)["charts"]["steadiness"]["data"][0]
    assert accuracy["mode"] == "lines+markers"
    assert len(accuracy["y"]) == 4
    assert "Labels that never change" not in page.read_text(encoding="utf-8")


def test_a_comparison_draws_the_judgement_of_every_run(finished, material, evaluation, tmp_path):
    other = tmp_path / "other"
    segment_clip(material, other, config={"keyframe.interval": 4, "output.report": False})
    scored = (evaluation, tempseg.evaluate(other))
    page = write_comparison(tmp_path / "page.html", [finished, other], evaluations=scored)
    chart = _data(page)["charts"]["steadiness"]
    assert _titles(chart)[0] == "TC"
    assert [trace["name"] for trace in chart["data"][:2]] == ["a run's &lt;folder&gt;", "other"]
    text = page.read_text(encoding="utf-8")
    assert all(f"{s.columns()['prediction']['tc']:.4f}" in text for s in scored)


def test_as_many_evaluations_as_runs_or_none(finished, evaluation, tmp_path):
    with pytest.raises(ValueError, match="1 folders but 2 evaluations"):
        write_comparison(tmp_path / "p.html", [finished], evaluations=[evaluation] * 2)
