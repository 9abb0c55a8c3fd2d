"""Kernels on soft labels and on colours against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.kernels import match, shares
from tests import naive

GRID, FRAME = (9, 12), (25, 31)
VARIANCE = 400.0


def _rows(planes):
    """Planes (h, w, c) as kernels take them: row by row, with margins."""
    margin = shares.MARGIN
    padded = np.pad(planes, ((margin, margin), (margin, margin), (0, 0)), "edge")
    return np.ascontiguousarray(padded.transpose(0, 2, 1))


def _inner(answer):
    margin = shares.MARGIN
    return answer[margin:-margin, :, margin:-margin]


def _soft(rng, size, labels=3):
    """A soft answer with wide areas of one label and mixed borders."""
    blocks = np.kron(rng.integers(0, labels, (3, 4)), np.ones((3, 3)))[: size[0], : size[1]]
    other = (blocks + rng.integers(1, labels, size)) % labels
    share = np.where(rng.random(size) < 0.4, rng.uniform(0.5, 1, size), 1.0)
    other = np.where(share == 1, blocks, other)
    return _rows(np.stack([blocks, other, share], axis=2).astype(np.float32))


def _flow(rng, size, reach=2.0):
    return rng.normal(0, reach, (*size, 2)).astype(np.float32)


def _ballot(places):
    shape = (places.size, shares.CANDIDATES)
    return np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape[0], np.int64)


def _votes_of(found, votes, count):
    return dict(zip(found[:count].astype(int).tolist(), votes[:count].tolist(), strict=True))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("size", [(7, 9), (9, 12), (30, 40)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shrunk_cells_hold_the_two_labels_with_the_largest_areas(rng, size, dtype):
    labels = np.kron(rng.integers(0, 4, (9, 11)), np.ones((3, 3), int))[:25, :31].astype(dtype)
    out = np.empty((size[0], 3, size[1]), np.float32)
    shares.shrink(labels, out)
    expected = naive.cell_areas(labels, size)
    for y, x in np.ndindex(size):
        areas = expected[y][x]
        first, second, share = out[y, :, x]
        largest = sorted(areas.values(), reverse=True)
        assert areas[int(first)] == pytest.approx(largest[0], rel=1e-5)
        if len(largest) == 1:
            assert (second, share) == (first, 1)
        else:
            assert areas[int(second)] == pytest.approx(largest[1], rel=1e-5)
            assert share == pytest.approx(largest[0] / (largest[0] + largest[1]), rel=1e-5)


def test_settled_cells_and_their_neighbours_are_one_labels(rng):
    answer = _soft(rng, GRID)
    out = np.empty(GRID, np.float32)
    shares.settled(answer, out)
    first, _, share = (np.pad(_inner(answer)[:, c], ((0, 1), (0, 1)), "edge") for c in range(3))
    for y, x in np.ndindex(GRID):
        around = first[y : y + 2, x : x + 2]
        sure = np.all(around == around[0, 0]) and np.all(share[y : y + 2, x : x + 2] == 1)
        assert out[y, x] == (around[0, 0] if sure else -1)
    assert np.any(out >= 0)
    assert np.any(out < 0)


def test_sources_agree_where_all_give_one_label(rng):
    known = rng.integers(-1, 2, (2, *GRID)).astype(np.float32)
    still = np.zeros((*GRID, 2), np.float32)
    out = np.full(GRID, -2, np.float32)
    shares.agree(known[0], still, out)
    shares.agree(known[1], still, out)
    np.testing.assert_array_equal(out, np.where(known[0] == known[1], known[0], -1))


def test_difference_is_the_distance_in_colour_after_motion(rng):
    target, source = rng.integers(0, 256, (2, *GRID, 3)).astype(np.float32)
    flow = _flow(rng, GRID)
    where = (rng.random(GRID) < 0.8).astype(np.uint8)
    out = np.full(GRID, -5, np.float32)
    match.difference(_rows(target), _rows(source), flow, where, out)
    for y, x in np.ndindex(GRID):
        sx, sy = x + float(flow[y, x, 0]), y + float(flow[y, x, 1])
        if not where[y, x]:
            assert out[y, x] == -5
        elif not (-0.5 <= sx <= GRID[1] - 0.5 and -0.5 <= sy <= GRID[0] - 0.5):
            assert out[y, x] == 255
        else:
            error = target[y, x] - naive.bilinear(source, sx, sy)
            assert out[y, x] == pytest.approx(np.sqrt(np.sum(error**2)), rel=1e-4)


def test_sampled_votes_are_the_bilinear_shares_of_all_sources(rng):
    answers, flows = [_soft(rng, GRID) for _ in range(2)], [_flow(rng, GRID) for _ in range(2)]
    places = np.arange(GRID[0] * GRID[1])
    weights = rng.uniform(0.1, 1, (2, places.size)).astype(np.float32)
    found, votes, counts = _ballot(places)
    for answer, flow, weight in zip(answers, flows, weights, strict=True):
        known = np.empty(GRID, np.float32)
        shares.settled(answer, known)
        shares.sample(answer, known, flow, weight, places, found, votes, counts)
    answer, doubt = _rows(np.zeros((*GRID, 3), np.float32)), np.zeros(GRID, np.uint8)
    shares.rank(places, found, votes, counts, 0.8, answer, doubt)
    for n in places:
        y, x = divmod(int(n), GRID[1])
        expected = {
            label: sum(
                float(
                    naive.bilinear(
                        naive.share_of(_inner(one), label), x + flow[y, x, 0], y + flow[y, x, 1]
                    )
                )
                * float(weight[n])
                for one, flow, weight in zip(answers, flows, weights, strict=True)
            )
            for label in range(3)
        }
        got = _votes_of(found[n], votes[n], counts[n])
        for label, vote in expected.items():
            assert got.get(label, 0.0) == pytest.approx(vote, abs=1e-5)
        first, second, share = _inner(answer)[y, :, x]
        assert expected[int(first)] == pytest.approx(max(expected.values()), abs=1e-5)
        of_two = expected[int(first)] + (expected[int(second)] if second != first else 0)
        assert share == pytest.approx(expected[int(first)] / of_two, abs=1e-4)
        assert doubt[y, x] == (expected[int(first)] / sum(expected.values()) < 0.8)


def test_nominees_are_the_labels_of_cells_in_doubt_around(rng):
    answer, doubt = _soft(rng, GRID), (rng.random(GRID) < 0.2).astype(np.uint8)
    places = np.arange(GRID[0] * GRID[1])
    found, votes, counts = _ballot(places)
    shares.nominate(answer, doubt, 1, 0.5, places, found, votes, counts)
    for n in places:
        y, x = divmod(int(n), GRID[1])
        inner = _inner(answer)
        expected = set(inner[y, :2, x].astype(int).tolist())
        for near_y, near_x in np.argwhere(doubt):
            if abs(near_y - y) <= 1 and abs(near_x - x) <= 1:
                expected |= set(inner[near_y, :2, near_x].astype(int).tolist())
        got = _votes_of(found[n], votes[n], counts[n])
        assert set(got) == expected
        for label, vote in got.items():
            own = naive.share_of(inner, label)[y, x]
            assert vote == pytest.approx(0.5 * own, abs=1e-6)


def _falloff(reach, lanes, sigma):
    line = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    out = np.zeros((line.size, lanes), np.float32)
    out[:, : line.size] = np.outer(line, line)
    return out


def test_cells_vote_on_the_grid_where_patches_look_alike(rng):
    target, source = rng.integers(100, 130, (2, *GRID, 3)).astype(np.float32)
    answer, flow = _soft(rng, GRID), _flow(rng, GRID)
    places = np.arange(0, GRID[0] * GRID[1], 7)
    found, votes, counts = _ballot(places)
    found[:, :3], counts[:] = [0, 1, 2], 3
    match.vote_grid(
        _rows(target),
        _rows(source),
        answer,
        flow,
        1 / (8 * VARIANCE * 27),
        _falloff(match.GRID_REACH, match.GRID_LANES, 3.0),
        0.7,
        places,
        found,
        votes,
        counts,
    )
    for n, place in enumerate(places):
        y, x = divmod(int(place), GRID[1])
        row = min(max(int(np.floor(y + flow[y, x, 1] + 0.5)), 0), GRID[0] - 1)
        column = min(max(int(np.floor(x + flow[y, x, 0] + 0.5)), 0), GRID[1] - 1)
        for label in range(3):
            vote = naive.matching_votes(
                target,
                source,
                naive.share_of(_inner(answer), label),
                (y, x),
                (row, column),
                reach=match.GRID_REACH,
                sigma=3.0,
                variance=VARIANCE,
            )
            assert votes[n, label] == pytest.approx(0.7 * vote, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("frame", [FRAME, (5, 6)])
def test_enlarged_labels_have_the_largest_bilinear_share(rng, labels, frame):
    answer = _soft(rng, GRID, labels)
    first, second = np.zeros((2, *frame), np.uint8)
    share, rest = np.zeros(frame, np.float32), np.empty(frame[0] * frame[1], np.int64)
    count = shares.enlarge(answer, 0.9, first, second, share, rest)
    of_each = [naive.share_of(_inner(answer), label) for label in range(labels)]
    doubtful = set(rest[:count].tolist())
    for y, x in np.ndindex(frame):
        place = (x + 0.5) * GRID[1] / frame[1] - 0.5, (y + 0.5) * GRID[0] / frame[0] - 0.5
        expected = [float(naive.bilinear(each, *place)) for each in of_each]
        best = expected[first[y, x]]
        assert best == pytest.approx(max(expected), abs=1e-5)
        if share[y, x] < 1:
            other = expected[second[y, x]]
            assert share[y, x] == pytest.approx(best / (best + other), abs=1e-4)
        if abs(best - 0.9) > 1e-4:
            assert (y * frame[1] + x in doubtful) == (best < 0.9)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_vote_in_the_frame_where_patches_look_alike(rng, dtype):
    target, source = rng.integers(100, 130, (2, *FRAME, 3)).astype(np.uint8)
    names = rng.integers(0, 3, FRAME).astype(dtype)
    flow = _flow(rng, GRID, 0.8)
    first, second = np.full(FRAME, 2, dtype), np.zeros(FRAME, dtype)
    # More than are looked at together.
    places = np.arange(0, FRAME[0] * FRAME[1], 9)
    assert places.size > match.BATCH
    votes = np.zeros((places.size, 2), np.float32)
    match.vote_frame(
        _rows(target),
        _rows(source),
        np.pad(names, shares.MARGIN, "edge"),
        flow,
        1 / (8 * VARIANCE * 27),
        _falloff(match.FRAME_REACH, match.FRAME_ROWS, 1.5),
        0.3,
        places,
        first,
        second,
        votes,
    )
    for n, place in enumerate(places):
        y, x = divmod(int(place), FRAME[1])
        node = (x + 0.5) * GRID[1] / FRAME[1] - 0.5, (y + 0.5) * GRID[0] / FRAME[0] - 0.5
        dx, dy = naive.bilinear(flow, *node)
        column = int(np.floor(x + dx * FRAME[1] / GRID[1] + 0.5))
        row = int(np.floor(y + dy * FRAME[0] / GRID[0] + 0.5))
        where = min(max(row, 0), FRAME[0] - 1), min(max(column, 0), FRAME[1] - 1)
        for k, label in enumerate((2, 0)):
            vote = naive.matching_votes(
                target,
                source,
                names == label,
                (y, x),
                where,
                reach=match.FRAME_REACH,
                sigma=1.5,
                variance=VARIANCE,
            )
            assert votes[n, k] == pytest.approx(0.3 * vote, rel=1e-4, abs=1e-6)


def test_elected_label_comes_first_with_its_share():
    labels, second = np.array([[4, 4]], np.uint8), np.array([[6, 6]], np.uint8)
    share = np.zeros((1, 2), np.float32)
    match.elect(np.arange(2), np.array([[3, 1], [1, 4]], np.float32), labels, second, share)
    assert labels.tolist() == [[4, 6]]
    assert second.tolist() == [[6, 4]]
    np.testing.assert_allclose(share, [[0.75, 0.8]])


def test_sharpened_label_is_the_one_of_neighbours_alike_in_colour(rng):
    colours = rng.integers(100, 130, (*FRAME, 3)).astype(np.uint8)
    first = rng.integers(0, 3, FRAME).astype(np.uint8)
    second = (first + rng.integers(1, 3, FRAME)).astype(np.uint8) % 3
    share = rng.uniform(0.5, 1, FRAME).astype(np.float32)
    # Among them pixels at every side of the frame, and more than are looked at together.
    places = np.arange(0, FRAME[0] * FRAME[1], 5)
    assert np.count_nonzero(share.ravel()[places] < 0.95) > match.BATCH
    out = np.empty(places.size, np.uint8)
    falloff = _falloff(2, 5, 1.5)
    scale = 1 / (8 * VARIANCE * 3)
    match.sharpen(_rows(colours), scale, falloff, 2, 0.95, places, first, second, share, out)
    for n, place in enumerate(places):
        y, x = divmod(int(place), FRAME[1])
        both = int(first[y, x]), int(second[y, x])
        votes = dict.fromkeys(both, 0.0)
        for row, column in np.ndindex(5, 5):
            near_y, near_x = y + 2 * (row - 2), x + 2 * (column - 2)
            if not (0 <= near_y < FRAME[0] and 0 <= near_x < FRAME[1]):
                continue
            error = colours[y, x].astype(float) - colours[near_y, near_x].astype(float)
            like = max(1 - np.sum(error**2) * scale, 0) ** 8 * falloff[row, column]
            part = float(share[near_y, near_x])
            for label, portion in ((first, part), (second, 1 - part)):
                if int(label[near_y, near_x]) in votes:
                    votes[int(label[near_y, near_x])] += like * portion
        if share[y, x] >= 0.95:
            assert out[n] == both[0]
        elif abs(votes[both[0]] - votes[both[1]]) > 1e-4:
            assert votes[int(out[n])] == max(votes.values())
