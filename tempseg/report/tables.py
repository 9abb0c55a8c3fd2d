"""Figures in columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from tempseg.report.markup import Markup, element

__all__ = ["columns_table", "figures_table", "shown_value"]

PER_CLASS = "iou_per_class"


def columns_table(
    heads: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
    *,
    differing: bool = False,
    words: bool = False,
) -> Markup:
    """Return a table of named rows; wide ones scroll inside themselves.

    Parameters
    ----------
    heads : sequence of str
        Names of the columns.
    rows : iterable of (str, sequence of str)
        Each row's name and cells.
    differing : bool
        Whether rows whose cells are not all alike are marked.
    words : bool
        Whether cells are text, which may be broken anywhere to fit.
    """
    body = [
        element(
            "tr",
            element("th", name, scope="row"),
            *(element("td", cell) for cell in cells),
            class_="differs" if differing and len(set(cells)) > 1 else None,
        )
        for name, cells in rows
    ]
    top = element("tr", element("th", ""), *(element("th", head, scope="col") for head in heads))
    table = element(
        "table",
        element("thead", top),
        element("tbody", *body),
        class_="figures words" if words else "figures",
    )
    return element("div", table, class_="wide")


def figures_table(figures: Mapping[str, Mapping[str, object]]) -> Markup:
    """Return the figures of an evaluation, a row a metric, what it is held against beside it.

    Parameters
    ----------
    figures : mapping of column to mapping of metric to value
    """
    names = dict.fromkeys(key for column in figures.values() for key in column)
    rows: list[tuple[str, list[str]]] = []
    by_class: list[tuple[str, list[str]]] = []
    for name in names:
        values = [column.get(name) for column in figures.values()]
        if name == PER_CLASS:
            classes = dict.fromkeys(c for v in values if isinstance(v, Mapping) for c in v)
            by_class += [
                (
                    f"IoU of {label}",
                    [_told(v.get(label) if isinstance(v, Mapping) else None) for v in values],
                )
                for label in classes
            ]
        elif not any(isinstance(value, Mapping) for value in values):
            rows.append((name, [_told(value) for value in values]))
    return columns_table(list(figures), rows + by_class)


def _told(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def shown_value(value: object) -> str:
    """Return a plain value as text."""
    if value in (None, "", [], ()):
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(shown_value(entry) for entry in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
