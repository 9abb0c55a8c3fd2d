"""TC and flicker: labels against those of the next frame, brought back along the motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import counts
from tempseg.metrics.confusion import (
    check_alike,
    check_classes,
    check_compat,
    check_void,
    class_ious,
    known_classes,
    label_maps,
    mean_known,
    sequence_void,
)
from tempseg.types import FloatArray, LabelArray

__all__ = [
    "PairScores",
    "TemporalCompat",
    "TemporalConsistency",
    "TemporalScores",
    "temporal_consistency",
]

TemporalCompat = Literal["etc", "vspw"]


@dataclass(frozen=True, slots=True)
class PairScores:
    """One pair of frames; nan where nothing was compared.

    Parameters
    ----------
    tc : float
        mIoU of the pair, in [0, 1].
    flicker : float
        Share of the compared pixels that change their label, in [0, 1].
    """

    tc: float
    flicker: float


@dataclass(frozen=True, slots=True)
class TemporalScores:
    """Temporal consistency of all pairs; nan where nothing was compared.

    Parameters
    ----------
    tc : float
        mIoU of one matrix over all pairs, in [0, 1]; higher is steadier.
    mtc, tc_worst : float
        Mean and least of the pairs' own mIoU.
    tc_worst_frame : int or None
        The frame given with the worst pair; the first of equals.
    flicker : float
        Share of the compared pixels of all pairs that change their label; lower is steadier.
    pairs : int
    """

    tc: float
    mtc: float
    tc_worst: float
    tc_worst_frame: int | None
    flicker: float
    pairs: int


class TemporalConsistency:
    """Gathers how labels agree with those of the next frame brought back, a pair at a time.

    `TC = mIoU(S_t, W(S_{t+1}))`, W by the nearest pixel to p + F(p). Pixels that leave the picture,
    that are occluded, and that are void on either side are left out. A mask that never changes
    scores 1: never read it alone.

    Range [0, 1], higher is better; of `flicker` [0, 1], lower is better. Source: Liu et al. 2020,
    "Efficient Semantic Video Segmentation with Per-frame Inference" (ETC), without its
    interpolation of ids.

    Parameters
    ----------
    classes : int
        Number of classes; ids are 0 to classes - 1.
    void : int, optional
        The id that is no class; by default 255, or 65535 with more than 255 classes.
    compat : {None, 'etc', 'vspw'}
        How a published script does it. `etc` interpolates ids bilinearly with a clamped border,
        truncates them, averages over all classes and knows no occlusion. `vspw` samples a grid
        normalised by W - 1 as if by W, outside is class 0, averages over the classes of S_t.

    Examples
    --------
    >>> labels = np.array([[0, 0, 1, 1]], np.uint8)
    >>> following = np.array([[0, 1, 1, 1]], np.uint8)
    >>> metric = TemporalConsistency(2)
    >>> metric.update(labels, following, np.zeros((1, 4, 2), np.float32), frame=1).flicker
    0.25
    """

    def __init__(
        self, classes: int, *, void: int | None = None, compat: TemporalCompat | None = None
    ) -> None:
        check_compat(compat, get_args(TemporalCompat))
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._compat = compat
        self._matrix = np.zeros((classes, classes + 1), np.int64)
        self._pairs: list[tuple[int, float]] = []

    def update(
        self,
        labels: LabelArray,
        following: LabelArray,
        forward: FloatArray,
        occluded: NDArray[np.bool_] | None = None,
        *,
        frame: int = 0,
    ) -> PairScores:
        """Take a frame and the next one; return the pair's own scores.

        Parameters
        ----------
        labels, following : ndarray, shape (H, W), uint8 or uint16
        forward : ndarray, shape (H, W, 2), float32
            (dx, dy) in pixels, from a pixel of the frame to its place in the next one.
        occluded : ndarray, shape (H, W), bool, optional
            Pixels of the frame to leave out.
        frame : int
            What the pair is called in `tc_worst_frame`.

        Raises
        ------
        ValueError
            When the shapes differ, or a label is neither a class nor void.
        """
        labels, following = label_maps(labels=labels, following=following)
        check_field("forward", forward, labels.shape)
        if self._compat is None:
            pairs = self._compared(labels, following, forward, occluded)
        else:
            carried = (
                _etc(following, forward) if self._compat == "etc" else _vspw(following, forward)
            )
            pairs = _confused(labels, carried, classes=self._classes, void=self._void)
        # A label that has no counterpart, void, is left out on both sides.
        matrix = np.zeros_like(self._matrix)
        matrix[:, :-1] = pairs[:-1, :-1]
        self._matrix += matrix
        score = self._mean(matrix)
        self._pairs.append((frame, score))
        return PairScores(score, _changed(matrix))

    def merge(self, other: TemporalConsistency) -> None:
        """Add other pairs.

        Raises
        ------
        ValueError
            When the other's settings differ.
        """
        check_alike(
            classes=(self._classes, other._classes),
            void=(self._void, other._void),
            compat=(self._compat, other._compat),
        )
        self._matrix += other._matrix
        self._pairs += other._pairs

    def compute(self) -> TemporalScores:
        """Return the scores of all pairs."""
        known = [(score, frame) for frame, score in self._pairs if not math.isnan(score)]
        worst, frame = min(known) if known else (math.nan, None)
        return TemporalScores(
            tc=self._mean(self._matrix),
            mtc=mean_known(score for score, _ in known),
            tc_worst=worst,
            tc_worst_frame=frame,
            flicker=_changed(self._matrix),
            pairs=len(self._pairs),
        )

    def _compared(
        self,
        labels: LabelArray,
        following: LabelArray,
        forward: FloatArray,
        occluded: NDArray[np.bool_] | None,
    ) -> NDArray[np.int64]:
        if occluded is not None:
            if occluded.shape != labels.shape:
                raise ValueError(f"occluded is {occluded.shape}, expected {labels.shape}")
            # What leads nowhere is not compared.
            forward = forward.copy()
            np.copyto(forward[..., 0], np.float32(np.nan), where=occluded)
        side = self._classes + 2
        counted = np.zeros((side, side), np.int64)
        counts.confuse_carried(
            following, labels, np.ascontiguousarray(forward), self._classes, self._void, counted
        )
        return known_classes(counted, (labels, following), classes=self._classes, void=self._void)

    def _mean(self, matrix: NDArray[np.int64]) -> float:
        ious = class_ious(matrix)
        if not matrix.any():
            return math.nan
        if self._compat == "etc":
            return float(np.nan_to_num(ious).mean())
        if self._compat == "vspw":
            return mean_known(ious[matrix.sum(axis=1) > 0].tolist())
        return mean_known(ious.tolist())


def temporal_consistency(
    labels: Sequence[LabelArray] | LabelArray,
    flow: Sequence[FloatArray] | FloatArray,
    *,
    classes: int | None = None,
    occluded: NDArray[np.bool_] | None = None,
    void: int | None = None,
    compat: TemporalCompat | None = None,
) -> float:
    """Return the temporal consistency of a sequence of label maps, in [0, 1]; higher is steadier.

    Range [0, 1], higher is better. Formula and source as in `TemporalConsistency`.

    Parameters
    ----------
    labels : ndarray, shape (T, H, W), uint8 or uint16
    flow : ndarray, shape (T-1, H, W, 2), float32
        (dx, dy) in pixels, from each frame to the next.
    classes : int, optional
        Number of classes; by default as many as the highest id asks for.
    occluded : ndarray, shape (T-1, H, W), bool, optional
        Pixels of each frame but the last to leave out.
    void, compat
        As in `TemporalConsistency`.

    Raises
    ------
    ValueError
        When the shapes do not fit, or a label is neither a class nor void.

    Examples
    --------
    >>> still = np.zeros((3, 4, 4), np.uint8)
    >>> temporal_consistency(still, np.zeros((2, 4, 4, 2), np.float32))
    1.0
    """
    if len(flow) != len(labels) - 1:
        raise ValueError(f"flow has {len(flow)} fields, expected {len(labels) - 1}")
    if classes is None:
        void = sequence_void(void, labels)
        classes = 1 + _highest(labels, void)
    metric = TemporalConsistency(classes, void=void, compat=compat)
    for i, field in enumerate(flow):
        hidden = None if occluded is None else occluded[i]
        metric.update(labels[i], labels[i + 1], field, hidden, frame=i + 1)
    return metric.compute().tc


def _highest(labels: Sequence[LabelArray] | LabelArray, void: int) -> int:
    return max(int(ids[ids != void].max(initial=0)) for ids in labels)


def check_field(name: str, flow: FloatArray, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless a flow field fits a label map."""
    if flow.shape != (*shape, 2) or flow.dtype != np.float32:
        raise ValueError(f"{name} is {flow.dtype} {flow.shape}, expected float32 {(*shape, 2)}")


