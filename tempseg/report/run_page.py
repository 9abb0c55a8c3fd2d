"""The page of one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tempseg.protocols import WorkObserver
from tempseg.report.audit_panel import audit_chart, audit_section
from tempseg.report.cards import MomentCard, moment_cards
from tempseg.report.document import write_document
from tempseg.report.judging import FROZEN, judge, why_not_judged
from tempseg.report.label_pass import summarise_labels
from tempseg.report.markup import Markup, element, join
from tempseg.report.moments import worst_moments
from tempseg.report.panels import (
    areas_chart,
    evidence_chart,
    stages_chart,
    steadiness_chart,
    time_range,
    timeline_chart,
)
from tempseg.report.pictures import picture_moments
from tempseg.report.playback import player, run_data
from tempseg.report.recipe import (
    command_list,
    config_tables,
    looking_commands,
    making_commands,
    report_command,
)
from tempseg.report.records import RunRecord, read_run
from tempseg.report.reduction import CURVE_POINTS
from tempseg.report.sections import (
    chart_box,
    class_legend,
    headline,
    reason_legend,
    section,
    stage_table,
)
from tempseg.report.tables import figures_table
from tempseg.report.views import RunView

__all__ = ["PAGE", "write_page"]

PAGE = "report.html"


def write_page(
    folder: str | Path, *, judged: bool = False, observer: WorkObserver | None = None
) -> Path:
    """Write `report.html` into the folder of a finished run; return its path.

    Parameters
    ----------
    folder : str or Path
        What `tempseg run` made.
    judged : bool
        Whether a flow of the metrics' own judges temporal consistency and flicker; left out,
        and said so, where the source is gone or the classes are too many.
    observer : WorkObserver, optional
        Follows the judging.

    Raises
    ------
    SourceError
        When the folder holds no finished run, or a file of it is damaged.
    OutputError
        When the page cannot be written.
    """
    run = read_run(folder)
    unjudged = why_not_judged(run) if judged else ""
    judgement = judge(run, observer=observer) if judged and not unjudged else None
    view = RunView(run, summarise_labels(run), run.name, "var(--curve)", judgement)
    timeline = timeline_chart([view])
    evidence = evidence_chart([view])
    span = time_range([view])
    steadiness = steadiness_chart([view.steadiness], time_range_s=span)
    areas = areas_chart(view, name="areas", time_range_s=span)
    stages = stages_chart(view, name="stages", time_range_s=span)
    audit = audit_chart(view, time_range_s=span)
    path = run.folder / PAGE
    write_document(
        path,
        title=f"{run.name} · tempseg",
        head=join([element("h1", run.name), element("p", _what(run), class_="note")]),
        sections=[
            headline(view),
            player([view], path),
            section("Keyframes", chart_box(timeline), reason_legend([view]), note=_origins(view)),
            section(
                "Evidence",
                chart_box(evidence),
                note="What the keyframe policy saw of every frame, and the thresholds it held "
                f"that against.{_steps(view)}",
            )
            if evidence
            else None,
            section(
                "Steadiness",
                chart_box(steadiness) if steadiness else None,
                _judgement(view, unjudged),
            )
            if len(run.frames) > 1
            else None,
            None if run.audit is None else audit_section(run.audit, audit),
            _moments(view),
            section(
                "Classes",
                chart_box(areas),
                class_legend(view),
                note="Share of the frame that each class covers.",
            )
            if areas
            else None,
            section(
                "Time by stage",
                chart_box(stages),
                stage_table(run),
                note="Milliseconds a frame. Stages run side by side, so they add up to more than "
                "the run took.",
            )
            if stages
            else None,
            section(
                "Config",
                config_tables(run),
                note="As it was in effect. What is not at its default is marked.",
            ),
            section("Commands", command_list([*making_commands(run), *looking_commands(run)])),
            _foot(run),
        ],
        charts=[timeline, evidence, steadiness, audit, areas, stages],
        data={"runs": [run_data(view)], "range": list(span), "unit": "s"},
    )
    return path


def _what(run: RunRecord) -> str:
    return f"{run.width} × {run.height} · {run.model} · {run.runtime}"


def _origins(view: RunView) -> str:
    counts = [f"{count:,} {origin}" for origin, count in view.origins.items() if count]
    return f"{', '.join(counts)}. Click anywhere on a chart to see that moment."


def _steps(view: RunView) -> str:
    """Return how long curves were made short, where they were."""
    frames = len(view.run.frames)
    if frames <= CURVE_POINTS:
        return ""
    return f" Curves show the least and greatest of every {2 * frames // CURVE_POINTS} frames."


def _judgement(view: RunView, unjudged: str) -> Markup:
    """Return what the metrics say, or why they say nothing here."""
    run = view.run
    if view.judgement is None:
        if unjudged:
            return element("p", f"TC and flicker are not judged: {unjudged}", class_="note")
        return element(
            "p",
            "TC and flicker need a flow of their own. ",
            element("code", report_command(run)),
            " measures them and draws this page again.",
            class_="note",
        )
    return join(
        [
            figures_table(view.judgement.figures),
            element(
                "p",
                f"Judged by {view.judgement.flow}; gaps are scene cuts. {FROZEN}",
                class_="note",
            ),
        ]
    )


def _moments(view: RunView) -> Markup | None:
    judged = view.judgement
    if judged is not None and np.isfinite(judged.curves["flicker"]).any():
        name, curve, places = "flicker", judged.curves["flicker"], judged.worst
        note = "The frames that flicker most, after motion."
    else:
        name, curve = "flip rate", view.labels.flip_rate
        places = worst_moments(view.run, curve)
        note = (
            "The frames whose labels change most beyond what changes around them, scene cuts aside."
        )
    if not places:
        return None
    pictured = picture_moments(view.run, places)
    cards = [
        MomentCard(
            float(view.run.frames.time_s[moment.place]),
            f"{name} {curve[moment.place]:.1%}",
            ((view, moment),),
        )
        for moment in pictured
    ]
    return section("Worst moments", moment_cards(cards), note=note)


def _foot(run: RunRecord) -> Markup:
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    parts = [*(element("p", f"Assumed: {line}") for line in run.assumptions)]
    if run.model_sha256:
        parts.append(element("p", f"Model SHA-256: {run.model_sha256}"))
    return element("footer", *parts, element("p", versions))
