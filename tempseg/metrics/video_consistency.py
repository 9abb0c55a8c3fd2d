"""VC: how much of what stands still in the truth stands still in the labels."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tempseg.kernels import counts
from tempseg.metrics.confusion import (
    check_alike,
    check_compat,
    check_void,
    label_maps,
    mean_known,
    sequence_void,
)
from tempseg.types import VOID_8, LabelArray

__all__ = [
    "VideoConsistency",
    "VideoConsistencyCompat",
    "VideoConsistencyScores",
    "video_consistency",
    "windows",
]

VideoConsistencyCompat = Literal["vspw"]

NO_ID = -1
"""Stands for void where void is a class like others: no pixel holds it."""


@dataclass(frozen=True, slots=True)
class VideoConsistencyScores:
    """Video consistency, in [0, 1]; nan where no window has steady truth.

    Parameters
    ----------
    vc : float
        Mean over windows of the share of pixels of constant truth whose labels are constant.
    vc_correct : float
        The same where the labels must also equal the truth.
    windows : int
        Windows that had a pixel of constant truth.
    """

    vc: float
    vc_correct: float
    windows: int


class VideoConsistency:
    """Per window of C frames, the share of pixels of constant truth that hold their label.

    A label need not be right for `vc`, so that a frozen answer scores 1: read it beside an
    accuracy. Void truth is left out.

    `|G constant and S constant| / |G constant|`. Range [0, 1], higher is better. Source: Miao et
    al. 2021, "VSPW: A Large-scale Dataset for Video Scene Parsing in the Wild".

    Parameters
    ----------
    window : int
        Frames a window C, at least 2.
    void : int
        The id that stands for no class; give 65535 with more than 255 classes.
    compat : {"vspw"}, optional
        Counts void as a class that can be constant, as VSPW's script does. Which windows that
        script looks at is told by `windows`.

    Examples
    --------
    >>> import numpy as np
    >>> consistency = VideoConsistency(2)
    >>> truth = np.uint8([[0, 0, 1, 1]])
    >>> consistency.update([truth, np.uint8([[0, 1, 1, 1]])], [truth, truth])
    >>> consistency.compute()
    VideoConsistencyScores(vc=0.75, vc_correct=0.75, windows=1)
    """

    def __init__(
        self, window: int, *, void: int = VOID_8, compat: VideoConsistencyCompat | None = None
    ) -> None:
        check_compat(compat, get_args(VideoConsistencyCompat))
        self._window, self._void, self._compat = _check_window(window), check_void(void), compat
        self._shares, self._correct = array("d"), array("d")

    def update(
        self,
        labels: Sequence[LabelArray] | LabelArray,
        truth: Sequence[LabelArray] | LabelArray,
    ) -> None:
        """Take one window: C neighbouring frames' labels and truths, each (H, W).

        Raises
        ------
        ValueError
            When there are not C of each, or they are no label maps of one size.
        """
        if not len(labels) == len(truth) == self._window:
            raise ValueError(
                f"{len(labels)} label maps and {len(truth)} truths, expected {self._window} each"
            )
        first_labels, first_truth = label_maps(labels=labels[0], truth=truth[0])
        held_labels = np.ones(first_labels.shape, np.bool_)
        held_truth = np.ones(first_labels.shape, np.bool_)
        for i in range(1, self._window):
            later = label_maps(first=first_labels, labels=labels[i], truth=truth[i])
            counts.keep_equal(first_labels, later[1], held_labels)
            counts.keep_equal(first_truth, later[2], held_truth)
        found = np.empty(3, np.int64)
        void = NO_ID if self._compat == "vspw" else self._void
        counts.held(first_labels, first_truth, held_labels, held_truth, void, found)
        steady, held, correct = found.tolist()
        if steady:
            self._shares.append(held / steady)
            self._correct.append(correct / steady)

    def merge(self, other: VideoConsistency) -> None:
        """Add the windows that another of the same settings has seen."""
        check_alike(
            window=(self._window, other._window),
            void=(self._void, other._void),
            compat=(self._compat, other._compat),
        )
        self._shares.extend(other._shares)
        self._correct.extend(other._correct)

    def compute(self) -> VideoConsistencyScores:
        """Return the means over the windows seen."""
        return VideoConsistencyScores(
            mean_known(self._shares), mean_known(self._correct), len(self._shares)
        )


def windows(frames: int, window: int, compat: VideoConsistencyCompat | None = None) -> range:
    """Return the first frame of each window of a shot or video.

    Parameters
    ----------
    frames : int
        Frames of the shot T.
    window : int
        Frames a window C.
    compat : {"vspw"}, optional
        Drops the last window, and with it videos of C frames, as VSPW's script does.

    Examples
    --------
    >>> windows(10, 8)
    range(0, 3)
    >>> windows(10, 8, "vspw")
    range(0, 2)
    """
    check_compat(compat, get_args(VideoConsistencyCompat))
    count = frames - _check_window(window) + 1
    if compat == "vspw":
        count -= 1
    return range(max(count, 0))


def video_consistency(
    labels: Sequence[LabelArray] | LabelArray,
    truth: Sequence[LabelArray] | LabelArray,
    *,
    window: int = 8,
    void: int | None = None,
    compat: VideoConsistencyCompat | None = None,
) -> VideoConsistencyScores:
    """Return the video consistency of one shot.

    Range [0, 1], higher is better. Formula and source as in `VideoConsistency`.

    Parameters
    ----------
    labels, truth : ndarray, shape (T, H, W), uint8 or uint16
    window : int
        Frames a window.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 where an id is above 255.
    compat
        As in `VideoConsistency`.

    Examples
    --------
    >>> import numpy as np
    >>> still = np.zeros((9, 4, 4), np.uint8)
    >>> video_consistency(still + np.uint8(1), still)
    VideoConsistencyScores(vc=1.0, vc_correct=0.0, windows=2)
    """
    if len(labels) != len(truth):
        raise ValueError(f"{len(labels)} label maps and {len(truth)} truths, expected one each")
    void = sequence_void(void, labels, truth)
    consistency = VideoConsistency(window, void=void, compat=compat)
    for start in windows(len(labels), window, compat):
        consistency.update(labels[start : start + window], truth[start : start + window])
    return consistency.compute()


def _check_window(window: int) -> int:
    if window < 2:
        raise ValueError(f"window is {window}, expected at least 2 frames")
    return window
