from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from tempseg.synthetic import Event, MovingShape, Scene, SceneFrame, moving_shapes, street_scene

ROAD, CAR, PEDESTRIAN, BICYCLIST = 3, 8, 9, 10
RETURNING = 112
"""Who crosses in the evening."""


@pytest.fixture(scope="module")
def street() -> Scene:
    return street_scene(width=320, height=180)


@pytest.fixture(scope="module")
def short() -> Scene:
    return street_scene(width=64, height=36, frame_rate=10, duration_s=1.5)


def pulled(image, flow, *, nearest=False):
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.remap(
        image, x + flow[..., 0], y + flow[..., 1], how, borderMode=cv2.BORDER_REPLICATE
    )


def inside_surfaces(before: SceneFrame, now: SceneFrame) -> np.ndarray:
    """Visible pixels some way from every edge of label, id and motion."""
    edge = np.zeros(now.labels.shape, np.uint8)
    for field in (now.labels, now.ids, pulled(before.labels, now.flow, nearest=True)):
        grid = field.astype(np.int32)
        edge[:, 1:] |= grid[:, 1:] != grid[:, :-1]
        edge[1:] |= grid[1:] != grid[:-1]
    hidden = (~now.visible).astype(np.uint8)
    return cv2.dilate(edge | hidden, np.ones((7, 7), np.uint8)) == 0


def same(a: SceneFrame, b: SceneFrame) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("image", "labels", "ids", "flow", "visible")
    )


def test_one_seed_gives_one_scene(street):
    again = street_scene(width=320, height=180)
    assert same(street.render(57), again.render(57))


def test_another_seed_gives_another_scene(street):
    other = street_scene(seed=1, width=320, height=180)
    assert not np.array_equal(street.render(57).image, other.render(57).image)


def test_random_access_equals_sequential_reading(street):
    for index in (60, 61):
        street.render(index)
    sequential = street.render(62)
    street.render(150)
    assert same(sequential, street.render(62))


def test_length_follows_from_rate_and_duration(short):
    assert len(short) == 15


def test_there_is_one_cut(street):
    assert street.cuts == (125,)


def test_labels_are_classes_or_void(street):
    for index in (0, 90, 125, 190):
        assert set(np.unique(street.render(index).labels)) <= {*range(11), 255}


def test_every_class_appears_in_both_shots(street):
    for index in (50, 155):
        assert set(np.unique(street.render(index).labels)) >= set(range(11))


def test_arrays_have_their_promised_types(street):
    frame = street.render(3)
    kinds = [(a.dtype, a.shape) for a in (frame.image, frame.labels, frame.ids, frame.flow)]
    assert kinds == [
        (np.uint8, (180, 320, 3)),
        (np.uint8, (180, 320)),
        (np.uint16, (180, 320)),
        (np.float32, (180, 320, 2)),
    ]
    assert frame.visible.dtype == np.bool_


@pytest.mark.parametrize("index", [0, 125])
def test_nothing_is_visible_before_a_shot_begins(street, index):
    frame = street.render(index)
    assert not frame.visible.any()
    assert not frame.flow.any()


@pytest.mark.parametrize("index", [1, 40, 70, 124, 126, 150, 175, 177, 199, 215, 248])
def test_labels_pulled_by_the_flow_are_the_labels(street, index):
    before, now = street.render(index - 1), street.render(index)
    agree = pulled(before.labels, now.flow, nearest=True) == now.labels
    assert agree[now.visible].mean() >= 0.99


@pytest.mark.parametrize("index", [1, 40, 70, 124, 126, 150, 199])
def test_the_image_pulled_by_the_flow_is_the_image(street, index):
    before, now = street.render(index - 1), street.render(index)
    error = np.abs(pulled(before.image, now.flow).astype(int) - now.image).mean(axis=2)
    sure = inside_surfaces(before, now)
    assert sure.mean() > 0.4
    assert np.median(error[sure]) <= 3
    assert np.percentile(error[sure], 95) <= 9


def test_the_flow_is_better_than_none(street):
    before, now = street.render(69), street.render(70)
    sure = inside_surfaces(before, now)
    moved = np.abs(pulled(before.image, now.flow).astype(int) - now.image).mean(axis=2)
    still = np.abs(before.image.astype(int) - now.image).mean(axis=2)
    assert moved[sure].mean() < 0.6 * still[sure].mean()


