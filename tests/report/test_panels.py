"""What the charts of a run are made of."""

from __future__ import annotations

import json
import re

import pytest

from tempseg.report import write_comparison
from tempseg.report.label_pass import summarise_labels
from tempseg.report.panels import areas_chart, evidence_chart, reason_height, timeline_chart
from tempseg.report.records import read_run
from tempseg.report.sections import reason_legend
from tempseg.report.views import RunView
from tests.report.conftest import segment_clip


def _view(material, out, **config):
    segment_clip(material, out, config=config)
    run = read_run(out)
    return RunView(run, summarise_labels(run), "run", "var(--accent)")


def _lines(chart, value):
    """Return how often a level is drawn, as a limit or as what evidence was held against."""
    layout, traces = chart.figure["layout"], chart.figure["data"]
    limits = [shape for shape in layout.get("shapes", ()) if shape.get("y0") == value]
    curves = [t for t in traces if t["name"] == "threshold" and value in t["y"]]
    return len(limits), len(curves)


def _notes(chart):
    return " ".join(str(note.get("text")) for note in chart.figure["layout"]["annotations"])


def test_the_longest_interval_has_a_name_also_where_the_policy_chose_it(material, tmp_path):
    quiet = {"keyframe.policy": "adaptive", "keyframe.drift_threshold": 1.0}
    view = _view(material, tmp_path / "run", **quiet, **{"keyframe.doubt_threshold": 50})
    assert view.keyframes["interval"]
    chart = evidence_chart([view])
    assert "max_interval" in _notes(chart)
    assert _lines(chart, 15) == (1, 0)


def test_a_level_that_is_drawn_is_not_drawn_again(material, tmp_path):
    chart = evidence_chart([_view(material, tmp_path / "run", **{"keyframe.interval": 8})])
    assert "interval" in _notes(chart)
    assert _lines(chart, 8) == (1, 0)


def test_runs_that_colour_blind_readers_confuse_differ_in_pattern(finished, tmp_path):
    """Colours 3 and 4 are 1.3 apart (CIE76) in the dark theme for who sees no green."""
    page = write_comparison(tmp_path / "page.html", [finished] * 4).read_text("utf-8")
    charts = json.loads(re.search(r'id="page-data">(.*?)</script>', page, re.DOTALL)[1])["charts"]
    lines = [trace["line"] for trace in charts["steadiness"]["data"][:4]]
    assert lines[2]["dash"] != lines[3]["dash"]
    assert "border-top-style:dashed;border-top-color:var(--run-3)" in page
    assert "border-top-style:solid;border-top-color:var(--run-4)" in page


def test_marks_of_reasons_differ_in_height_on_the_chart_and_in_its_legend(finished):
    run = read_run(finished)
    assert reason_height("doubt") - reason_height("drift") > 0.1
    assert reason_height("interval") - reason_height("chunk") > 0.1
    legend = reason_legend([RunView(run, summarise_labels(run), "run", "var(--accent)")])
    told = {int(height) for height in re.findall(r"height:(\d+)px", legend)}
    assert told == {round(20 * reason_height(r)) for r in ("first", "interval")}


@pytest.mark.parametrize("end", [0.03, None])
def test_classes_have_an_area_whatever_the_length(material, tmp_path, end):
    view = _view(material, tmp_path / "run", **({} if end is None else {"source.end": end}))
    chart = areas_chart(view, name="areas", time_range_s=view.time_range_s)
    for trace in chart.figure["data"]:
        assert len(trace["x"]) == len(trace["y"]) >= 2
        assert trace["x"][0] != trace["x"][-1]


def test_a_keyframe_is_told_by_what_was_measured_only_where_that_decided(material, tmp_path):
    keys = {"keyframe.policy": "interval", "keyframe.interval": 8, "keyframe.forced": [3]}
    chart = timeline_chart([_view(material, tmp_path / "run", **keys)])
    told = {trace["name"]: trace["text"][0] for trace in chart.figure["data"]}
    assert told["interval"].endswith(": age 8, threshold 8")
    assert told["forced"].startswith("forced, frame 3 at ")
    assert "threshold" not in told["forced"]


def test_a_keyframe_inside_a_span_is_told_by_what_the_span_contradicted(material, tmp_path):
    keys = {"keyframe.policy": "span", "keyframe.doubt_threshold": 50, "keyframe.max_interval": 12}
    view = _view(material, tmp_path / "run", **keys, **{"keyframe.span_threshold": 0.0})
    chart = timeline_chart([view])
    told = {trace["name"]: trace["text"][0] for trace in chart.figure["data"]}
    assert ": churn of the span " in told["span"]
    # The lines are what frames were held against.
    lines = [t["y"] for t in evidence_chart([view]).figure["data"] if t["name"] == "threshold"]
    frames = view.run.frames
    (inside, *_) = (i for i, reason in enumerate(frames.reasons) if reason == "span")
    assert lines
    assert all(y[inside] is None for y in lines)
