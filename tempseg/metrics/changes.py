"""How often labels change: from frame to frame, where the truth stands still, for one frame."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels import counts
from tempseg.metrics.confusion import check_alike, check_void, label_maps, mean_known, sequence_void
from tempseg.types import VOID_8, LabelArray

__all__ = ["Blink", "FlipRate", "StaticFlipRate", "blink", "flip_rate", "static_flip_rate"]


class FlipRate:
    """Share of pixels whose label differs from the frame before, real motion included.

    Pixels that are void in either map are left out. The share is of the pixels of all pairs.

    `|S_t != S_{t-1}| / |pixels known in both|`. Range [0, 1], lower is better. Source: tempseg's
    own; what is left of `TemporalConsistency` without motion.

    Parameters
    ----------
    void : int
        The id that stands for no class; give 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> flips = FlipRate()
    >>> flips.update(np.uint8([[0, 0, 1, 1]]), np.uint8([[0, 1, 1, 1]]))
    0.25
    >>> flips.compute()
    0.25
    """

    def __init__(self, *, void: int = VOID_8) -> None:
        self._void = check_void(void)
        self._totals = np.zeros(2, np.int64)

    def update(self, previous: LabelArray, labels: LabelArray) -> float:
        """Take a frame's labels and those before it, each (H, W); return the share of the pair."""
        previous, labels = label_maps(previous=previous, labels=labels)
        found = np.empty(2, np.int64)
        counts.changes(previous, labels, self._void, found)
        self._totals += found
        return _share(found)

    def merge(self, other: FlipRate) -> None:
        """Add what another of the same settings has counted."""
        check_alike(void=(self._void, other._void))
        self._totals += other._totals

    def compute(self) -> float:
        """Return the share in [0, 1]; nan where no pixel was compared."""
        return _share(self._totals)


class StaticFlipRate:
    """Share of pixels whose label changed although their truth did not.

    Pixels of void truth are left out; a label that turns void has changed. The share is of the
    pixels of all pairs.

    `|S_t != S_{t-1}, G_t = G_{t-1}| / |G_t = G_{t-1}|`. Range [0, 1], lower is better. Source:
    tempseg's own.

    Parameters
    ----------
    void : int
        The id that stands for no class; give 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> flips = StaticFlipRate()
    >>> truth = np.uint8([[0, 0, 1, 1]])
    >>> flips.update(truth, np.uint8([[0, 1, 0, 1]]), truth, truth)
    0.5
    """

    def __init__(self, *, void: int = VOID_8) -> None:
        self._void = check_void(void)
        self._totals = np.zeros(2, np.int64)

    def update(
        self,
        previous: LabelArray,
        labels: LabelArray,
        previous_truth: LabelArray,
        truth: LabelArray,
    ) -> float:
        """Take two neighbouring frames' labels and truths; return the share of the pair."""
        maps = label_maps(
            previous=previous, labels=labels, previous_truth=previous_truth, truth=truth
        )
        found = np.empty(2, np.int64)
        counts.static_changes(maps[0], maps[1], maps[2], maps[3], self._void, found)
        self._totals += found
        return _share(found)

    def merge(self, other: StaticFlipRate) -> None:
        """Add what another of the same settings has counted."""
        check_alike(void=(self._void, other._void))
        self._totals += other._totals

    def compute(self) -> float:
        """Return the share in [0, 1]; nan where no truth stood still."""
        return _share(self._totals)


class Blink:
    """Mean over frames of the share of pixels that leave their label for this frame only.

    A pixel blinks where the frames before and after agree and this one does not, which motion
    alone hardly does. Pixels that are void in any of the three are left out.

    `|S_{t-1} = S_{t+1} != S_t| / |pixels known in all three|`. Range [0, 1], lower is better.
    Source: tempseg's own.

    Parameters
    ----------
    void : int
        The id that stands for no class; give 65535 with more than 255 classes.

    Examples
    --------
    >>> import numpy as np
    >>> blinks = Blink()
    >>> still = np.uint8([[0, 0, 1, 1]])
    >>> blinks.update(still, np.uint8([[0, 1, 1, 1]]), still)
    0.25
    """

    def __init__(self, *, void: int = VOID_8) -> None:
        self._void = check_void(void)
        self._shares = array("d")

    def update(self, before: LabelArray, labels: LabelArray, after: LabelArray) -> float:
        """Take three neighbouring frames' labels, each (H, W); return the middle one's share."""
        before, labels, after = label_maps(before=before, labels=labels, after=after)
        found = np.empty(2, np.int64)
        counts.blinks(before, labels, after, self._void, found)
        self._shares.append(_share(found))
        return self._shares[-1]

    def merge(self, other: Blink) -> None:
        """Add the frames that another of the same settings has seen."""
        check_alike(void=(self._void, other._void))
        self._shares.extend(other._shares)

    def compute(self) -> float:
        """Return the mean share in [0, 1]; nan where no pixel was compared."""
        return mean_known(self._shares)


def flip_rate(labels: Sequence[LabelArray] | LabelArray, *, void: int | None = None) -> float:
    """Return the share of pixels whose label differs from the frame before.

    Range [0, 1], lower is better. Formula and source as in `FlipRate`.

    Parameters
    ----------
    labels : ndarray, shape (T, H, W), uint8 or uint16
        Neighbouring frames of one shot.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 where an id is above 255.

    Examples
    --------
    >>> import numpy as np
    >>> flip_rate(np.uint8([[[0, 0]], [[0, 1]], [[0, 1]]]))
    0.25
    """
    flips = FlipRate(void=sequence_void(void, labels))
    for previous, current in pairwise(labels):
        flips.update(previous, current)
    return flips.compute()


def static_flip_rate(
    labels: Sequence[LabelArray] | LabelArray,
    truth: Sequence[LabelArray] | LabelArray,
    *,
    void: int | None = None,
) -> float:
    """Return the share of pixels whose label changed although their truth did not.

    Range [0, 1], lower is better. Formula and source as in `StaticFlipRate`.

    Parameters
    ----------
    labels, truth : ndarray, shape (T, H, W), uint8 or uint16
        Neighbouring frames of one shot.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 where an id is above 255.

    Examples
    --------
    >>> import numpy as np
    >>> static_flip_rate(np.uint8([[[0, 0]], [[1, 1]]]), np.uint8([[[0, 0]], [[0, 1]]]))
    1.0
    """
    flips = StaticFlipRate(void=sequence_void(void, labels, truth))
    for before, after in pairwise(zip(labels, truth, strict=True)):
        flips.update(before[0], after[0], before[1], after[1])
    return flips.compute()


def blink(labels: Sequence[LabelArray] | LabelArray, *, void: int | None = None) -> float:
    """Return the mean share of pixels that leave their label for one frame only.

    Range [0, 1], lower is better. Formula and source as in `Blink`.

    Parameters
    ----------
    labels : ndarray, shape (T, H, W), uint8 or uint16
        Neighbouring frames of one shot.
    void : int, optional
        The id that stands for no class; by default 255, or 65535 where an id is above 255.

    Examples
    --------
    >>> import numpy as np
    >>> blink(np.uint8([[[0, 0]], [[0, 1]], [[0, 0]], [[0, 0]]]))
    0.25
    """
    blinks = Blink(void=sequence_void(void, labels))
    for before, middle, after in zip(labels, labels[1:], labels[2:], strict=False):
        blinks.update(before, middle, after)
    return blinks.compute()


def _share(found: NDArray[np.int64]) -> float:
    compared, counted = found.tolist()
    return counted / compared if compared else math.nan
