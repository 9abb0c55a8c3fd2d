"""The charts of a page: keyframes, evidence, steadiness, areas, milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tempseg.decisions import KeyframeReason
from tempseg.report.charts import Chart, Curve, Limit, Row, curve_trace, stack_rows, times
from tempseg.report.markup import for_plotly
from tempseg.report.records import RunRecord
from tempseg.report.reduction import bucket_edges, bucket_means, rounded
from tempseg.report.views import RunView, Series, reason_name

__all__ = [
    "LARGEST_CLASSES",
    "areas_chart",
    "evidence_chart",
    "level",
    "reason_colour",
    "reason_height",
    "stage_colour",
    "stages_chart",
    "steadiness_chart",
    "time_range",
    "timeline_chart",
]

LARGEST_CLASSES = 12
TICKS = 2000
"""Keyframes of one reason that a timeline draws; more would fall on the same pixels."""

STAGE_STEPS = 120
TICK_HEIGHTS = {
    "first": 1.0,
    "scene_cut": 1.0,
    "doubt": 0.8,
    "drift": 0.68,
    "span": 0.58,
    "edge": 0.48,
    "interval": 0.38,
    "forced": 0.9,
    "chunk": 0.25,
}
OTHER_TICK_HEIGHT = 0.6
"""Reasons differ in height too, for those who cannot tell the colours apart."""

OF_A_SPAN = {"span": " of the span", "edge": " of the shot's end"}
"""Reasons that lie in a whole span, not in what was measured at the frame."""

EVIDENCE_MEANINGS = {
    "drift": "share that the last keyframe, carried along, does not explain",
    "scene_change": "structure lost since the frame before, after motion",
    "residual": "gray levels off the last keyframe, carried along",
    "age": "frames since the last keyframe",
    "doubt": "what frames since the last keyframe added up to",
    "border": "what a frame adds to doubt: a step's error at borders, and what is new",
    "occluded": "share where motion there and back disagree",
    "churn": "1 - mIoU of a keyframe's answer with what was carried to it",
}
COUNTS = frozenset({"frames", "keyframes", "cuts", "mean_border", "unrest"})
"""What policies pace themselves by; says nothing of a frame."""
EVIDENCE_BESIDE = "outside"
"""Part of the drift, so it is drawn with it."""

SCORE_MEANINGS = {
    "miou": "against the truth",
    "fidelity": "mIoU against the segmenter on every frame",
    "tc": "mIoU with the frame before, along the motion",
    "flicker": "share of pixels that change without the motion saying so",
    "flip_rate": "share of pixels that change, with or without motion",
    "blink": "share of pixels that differ for one frame only",
}
SCORE_TITLES = {"tc": "TC", "miou": "mIoU"}
AGREEMENTS = frozenset({"tc", "miou", "fidelity"})
"""Scores of which 1 is the best; the others are shares of pixels."""


def time_range(views: Iterable[RunView]) -> tuple[float, float]:
    """Return when the first of the runs begins and the last one ends, in seconds."""
    ranges = [view.time_range_s for view in views]
    return min(start for start, _ in ranges), max(end for _, end in ranges)


def timeline_chart(views: Sequence[RunView]) -> Chart:
    """Return every keyframe as a mark in its reason's colour, a row a run."""
    rows = [
        Row(
            view.title if len(views) > 1 else "",
            [_ticks(view.run, reason, places) for reason, places in view.keyframes.items()],
            height_px=54 if len(views) == 1 else 40,
            y_range=(0, 1),
            shows_values=False,
        )
        for view in views
    ]
    chart = stack_rows("timeline", "Keyframes over time", rows, time_range_s=time_range(views))
    chart.figure["layout"]["hovermode"] = "closest"
    return chart


def _ticks(run: RunRecord, reason: str, places: Sequence[int]) -> dict[str, Any]:
    frames = run.frames
    edges = bucket_edges(len(frames), TICKS)
    buckets = np.searchsorted(edges, np.array(places), side="right")
    kept = [places[i] for i in np.unique(buckets, return_index=True)[1].tolist()]
    height = reason_height(reason)
    at: list[float | None] = []
    up: list[float | None] = []
    told: list[str] = []
    for place, time_s in zip(kept, times(frames.time_s[kept]), strict=True):
        at += [time_s, time_s, None]
        up += [0, height, None]
        said = for_plotly(
            f"{reason_name(reason)}, frame {frames.index[place]} at {time_s} s"
            f"{_decided_by(run, place)}"
        )
        told += [said, said, ""]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": for_plotly(reason_name(reason)),
        "x": at,
        "y": up,
        "text": told,
        "line": {"color": reason_colour(reason), "width": 2},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _decided_by(run: RunRecord, place: int) -> str:
    """Return what was measured at a frame and held against what, where that decided, in words."""
    frames = run.frames
    reason, measure = frames.reasons[place], frames.measures[place]
    measured, threshold = frames.measured[place], frames.thresholds[place]
    if reason == KeyframeReason.FORCED or not np.isfinite((measured, threshold)).all():
        return ""
    of = OF_A_SPAN.get(reason, "")
    return f": {measure.replace('_', ' ')}{of} {measured:.3g}, threshold {threshold:.3g}"


