"""The parts of a page around its charts: headline, legends, the table of stages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tempseg.report.charts import Chart
from tempseg.report.markup import Markup, element
from tempseg.report.panels import LARGEST_CLASSES, reason_colour, reason_height, stage_colour
from tempseg.report.records import RunRecord
from tempseg.report.views import RunView, clock_time, reason_name

__all__ = [
    "chart_box",
    "class_legend",
    "headline",
    "reason_legend",
    "section",
    "stage_table",
]


def section(title: str, *children: Markup | None, note: str | None = None) -> Markup:
    """Return a part of the page under its heading."""
    head = element("h2", title)
    told = None if note is None else element("p", note, class_="note")
    return element("section", head, told, *children)


def chart_box(chart: Chart) -> Markup:
    """Return the place that a chart is drawn into."""
    return element(
        "div",
        class_="chart",
        data_chart=chart.name,
        role="img",
        aria_label=chart.label,
        style=f"height:{chart.height_px}px",
    )


def headline(view: RunView) -> Markup:
    """Return the run in a handful of figures."""
    totals = view.run.totals
    begins_s, ends_s = view.time_range_s
    stages = totals.segmenter_s / totals.wall_s if totals.wall_s else 0.0
    per_call = totals.segmenter_s / totals.keyframes * 1000 if totals.keyframes else 0.0
    figures = [
        ("frames", f"{totals.frames:,}", f"{clock_time(ends_s - begins_s)} of video"),
        ("keyframes", f"{totals.keyframe_share:.1%}", f"{totals.keyframes:,} of {totals.frames:,}"),
        ("frames/s", f"{totals.frames_per_s:.1f}", f"{clock_time(totals.wall_s)} in all"),
        ("segmenter", f"{stages:.0%}", f"of the time; {per_call:,.0f} ms a keyframe"),
        ("memory", f"{totals.peak_memory_mb:,.0f} MB", "at the peak"),
    ]
    if totals.damaged:
        figures.append(("damaged", f"{totals.damaged:,}", "packets or frames"))
    return element("dl", *(_figure(*figure) for figure in figures), class_="headline")


def _figure(name: str, value: str, note: str) -> Markup:
    return element(
        "div",
        element("dt", name),
        element("dd", value),
        element("dd", note, class_="note"),
    )


def reason_legend(views: Sequence[RunView]) -> Markup:
    """Return what the colours of keyframes mean, with how many there are of each."""
    found: dict[str, int] = {}
    for view in views:
        for reason, places in view.keyframes.items():
            found[reason] = found.get(reason, 0) + len(places)
    return element(
        "ul",
        *(
            element(
                "li",
                element(
                    "i",
                    class_="tick",
                    style=f"height:{20 * reason_height(reason):.0f}px;"
                    f"background:{reason_colour(reason)}",
                ),
                reason_name(reason),
                " ",
                element("b", f"{count:,}"),
            )
            for reason, count in found.items()
        ),
        class_="legend",
    )


def class_legend(view: RunView) -> Markup:
    """Return the colours of the classes that cover most."""
    order = view.class_order[:LARGEST_CLASSES]
    share = view.labels.areas.mean(axis=0)
    names, colours = view.run.classes.names, view.run.classes.colours
    entries = [
        (names[c], f"rgb({colours[c][0]},{colours[c][1]},{colours[c][2]})", share[c]) for c in order
    ]
    rest = share[view.class_order[LARGEST_CLASSES:]].sum() + view.labels.other_area.mean()
    entries += [
        ("other", "var(--other)", rest),
        ("void", "var(--void)", view.labels.void_area.mean()),
    ]
    return element(
        "ul",
        *(
            element(
                "li",
                element("i", style=f"background:{colour}"),
                name,
                " ",
                element("b", f"{covered:.1%}" if covered >= 0.0005 else "< 0.1%"),
            )
            for name, colour, covered in entries
            if covered > 0
        ),
        class_="legend",
    )


def stage_table(run: RunRecord) -> Markup:
    """Return what each stage takes: a call, in all, and as a bar beside the others."""
    spent = {stage: np.nan_to_num(values) for stage, values in run.frames.stage_ms.items()}
    most = max((values.sum() for values in spent.values()), default=0.0)
    rows = []
    for place, (stage, values) in enumerate(spent.items()):
        ran = values[values > 0]
        cells = [f"{len(ran):,}"]
        if len(ran):
            cells += [f"{ran.mean():.1f}", f"{np.percentile(ran, 95):.1f}"]
        else:
            cells += ["0", "0"]
        share = values.sum() / most if most else 0.0
        bar = element("i", style=f"width:{share * 100:.1f}%;background:{stage_colour(place)}")
        rows.append(
            element(
                "tr",
                element("th", stage, scope="row"),
                *(element("td", cell) for cell in (*cells, f"{values.sum() / 1000:.1f}")),
                element("td", bar, class_="bar"),
            )
        )
    heads = ("stage", "frames", "mean ms", "p95 ms", "sum s", "")
    return element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", h, scope="col") for h in heads))),
            element("tbody", *rows),
            class_="stages",
        ),
        class_="wide",
    )
