"""The page of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tempseg.report.document import write_document
from tempseg.report.judging import FROZEN, judgement_of
from tempseg.report.markup import Markup, element, join
from tempseg.report.panels import steadiness_chart
from tempseg.report.sections import chart_box, section
from tempseg.report.tables import columns_table, figures_table, shown_value
from tempseg.report.views import Series

if TYPE_CHECKING:
    from tempseg.evaluation import Evaluation

__all__ = ["write_evaluation_page"]


def write_evaluation_page(path: str | Path, evaluation: Evaluation) -> Path:
    """Write an evaluation's figures and its curves over the frames as a page; return its path.

    Raises
    ------
    OutputError
        When the page cannot be written.
    """
    path = Path(path)
    settings = evaluation.settings
    judgement = judgement_of(evaluation, frames=len(evaluation.frames))
    times = [frame.time_s for frame in evaluation.frames]
    timed = bool(times) and None not in times
    axis = np.array(times if timed else [f.index for f in evaluation.frames], np.float64)
    span = (float(axis[0]), float(axis[-1]) or 1.0)
    series = Series(settings.prediction, axis, judgement.curves, "var(--curve)")
    chart = steadiness_chart([series], time_range_s=span)
    name = Path(settings.prediction).name or settings.prediction
    told = f"{settings.frames:,} frames of {settings.width} × {settings.height}"
    write_document(
        path,
        title=f"{name} · tempseg",
        head=join(
            [element("h1", name), element("p", f"{settings.prediction} · {told}", class_="note")]
        ),
        sections=[
            section("Figures", figures_table(judgement.figures), note=_note(evaluation)),
            section("Frame by frame", chart_box(chart), _worst(evaluation)) if chart else None,
            section("What was compared", _settings(settings.as_dict())),
            section(
                "Time by stage",
                _stages(evaluation),
                note="Stages run side by side, so they add up to more than it took.",
            ),
        ],
        charts=[chart],
        data={"runs": [], "range": list(span), "unit": "s" if timed else "frame"},
    )
    return path


def _note(evaluation: Evaluation) -> str | None:
    settings = evaluation.settings
    return FROZEN if settings.truth is None and settings.reference is None else None


def _worst(evaluation: Evaluation) -> Markup | None:
    if not evaluation.worst:
        return None
    told = ", ".join(str(index) for index in evaluation.worst)
    return element("p", f"Worst frames: {told}.", class_="note")


def _settings(settings: Mapping[str, object]) -> Markup:
    rows: list[tuple[str, list[str]]] = []
    for key, value in settings.items():
        if key == "skipped" and isinstance(value, Mapping):
            # What was skipped for one reason stands in one row.
            by_entry: dict[str, list[str]] = {}
            for name, entry in value.items():
                by_entry.setdefault(shown_value(entry), []).append(str(name))
            rows += [(f"{key}: {entry}", [", ".join(names)]) for entry, names in by_entry.items()]
        elif isinstance(value, Mapping):
            rows += [(f"{key}: {name}", [shown_value(entry)]) for name, entry in value.items()]
        elif value not in (None, [], ""):
            rows.append((key, [shown_value(value)]))
    return columns_table([""], rows, words=True)


def _stages(evaluation: Evaluation) -> Markup:
    frames = max(1, len(evaluation.frames))
    rows = [
        (stage, [f"{spent:.2f} s", f"{spent / frames * 1000:.2f} ms"])
        for stage, spent in evaluation.stage_s.items()
    ]
    rows.append(
        ("in all", [f"{evaluation.wall_s:.2f} s", f"{evaluation.frames_per_s:.1f} frames/s"])
    )
    return columns_table(["in all", "a frame"], rows)
