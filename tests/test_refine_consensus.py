"""What votes are worth, learnt from contradictions."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.refine import PLAIN_EVIDENCE, Consensus


def _called(rng, truth, confusion, count):
    """Return what `count` answers call the labels of `truth`, by the rows of `confusion`."""
    steps = np.cumsum(confusion, axis=1)[truth]
    draws = rng.random((count, truth.size, 1))
    return (draws > steps).sum(axis=2).astype(np.uint8)


def _learnt(votes, trusted=None, lessons=1):
    consensus = Consensus()
    for part in np.array_split(np.arange(votes.shape[1]), lessons):
        known = np.ones_like(votes[:, part], bool) if trusted is None else trusted[:, part]
        consensus.learn(votes[:, part], known)
    return consensus


def _table(consensus, labels):
    evidence = consensus.evidence(labels)
    return np.exp(evidence.table[np.ix_(evidence.rows, evidence.rows)])


CONFUSION = np.array([[0.97, 0.03, 0.0], [0.45, 0.5, 0.05], [0.02, 0.08, 0.9]])


@pytest.mark.parametrize("lessons", [1, 7])
def test_confusions_are_found_without_truth(lessons):
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 20000, p=[0.7, 0.1, 0.2])
    votes = _called(rng, truth, CONFUSION, 5)
    np.testing.assert_allclose(_table(_learnt(votes, lessons=lessons), 3), CONFUSION, atol=0.03)


def test_votes_that_are_not_trusted_change_nothing():
    rng = np.random.default_rng(1)
    truth = rng.choice(3, 20000, p=[0.7, 0.1, 0.2])
    votes = _called(rng, truth, CONFUSION, 5)
    trusted = rng.random(votes.shape) < 0.8
    changed = np.where(trusted, votes, 2).astype(np.uint8)
    np.testing.assert_array_equal(
        _table(_learnt(votes, trusted), 3), _table(_learnt(changed, trusted), 3)
    )
    known = _table(_learnt(changed, trusted, lessons=5), 3)
    np.testing.assert_allclose(known, CONFUSION, atol=0.08)


def test_two_votes_for_what_is_often_missed_outweigh_two_against():
    rng = np.random.default_rng(2)
    votes = _called(
        rng, rng.choice(2, 20000, p=[0.8, 0.2]), np.array([[0.99, 0.01], [0.5, 0.5]]), 4
    )
    evidence = _learnt(votes).evidence(2)
    for_each = evidence.table[np.ix_(evidence.rows, evidence.rows)].sum(axis=1)
    assert for_each[1] > for_each[0]


def test_nothing_learnt_leaves_votes_plain():
    consensus = Consensus()
    consensus.learn(np.zeros((2, 0), np.uint8), np.zeros((2, 0), bool))
    consensus.learn(np.full((1, 5), 3, np.uint8), np.ones((1, 5), bool))
    assert consensus.evidence(4) is PLAIN_EVIDENCE


def test_labels_never_met_have_evidence_too():
    evidence = _learnt(np.full((2, 5), 3, np.uint8)).evidence(70000)
    assert evidence.rows.shape == (70000,)
    assert evidence.table.shape == (2, 2)
    assert np.isfinite(evidence.table).all()


def test_a_label_never_met_shares_no_row_with_one_that_was():
    votes = np.array([[0, 1]] * 50, np.uint8).T
    assert _learnt(votes).evidence(6).rows.tolist() == [0, 1, 2, 2, 2, 2]


def test_the_most_frequent_contradictions_are_kept(monkeypatch):
    monkeypatch.setattr("tempseg.refine.consensus.MOST_PATTERNS", 2)
    votes = np.array([[0, 1]] * 50 + [[2, 3]] * 3 + [[4, 5]] * 30, np.uint8).T
    # What the rarest was between is as if it had never been met.
    assert _learnt(votes).evidence(6).rows.tolist() == [0, 1, 4, 4, 2, 3]


def test_no_vote_counts_for_another_label_more_than_nine_tenths_of_what_it_does_for_its_own():
    # The first is more often called by the second's name than the second itself.
    confusion = np.array([[0.4, 0.6, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 20000, p=[0.4, 0.2, 0.4])
    table = _table(_learnt(_called(rng, truth, confusion, 6)), 3)
    own = np.diag(table)
    assert table[0, 1] == pytest.approx(0.9 * own[1])
    assert np.all(table <= np.where(np.eye(3, dtype=bool), 1.0, 0.9) * own * (1 + 1e-5))


def test_answers_that_agree_are_believed():
    votes = np.repeat(np.random.default_rng(3).integers(0, 4, (1, 5000), dtype=np.uint8), 4, axis=0)
    assert np.all(np.diag(_table(_learnt(votes), 4)) > 0.99)


def test_ids_of_sixteen_bits_are_learnt_as_others():
    rng = np.random.default_rng(4)
    votes = _called(rng, rng.choice(2, 5000), np.array([[0.9, 0.1], [0.2, 0.8]]), 4)
    names = np.array([300, 65535], np.uint16)
    wide = _learnt(names[votes]).evidence(65536)
    np.testing.assert_allclose(
        np.exp(wide.table[np.ix_(wide.rows[names], wide.rows[names])]), _table(_learnt(votes), 2)
    )