@pytest.mark.parametrize("index", [40, 160])
def test_most_of_a_frame_was_visible_before(street, index):
    assert street.render(index).visible.mean() > 0.95


def test_an_id_keeps_its_class(street):
    classes: dict[int, set[int]] = {}
    for index in range(0, 200, 10):
        frame = street.render(index)
        for number in np.unique(frame.ids[frame.ids > 0]):
            classes.setdefault(int(number), set()).update(
                np.unique(frame.labels[frame.ids == number]).tolist()
            )
    assert all(len(found) == 1 for found in classes.values())


def test_only_things_have_ids(street):
    frame = street.render(60)
    things = np.isin(frame.labels, (CAR, PEDESTRIAN, BICYCLIST))
    assert np.array_equal(things, frame.ids > 0)


def test_shots_share_no_ids(street):
    first, second = (set(np.unique(street.render(i).ids)) for i in (60, 160))
    assert first & second == {0}


def test_somebody_is_hidden_and_returns_under_one_id(street):
    sizes = {
        index: np.bincount(street.render(index).ids.ravel(), minlength=200)
        for index in range(0, 125, 6)
    }
    seen = np.stack(list(sizes.values())) > 0
    returned = [
        number
        for number in range(1, 200)
        if any(
            seen[:gap, number].any() and not seen[gap, number] and seen[gap + 1 :, number].any()
            for gap in range(1, len(seen) - 1)
        )
    ]
    assert returned


def test_the_one_who_crosses_comes_out_from_behind_the_van(street):
    seen = [int((street.render(index).ids == 10).sum()) for index in (0, 24, 100)]
    assert seen[0] > 0
    assert seen[1] == 0
    assert seen[2] > 10 * seen[0]


def test_somebody_leaves_the_picture(street):
    first, last = (set(np.unique(street.render(i).ids)) for i in (10, 124))
    assert first - last


def test_the_light_dims_in_the_first_shot(street):
    assert street.render(110).image.mean() < 0.9 * street.render(50).image.mean()


def test_the_scene_tells_what_happens_when(street):
    happened = [(event.kind, event.first, event.last) for event in street.events]
    assert happened == [
        ("light", 55, 105),
        ("cut", 125, 125),
        ("flash", 175, 176),
        ("fade", 235, 249),
    ]


def test_a_flash_lasts_two_frames(street):
    before, *bright, after = (street.render(i).image.mean() for i in (174, 175, 176, 177))
    assert min(bright) > 1.2 * before
    assert after == pytest.approx(before, rel=0.02)


def test_the_end_fades_to_black(street):
    levels = [street.render(i).image.mean() for i in (234, *range(235, 250, 7))]
    assert all(a > b for a, b in itertools.pairwise(levels))
    assert levels[-1] < 0.06 * levels[0]


@pytest.mark.parametrize("index", [175, 249])
def test_flash_and_fade_leave_the_truth_as_it_is(street, index):
    before, now = street.render(index - 1), street.render(index)
    assert now.visible.mean() > 0.95
    assert (before.labels == now.labels).mean() > 0.95
    assert set(np.unique(now.labels)) >= {ROAD, CAR, PEDESTRIAN}


def test_somebody_leaves_the_picture_and_comes_back_under_one_id(street):
    sizes = [int((street.render(i).ids == RETURNING).sum()) for i in (199, 204, 210, 215, 225)]
    assert sizes[0] > 100
    assert sizes[1:4] == [0, 0, 0]
    assert sizes[4] > 100
    # The camera looked aside: the one who left was at the right edge on both sides of the gap.
    for index in (203, 216):
        columns = np.flatnonzero((street.render(index).ids == RETURNING).any(axis=0))
        assert columns.max() > 300


def test_the_camera_jolts(street):
    def rise(index):
        frame = street.render(index)
        return float(np.median(frame.flow[..., 1][frame.visible]))

    assert max(abs(rise(i)) for i in range(31, 36)) > 2 * max(abs(rise(i)) for i in (50, 51, 52))


def test_a_short_scene_has_only_its_cut(short):
    assert [event.kind for event in short.events] == ["cut"]


def test_an_event_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="first <= last"):
        Event("flash", 9, 8)


def test_frames_outside_the_scene_are_refused(street):
    with pytest.raises(IndexError, match="give 0 to 249"):
        street.render(250)


def test_a_scene_of_one_frame_is_refused():
    with pytest.raises(ValueError, match="duration_s"):
        street_scene(duration_s=0.01)


