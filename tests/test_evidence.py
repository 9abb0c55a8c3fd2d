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
    return Anchor.of(prediction, Step(frame, luma))


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
    assert evidence.border_error(anchor, still, far, SIZE) == 0
    assert evidence.border_error(anchor, still, near, SIZE) > 0.1


def test_a_picture_that_only_gets_brighter_has_no_error_at_borders():
    luma = _picture()
    anchor, still = _anchor(luma, _labels()), no_motion(0, luma)
    error = _step_error((luma + 30).astype(np.uint8), luma)
    assert evidence.border_error(anchor, still, error, SIZE) < 0.01


def test_an_answer_of_void_alone_has_no_borders():
    luma = _picture()
    anchor = _anchor(luma, np.full(SIZE, 255, np.uint8))
    error = np.full(SIZE, 90, np.uint8)
    assert evidence.border_error(anchor, no_motion(0, luma), error, SIZE) == 0


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
