"""A run as the page shows it: its record, what its label maps say, how it was judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tempseg.decisions import KeyframeReason
from tempseg.report.label_pass import LabelSummary
from tempseg.report.records import FloatColumn, RunRecord
from tempseg.types import Origin

__all__ = ["Judgement", "RunView", "Series", "clock_time", "reason_name"]


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Steadiness and accuracy as the metrics judge them.

    Parameters
    ----------
    curves : mapping of metric to ndarray, shape (N,), float64
        A value a frame; nan where there is none.
    worst : tuple of int
        Places of the frames with most flicker.
    figures : mapping of label sequence to mapping of metric to value
        These labels first, then what they are to be held against.
    flow : str or None
        The flow that judged.
    """

    curves: Mapping[str, FloatColumn]
    worst: tuple[int, ...]
    figures: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    flow: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Curves over time that belong to one run or label sequence.

    Parameters
    ----------
    title : str
        What tells it from the others of the page.
    time_s : ndarray, shape (N,), float64
    curves : mapping of name to ndarray, shape (N,), float64
        Values may be nan.
    colour : str
        CSS.
    dash : str
        Plotly's name of the line's pattern.
    """

    title: str
    time_s: FloatColumn
    curves: Mapping[str, FloatColumn]
    colour: str
    dash: str = "solid"


@dataclass(frozen=True, slots=True, eq=False)
class RunView:
    """One run of a page.

    Parameters
    ----------
    run : RunRecord
    labels : LabelSummary
    title : str
        What tells it from the other runs of the page.
    colour : str
        CSS of the curves that stand for the run.
    judgement : Judgement or None
        None where nothing has judged it.
    dash : str
        Plotly's name of the pattern of those curves.
    """

    run: RunRecord
    labels: LabelSummary
    title: str
    colour: str
    judgement: Judgement | None = None
    dash: str = "solid"

    @property
    def keyframes(self) -> dict[str, list[int]]:
        """Places of the keyframes by reason."""
        found: dict[str, list[int]] = {}
        for place, reason in enumerate(self.run.frames.reasons):
            if reason:
                found.setdefault(reason, []).append(place)
        return {reason: found[reason] for reason in _reasons_in_order(found)}

    @property
    def steadiness(self) -> Series:
        """What the label maps say by themselves, and the scores where there are any."""
        own = {"flip_rate": self.labels.flip_rate, "blink": self.labels.blink}
        judged = {} if self.judgement is None else self.judgement.curves
        return self.series({**own, **judged})

    @property
    def evidence(self) -> Series:
        """What the keyframe policy saw."""
        return self.series(self.run.frames.evidence)

    def series(self, curves: Mapping[str, FloatColumn]) -> Series:
        """Return curves over this run's frames."""
        return Series(self.title, self.run.frames.time_s, curves, self.colour, self.dash)

    @property
    def origins(self) -> dict[str, int]:
        """Number of frames by origin."""
        return {o.value: self.run.frames.origins.count(o.value) for o in Origin}

    @property
    def time_range_s(self) -> tuple[float, float]:
        """From the first frame's beginning to the last one's end."""
        frames = self.run.frames
        return float(frames.time_s[0]), float(frames.time_s[-1]) + frames.frame_s

    @property
    def class_order(self) -> list[int]:
        """Classes that cover anything and are not background, the largest first."""
        share = self.labels.areas.mean(axis=0)
        order = np.argsort(-share, kind="stable").tolist()
        return [c for c in order if share[c] > 0 and c not in self.run.classes.background]


def _reasons_in_order(reasons: Mapping[str, object]) -> list[str]:
    """Return reasons as their kind lists them, unknown ones last."""
    known = [reason.value for reason in KeyframeReason]
    return [r for r in known if r in reasons] + sorted(set(reasons) - set(known))


def reason_name(reason: str) -> str:
    """Return a reason in words."""
    return reason.replace("_", " ")


def clock_time(time_s: float) -> str:
    """Return a time as people write it.

    Examples
    --------
    >>> clock_time(7.5), clock_time(3725.04)
    ('7.50 s', '1:02:05.04')
    """
    hundredths = round(time_s * 100)
    if hundredths < 12_000:
        return f"{hundredths / 100:.2f} s"
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else str(minutes)
    return f"{head}:{rest / 100:05.2f}"
