"""Several runs on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tempseg.report.cards import MomentCard, moment_cards
from tempseg.report.charts import Chart
from tempseg.report.document import write_document
from tempseg.report.judging import FROZEN, judgement_of
from tempseg.report.label_pass import summarise_labels
from tempseg.report.markup import Markup, element, join
from tempseg.report.moments import APART, MOMENTS, worst_moments
from tempseg.report.panels import (
    areas_chart,
    evidence_chart,
    level,
    stages_chart,
    steadiness_chart,
    time_range,
    timeline_chart,
)
from tempseg.report.pictures import Moment, picture_moments
from tempseg.report.playback import player, run_data
from tempseg.report.recipe import changed_keys, command_list, making_commands
from tempseg.report.records import FloatColumn, read_run
from tempseg.report.sections import chart_box, class_legend, reason_legend, section
from tempseg.report.tables import columns_table, figures_table, shown_value
from tempseg.report.views import RunView

if TYPE_CHECKING:
    from tempseg.evaluation import Evaluation

__all__ = ["write_comparison"]

DASHES = ("solid", "solid", "dash", "solid", "dash", "dot", "dot", "dot", "dash", "dot")
"""Of the page's ten colours of runs, those that colour-blind readers confuse differ in pattern."""

CSS_BORDERS = {"solid": "solid", "dash": "dashed", "dot": "dotted"}


def write_comparison(
    path: str | Path,
    folders: Sequence[str | Path],
    *,
    evaluations: Sequence[Evaluation] = (),
) -> Path:
    """Write a page that shows runs beside one another; return its path.

    Parameters
    ----------
    path : str or Path
        The HTML file; videos are played from where the runs are.
    folders : sequence of str or Path
        What `tempseg run` made.
    evaluations : sequence of Evaluation
        One a run, in the same order, or none.

    Raises
    ------
    SourceError
        When a folder holds no finished run, or a file of it is damaged.
    OutputError
        When the page cannot be written.
    """
    if not folders or (evaluations and len(evaluations) != len(folders)):
        raise ValueError(f"{len(folders)} folders but {len(evaluations)} evaluations")
    views = _views([Path(folder) for folder in folders], evaluations)
    path = Path(path)
    span = time_range(views)
    timeline = timeline_chart(views)
    evidence = evidence_chart(views)
    steadiness = steadiness_chart([view.steadiness for view in views], time_range_s=span)
    areas = [areas_chart(v, name=f"areas-{i}", time_range_s=span) for i, v in enumerate(views)]
    stages = [stages_chart(v, name=f"stages-{i}", time_range_s=span) for i, v in enumerate(views)]
    level(areas)
    level(stages)
    title = " · ".join(view.title for view in views)
    write_document(
        path,
        title=f"{title} · tempseg",
        head=join([element("h1", title), element("p", _what(views), class_="note")]),
        sections=[
            _run_legend(views),
            player(views, path),
            section("Figures", _totals_table(views), _scores_table(views, evaluations)),
            section("Keyframes", chart_box(timeline), reason_legend(views)),
            section("Evidence", _run_legend(views), chart_box(evidence)) if evidence else None,
            section("Steadiness", _run_legend(views), chart_box(steadiness))
            if steadiness
            else None,
            _moments(views),
            _by_run(
                "Classes",
                views,
                areas,
                [class_legend(view) for view in views],
                note="Share of the frame that each class covers.",
            ),
            section("Time by stage", _stages_table(views), *_charts_by_run(views, stages)),
            section(
                "Config",
                _config_table(views),
                note="The keys that differ between the runs or from the defaults.",
            ),
            section("Commands", *_commands(views)),
        ],
        charts=[timeline, evidence, steadiness, *areas, *stages],
        data={"runs": [run_data(view) for view in views], "range": list(span), "unit": "s"},
    )
    return path


def _views(folders: Sequence[Path], evaluations: Sequence[Evaluation]) -> list[RunView]:
    titles = [folder.resolve().name for folder in folders]
    if len(set(titles)) < len(titles):
        titles = [str(folder) for folder in folders]
    views = []
    for place, (folder, title) in enumerate(zip(folders, titles, strict=True)):
        run = read_run(folder)
        judgement = None
        if evaluations:
            judgement = judgement_of(evaluations[place], frames=len(run.frames))
        colour = place % len(DASHES)
        views.append(
            RunView(
                run,
                summarise_labels(run),
                title,
                f"var(--run-{colour + 1})",
                judgement,
                DASHES[colour],
            )
        )
    return views


def _what(views: Sequence[RunView]) -> str:
    return " · ".join(dict.fromkeys(view.run.name for view in views))


def _run_legend(views: Sequence[RunView]) -> Markup:
    return element(
        "ul",
        *(
            element(
                "li",
                element(
                    "i",
                    class_="line",
                    style=f"border-top-style:{CSS_BORDERS[view.dash]};border-top-color:{view.colour}",
                ),
                view.title,
            )
            for view in views
        ),
        class_="legend",
    )