def reason_height(reason: str) -> float:
    """Return how high a reason's marks are, as a share of the row."""
    return TICK_HEIGHTS.get(reason, OTHER_TICK_HEIGHT)


def reason_colour(reason: str) -> str:
    """Return the CSS colour of a reason."""
    known = reason.replace("_", "-") if reason in TICK_HEIGHTS else "other"
    return f"var(--reason-{known})"


def evidence_chart(views: Sequence[RunView]) -> Chart | None:
    """Return the evidence with the thresholds it is held against; none where none was taken."""
    series = [view.evidence for view in views]
    rows = []
    for name in dict.fromkeys((*EVIDENCE_MEANINGS, *series[0].curves)):
        traces = _curves(series, name, value_format=".3~g")
        if name == EVIDENCE_BESIDE or name in COUNTS or not traces:
            continue
        if len(views) == 1:
            traces += _thresholds(views[0], name, _limits(views[0].run, name))
        meaning = EVIDENCE_MEANINGS.get(name, "")
        if name == "drift" and len(views) == 1 and (beside := _beside(views[0])):
            traces += beside
            meaning += "; gray: of that, from outside its picture"
        rows.append(
            Row(
                name.replace("_", " "),
                traces,
                meaning=meaning,
                limits=_common_limits(views, name),
            )
        )
    return _stacked("evidence", "Evidence over time", rows, time_range(views), one=len(views) == 1)


def _thresholds(view: RunView, name: str, limits: Sequence[Limit]) -> list[dict[str, Any]]:
    """Return the line that a piece of evidence was held against, where no limit stands for it."""
    frames = view.run.frames
    here = np.array([measure == name for measure in frames.measures], bool)
    # What was decided by a whole span, or in hindsight, was not held against this.
    here &= frames.measured == frames.evidence[name]
    for limit in limits:
        here &= ~np.isclose(frames.thresholds, limit.value)
    values = np.where(here, frames.thresholds, np.nan)
    if not np.isfinite(values).any():
        return []
    curve = Curve("threshold", frames.time_s, values, "var(--limit)")
    trace = curve_trace(curve, value_format=".3~g")
    return [{**trace, "line": {"color": "var(--limit)", "width": 1, "dash": "dash"}}]


def _beside(view: RunView) -> list[dict[str, Any]]:
    quiet = replace(view.evidence, colour="var(--quiet)")
    return _curves([quiet], EVIDENCE_BESIDE, value_format=".3~g")


def _common_limits(views: Sequence[RunView], evidence: str) -> list[Limit]:
    """Return the limits on a piece of evidence that all runs share."""
    limits = [_limits(view.run, evidence) for view in views]
    return limits[0] if all(other == limits[0] for other in limits) else []


def _limits(run: RunRecord, evidence: str) -> list[Limit]:
    keys = run.config.get("keyframe", {})
    policy = str(keys.get("policy"))
    between = ["min_interval", "max_interval"]
    by_policy = {"interval": ["interval"], **dict.fromkeys(("adaptive", "share", "span"), between)}
    wanted = {
        "scene_change": ["scene_threshold"],
        "drift": ["drift_threshold"] if policy == "adaptive" else [],
        "age": by_policy.get(policy, []),
    }
    found = []
    for key in wanted.get(evidence, []):
        value = keys.get(key)
        if value is None:
            value = _met(run, key)
        if isinstance(value, int | float):
            found.append(Limit(key, float(value)))
    return found


def _met(run: RunRecord, key: str) -> float | None:
    """Return a limit on the interval that the policy chose itself, as far as a frame met it."""
    frames = run.frames
    met = [
        float(threshold)
        for threshold, measure, reason in zip(
            frames.thresholds, frames.measures, frames.reasons, strict=True
        )
        if measure == "age" and (reason == "interval") == (key == "max_interval")
    ]
    return max(met, default=None)


def steadiness_chart(
    series: Sequence[Series], *, time_range_s: tuple[float, float]
) -> Chart | None:
    """Return how steady and how right the labels are, frame by frame, as far as was measured."""
    rows = []
    for name, meaning in SCORE_MEANINGS.items():
        agreement = name in AGREEMENTS
        traces = _curves(series, name, value_format=".3f" if agreement else ".2%")
        if not traces:
            continue
        rows.append(
            Row(
                SCORE_TITLES.get(name, name.replace("_", " ")),
                traces,
                meaning=meaning,
                tick_format="" if agreement else ".2~%",
                y_range=_agreement_range(traces) if agreement else None,
            )
        )
    return _stacked("steadiness", "Steadiness over time", rows, time_range_s, one=len(series) == 1)


