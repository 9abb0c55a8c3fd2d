"""How far a mean over drawn frames may lie from the mean over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tempseg.auditing.sampling import strata

__all__ = ["CONFIDENCE", "RARE_DIFFERENCE", "Estimate", "estimate", "estimate_difference"]

CONFIDENCE = 0.95

RARE = (0.25, 0.0)
"""How far below and above the mean one frame in as many as were drawn, and one, may lie without
being seen. Without it a few frames that fail among many near 1 go unseen in one audit of five; with
it the intervals grow by 0.02 where 10 frames are drawn and by 0.006 where 30 are."""

RARE_DIFFERENCE = (0.2, 0.2)
"""The same for fidelity less floor: where a model names a class in one frame only, one of both
fails, and either may. Without it one audit of eight misses such frames."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and the interval that holds the true one with 95 % confidence.

    Parameters
    ----------
    mean, low, high : float
        nan where nothing was drawn.
    """

    mean: float
    low: float
    high: float


def estimate(
    values: Sequence[float],
    *,
    population: int,
    bounds: tuple[float, float] = (0.0, 1.0),
    rare: tuple[float, float] = RARE,
) -> Estimate:
    """Return the mean over a population of which `draw` took these values, and its interval.

    The variance is that of successive differences, which leaves out what changes slowly over the
    video (Wolter, *Introduction to Variance Estimation*, 8.2), times the share that was not
    drawn; so the interval is exact when all was. On top of Student's t, with the degrees of
    freedom of such differences, it reaches as far as a cubic correction for skewness asks (Hall
    1992, *On the removal of skewness by transformation*): scores near 1 have their tail below.

    Parameters
    ----------
    values : sequence of float
        In the order drawn; nan where a frame has no score, which counts nowhere.
    population : int
        Frames that were drawn from.
    bounds : (float, float)
        Least and greatest value there can be.
    rare : (float, float)
        How far a frame may lie below and above the others without having been seen.

    Examples
    --------
    >>> estimate([0.5, 1.0], population=2)
    Estimate(mean=0.75, low=0.75, high=0.75)
    >>> found = estimate([0.90, 0.92, 0.91, 0.93, 0.94, 0.92], population=600)
    >>> found.low < found.mean < found.high
    True
    """
    drawn = len(values)
    if population < drawn:
        raise ValueError(f"population is {population}, expected at least the {drawn} values")
    sizes = [len(part) for part in strata(population, drawn)] if drawn else []
    pairs = [(v, size) for v, size in zip(values, sizes, strict=True) if not math.isnan(v)]
    if not pairs:
        return Estimate(math.nan, math.nan, math.nan)
    known = [value for value, _ in pairs]
    mean = math.fsum(v * size for v, size in pairs) / sum(size for _, size in pairs)
    if drawn == population:
        return Estimate(mean, mean, mean)
    if len(known) == 1:
        return Estimate(mean, *bounds)
    unseen = 1 - drawn / population
    below, above = _reach(np.array(known), unseen=unseen)
    below += unseen * rare[0] / (drawn + 1)
    above += unseen * rare[1] / (drawn + 1)
    low, high = max(bounds[0], mean - below), min(bounds[1], mean + above)
    return Estimate(mean, min(low, mean), max(high, mean))


def estimate_difference(
    fidelities: Sequence[float], floors: Sequence[float], *, population: int
) -> Estimate:
    """Return the mean of fidelity less floor, and its interval.

    The first frames of shots have no floor, but labels that may be the worst: they are held
    against the mean of the floors there are. So the mean is that of all fidelities less that of
    all floors.

    Parameters
    ----------
    fidelities, floors : sequence of float
        Of the same frames, in the order drawn; nan where a frame has none.
    population : int
        Frames that were drawn from.

    Examples
    --------
    >>> found = estimate_difference([0.5, 0.75], [math.nan, 1.0], population=2)
    >>> found.mean
    -0.375
    """
    usual = [estimate(values, population=population).mean for values in (fidelities, floors)]
    gaps = [
        math.nan
        if math.isnan(fidelity) and math.isnan(floor)
        else _known(fidelity, usual[0]) - _known(floor, usual[1])
        for fidelity, floor in zip(fidelities, floors, strict=True)
    ]
    return estimate(gaps, population=population, bounds=(-1.0, 1.0), rare=RARE_DIFFERENCE)


def _known(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value


def _reach(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], *, unseen: float
) -> tuple[float, float]:
    """Return how far the true mean may lie below and above."""
    # Not above: scipy takes its time to load, and few runs are audited.
    from scipy.special import stdtrit

    count = len(values)
    error = math.sqrt(float(np.square(np.diff(values)).mean()) / 2 * unseen / count)
    # Successive differences share their values: about 2/3 of the freedom of as many of their own.
    quantile = float(stdtrit((count - 1) * 2 / 3, (1 + CONFIDENCE) / 2))
    skewness = _skewness(values) / math.sqrt(count)
    below, above = _unskewed(quantile, skewness), -_unskewed(-quantile, skewness)
    return max(quantile, below) * error, max(quantile, above) * error


def _skewness(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the sample's skewness, corrected for its size; 0 where it cannot be told."""
    count, centred = len(values), values - values.mean()
    spread = math.sqrt(float(np.square(centred).mean()))
    if count < 3 or spread < 1e-12:
        return 0.0
    plain = float((centred**3).mean()) / spread**3
    return plain * math.sqrt(count * (count - 1)) / (count - 2)


def _unskewed(quantile: float, skewness: float) -> float:
    """Return Hall's inverse transformation of a quantile."""
    if abs(skewness) < 1e-9:
        return quantile
    return 3 / skewness * (float(np.cbrt(1 + skewness * (quantile - skewness / 6))) - 1)