def _changed(matrix: NDArray[np.int64]) -> float:
    total = int(matrix.sum())
    return 1 - int(np.trace(matrix)) / total if total else math.nan


def _confused(
    labels: LabelArray, carried: NDArray[np.int64], *, classes: int, void: int
) -> NDArray[np.int64]:
    """Return how often each pair stands in two maps; ids beyond the classes take the last place."""
    rows = np.where((labels < classes) & (labels != void), labels, classes).astype(np.int64)
    columns = np.where((carried < classes) & (carried != void), carried, classes)
    side = classes + 1
    return np.bincount((rows * side + columns).ravel(), minlength=side * side).reshape(side, side)


def _places(forward: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width, _ = forward.shape
    places = forward.astype(np.float64)
    places[..., 0] += np.arange(width)
    places[..., 1] += np.arange(height)[:, None]
    return places[..., 0], places[..., 1]


def _etc(following: LabelArray, forward: FloatArray) -> NDArray[np.int64]:
    """Return the next frame's ids, interpolated as if they were gray levels."""
    height, width = following.shape
    x, y = _places(forward)
    np.clip(x, 0, width - 1, out=x)
    np.clip(y, 0, height - 1, out=y)
    x0, y0 = x.astype(np.int64), y.astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = following[y0, x0] * (1 - fx) + following[y0, x1] * fx
    low = following[y1, x0] * (1 - fx) + following[y1, x1] * fx
    ids: NDArray[np.int64] = (top * (1 - fy) + low * fy).astype(np.int64)
    return ids


def _vspw(following: LabelArray, forward: FloatArray) -> NDArray[np.int64]:
    """Return the next frame's ids as that script samples them: half a pixel off, nearly."""
    height, width = following.shape
    x, y = _places(forward)
    # Divided by W - 1 on the way to [-1, 1], multiplied by W on the way back.
    column = np.rint(x * width / max(width - 1, 1) - 0.5).astype(np.int64)
    row = np.rint(y * height / max(height - 1, 1) - 0.5).astype(np.int64)
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    found = following[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.where(inside, found, 0).astype(np.int64)