def test_shapes_move_exactly_as_told():
    scene = moving_shapes(
        [MovingShape((50, 40), (36, 28), velocity=(1.3, -0.4), kind="rectangle")],
        background_velocity=(-0.7, 0.25),
    )
    frame = scene.render(5)
    on_shape = frame.flow[frame.ids == 1]
    on_ground = frame.flow[frame.ids == 0]
    assert np.allclose(on_shape, (-1.3, 0.4), atol=1e-4)
    assert np.allclose(on_ground, (0.7, -0.25), atol=1e-4)


@pytest.mark.parametrize("kind", ["disc", "rectangle"])
def test_a_shape_lies_where_it_is_put(kind):
    scene = moving_shapes([MovingShape((60.0, 45.0), (40, 30), velocity=(2.5, 1.0), kind=kind)])
    y, x = np.nonzero(scene.render(6).ids == 1)
    assert (x.mean(), y.mean()) == pytest.approx((75.0, 51.0), abs=0.3)


def test_a_shape_covers_its_area():
    frame = moving_shapes([MovingShape((60, 45), (40, 30))]).render(0)
    assert (frame.ids == 1).sum() == pytest.approx(np.pi / 4 * 40 * 30, rel=0.02)


def test_rendered_texture_moves_by_the_flow_to_a_twentieth_of_a_pixel():
    scene = moving_shapes(background_velocity=(0.6, -0.35))
    before, now = scene.render(7), scene.render(8)
    a, b = (frame.image.mean(axis=2) for frame in (before, now))
    gradient_y, gradient_x = np.gradient(b)
    inner = np.s_[6:-6, 6:-6]
    matrix = np.stack([gradient_x[inner].ravel(), gradient_y[inner].ravel()], axis=1)
    pulled_back = pulled(a.astype(np.float32), now.flow)
    left_over, *_ = np.linalg.lstsq(matrix, (pulled_back - b)[inner].ravel(), rcond=None)
    assert np.abs(left_over).max() < 0.05


def test_shapes_pulled_by_the_flow_are_the_shapes():
    scene = moving_shapes(
        [MovingShape((50, 40), (40, 40), velocity=(1.3, 0.4))], background_velocity=(-0.7, 0.25)
    )
    before, now = scene.render(4), scene.render(5)
    error = np.abs(pulled(before.image, now.flow).astype(int) - now.image)
    assert np.percentile(error[inside_surfaces(before, now)], 99) <= 6


def test_a_shape_hides_those_before_it():
    scene = moving_shapes([MovingShape((50, 40), (30, 30)), MovingShape((55, 40), (30, 30))])
    assert scene.render(0).ids[40, 52] == 2


def test_uncovered_background_was_not_visible():
    scene = moving_shapes([MovingShape((50, 40), (30, 30), velocity=(4, 0), kind="rectangle")])
    before, now = scene.render(0), scene.render(1)
    assert not now.visible[(before.ids == 1) & (now.ids == 0)].any()


def test_a_shape_vanishes_at_its_frame():
    scene = moving_shapes([MovingShape((50, 40), (30, 30), vanishes_at=7)])
    assert [bool((scene.render(i).ids == 1).any()) for i in (6, 7)] == [True, False]


def test_a_shape_that_appears_has_no_past():
    scene = moving_shapes([MovingShape((50, 40), (30, 30), velocity=(1, 0), appears_at=7)])
    frame = scene.render(7)
    assert not frame.visible[frame.ids == 1].any()
    assert not frame.flow[frame.ids == 1].any()


def test_a_shape_can_leave_the_picture():
    scene = moving_shapes([MovingShape((140, 40), (30, 30), velocity=(5, 0))])
    assert not (scene.render(20).ids == 1).any()


def test_the_background_fills_the_picture_to_the_last_frame():
    scene = moving_shapes(background_velocity=(3.5, -2.5), frame_count=40)
    assert all((scene.render(i).labels == 3).all() for i in (0, 39))


def test_shapes_can_be_cut():
    scene = moving_shapes([MovingShape((50, 40), (30, 30))], cuts=(10,))
    assert scene.cuts == (10,)
    assert not scene.render(10).visible.any()


def test_cuts_out_of_order_are_refused():
    with pytest.raises(ValueError, match="rising indices"):
        moving_shapes(cuts=(9, 4))
