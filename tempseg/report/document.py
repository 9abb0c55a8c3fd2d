"""One HTML file that needs nothing but itself and the videos beside it."""

from __future__ import annotations

import html
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from tempseg.evaluation.whole_file import write_whole
from tempseg.report.charts import Chart
from tempseg.report.markup import Markup, element, join, script_json

__all__ = ["write_document"]


def write_document(
    path: Path,
    *,
    title: str,
    head: Markup,
    sections: Iterable[Markup | None],
    charts: Iterable[Chart | None],
    data: dict[str, object],
) -> None:
    """Write a page; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
    title : str
        Of the browser's tab.
    head : Markup
        What stands beside the switch between light and dark.
    sections : iterable of Markup
    charts : iterable of Chart
        What fills the boxes that the sections hold.
    data : dict
        What the page's script reads besides: `runs` and `range`.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    room = files("tempseg.report")
    figures = {chart.name: chart.figure for chart in charts if chart is not None}
    told = {**data, "charts": figures}
    switch = element("button", "", type="button", id="theme", aria_label="Light or dark")
    text = Template((room / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        style=(room / "page.css").read_text(encoding="utf-8"),
        body=join([element("header", element("div", head), switch), element("main", *sections)]),
        data=script_json(told),
        # Megabytes that a page without charts has no use for.
        plotly=get_plotlyjs() if figures else "",
        script=(room / "page.js").read_text(encoding="utf-8"),
    )
    write_whole(path, text)
