"""What answers for each label are worth, learnt from how keyframes contradict one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempseg.types import FloatArray, LabelArray

__all__ = ["PLAIN_EVIDENCE", "Consensus", "Evidence"]

IntArray = NDArray[np.int64]
DoubleArray = NDArray[np.float64]

PRIOR_VOTES = 2.0
PRIOR_RIGHT = 0.9
"""What is believed of a label before anything is known: so many votes, this share of them right."""

ROUNDS = 10
"""Steps of expectation maximisation a lesson; each begins with what was known."""

MOST_PATTERNS = 4096
"""Contradictions kept in memory, the most frequent ones."""

NO_VOTE = 1 << 17
"""Above every label, so that it sorts last."""

OTHERS_AT_MOST = 0.9
"""What a vote may say for another label, of what it says for its own."""

LEAST = 1e-4
"""Least probability of any confusion: no single vote rules a label out."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a vote for one label says for others.

    Parameters
    ----------
    rows : ndarray, shape (L,), int64
        The row and column of each label in `table`.
    table : ndarray, shape (K, K), float32
        What a vote for the label of the column counts for the label of the row. Empty (0, 0)
        where votes count for their own label alone.
    """

    rows: IntArray
    table: FloatArray


PLAIN_EVIDENCE = Evidence(np.empty(0, np.int64), np.empty((0, 0), np.float32))


class Consensus:
    """Learns, without truth, how often a segmenter calls one label by another's name.

    Several keyframes say what one place is. Where they contradict one another, the confusion
    matrix that makes the contradictions most likely tells which of them to believe: if pavement
    is often called road, and road never pavement, two votes against two are pavement. Maximum
    likelihood by expectation maximisation (Dawid and Skene, 1979, "Maximum likelihood estimation
    of observer error-rates using the EM algorithm"), one matrix for all keyframes, updated with
    each of them. A label is decided on by likelihood alone, whatever it covers: a pole is as much
    worth finding as the road.

    Examples
    --------
    >>> import numpy as np
    >>> votes = np.zeros((4, 1000), np.uint8)
    >>> votes[0, :100] = 1
    >>> votes[1, 50:150] = 1
    >>> consensus = Consensus()
    >>> consensus.learn(votes, np.ones(votes.shape, bool))
    >>> consensus.evidence(2).table.shape
    (3, 3)
    """

    def __init__(self) -> None:
        self._patterns: IntArray = np.empty((0, 0), np.int64)
        self._times: DoubleArray = np.empty(0)
        self._labels: IntArray = np.empty(0, np.int64)
        self._counts: DoubleArray = np.empty((0, 0))

    def learn(self, votes: LabelArray, trusted: NDArray[np.bool_]) -> None:
        """Take the labels (n, m) that n keyframes give to m places, where they are trusted."""
        several = np.count_nonzero(trusted, axis=0) > 1
        if not several.any():
            return
        named = np.where(trusted, votes.astype(np.int64), NO_VOTE)[:, several]
        named.sort(axis=0)
        self._remember(named)
        labels = np.unique(self._patterns[self._patterns != NO_VOTE])
        counts = np.zeros((labels.size, labels.size))
        before = np.searchsorted(labels, self._labels).clip(0, labels.size - 1)
        kept = labels[before] == self._labels
        counts[np.ix_(before[kept], before[kept])] = self._counts[np.ix_(kept, kept)]
        patterns = np.searchsorted(labels, self._patterns)
        for _ in range(ROUNDS):
            counts = _expected(counts, patterns, self._times)
        self._labels, self._counts = labels, counts

    def _remember(self, named: IntArray) -> None:
        """Count sorted columns of votes in."""
        last = np.count_nonzero(named != NO_VOTE, axis=0) - 1
        unanimous = named[0] == np.take_along_axis(named, last[None], 0)[0]
        # Most columns are: told apart by two numbers, not by sorting them whole.
        keys, agreed = np.unique(
            named[0, unanimous] * len(named) + last[unanimous], return_counts=True
        )
        alike = np.where(
            np.arange(len(named))[:, None] <= keys % len(named), keys // len(named), NO_VOTE
        )
        columns = (named[:, ~unanimous], alike, self._patterns)
        high = max(map(len, columns))
        together = np.concatenate(
            [
                np.pad(part, ((0, high - len(part)), (0, 0)), constant_values=NO_VOTE)
                for part in columns
            ],
            axis=1,
        )
        times = np.concatenate([np.ones(columns[0].shape[1]), agreed, self._times])
        patterns, which = np.unique(together, axis=1, return_inverse=True)
        total = np.bincount(which.ravel(), times).astype(np.float64)
        most = np.sort(np.argsort(-total, kind="stable")[:MOST_PATTERNS])
        self._patterns, self._times = patterns[:, most], total[most]

    def evidence(self, labels: int) -> Evidence:
        """Return what votes count, for ids below `labels`; labels never met share a row."""
        size = self._labels.size
        if size == 0:
            return PLAIN_EVIDENCE
        counts = np.zeros((size + 1, size + 1))
        counts[:size, :size] = self._counts
        rows = np.full(labels, size, np.int64)
        known = self._labels[self._labels < labels]
        rows[known] = np.arange(known.size)
        likely = _confusion(counts)
        # Where there is but one vote, it stands.
        own = np.diag(likely).copy()
        likely = np.minimum(likely, OTHERS_AT_MOST * own)
        np.fill_diagonal(likely, own)
        return Evidence(rows, np.log(likely).astype(np.float32))


def _confusion(counts: DoubleArray) -> DoubleArray:
    """Return how likely each label (row) is called each (column), from expected counts."""
    size = len(counts)
    others = max(size - 1, 1)
    believed = np.full((size, size), PRIOR_VOTES * (1 - PRIOR_RIGHT) / others)
    np.fill_diagonal(believed, PRIOR_VOTES * PRIOR_RIGHT)
    believed += counts
    share: DoubleArray = np.maximum(believed / believed.sum(axis=1, keepdims=True), LEAST)
    return share


def _expected(counts: DoubleArray, patterns: IntArray, times: DoubleArray) -> DoubleArray:
    """Return how often each label is expected to have been called each, in contradicting votes.

    `patterns` (n, p) are sorted columns of votes, met so many `times`; each is taken to be one
    of the labels voted for.
    """
    size = len(counts)
    logarithm = np.zeros((size + 1, size + 1))
    logarithm[:size, :size] = np.log(_confusion(counts))
    covered = counts.sum(axis=1) + 1.0
    share = np.append(np.log(covered / covered.sum()), -np.inf)
    likely = share[patterns]
    for vote in patterns:
        likely = likely + logarithm[patterns, vote]
    likely[1:][patterns[1:] == patterns[:-1]] = -np.inf
    likely = np.exp(likely - likely.max(axis=0))
    likely *= times / likely.sum(axis=0)
    out = np.zeros((size + 1) ** 2)
    for vote in patterns:
        out += np.bincount(
            (patterns * (size + 1) + vote).ravel(), likely.ravel(), minlength=out.size
        )
    return out.reshape(size + 1, size + 1)[:size, :size]
