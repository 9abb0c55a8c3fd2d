"""Carrying kernels against their slow twins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tempseg.kernels import carry, settle
from tempseg.types import Placement
from tests import naive

CASES = [
    # keyframes, model grid, working grid, frame
    (1, (6, 8), (6, 8), (6, 8)),
    (2, (9, 7), (5, 6), (12, 17)),
    (3, (66, 34), (8, 10), (21, 30)),
    (4, (4, 4), (6, 6), (19, 13)),
    (2, (60, 80), (12, 16), (30, 40)),
    (2, (48, 48), (48, 48), (3, 5)),
]


def _pulls(rng, count, working, reach=1.5):
    pulls = rng.normal(0, reach, (count, *working, 3)).astype(np.float32)
    pulls[..., 2] = rng.uniform(0.01, 1, (count, *working))
    return pulls


def _blocky(rng, shape, classes):
    """Labels with wide inner areas as well as borders, so that both passes have work."""
    side = max(3, shape[0] // 2)
    small = rng.integers(0, classes, (-(-shape[0] // side), -(-shape[1] // side)))
    return np.kron(small, np.ones((side, side), int))[: shape[0], : shape[1]].astype(np.uint8)


def _place(grid, frame):
    where = Placement.stretch(grid, frame)
    return where.scale_x, where.offset_x, where.scale_y, where.offset_y


def _settle(winners, pulls, placement, out, apart=(1, 1)):
    clearances = []
    for labels in winners:
        inner = np.empty(labels.shape, np.uint8)
        settle.inner(labels, inner)
        distance = cv2.distanceTransform(inner, cv2.DIST_C, cv2.DIST_MASK_3)
        clearances.append(np.minimum(distance, 255).astype(np.uint8))
    doubt = np.full((pulls.shape[1] - 1, pulls.shape[2] - 1), 9, np.uint8)
    known = np.stack(winners), np.stack(clearances), pulls, placement
    settle.settle_cells(*known, doubt, out)
    rest = np.empty(out.size, np.int64)
    left = settle.settle_pixels(*known, apart, doubt, out, rest)
    return doubt, rest[:left]


@pytest.mark.parametrize(("count", "grid", "working", "frame"), CASES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("reach", [0.05, 1.5])
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "evidence"])
def test_carried_label_is_the_one_that_votes_speak_for(
    count, grid, working, frame, dtype, reach, plain
):
    rng = np.random.default_rng(count)
    shared = _blocky(rng, grid, 3).astype(dtype)
    answers = (shared, *(_blocky(rng, grid, 2).astype(dtype) for _ in range(count - 1)))
    pulls = _pulls(rng, count, working, reach)
    out = np.full(frame, 77, dtype)
    _, rest = _settle(answers, pulls, _place(grid, frame), out)
    # Rows in another order than labels; no vote counts less for its own label than for others.
    rows = rng.permutation(3)
    table = np.log(rng.dirichlet(np.ones(3), 3) * 0.5 + 0.5 * np.eye(3)).astype(np.float32)
    evidence = np.empty((0, 0), np.float32) if plain else table
    carry.vote(np.stack(answers), rows, evidence, pulls, _place(grid, frame), rest, out)
    votes = naive.label_votes(answers, pulls, _place(grid, frame), frame)
    for y, x in np.ndindex(frame):
        found = votes[y][x]
        spoken = {
            label: sum(
                part * (label == vote if plain else table[rows[label], rows[vote]])
                for vote, part in found.items()
            )
            for label in found
        }
        assert spoken.get(int(out[y, x]), -np.inf) >= max(spoken.values()) - 1e-5


@pytest.mark.parametrize(("count", "grid", "working", "frame"), CASES)
@pytest.mark.parametrize("reach", [0.05, 1.5])
def test_carried_class_has_the_highest_blended_score_of_those_that_win_near(
    count, grid, working, frame, reach
):
    rng = np.random.default_rng(count)
    answers, winners = [], []
    for _ in range(count):
        labels = _blocky(rng, grid, 4)
        scores = rng.dirichlet(np.ones(4), grid) * 0.4 + 0.6 * np.eye(4)[labels]
        answers.append(np.empty(scores.shape, np.uint8))
        winners.append(np.empty(grid, np.uint8))
        carry.pack(scores.astype(np.float32), answers[-1], winners[-1])
    pulls = _pulls(rng, count, working, reach)
    out = np.full(frame, 77, np.uint8)
    _, rest = _settle(winners, pulls, _place(grid, frame), out)
    place = _place(grid, frame)
    carry.blend(tuple(answers), np.stack(winners), pulls, place, rest, out)
    blended, wins = naive.blended_scores(answers, winners, pulls, place, frame, carry.FAINT)
    taken = np.take_along_axis(blended, out[..., None].astype(int), 2)[..., 0]
    assert np.all(taken >= np.where(wins, blended, 0).max(axis=2) - 255 * 1e-5)


@pytest.mark.parametrize("strip", [1, 2, 3, 5])
@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("zoom", [0.0, 0.1, -0.1])
def test_what_lies_beyond_the_outermost_nodes_is_kept(strip, side, zoom):
    labels = np.zeros((90, 160), np.uint8)
    if side in ("left", "right"):
        labels[:, slice(strip) if side == "left" else slice(-strip, None)] = 5
    else:
        labels[slice(strip) if side == "top" else slice(-strip, None)] = 5
    rows, columns = 9, 16
    pulls = np.ones((1, rows, columns, 3), np.float32)
    pulls[..., 0] = zoom * (np.arange(columns) - (columns - 1) / 2)
    pulls[..., 1] = zoom * (np.arange(rows) - (rows - 1) / 2)[:, None]
    place = _place(labels.shape, labels.shape)
    known = labels[None], np.arange(256), np.empty((0, 0), np.float32), pulls, place
    out, expected = np.full((2, *labels.shape), 77, np.uint8)
    _, rest = _settle((labels,), pulls, place, out)
    carry.vote(*known, rest, out)
    carry.vote(*known, np.arange(labels.size), expected)
    np.testing.assert_array_equal(out, expected)


def test_cells_away_from_borders_are_settled_at_once():
    labels = np.zeros((60, 80), np.uint8)
    labels[:, 40:] = 1
    pulls = np.zeros((1, 60, 80, 3), np.float32)
    out = np.empty((120, 160), np.uint8)
    doubt, rest = _settle((labels,), pulls, _place(labels.shape, out.shape), out)
    assert doubt.mean() < 0.1
    assert doubt[:, 39].all()
    assert set(rest % 160) == {78, 79, 80, 81}


def test_packed_scores_are_rounded_and_the_first_of_equals_wins():
    scores = np.array([[[0.2, 0.4, 0.4], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]], np.float32)
    out, winners = np.empty((1, 3, 3), np.uint8), np.empty((1, 3), np.uint8)
    assert carry.pack(scores, out, winners)
    assert out.tolist() == [[[51, 102, 102], [128, 128, 0], [0, 0, 255]]]
    assert winners.tolist() == [[1, 0, 2]]


def test_inner_cells_have_eight_neighbours_of_their_own_label():
    labels = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], np.uint8)
    out = np.empty_like(labels)
    settle.inner(labels, out)
    assert out.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]


def test_labels_on_the_frames_own_grid_without_motion_are_kept_exactly():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 256, (37, 53), dtype=np.uint8)
    pulls = np.zeros((1, 20, 30, 3), np.float32)
    pulls[..., 2] = 1
    out = np.empty_like(labels)
    place = _place(labels.shape, labels.shape)
    _, rest = _settle((labels,), pulls, place, out)
    carry.vote(
        labels[None],
        np.arange(256),
        np.empty((0, 0), np.float32),
        pulls,
        place,
        rest,
        out,
    )
    np.testing.assert_array_equal(out, labels)


def _even_around(place, apart, size):
    before = place - place % apart
    return {before} if before == place or before + apart >= size else {before, before + apart}


def _cell_of(place, pixels, nodes):
    return min(max(int(np.floor((place + 0.5) * nodes / pixels - 0.5)), 0), nodes - 2)


@pytest.mark.parametrize("apart", [(2, 2), (1, 2), (2, 1)])
@pytest.mark.parametrize(("count", "grid", "working", "frame"), CASES)
def test_every_other_pixel_in_doubt_is_settled_as_if_all_were(count, grid, working, frame, apart):
    rng = np.random.default_rng(count)
    shared = _blocky(rng, grid, 3)
    answers = (shared, *(_blocky(rng, grid, 2) for _ in range(count - 1)))
    pulls = _pulls(rng, count, working, 0.3)
    every, some = np.full((2, *frame), 77, np.uint8)
    _, wanted = _settle(answers, pulls, _place(grid, frame), every)
    doubt, rest = _settle(answers, pulls, _place(grid, frame), some, apart)
    looked_at = np.zeros(frame, bool)
    looked_at[:: apart[0], :: apart[1]] = True
    assert rest.tolist() == [p for p in wanted.tolist() if looked_at.flat[p]]
    passed_over = np.zeros(frame, bool)
    for y, x in np.ndindex(frame):
        cell = _cell_of(y, frame[0], working[0]), _cell_of(x, frame[1], working[1])
        passed_over[y, x] = doubt[cell] and not looked_at[y, x]
    np.testing.assert_array_equal(some[~passed_over], every[~passed_over])
    assert set(some[passed_over].tolist()) <= {77}


@pytest.mark.parametrize("apart", [(2, 2), (1, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("size", [(2, 2), (6, 8), (7, 9), (2, 11), (31, 40)])
def test_pixels_passed_over_are_filled_where_those_around_agree(size, apart):
    rng = np.random.default_rng(size[0])
    labels = _blocky(rng, size, 2).astype(np.uint8)
    before = labels.copy()
    nodes = (3, 5)
    doubt = (rng.random((nodes[0] - 1, nodes[1] - 1)) < 0.7).astype(np.uint8)
    rest = np.empty(labels.size, np.int64)
    left = rest[: settle.between(doubt, apart, labels, rest)].tolist()
    wanted = []
    for y, x in np.ndindex(size):
        label = before[y, x]
        if doubt[_cell_of(y, size[0], nodes[0]), _cell_of(x, size[1], nodes[1])]:
            rows = _even_around(y, apart[0], size[0])
            columns = _even_around(x, apart[1], size[1])
            around = {int(before[v, u]) for v in rows for u in columns}
            if len(around) == 1:
                label = around.pop()
            else:
                wanted.append(y * size[1] + x)
        assert labels[y, x] == label
    assert left == wanted
