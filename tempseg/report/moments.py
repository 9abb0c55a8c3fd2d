"""Which frames of a run to look at first."""

from __future__ import annotations

import numpy as np

from tempseg.report.records import FloatColumn, RunRecord

__all__ = ["MOMENTS", "worst_moments"]

MOMENTS = 10
APART = 8
"""Frames between two moments at least, so that one bad stretch does not take all places."""

AROUND = 4
"""Frames on either side whose middle value counts as the motion's own share."""


def worst_moments(run: RunRecord, flip_rate: FloatColumn) -> tuple[int, ...]:
    """Return the frames whose labels change most beyond what changes around them, worst first.

    Scene cuts are left out: everything may change there. At most `MOMENTS` frames, at least
    `APART` frames from one another, and none where nothing stands out.

    Parameters
    ----------
    run : RunRecord
    flip_rate : ndarray, shape (N,), float64
        As in `LabelSummary`.
    """
    if len(flip_rate) < 2:
        return ()
    padded = np.pad(flip_rate, AROUND, constant_values=np.nan)
    padded[AROUND] = flip_rate[1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    usual = np.full(len(flip_rate), np.nan)
    known = np.isfinite(windows).any(axis=1)
    usual[known] = np.nanmedian(windows[known], axis=1)
    excess = flip_rate - usual
    excess[[0, *run.frames.cuts]] = 0
    return _spaced(np.nan_to_num(excess))


def _spaced(scores: FloatColumn) -> tuple[int, ...]:
    chosen: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if scores[index] <= 0 or len(chosen) == MOMENTS:
            break
        if all(abs(index - other) >= APART for other in chosen):
            chosen.append(index)
    return tuple(chosen)
