"""Agreement with the segmenter run on every frame, and that segmenter's with itself."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import counts
from tempseg.metrics.confusion import (
    check_alike,
    check_classes,
    check_void,
    class_ious,
    count_pairs,
    known_classes,
    label_maps,
    mean_known,
)
from tempseg.types import FloatArray, LabelArray

__all__ = ["Fidelity", "FidelityFloor", "FidelityScores", "fidelity", "fidelity_floor"]

LOW_PERCENT = 5


@dataclass(frozen=True, slots=True)
class FidelityScores:
    """The mIoU of single frames against the per-frame segmenter, in [0, 1]; nan without frames.

    Parameters
    ----------
    fidelity : float
        Mean over all frames.
    fidelity_p5 : float
        Their 5th percentile.
    fidelity_worst : float
        The least of them.
    fidelity_worst_frame : int or None
        The frame that has it, the first of equals; None without frames.
    fidelity_between, fidelity_p5_between, fidelity_worst_between, fidelity_worst_frame_between
        The same over the frames between keyframes.
    """

    fidelity: float
    fidelity_p5: float
    fidelity_worst: float
    fidelity_worst_frame: int | None
    fidelity_between: float
    fidelity_p5_between: float
    fidelity_worst_between: float
    fidelity_worst_frame_between: int | None


class Fidelity:
    """Compares each frame's labels with what the segmenter says of that frame itself.

    The reference is taken as truth: its void is left out, a void label elsewhere is a miss, and
    a frame's mIoU is over the classes in either map. A frame without a known pixel counts
    nowhere.

    `mIoU(S_t, R_t)`, R the reference. Range [0, 1], higher is better up to `FidelityFloor`. Source:
    tempseg's own.

    Parameters
    ----------
    classes : int
        Number of classes K; ids are 0 to K-1.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> fidelity = Fidelity(2)
    >>> reference = np.uint8([[0, 0, 1]])
    >>> fidelity.update(reference, reference, frame=0, between=False)
    1.0
    >>> fidelity.update(np.uint8([[0, 1, 1]]), reference, frame=1, between=True)
    0.5
    >>> fidelity.compute().fidelity, fidelity.compute().fidelity_worst_frame
    (0.75, 1)
    """

    def __init__(self, classes: int, *, void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._mious, self._frames, self._between = array("d"), array("q"), array("b")

    def update(
        self, labels: LabelArray, reference: LabelArray, *, frame: int, between: bool
    ) -> float:
        """Take one frame; return its mIoU.

        Parameters
        ----------
        labels, reference : ndarray, shape (H, W), uint8 or uint16
            The output, and the labels of the segmenter run on this frame.
        frame : int
            The frame's number.
        between : bool
            Whether the frame lies between keyframes.

        Raises
        ------
        ValueError
            When they are no label maps of one size, or hold an id that is neither a class nor
            void.
        """
        pairs = count_pairs(labels, reference, classes=self._classes, void=self._void)
        miou = mean_known(class_ious(pairs[:-1]))
        if not math.isnan(miou):
            self._mious.append(miou)
            self._frames.append(frame)
            self._between.append(bool(between))
        return miou

    def merge(self, other: Fidelity) -> None:
        """Add the frames that another of the same settings has seen."""
        check_alike(classes=(self._classes, other._classes), void=(self._void, other._void))
        self._mious.extend(other._mious)
        self._frames.extend(other._frames)
        self._between.extend(other._between)

    def compute(self) -> FidelityScores:
        """Return mean, 5th percentile and worst of what was seen."""
        mious = np.array(self._mious, np.float64)
        frames = np.array(self._frames, np.int64)
        between = np.array(self._between, np.bool_)
        every = _summary(mious, frames)
        return FidelityScores(*every, *_summary(mious[between], frames[between]))


class FidelityFloor:
    """Agreement of the per-frame segmenter with itself, one frame carried to the next.

    What the segmenter said at t-1 is carried to t, nearest pixel, and compared with what it says
    at t, frame by frame as in `Fidelity`; pixels that come from outside the picture are left out.
    The segmenter's own flicker keeps any answer that is steady in time from a fidelity much
    above this.

    `mean over t of mIoU(W(R_{t-1}), R_t)`. Range [0, 1]; of two segmenters, higher is better, as
    the one flickers less. Source: tempseg's own.

    Parameters
    ----------
    classes : int
        Number of classes K; ids are 0 to K-1.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> floor = FidelityFloor(2)
    >>> to_the_left = np.full((1, 4, 2), (-1, 0), np.float32)
    >>> floor.update(np.uint8([[0, 1, 1, 1]]), np.uint8([[0, 0, 1, 1]]), to_the_left)
    1.0
    """

    def __init__(self, classes: int, *, void: int | None = None) -> None:
        self._classes, self._void = check_classes(classes), check_void(void, classes)
        self._mious = array("d")

    def update(
        self, previous_reference: LabelArray, reference: LabelArray, backward: FloatArray
    ) -> float:
        """Take two neighbouring frames of the segmenter; return their mIoU.

        Parameters
        ----------
        previous_reference, reference : ndarray, shape (H, W), uint8 or uint16
            Its labels at t-1 and at t.
        backward : ndarray, shape (H, W, 2), float32
            The pull field on the grid of t: (dx, dy) in pixels to a pixel's place at t-1.

        Raises
        ------
        ValueError
            When shapes or types are others, or an id that is compared is neither a class nor
            void.
        """
        source, target = label_maps(previous_reference=previous_reference, reference=reference)
        if backward.dtype != np.float32 or backward.shape != (*target.shape, 2):
            raise ValueError(
                f"backward is {backward.dtype} {backward.shape}, "
                f"expected float32 {(*target.shape, 2)}"
            )
        pairs = np.zeros((self._classes + 2, self._classes + 2), np.int64)
        flow = np.ascontiguousarray(backward)
        counts.confuse_carried(source, target, flow, self._classes, self._void, pairs)
        known = known_classes(pairs, (source, target), classes=self._classes, void=self._void)
        self._mious.append(mean_known(class_ious(known[:-1])))
        return self._mious[-1]

    def merge(self, other: FidelityFloor) -> None:
        """Add the pairs that another of the same settings has seen."""
        check_alike(classes=(self._classes, other._classes), void=(self._void, other._void))
        self._mious.extend(other._mious)

    def compute(self) -> float:
        """Return the mean over pairs, in [0, 1]; nan where nothing was compared."""
        return mean_known(self._mious)


def fidelity(
    labels: Sequence[LabelArray] | LabelArray,
    reference: Sequence[LabelArray] | LabelArray,
    *,
    classes: int,
    void: int | None = None,
    between: Sequence[bool] | NDArray[np.bool_] | None = None,
) -> FidelityScores:
    """Return the agreement of label maps with the segmenter run on every frame.

    Range [0, 1], higher is better. Formula and source as in `Fidelity`.

    Parameters
    ----------
    labels, reference : ndarray, shape (T, H, W), uint8 or uint16
    classes, void
        As in `Fidelity`.
    between : sequence of bool, shape (T,), optional
        Which frames lie between keyframes; by default no frame is known to.

    Examples
    --------
    >>> import numpy as np
    >>> per_frame = np.uint8([[[0, 1]], [[1, 1]]])
    >>> fidelity(per_frame, per_frame, classes=2).fidelity
    1.0
    """
    scores = Fidelity(classes, void=void)
    flags = [False] * len(labels) if between is None else between
    for frame, (ours, theirs, flag) in enumerate(zip(labels, reference, flags, strict=True)):
        scores.update(ours, theirs, frame=frame, between=bool(flag))
    return scores.compute()


def fidelity_floor(
    reference: Sequence[LabelArray] | LabelArray,
    backward: Sequence[FloatArray] | FloatArray,
    *,
    classes: int,
    void: int | None = None,
) -> float:
    """Return the agreement of the per-frame segmenter with itself, carried one frame.

    Range [0, 1]; of two segmenters, higher is better. Formula and source as in `FidelityFloor`.

    Parameters
    ----------
    reference : ndarray, shape (T, H, W), uint8 or uint16
        Neighbouring frames of one shot.
    backward : ndarray, shape (T-1, H, W, 2), float32
        Pull fields on the grids of frames 1 to T-1, each to the frame before.
    classes, void
        As in `FidelityFloor`.

    Examples
    --------
    >>> import numpy as np
    >>> still = np.zeros((2, 3, 3), np.uint8)
    >>> fidelity_floor(still, np.zeros((1, 3, 3, 2), np.float32), classes=1)
    1.0
    """
    floor = FidelityFloor(classes, void=void)
    for before, now, flow in zip(reference[:-1], reference[1:], backward, strict=True):
        floor.update(before, now, flow)
    return floor.compute()


def _summary(
    mious: NDArray[np.float64], frames: NDArray[np.int64]
) -> tuple[float, float, float, int | None]:
    """Return mean, 5th percentile, least, and the first frame that has the least."""
    if not mious.size:
        return math.nan, math.nan, math.nan, None
    worst = mious.min()
    return (
        mean_known(mious),
        float(np.percentile(mious, LOW_PERCENT)),
        float(worst),
        int(frames[mious == worst].min()),
    )