def _totals_table(views: Sequence[RunView]) -> Markup:
    totals = [view.run.totals for view in views]
    rows = [
        ("frames", [f"{t.frames:,}" for t in totals]),
        ("keyframes", [f"{t.keyframes:,}" for t in totals]),
        ("keyframe share", [f"{t.keyframe_share:.1%}" for t in totals]),
        ("frames/s", [f"{t.frames_per_s:.1f}" for t in totals]),
        ("time", [f"{t.wall_s:,.1f} s" for t in totals]),
        ("segmenter's share of it", [f"{t.segmenter_s / t.wall_s:.0%}" for t in totals]),
        ("memory at the peak", [f"{t.peak_memory_mb:,.0f} MB" for t in totals]),
        ("damaged", [f"{t.damaged:,}" for t in totals]),
        ("mean flip rate", [_mean(view.labels.flip_rate) for view in views]),
        ("mean blink", [_mean(view.labels.blink) for view in views]),
    ]
    return columns_table([view.title for view in views], rows)


def _mean(values: FloatColumn) -> str:
    known = values[np.isfinite(values)]
    return f"{known.mean():.3%}" if len(known) else "–"


def _scores_table(views: Sequence[RunView], evaluations: Sequence[Evaluation]) -> Markup | None:
    if not evaluations:
        return None
    columns = {}
    for view in views:
        assert view.judgement is not None
        own, *others = view.judgement.figures.items()
        columns[view.title] = own[1]
        columns |= {f"{view.title}: {name}": figures for name, figures in others}
    settings = [evaluation.settings for evaluation in evaluations]
    measured = any(entry.truth or entry.reference for entry in settings)
    note = None if measured else element("p", FROZEN, class_="note")
    return join([figures_table(columns), note])


def _charts_by_run(views: Sequence[RunView], charts: Sequence[Chart | None]) -> list[Markup]:
    return [
        join([element("h3", view.title), chart_box(chart)])
        for view, chart in zip(views, charts, strict=True)
        if chart is not None
    ]


def _by_run(
    title: str,
    views: Sequence[RunView],
    charts: Sequence[Chart | None],
    legends: Sequence[Markup],
    *,
    note: str,
) -> Markup | None:
    boxes = [
        join([element("h3", view.title), chart_box(chart), legend])
        for view, chart, legend in zip(views, charts, legends, strict=True)
        if chart is not None
    ]
    return section(title, *boxes, note=note) if boxes else None


def _stages_table(views: Sequence[RunView]) -> Markup:
    stages = dict.fromkeys(stage for view in views for stage in view.run.frames.stage_ms)
    rows = []
    for stage in stages:
        cells = []
        for view in views:
            spent = view.run.frames.stage_ms.get(stage)
            cells.append("–" if spent is None else f"{np.nansum(spent) / len(spent):.2f} ms")
        rows.append((f"{stage}, a frame", cells))
    return columns_table([view.title for view in views], rows)


def _config_table(views: Sequence[RunView]) -> Markup:
    told = [
        {f"{part}.{key}": v for part, keys in view.run.config.items() for key, v in keys.items()}
        for view in views
    ]
    keys = dict.fromkeys(key for config in told for key in config)
    changed = {key for view in views for key in changed_keys(view.run)}
    rows = []
    for key in keys:
        cells = [shown_value(config[key]) if key in config else "–" for config in told]
        if key in changed or len(set(cells)) > 1:
            rows.append((key, cells))
    return columns_table([view.title for view in views], rows, differing=True, words=True)


def _commands(views: Sequence[RunView]) -> list[Markup]:
    return [
        join([element("h3", view.title), command_list(making_commands(view.run))]) for view in views
    ]


def _moments(views: Sequence[RunView]) -> Markup | None:
    """Return the worst moments of all runs, each as every run shows it."""
    if any(len(view.run.frames) < 2 for view in views):
        return None
    times = _worst_times(views)
    if not times:
        return None
    pictured: list[dict[int, Moment]] = []
    places = [[_nearest(view, time_s) for time_s in times] for view in views]
    for view, wanted in zip(views, places, strict=True):
        moments = picture_moments(view.run, sorted(set(wanted)))
        pictured.append({moment.place: moment for moment in moments})
    cards = [
        MomentCard(
            time_s,
            "",
            tuple(
                (view, found[wanted[i]])
                for view, found, wanted in zip(views, pictured, places, strict=True)
            ),
        )
        for i, time_s in enumerate(times)
    ]
    return section(
        "Worst moments",
        moment_cards(cards),
        note="Where the labels of one of the runs change most, beyond what changes around, scene "
        "cuts aside.",
    )


def _worst_times(views: Sequence[RunView]) -> list[float]:
    """Return the runs' worst moments by turns, worst first, none near another."""
    by_run = [
        [float(view.run.frames.time_s[p]) for p in worst_moments(view.run, view.labels.flip_rate)]
        for view in views
    ]
    apart = APART * max(view.run.frames.frame_s for view in views)
    chosen: list[float] = []
    for turn in range(MOMENTS):
        for times in by_run:
            if turn < len(times) and all(abs(times[turn] - t) >= apart for t in chosen):
                chosen.append(times[turn])
    return chosen[:MOMENTS]


def _nearest(view: RunView, time_s: float) -> int:
    """Return the place of the frame nearest to a time, never the first."""
    distance = np.abs(view.run.frames.time_s[1:] - time_s)
    return int(distance.argmin()) + 1
