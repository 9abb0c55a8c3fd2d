"""What the metrics say about a run, in the page's own terms."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tempseg.metrics.confusion import MAX_CLASSES
from tempseg.protocols import WorkObserver
from tempseg.report.records import RunRecord
from tempseg.report.views import Judgement

if TYPE_CHECKING:
    from tempseg.evaluation import Evaluation

__all__ = ["FROZEN", "judge", "judgement_of", "why_not_judged"]

COLUMN_NAMES = {
    "prediction": "these labels",
    "reference": "segmenter on every frame",
    "copy_last": "last keyframe copied",
}
FROZEN = (
    "Labels that never change score a TC of 1 and no flicker: these alone are no quality. "
    "tempseg eval takes --truth or --reference."
)
"""Stands beside every TC without an accuracy."""

CURVES = ("tc", "flicker", "flip_rate", "blink", "miou", "fidelity")


def why_not_judged(run: RunRecord) -> str:
    """Return why temporal consistency and flicker cannot be judged; empty where they can."""
    if not _source_is_there(run):
        return (
            f"they need the pictures of {run.source}, which is not there; a relative path counts "
            "from where the run was started."
        )
    if len(run.classes.names) > MAX_CLASSES:
        return (
            f"the run has {len(run.classes.names)} classes, of which at most {MAX_CLASSES} can be "
            "scored; tempseg eval takes --map."
        )
    return ""


def _source_is_there(run: RunRecord) -> bool:
    """Tell whether the run's source can still be read from where the run read it."""
    try:
        return Path(run.source).exists() or any(glob.iglob(run.source))
    except (OSError, ValueError):
        return False


def judge(run: RunRecord, *, observer: WorkObserver | None = None) -> Judgement:
    """Return the scores of a run against its own source.

    Raises
    ------
    TempsegError
        When the source cannot be read or is another one by now.
    """
    from tempseg.evaluation import evaluate

    return judgement_of(evaluate(run.folder, observer=observer), frames=len(run.frames))


def judgement_of(evaluation: Evaluation, *, frames: int) -> Judgement:
    """Return an evaluation's figures, and its curves over so many frames.

    Frames that were not evaluated are nan.
    """
    curves = {name: np.full(frames, np.nan) for name in CURVES}
    for row in evaluation.frames:
        for name, curve in curves.items():
            value = getattr(row, name)
            if value is not None:
                curve[row.index] = value
    return Judgement(
        curves=curves,
        worst=tuple(evaluation.worst),
        figures={COLUMN_NAMES[name]: column for name, column in evaluation.columns().items()},
        flow=evaluation.settings.flow,
    )
