"""Scene cuts, and what only looks like one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tempseg.config import Config
from tempseg.cuts import MOST_HELD, CutFinder, steps_held
from tempseg.flows import DisFlow
from tempseg.motion import Stepper
from tempseg.synthetic import street_film
from tempseg.types import Frame

HEIGHT, WIDTH = 144, 256
THRESHOLD = Config().keyframe.scene_threshold

anyhow = pytest.mark.parametrize("hold", [0, 1, MOST_HELD])


def _view(seed, width=WIDTH):
    """Return a picture of surfaces with edges, as wide as asked for."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(60, 190, (6, 6 * width // WIDTH), dtype=np.uint8)
    picture = cv2.resize(rough, (width, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    for _ in range(40 * width // WIDTH):
        left, top = rng.integers(-20, width), rng.integers(-20, HEIGHT)
        corner = left + int(rng.integers(8, 50)), top + int(rng.integers(8, 50))
        cv2.rectangle(picture, (int(left), int(top)), corner, int(rng.integers(30, 220)), -1)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 16, 235).astype(np.uint8)


def _still(seed, count):
    """Return a shot from a camera that drifts by a pixel a frame."""
    wide = _view(seed, 2 * WIDTH)
    return [wide[:, i : i + WIDTH] for i in range(count)]


def _lit(picture, gain, offset=0.0):
    return np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


def _steps(pictures, hold, threshold=THRESHOLD, finder=None):
    flow = DisFlow("medium")
    stepper = Stepper(flow, resolution_px=WIDTH, back=False)
    finder = finder or CutFinder(flow, threshold=threshold, hold=hold)
    done = []
    for index, luma in enumerate(pictures):
        image = np.ascontiguousarray(np.repeat(luma[..., None], 3, axis=2))
        done += finder.take(stepper.step(Frame.from_image(image, index=index, pts=index)))
        assert index + 1 - len(done) <= hold
    done += finder.flush()
    assert [step.frame.index for step in done] == list(range(len(pictures)))
    return done


def _cuts(pictures, hold, **options):
    return [step.frame.index for step in _steps(pictures, hold, **options) if step.cut]


@anyhow
def test_a_cut_is_found_on_its_frame(hold):
    assert _cuts([*_still(1, 7), *_still(2, 6), *_still(3, 8)], hold) == [7, 13]


@anyhow
def test_cuts_on_frames_one_after_the_other_are_all_found(hold):
    assert _cuts([*_still(1, 6), *_still(2, 1), *_still(3, 6)], hold) == [6, 7]
    assert _cuts([*_still(1, 6), *_still(2, 1), *_still(3, 1)], hold) == [6, 7]
    assert _cuts([*_still(1, 1), *_still(2, 1), *_still(3, 6)], hold) == [1, 2]


@anyhow
@pytest.mark.parametrize("left", [1, 2])
def test_a_cut_close_to_the_end_is_found(hold, left):
    assert _cuts([*_still(1, 8), *_still(2, left)], hold) == [8]


@anyhow
def test_a_cut_on_the_second_frame_is_found(hold):
    assert _cuts([*_still(1, 1), *_still(2, 6)], hold) == [1]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_that_hides_everything_is_no_cut_in_hindsight(length):
    shot = _still(1, 16)
    shot[7 : 7 + length] = _still(2, length)
    assert _cuts(shot, MOST_HELD) == []


def test_a_flash_that_hides_everything_is_two_cuts_without_hindsight():
    shot = _still(1, 16)
    shot[7:9] = _still(2, 2)
    assert _cuts(shot, 0) == [7, 9]


@anyhow
@pytest.mark.parametrize("length", [1, 4, 9])
@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_that_goes_and_comes_back_is_no_cut(hold, length, level):
    shot = _still(1, 20)
    shot[6 : 6 + length] = [np.full_like(shot[0], level)] * length
    assert _cuts(shot, hold) == []


@anyhow
def test_light_is_no_cut(hold):
    gains = [1, 1, 1, 1.5, 1.2, 1, 1, 0.5, 0.5, 0.5, 0.8, 1.1, 1.1]
    shot = [_lit(p, gain) for p, gain in zip(_still(1, len(gains)), gains, strict=True)]
    assert _cuts(shot, hold) == []


@anyhow
def test_a_picture_that_comes_up_for_the_first_time_is_no_cut(hold):
    rising = np.concatenate([np.zeros(5), np.linspace(0, 1, 15)])
    shot = [_lit(p, gain, 16) for p, gain in zip(_still(1, 20), rising, strict=True)]
    assert _cuts(shot, hold) == []


@anyhow
def test_a_fade_through_black_is_one_cut_when_the_next_shot_shows(hold):
    first = [_lit(p, 1 - i / 8, 16) for i, p in enumerate(_still(1, 9))]
    black = [np.full_like(first[0], 16)] * 4
    second = [_lit(p, i / 8, 16) for i, p in enumerate(_still(2, 12))]
    (cut,) = _cuts([*_still(1, 5), *first, *black, *second], hold)
    assert 18 <= cut <= 20


@anyhow
@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_nothing_to_see_is_no_cut(hold, level):
    flat = [np.full((HEIGHT, WIDTH), level, np.uint8)] * 6
    assert [step.scene_change for step in _steps(flat, hold)] == [0.0] * 6


@anyhow
@pytest.mark.parametrize("length", [6, 10, 16])
def test_a_dissolve_is_one_cut(hold, length):
    shares = np.clip((np.arange(length + 24) - 11) / (length + 1), 0, 1)
    shot = [
        _lit(cv2.addWeighted(a, 1 - share, b, share, 0), 1)
        for a, b, share in zip(
            _still(1, len(shares)), _still(2, len(shares)), shares.tolist(), strict=True
        )
    ]
    (cut,) = _cuts(shot, hold)
    assert 12 <= cut <= 12 + length + 4


@anyhow
@pytest.mark.parametrize("both", [1, 2])
def test_a_cut_over_frames_that_show_both_shots_is_one_cut(hold, both):
    # As a change of the frame rate leaves it.
    shares = np.clip((np.arange(24) - 9) / (both + 1), 0, 1).tolist()
    shot = [
        cv2.addWeighted(a, 1 - share, b, share, 0)
        for a, b, share in zip(_still(1, 24), _still(2, 24), shares, strict=True)
    ]
    (cut,) = _cuts(shot, hold)
    assert 10 <= cut <= 11


@anyhow
@pytest.mark.parametrize("fastest", [10, 20, 40])
def test_a_pan_that_blurs_the_picture_is_no_dissolve(hold, fastest):
    faster = [*range(5, fastest, 5)]
    speeds = [*[0] * 8, *faster, *[fastest] * 6, *reversed(faster), *[0] * 8]
    travel = np.cumsum(speeds).tolist()
    wide = _view(5, WIDTH + travel[-1])
    pictures = [
        cv2.blur(wide[:, x : x + WIDTH], (max(speed, 1), 1))
        for x, speed in zip(travel, speeds, strict=True)
    ]
    assert _cuts(pictures, hold) == []


@anyhow
@pytest.mark.parametrize("speed", [12, 45, 90])
def test_a_fast_pan_is_no_cut(hold, speed):
    travel = np.concatenate([np.zeros(6), np.full(5, speed), np.zeros(6)]).cumsum().astype(int)
    wide = _view(5, WIDTH + int(travel[-1]))
    assert _cuts([wide[:, x : x + WIDTH] for x in travel], hold) == []


@anyhow
@pytest.mark.parametrize("across", [-90, 0, 90])
@pytest.mark.parametrize("down", [-60, 0, 60])
def test_a_jump_within_the_same_view_is_no_cut(hold, across, down):
    # A pan so fast that flow does not reach, in any direction.
    tall = np.concatenate([_view(seed, 2 * WIDTH) for seed in (5, 6)])
    places = [(HEIGHT // 2, WIDTH // 2)] * 6 + [(HEIGHT // 2 + down, WIDTH // 2 + across)] * 6
    assert _cuts([tall[y : y + HEIGHT, x : x + WIDTH] for y, x in places], hold) == []


@anyhow
@pytest.mark.parametrize("jump", [(0, 230), (125, 0)])
def test_a_jump_that_leaves_next_to_nothing_in_view_is_a_cut(hold, jump):
    tall = np.concatenate([_view(seed, 2 * WIDTH) for seed in (5, 6)])
    places = [(0, 0)] * 6 + [jump] * 6
    assert _cuts([tall[y : y + HEIGHT, x : x + WIDTH] for y, x in places], hold) == [6]


def test_cuts_are_where_the_change_is_above_the_threshold():
    rng = np.random.default_rng(7)
    pictures = []
    for seed in range(12):
        shot = _still(seed, int(rng.integers(1, 7)))
        pictures += [_lit(picture, float(rng.choice([0.0, 0.6, 1.0, 3.0]))) for picture in shot]
    for step in _steps(pictures, MOST_HELD):
        assert 0.0 <= step.scene_change <= 1.0
        assert step.cut == (step.scene_change > THRESHOLD)


def test_a_threshold_of_one_allows_no_cut():
    assert _cuts([*_still(1, 4), *_still(2, 4)], MOST_HELD, threshold=1.0) == []


@anyhow
@pytest.mark.parametrize("size", [(48, 48), (48, 4000), (301, 99)])
def test_any_size_is_taken(hold, size):
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, size, dtype=np.uint8) for _ in range(8)]
    assert len(_steps(pictures, hold)) == 8


def test_nothing_is_known_of_a_video_after_its_end():
    flow = DisFlow("medium")
    finder = CutFinder(flow, threshold=THRESHOLD, hold=MOST_HELD)
    for seed in (1, 2):
        stepper = Stepper(flow, resolution_px=WIDTH, back=False)
        done = []
        for index, luma in enumerate(_still(seed, 6)):
            image = np.ascontiguousarray(np.repeat(luma[..., None], 3, axis=2))
            done += finder.take(stepper.step(Frame.from_image(image, index=index, pts=index)))
        done += finder.flush()
        assert [step.cut for step in done] == [False] * 6


@pytest.mark.parametrize("hold", [0, MOST_HELD])
def test_a_finder_that_was_flushed_decides_as_a_new_one(hold):
    shares = [0, 0, 0, 0.15, 0.3, 0.5, 0.7, 0.85, 1, 1, 1, 1]
    one, other, third = (cv2.resize(_view(seed), (128, 96)) for seed in (1, 2, 3))
    dissolve = [cv2.addWeighted(one, 1 - share, other, share, 0) for share in shares]
    rising = [np.zeros_like(third)] * 3 + [third] * 6

    def told(pictures, finder=None):
        return [(s.cut, s.scene_change) for s in _steps(pictures, hold, finder=finder)]

    used = CutFinder(DisFlow("medium"), threshold=THRESHOLD, hold=hold)
    assert any(cut for cut, _ in told(dissolve))
    for pictures in (dissolve, dissolve, rising):
        assert told(pictures, used) == told(pictures)


def _marked(count):
    """Return pictures that share nothing, and whose least value tells which each is."""
    rng = np.random.default_rng(0)
    return [(20 * i + 5 + 10 * rng.integers(0, 2, (64, 64))).astype(np.uint8) for i in range(count)]


def _changes(monkeypatch, losses, *, others=1.0, **options):
    """Return what marked pictures are told to change by, when each loses so much of the last.

    `others` tells what one loses of another; a number, or a function of both.
    """

    def lost(target, source, _):
        later, earlier = int(target.min()) // 20, int(source.min()) // 20
        if later == earlier + 1:
            return losses[earlier]
        return others(later, earlier) if callable(others) else others

    monkeypatch.setattr("tempseg.cuts.scene_change", lost)
    return [step.scene_change for step in _steps(_marked(len(losses) + 1), **options)]


@pytest.mark.parametrize(
    ("losses", "level"),
    [
        pytest.param((0.0, 0.0, 0.9, 0.7, 0.8), 0.7, id="first-of-a-pan"),
        pytest.param((0.6, 0.7, 0.9, 0.0, 0.0), 0.6, id="last-of-a-pan"),
        pytest.param((0.0, 0.6, 0.9, 0.7, 0.0), 0.6, id="amid-a-pan"),
        pytest.param((0.0, 0.6, 0.9, 0.0, 0.7), 0.0, id="alone"),
    ],
)
def test_a_change_is_what_is_lost_beyond_the_lesser_of_two_frames_around(
    monkeypatch, losses, level
):
    changes = _changes(monkeypatch, losses, hold=MOST_HELD, threshold=1.0)
    assert changes[3] == pytest.approx(0.9 - level)


@pytest.mark.parametrize(
    ("cuts", "like", "change"),
    [((1, 3), {1, 2}, 0.9), ((2,), {2}, 0.0), ((2,), {0, 1}, 0.9)],
)
def test_a_frame_goes_on_from_no_shot_but_its_own(monkeypatch, cuts, like, change):
    losses = [0.9 if index in (*cuts, 4) else 0.0 for index in range(1, 5)]

    def others(later, earlier):
        return 0.0 if later == 4 and earlier in like else 1.0

    changes = _changes(monkeypatch, losses, others=others, hold=0)
    assert [index for index in range(4) if changes[index] > THRESHOLD] == list(cuts)
    assert changes[4] == change


def test_frames_that_go_on_from_those_before_are_no_cut_however_low_the_threshold(monkeypatch):
    # Less than half of what is lost, and above the threshold.
    changes = _changes(
        monkeypatch, [0.0, 0.9, 0.0, 0.0], others=0.42, hold=MOST_HELD, threshold=0.4
    )
    assert max(changes) == changes[2] == 0.4


def test_a_pan_that_leaves_less_than_half_of_a_change_is_no_cut_however_low_the_threshold(
    monkeypatch,
):
    tall = _view(5)[:64]
    pictures = [tall[:, x : x + 96] for x in (0, 0, 20, 20)]

    def lost(target, source, _):
        if target.shape[1] < 96:
            # What both show of a swing of twenty pixels.
            return 0.42
        return 0.0 if np.array_equal(target, source) else 0.9

    monkeypatch.setattr("tempseg.cuts.scene_change", lost)
    changes = [step.scene_change for step in _steps(pictures, 0, threshold=0.4)]
    assert changes == [0.0, 0.0, 0.4, 0.0]


@pytest.mark.parametrize("hold", [-1, MOST_HELD + 1])
def test_a_hold_that_is_not_served_is_refused(hold):
    with pytest.raises(ValueError, match="hold is"):
        CutFinder(DisFlow("fast"), threshold=0.5, hold=hold)


@pytest.mark.parametrize("lookahead", range(30))
def test_a_decision_takes_little_of_the_lookahead(lookahead):
    assert 0 <= steps_held(lookahead) <= lookahead / 4


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "most_false"), [(5, 0)])
def test_cuts_of_a_rendered_film_are_found_among_pans_flashes_and_fades(seed, most_false):
    film = street_film(seed=seed, width=256, height=144)
    frames = [film.render(i).image for i in range(len(film))]
    found = _cuts([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in frames], MOST_HELD)
    assert {event.kind for event in film.events} >= {"cut", "pan", "fade"}
    assert [cut for cut in film.cuts if not any(abs(cut - one) <= 1 for one in found)] == []
    assert len(found) <= len(film.cuts) + most_false
