"""What an audit found, as a part of a page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tempseg.auditing import Audit, AuditedFrame, Estimate
from tempseg.report.charts import Chart, Row, stack_rows
from tempseg.report.markup import Markup, element
from tempseg.report.sections import chart_box, section
from tempseg.report.tables import columns_table
from tempseg.report.views import RunView

__all__ = ["audit_chart", "audit_section"]

FIDELITY_COLOUR, FLOOR_COLOUR = "var(--curve)", "var(--quiet)"


def audit_chart(view: RunView, *, time_range_s: tuple[float, float]) -> Chart | None:
    """Return fidelity and floor of every audited frame; none where none has a score."""
    audit = view.run.audit
    if audit is None or math.isnan(audit.fidelity.mean):
        return None
    frames = audit.frames
    traces = [
        _marks("noise floor", frames, lambda frame: frame.floor, FLOOR_COLOUR, "circle-open"),
        _marks("fidelity", frames, lambda frame: frame.fidelity, FIDELITY_COLOUR, "circle"),
    ]
    lowest = min(value for trace in traces for value in trace["y"] if value is not None)
    row = Row(
        "fidelity",
        traces,
        meaning="of audited frames; rings: the segmenter against itself a frame before",
        height_px=110,
        y_range=(max(0.0, lowest - 0.05), 1.02),
    )
    return stack_rows("audit", "Audited frames over time", [row], time_range_s=time_range_s)


def audit_section(audit: Audit, chart: Chart | None) -> Markup:
    """Return the part of the page that tells of an audit."""
    told = audit.message
    rows = [
        ("fidelity", _cells(audit.fidelity)),
        ("fidelity_floor", _cells(audit.floor)),
        ("difference", _cells(audit.difference)),
    ]
    if not audit.frames:
        return section("Audit", element("p", f"{told[:1].upper()}{told[1:]}."))
    drawn = "All" if audit.complete else f"{len(audit.frames):,} of"
    return section(
        "Audit",
        element("p", f"{told[:1].upper()}{told[1:]}."),
        None if chart is None else chart_box(chart),
        columns_table(["mean", "from", "to"], rows),
        note=f"{drawn} {audit.between:,} frames between keyframes were given to the segmenter "
        f"after the run (seed {audit.seed}); the intervals hold the mean over all of them with "
        "95 % confidence.",
    )


def _marks(
    name: str,
    frames: tuple[AuditedFrame, ...],
    value: Callable[[AuditedFrame], float],
    colour: str,
    symbol: str,
) -> dict[str, Any]:
    values = [value(frame) for frame in frames]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [round(frame.time_s, 4) for frame in frames],
        "y": [None if math.isnan(v) else round(v, 4) for v in values],
        "text": [f"frame {frame.index}" for frame in frames],
        "marker": {"color": colour, "size": 7, "symbol": symbol},
        "hovertemplate": "%{y:.3f}, %{text}",
    }


def _cells(estimate: Estimate) -> list[str]:
    return [
        "–" if math.isnan(value) else f"{value:.4f}"
        for value in (estimate.mean, estimate.low, estimate.high)
    ]
