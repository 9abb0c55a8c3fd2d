"""The page of a tune."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tempseg.evaluation.whole_file import write_whole
from tempseg.report.document import write_document
from tempseg.report.front_picture import front_panels, front_svg
from tempseg.report.markup import Markup, element, join
from tempseg.report.sections import section
from tempseg.report.tables import columns_table

if TYPE_CHECKING:
    from tempseg.tuning import Tuning
    from tempseg.tuning.results import TuningNotes
    from tempseg.tuning.search import Measured

__all__ = ["write_tuning"]


def write_tuning(folder: str | Path, tuning: Tuning) -> Path:
    """Write a tune as `tune.html`, and its picture as `pareto.svg`; return the page's path.

    Raises
    ------
    OutputError
        When they cannot be written.
    """
    from tempseg.tuning import best_toml

    folder = Path(folder)
    write_whole(folder / "pareto.svg", front_svg(tuning))
    names = ", ".join(Path(source).name or source for source in tuning.notes.sources)
    write_document(
        folder / "tune.html",
        title=f"{names} · tune · tempseg",
        head=join([element("h1", names), element("p", _told(tuning), class_="note")]),
        sections=[
            _headline(tuning),
            section("Trade-off", front_panels(tuning), note=_reading(tuning)),
            section("The front", _table(tuning, tuning.front), note="Nothing beats these in both."),
            section("Chosen", _config(best_toml(tuning)), _run(tuning)),
            section("Every config measured", _table(tuning, tuning.measured), note=_all(tuning)),
            section("What it was measured on", _notes(tuning)),
        ],
        charts=[],
        data={"runs": [], "range": [0, 1]},
    )
    return folder / "tune.html"


def _told(tuning: Tuning) -> str:
    notes = tuning.notes
    return f"{notes.tried} configs on {notes.frames:,} frames, with {notes.model}"


def _headline(tuning: Tuning) -> Markup:
    choice, figures = tuning.choice, tuning.choice.measured.figures
    reached = "reached" if choice.reached else "not reached: the nearest is shown"
    shown = [
        ("target", str(choice.target), reached),
        ("keyframes", f"{figures.share:.1%}", f"{figures.keyframes:,} of {figures.frames:,}"),
        ("fidelity between", f"{figures.fidelity_between:.3f}", f"floor {tuning.floor:.3f}"),
        ("consistency", f"{figures.tc:.3f}", "tc"),
        ("frames/s", f"{choice.measured.fps:.1f}", "predicted on this machine"),
    ]
    if tuning.by_truth:
        shown.insert(3, ("mIoU", f"{figures.miou:.3f}", "against the truth"))
    boxes = [
        element("div", element("dt", n), element("dd", v), element("dd", t, class_="note"))
        for n, v, t in shown
    ]
    return element("dl", *boxes, class_="headline")


def _reading(tuning: Tuning) -> str:
    worth = (
        "mIoU against the truth"
        if tuning.by_truth
        else "fidelity: how far frames between keyframes agree with the model's own labels"
    )
    floor = (
        "The dashed line is the floor, the model's agreement with itself from frame to frame: "
        "what lies above it cannot be told from the model's own flicker. "
    )
    return (
        f"Up is {worth}; left is cheaper. {'' if tuning.by_truth else floor}"
        "The ring is the config that was chosen. A point names its config under the mouse. "
        "Tables have the model on every frame too, whose fidelity to itself is 1."
    )


def _all(tuning: Tuning) -> str:
    notes = tuning.notes
    return (
        f"Of {notes.tried} configs {notes.distinct} take keyframes of their own, "
        f"{notes.sampled} were measured on a part of the frames or all, "
        f"{len(tuning.measured)} on all."
    )


def _table(tuning: Tuning, measured: Sequence[Measured]) -> Markup:
    heads = ["keyframes", "fidelity between", "5th percentile", "fidelity", "tc", "flicker"]
    heads += ["mIoU", "frames/s"] if tuning.by_truth else ["frames/s"]
    rows = []
    for m in measured:
        f = m.figures
        cells = [f"{f.share:.2%}", _number(f.fidelity_between), _number(f.fidelity_p5_between)]
        cells += [_number(f.fidelity), _number(f.tc), _number(f.flicker)]
        cells += [_number(f.miou)] if tuning.by_truth else []
        mark = "● " if m is tuning.choice.measured else ""
        rows.append((f"{mark}{m.trial.name}", [*cells, f"{m.fps:.1f}"]))
    return columns_table(heads, rows)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _config(text: str) -> Markup:
    return element(
        "div",
        element(
            "figure",
            element("figcaption", "best.toml"),
            element("pre", element("code", text)),
            element("button", "copy", type="button", class_="copy"),
        ),
        class_="commands",
    )


def _run(tuning: Tuning) -> Markup:
    source = shlex.quote(tuning.notes.sources[0])
    told = f"tempseg run {source} --config best.toml --out result"
    return element("p", "Run it: ", element("code", told), class_="note")


def _truth(notes: TuningNotes) -> str:
    if not notes.truth:
        return "none"
    return f"{', '.join(notes.truth)}, for {notes.true_frames} of {notes.frames} frames"


def _notes(tuning: Tuning) -> Markup:
    notes, stages = tuning.notes, tuning.stages
    rows = [
        ("sources", [", ".join(notes.sources)]),
        ("parts", [", ".join(notes.pieces)]),
        ("model", [notes.model]),
        ("truth", [_truth(notes)]),
        ("asked the model", [f"{notes.calls} times; the rest was known"]),
        ("took", [f"{notes.wall_s:.0f} s"]),
        (
            "stages",
            [
                f"decode {stages.decode:.1f}, motion {stages.motion:.1f}, write "
                f"{stages.write:.1f} ms a frame; model {stages.segment:.0f} ms a keyframe; "
                f"{stages.cores:.1f} cores"
            ],
        ),
        ("kept in", [notes.cache]),
    ]
    return columns_table([""], rows, words=True)
