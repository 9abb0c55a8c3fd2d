"""What the numbers that policies decide on say, and what they do not mind."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg import evidence
from tempseg.motion import Step, no_motion
from tempseg.proposals import Anchor, misfit
from tempseg.types import Frame, MotionField, Placement, Prediction

SIZE = (96, 128)


def _picture(seed=0):
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(60, 180, (24, 32)), np.ones((4, 4))).astype(np.uint8)


def _anchor(luma, labels):
    frame = Frame.from_image(np.repeat(luma[..., None], 3, axis=2), index=0, pts=0)
    prediction = Prediction(Placement.stretch(labels.shape, SIZE), labels=labels)
    return Anchor.of(prediction, Step(frame, luma), label_bits=8 * labels.itemsize)


def _labels(column=64):
    labels = np.ones(SIZE, np.uint8)
    labels[:, column:] = 2
    return labels


def _shift(x):
    flow = np.zeros((*SIZE, 2), np.float32)
    flow[..., 0] = x
    return flow


def _step_error(target, source):
    motion = no_motion(0, source)
    return evidence.step_error(evidence.evened(target), evidence.evened(source), motion)


def _error_at_borders(anchor, motion, error):
    return evidence.at_borders(anchor, motion, error, np.zeros(SIZE, bool), SIZE)[0]


def test_evened_luma_is_the_same_in_another_light():
    luma = _picture()
    brighter = (luma + 40).astype(np.uint8)
    np.testing.assert_allclose(
        evidence.evened(luma).astype(int), evidence.evened(brighter).astype(int), atol=1
    )


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 40), (0.7, 0), (1.2, 20)])
def test_light_is_no_drift_and_other_content_is(gain, offset):
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)

    def drift(target):
        return evidence.unexplained(target, luma, still, misfit(anchor, still, target, 2.0))[0]

    relit = np.clip(gain * luma + offset, 0, 255).astype(np.uint8)
    assert drift(relit) < 0.02
    relit[:, :64] = np.clip(_picture(1)[:, :64] + 60.0, 0, 255)
    assert drift(relit) > 0.2


def test_errors_count_near_borders_only():
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    near, far = np.zeros((2, *SIZE), np.uint8)
    near[:, 62:66] = far[:, 10:14] = 200
    assert _error_at_borders(anchor, still, far) == 0
    assert _error_at_borders(anchor, still, near) > 0.1


def test_a_picture_that_only_gets_brighter_has_no_error_at_borders():
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    error = _step_error((luma + 30).astype(np.uint8), luma)
    assert _error_at_borders(anchor, still, error) < 0.01


def test_an_answer_of_void_alone_has_no_borders():
    luma = _picture()
    anchor = _anchor(luma, np.full(SIZE, 255, np.uint8))
    error = np.full(SIZE, 90, np.uint8)
    assert _error_at_borders(anchor, no_motion(0, luma), error) == 0


def test_churn_is_one_minus_the_miou_of_what_was_carried():
    luma = _picture()
    before, still = _anchor(luma, _labels(64)), no_motion(0, luma)
    assert evidence.churn(before, still, _anchor(luma, _labels(64)), SIZE) == 0
    found = evidence.churn(before, still, _anchor(luma, _labels(32)), SIZE)
    assert found == pytest.approx(1 - (32 / 64 + 64 / 96) / 2)
    assert evidence.churn(before, still, _anchor(luma, 4 + _labels()), SIZE) == 1
    moved = MotionField(0, 1, _shift(32))
    assert evidence.churn(before, moved, _anchor(luma, _labels(32)), SIZE) == 0


def test_motion_that_returns_is_not_occluded_and_motion_that_does_not_is():
    onto = MotionField(0, 1, _shift(5))
    assert evidence.occluded(onto, MotionField(1, 0, _shift(-5))) == 0
    assert evidence.occluded(onto, MotionField(1, 0, _shift(0))) == 1


def test_a_residual_is_that_of_what_was_in_sight():
    error = np.array([[10, 20], [evidence.OUTSIDE, 30]], np.uint8)
    assert evidence.typical_residual(error) == 20
    assert evidence.outside(error) == 0.25
    nothing = np.full((2, 2), evidence.OUTSIDE, np.uint8)
    assert evidence.typical_residual(nothing) == evidence.OUTSIDE


def _panned():
    """Return a picture, the same panned by a quarter of its width, and the motion between."""
    luma = _picture()
    target = _picture(1)
    target[:, :96] = luma[:, 32:]
    return luma, target, MotionField(0, 1, _shift(32))


def test_what_comes_from_outside_is_drift_but_not_drift_in_sight():
    luma, target, pan = _panned()
    fit = misfit(_anchor(luma, _labels()), pan, target, 2.0)
    assert evidence.outside(fit.residual) == pytest.approx(0.25, abs=0.01)
    drift, new = evidence.unexplained(target, luma, pan, fit)
    assert drift == pytest.approx(0.25, abs=0.02)
    assert new.mean() < 0.02


def test_a_flat_area_in_another_light_is_no_drift():
    luma = np.full(SIZE, 90, np.uint8)
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    brighter = np.full(SIZE, 160, np.uint8)
    fit = misfit(anchor, still, brighter, 2.0)
    drift, new = evidence.unexplained(brighter, luma, still, fit)
    assert drift == 0
    assert not new.any()


def test_black_that_turns_white_is_in_sight_and_an_error():
    black = _picture()
    black[:, 40:88] = 0
    white = black.copy()
    white[:, 40:88] = 255
    anchor, still = _anchor(black, _labels()), no_motion(0, black)
    fit = misfit(anchor, still, white, 2.0)
    assert evidence.outside(fit.residual) == 0
    assert evidence.typical_residual(fit.residual) == pytest.approx(254 * 48 / 128)
    assert _error_at_borders(anchor, still, fit.residual) > 0.1


def test_border_error_is_the_root_of_the_mean_share_of_full_white_over_the_classes():
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    error = np.zeros(SIZE, np.uint8)
    error[:, 62:64] = 201
    # One class of two, and of its 64 columns two; one gray level is noise.
    expected = (200 * 2 / 64 / 2 / 255) ** 0.5
    assert _error_at_borders(anchor, still, error) == pytest.approx(expected)


def test_what_is_new_counts_near_borders_and_anywhere():
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    nothing, near, far = np.zeros((3, *SIZE), bool)
    near[:, 62:66] = far[:, 10:14] = True
    error = nothing.astype(np.uint8)

    def at_borders(new):
        return evidence.at_borders(anchor, still, error, new, SIZE)

    def border(new):
        return evidence.border(anchor, still, error, new, power=1.0, frame_size=SIZE)

    assert at_borders(nothing) == at_borders(far) == (0.0, 0.0)
    # Borders reach five columns to either side; four of the ten are new.
    assert at_borders(near) == (0.0, 0.4)
    assert border(nothing) == 0
    assert border(far) == pytest.approx(evidence.NEW * (4 / 128) ** 0.5)
    assert border(near) == pytest.approx(border(far) + evidence.NEW_AT_BORDERS * 0.4)


def test_a_usual_error_counts_alike_to_any_power_and_less_of_it_less():
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    nothing = np.zeros(SIZE, bool)
    wanted = evidence.USUAL_ERROR

    def border(error, power):
        return evidence.border(anchor, still, error, nothing, power=power, frame_size=SIZE)

    for part in (1.0, 0.5):
        # The mean share of full white over two classes, in four columns, two of the 64 of each.
        error = np.zeros(SIZE, np.uint8)
        error[:, 61:65] = round((part * wanted) ** 2 * 255 * 2 * 64 / 4) + 1
        found = _error_at_borders(anchor, still, error)
        assert found == pytest.approx(part * wanted, rel=0.02)
        for power in (1.0, 3.0):
            expected = evidence.STEP * wanted * (found / wanted) ** power
            assert border(error, power) == pytest.approx(expected)


def test_borders_reach_as_far_on_finer_labels():
    luma = _picture()
    fine = np.ones((2 * SIZE[0], 2 * SIZE[1]), np.uint8)
    fine[:, 128:] = 2
    anchor, still = _anchor(luma, fine), no_motion(0, luma)
    error = np.zeros(SIZE, np.uint8)
    error[:, 60] = 200
    assert _error_at_borders(anchor, still, error) > 0


def test_a_speck_does_not_rule_the_error_at_borders():
    luma = _picture()
    labels = np.ones(SIZE, np.uint8)
    labels[40:42, 60:62] = 2
    anchor, still = _anchor(luma, labels), no_motion(0, luma)
    error = np.zeros(SIZE, np.uint8)
    error[40:42, 60:62] = 201
    assert 0.1 < _error_at_borders(anchor, still, error) < 0.3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_void_counts_neither_at_borders_nor_as_churn(dtype):
    luma, void = _picture(), np.iinfo(dtype).max
    still = no_motion(0, luma)
    half = np.ones(SIZE, dtype)
    half[:, 64:] = void
    error = np.zeros(SIZE, np.uint8)
    error[:, 64:66] = 200
    assert _error_at_borders(_anchor(luma, half), still, error) == 0
    whole = np.ones(SIZE, dtype)
    assert evidence.churn(_anchor(luma, half), still, _anchor(luma, half), SIZE) == 0
    assert evidence.churn(_anchor(luma, whole), still, _anchor(luma, half), SIZE) == 0.5
    nothing = _anchor(luma, np.full(SIZE, void, dtype))
    assert evidence.churn(nothing, still, nothing, SIZE) == 0


def test_a_class_that_went_is_churn_and_a_speck_that_went_is_none():
    luma = _picture()
    still, plain = no_motion(0, luma), np.ones(SIZE, np.uint8)
    for rows, churn in ((48, 0.75), (1, None)):
        labels = plain.copy()
        labels[:rows, : 128 if rows > 1 else 4] = 2
        found = evidence.churn(_anchor(luma, labels), still, _anchor(luma, plain), SIZE)
        assert found == pytest.approx(churn) if churn else 0 < found < 0.01


def test_motion_that_misses_by_much_more_than_a_tenth_is_occluded():
    onto = MotionField(0, 1, _shift(20))
    assert evidence.occluded(onto, MotionField(1, 0, _shift(-19))) == 0
    assert evidence.occluded(onto, MotionField(1, 0, _shift(-12))) == 1


def test_a_negative_of_the_picture_has_changed_no_more_than_altogether():
    luma = _picture()
    luma[:, :64] = 255 - luma[:, :64]
    found = evidence.scene_change(_picture(), luma, no_motion(0, luma))
    assert found == pytest.approx(0.5, abs=0.1)
