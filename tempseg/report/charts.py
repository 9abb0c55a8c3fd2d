"""Charts in plotly's own form: rows of curves over one axis of time.

Colours are names of CSS properties; the page puts in what they mean in its light or dark dress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tempseg.report.markup import for_plotly
from tempseg.report.records import FloatColumn
from tempseg.report.reduction import extremes, rounded

__all__ = ["Chart", "Curve", "Limit", "Row", "curve_trace", "stack_rows", "times"]

MARGIN_LEFT_PX = 48
MARGIN_RIGHT_PX = 10
AXIS_PX = 26
"""The same for every chart, so that a moment stands at one place down the whole page."""

TITLE_PX = 26
GAP_PX = 16
TEXT_PX = 12


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line over time."""

    name: str
    time_s: FloatColumn
    values: FloatColumn
    colour: str
    dash: str = "solid"


@dataclass(frozen=True, slots=True)
class Limit:
    """A level that a curve is compared with, and the config key that sets it."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What shares one vertical axis.

    Parameters
    ----------
    title : str
        Stands above the row; empty for none.
    meaning : str
        Stands behind the title where there is room.
    traces : sequence of plotly traces
        Without axes.
    height_px : int
    limits : sequence of Limit
    tick_format : str
        In d3's words.
    y_range : pair of float or None
        None fits the traces, from zero on.
    shows_values : bool
        Whether the vertical axis has ticks.
    """

    title: str
    traces: Sequence[dict[str, Any]]
    meaning: str = ""
    height_px: int = 84
    limits: Sequence[Limit] = ()
    tick_format: str = ""
    y_range: tuple[float, float] | None = None
    shows_values: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """A plotly figure and the name it goes by in the page."""

    name: str
    label: str
    figure: dict[str, Any]

    @property
    def height_px(self) -> int:
        """The height that its rows need."""
        return int(self.figure["layout"]["height"])


def times(time_s: FloatColumn) -> list[float | None]:
    """Return seconds for JSON, exact to a tenth of a millisecond."""
    return [round(value, 4) for value in time_s.tolist()]


def curve_trace(curve: Curve, *, value_format: str) -> dict[str, Any]:
    """Return a line, reduced to what a screen can show; few and far values get marks."""
    known = np.isfinite(curve.values)
    sparse = np.count_nonzero(known) <= (len(known) + 1) // 2
    kept = known if sparse else slice(None)
    time_s, values = extremes(curve.time_s[kept], curve.values[kept])
    return {
        "type": "scatter",
        "mode": "lines+markers" if sparse else "lines",
        "name": for_plotly(curve.name),
        "x": times(time_s),
        "y": rounded(values),
        "line": {"color": curve.colour, "width": 1.6, "dash": curve.dash},
        "marker": {"color": curve.colour, "size": 5},
        "hovertemplate": f"%{{y:{value_format}}}",
        "connectgaps": False,
    }


def stack_rows(
    name: str, label: str, rows: Sequence[Row], *, time_range_s: tuple[float, float]
) -> Chart:
    """Return rows, the first on top, over one axis of time.

    Parameters
    ----------
    name, label : str
        The chart's place in the page, and what it shows, for those who cannot see it.
    rows : sequence of Row
    time_range_s : pair of float
        Where the axis begins and ends.
    """
    head = [TITLE_PX if row.title else 4 for row in rows]
    inner = sum(head) + sum(row.height_px for row in rows) + GAP_PX * (len(rows) - 1)
    layout: dict[str, Any] = {
        "height": inner + AXIS_PX,
        "margin": {"l": MARGIN_LEFT_PX, "r": MARGIN_RIGHT_PX, "t": 0, "b": AXIS_PX, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "var(--sans)", "size": TEXT_PX, "color": "var(--muted)"},
        "showlegend": False,
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--line)",
            "font": {"family": "var(--sans)", "size": TEXT_PX, "color": "var(--ink)"},
        },
        "barmode": "stack",
        "bargap": 0,
        "dragmode": "zoom",
        "xaxis": {
            "anchor": "y" if len(rows) == 1 else f"y{len(rows)}",
            "range": list(time_range_s),
            "showgrid": False,
            "zeroline": False,
            "showline": True,
            "linecolor": "var(--line)",
            "ticks": "outside",
            "ticklen": 4,
            "tickcolor": "var(--line)",
            "unifiedhovertitle": {"text": "%{x:.3f} s"},
        },
        "shapes": [],
        "annotations": [],
    }
    data: list[dict[str, Any]] = []
    top = 0
    for number, row in enumerate(rows, start=1):
        suffix = "" if number == 1 else str(number)
        begins = top + head[number - 1]
        ends = begins + row.height_px
        layout[f"yaxis{suffix}"] = {
            "domain": [max(0.0, 1 - ends / inner), 1 - begins / inner],
            "anchor": "x",
            "fixedrange": True,
            "zeroline": False,
            "showgrid": row.shows_values,
            "gridcolor": "var(--grid)",
            "showticklabels": row.shows_values,
            "ticklabelstandoff": 5,
            "nticks": 4 if row.height_px < 120 else 6,
            "tickformat": row.tick_format,
            **({"range": list(row.y_range)} if row.y_range else {"rangemode": "tozero"}),
        }
        data += [{**trace, "xaxis": "x", "yaxis": f"y{suffix}"} for trace in row.traces]
        if row.title:
            layout["annotations"].append(_title(row, 1 - begins / inner))
        if row.limits:
            layout["annotations"].append(_limit_names(row.limits, 1 - begins / inner))
        layout["shapes"] += [_limit_line(limit, suffix) for limit in row.limits]
        top = ends + GAP_PX
    return Chart(name, label, {"data": data, "layout": layout})


def _title(row: Row, y: float) -> dict[str, Any]:
    short = f"<b>{for_plotly(row.title)}</b>"
    meaning = for_plotly(row.meaning)
    return {
        "text": f'{short}  <span style="color:var(--muted)">{meaning}</span>' if meaning else short,
        "narrow_text": short,
        "font": {"color": "var(--ink)", "size": TEXT_PX},
        "x": 0,
        "xanchor": "left",
        "xshift": 4,
        **_above(y),
    }


def _limit_names(limits: Sequence[Limit], y: float) -> dict[str, Any]:
    named = (f"{for_plotly(limit.name)} {limit.value:g}" for limit in limits)
    return {
        "text": f"– –  {', '.join(named)}",
        "font": {"color": "var(--limit)", "size": TEXT_PX},
        "x": 1,
        "xanchor": "right",
        **_above(y),
    }


def _above(y: float) -> dict[str, Any]:
    """Return how text stands above a row whose top is at `y`."""
    return {
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "y": y,
        "yanchor": "bottom",
        "yshift": 3,
        "borderpad": 0,
    }


def _limit_line(limit: Limit, suffix: str) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": f"y{suffix}",
        "y0": limit.value,
        "y1": limit.value,
        "line": {"color": "var(--limit)", "width": 1, "dash": "dash"},
    }