def _agreement_range(traces: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return a range up to 1 that leaves little room empty below the lowest value."""
    lowest = min(value for trace in traces for value in trace["y"] if value is not None)
    return max(0.0, lowest - 0.1 * (1 - lowest) - 0.005), 1.002


def areas_chart(view: RunView, *, name: str, time_range_s: tuple[float, float]) -> Chart | None:
    """Return the share of the frame that each class covers; none where there is background only."""
    labels = view.labels
    order = view.class_order
    shown, rest = order[:LARGEST_CLASSES], order[LARGEST_CLASSES:]
    other = labels.other_area + labels.areas[:, rest].sum(axis=1)
    layers = [
        (view.run.classes.names[c], _rgb(view.run.classes.colours[c]), labels.areas[:, c])
        for c in shown
    ]
    layers += [("other", "var(--other)", other), ("void", "var(--void)", labels.void_area)]
    edges = labels.edges
    time_s = view.run.frames.time_s
    middle = (time_s[edges[:-1]] + time_s[edges[1:] - 1]) / 2
    alone = len(middle) == 1
    if alone:
        # One point has no area.
        middle = np.array(time_range_s)
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": for_plotly(layer),
            "x": times(middle),
            "y": rounded(np.repeat(share, 2) if alone else share),
            "stackgroup": "classes",
            "line": {"width": 0.75, "color": "var(--page)"},
            "fillcolor": colour,
            "hovertemplate": "%{y:.1%}",
        }
        for layer, colour, share in layers
        if share.any()
    ]
    if not traces:
        return None
    row = Row("", traces, height_px=200, tick_format=".0~%")
    label = "Share of the frame by class over time"
    return stack_rows(name, label, [row], time_range_s=time_range_s)


def stages_chart(view: RunView, *, name: str, time_range_s: tuple[float, float]) -> Chart | None:
    """Return the milliseconds a frame that each stage takes, averaged over short stretches."""
    frames = view.run.frames
    if not frames.stage_ms:
        return None
    edges = bucket_edges(len(frames), STAGE_STEPS)
    begin = frames.time_s[edges[:-1]]
    end = np.append(begin[1:], view.time_range_s[1])
    traces = [
        {
            "type": "bar",
            "name": for_plotly(stage),
            "x": times((begin + end) / 2),
            "y": rounded(bucket_means(np.nan_to_num(spent), edges)),
            "width": times(end - begin),
            "marker": {"color": stage_colour(place), "line": {"width": 0}},
            "hovertemplate": "%{y:.1f} ms",
        }
        for place, (stage, spent) in enumerate(frames.stage_ms.items())
    ]
    row = Row("", traces, height_px=150)
    label = "Milliseconds a frame by stage over time"
    return stack_rows(name, label, [row], time_range_s=time_range_s)


def level(charts: Sequence[Chart | None]) -> None:
    """Give charts of stacked traces one vertical range, so that their heights compare."""
    drawn = [chart for chart in charts if chart is not None]
    tops = [
        max(sum(filter(None, column)) for column in zip(*(t["y"] for t in traces), strict=True))
        for traces in (chart.figure["data"] for chart in drawn)
    ]
    for chart in drawn:
        chart.figure["layout"]["yaxis"]["range"] = [0, max(tops) * 1.05]


def stage_colour(place: int) -> str:
    """Return the CSS colour of the stage at this place in the table."""
    return f"var(--stage-{place % 7 + 1})"


def _curves(series: Sequence[Series], name: str, *, value_format: str) -> list[dict[str, Any]]:
    """Return a line a run, of those that have a value at all; named after what differs."""
    named = [name.replace("_", " ")] if len(series) == 1 else [entry.title for entry in series]
    return [
        curve_trace(
            Curve(title, entry.time_s, values, entry.colour, entry.dash), value_format=value_format
        )
        for title, entry in zip(named, series, strict=True)
        if (values := entry.curves.get(name)) is not None and np.isfinite(values).any()
    ]


def _stacked(
    name: str, label: str, rows: Sequence[Row], time_range_s: tuple[float, float], *, one: bool
) -> Chart | None:
    if not rows:
        return None
    chart = stack_rows(name, label, rows, time_range_s=time_range_s)
    if one:
        # One box that tells the values of all rows.
        chart.figure["layout"]["hoversubplots"] = "axis"
    return chart


def _rgb(colour: tuple[int, int, int]) -> str:
    return f"rgb({colour[0]},{colour[1]},{colour[2]})"
