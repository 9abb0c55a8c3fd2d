"""Long curves made short, and the pass over the label maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tempseg.report import label_pass
from tempseg.report.charts import Curve, curve_trace
from tempseg.report.label_pass import summarise_labels
from tempseg.report.moments import worst_moments
from tempseg.report.records import read_run
from tempseg.report.reduction import CURVE_POINTS, bucket_means, extremes
from tempseg.video import read_label_video
from tests.report.conftest import BLINK, FRAMES


def test_a_long_curve_keeps_its_peaks_and_dips_and_no_more_points_than_allowed():
    rng = np.random.default_rng(0)
    time_s = np.arange(100_000) / 25
    values = rng.normal(size=time_s.size)
    values[[77, 50_001]] = 99, -99
    short_time, short = extremes(time_s, values)
    assert len(short) <= CURVE_POINTS
    assert (np.diff(short_time) > 0).all()
    assert short_time[short.argmax()] == 77 / 25
    assert short_time[short.argmin()] == 50_001 / 25
    np.testing.assert_array_equal(short, values[np.rint(short_time * 25).astype(int)])


def test_a_long_curve_keeps_its_gaps():
    values = np.zeros(50_000)
    values[20_000:30_000] = np.nan
    short_time, short = extremes(np.arange(50_000.0), values)
    gap = short_time[np.isnan(short)]
    assert gap.min() == pytest.approx(20_000, abs=50)
    assert gap.max() == pytest.approx(30_000, abs=50)


def test_a_short_curve_stays_as_it_is():
    time_s, values = np.arange(9.0), np.arange(9.0) ** 2
    np.testing.assert_array_equal(extremes(time_s, values)[1], values)


def test_bucket_means_are_means_of_their_frames():
    values = np.random.default_rng(1).normal(size=11)
    edges = np.array([0, 4, 5, 11])
    expected = [values[0:4].mean(), values[4], values[5:11].mean()]
    np.testing.assert_allclose(bucket_means(values, edges), expected)


def _maps(folder):
    return np.stack([labels for _, labels in read_label_video(str(folder / "masks.mkv"))])


def _cut_at(run, cuts):
    return replace(run, frames=replace(run.frames, cuts=frozenset(cuts)))


def test_flip_rate_and_blink_follow_their_definitions(finished):
    maps = _maps(finished)
    summary = summarise_labels(read_run(finished))
    flips = [np.nan, *(np.mean(maps[t] != maps[t - 1]) for t in range(1, FRAMES))]
    blinks = [
        np.mean((maps[t - 1] == maps[t + 1]) & (maps[t] != maps[t - 1]))
        for t in range(1, FRAMES - 1)
    ]
    np.testing.assert_allclose(summary.flip_rate, flips)
    np.testing.assert_allclose(summary.blink, [np.nan, *blinks, np.nan])
    assert np.nanmax(summary.blink) > 0


def test_what_changes_at_a_cut_or_from_void_is_no_flip(finished, monkeypatch):
    maps, cut = _maps(finished), BLINK
    run = _cut_at(read_run(finished), {cut})
    summary = summarise_labels(run)
    assert np.flatnonzero(np.isnan(summary.flip_rate)).tolist() == [0, cut]
    assert np.flatnonzero(np.isnan(summary.blink)).tolist() == [0, cut - 1, cut, FRAMES - 1]
    # What class 1 moves over, and it itself, is known of neither.
    summary = summarise_labels(replace(run, void=1))
    np.testing.assert_array_equal(summary.flip_rate[1:cut], 0)
    assert (maps[0] != maps[1]).any()


@pytest.mark.parametrize("steps", [7, 500])
def test_areas_are_mean_shares_of_the_frame(finished, monkeypatch, steps):
    monkeypatch.setattr(label_pass, "AREA_STEPS", steps)
    maps = _maps(finished)
    summary = summarise_labels(read_run(finished))
    assert len(summary.areas) == min(steps, FRAMES)
    for step, (begin, end) in enumerate(zip(summary.edges[:-1], summary.edges[1:], strict=True)):
        expected = [np.mean(maps[begin:end] == label) for label in range(4)]
        np.testing.assert_allclose(summary.areas[step], expected)
    np.testing.assert_array_equal(summary.void_area, 0)


def test_labels_beyond_the_classes_count_as_other(finished, monkeypatch):
    monkeypatch.setattr(label_pass, "LARGEST_CLASS", 2)
    summary = summarise_labels(read_run(finished))
    np.testing.assert_allclose(summary.other_area, (_maps(finished) >= 2).mean(axis=(1, 2)))


def test_the_worst_moments_are_where_labels_jump_and_never_at_a_cut(finished):
    run = read_run(finished)
    flip_rate = np.full(FRAMES, 0.02)
    flip_rate[[0, 5, 7, 20]] = np.nan, 0.3, 0.2, 0.1
    assert worst_moments(run, flip_rate) == (5, 20)


@pytest.mark.filterwarnings("error")
def test_shots_of_one_frame_have_no_worst_moment(finished):
    run = read_run(finished)
    run = replace(run, frames=replace(run.frames, cuts=frozenset(range(1, FRAMES))))
    assert worst_moments(run, np.full(FRAMES, np.nan)) == ()


def test_a_steady_run_has_no_worst_moment(finished):
    assert worst_moments(read_run(finished), np.zeros(FRAMES)) == ()


def test_scene_cuts_are_no_moments(finished):
    run = read_run(finished)
    frames = replace(run.frames, cuts=frozenset({BLINK}))
    cut = replace(run, frames=frames)
    flip_rate = np.zeros(FRAMES)
    flip_rate[[BLINK, 30]] = 0.9, 0.1
    assert worst_moments(cut, flip_rate) == (30,)


@pytest.mark.parametrize(("values", "mode"), [([0.5], "lines+markers"), ([0.5, 0.6], "lines")])
def test_a_value_that_no_line_leads_to_is_marked(values, mode):
    curve = Curve("miou", np.arange(len(values), dtype=float), np.array(values), "red")
    assert curve_trace(curve, value_format=".3f")["mode"] == mode
