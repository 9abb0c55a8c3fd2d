"""What keyframes say about frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tempseg.motion import Step
from tempseg.proposals import Anchor, Misfit, Stacks
from tempseg.types import Frame, Placement, Prediction


def _anchor(index: int) -> Anchor:
    frame = Frame.from_image(np.zeros((48, 64, 3), np.uint8), index=index, pts=index)
    labels = np.full((6, 8), index, np.uint8)
    prediction = Prediction(Placement.stretch((6, 8), frame.size), labels=labels)
    return Anchor.of(prediction, Step(frame, frame.luma))


def test_answers_are_put_side_by_side_once_for_the_same_keyframes():
    first, second, third = map(_anchor, range(3))
    stacks = Stacks()
    winners, clearances = stacks.of([first, second])
    assert winners.shape == clearances.shape == (2, 6, 8)
    assert winners[:, 0, 0].tolist() == [0, 1]
    assert stacks.of([first, second])[0] is winners
    # Another order, other keyframes, fewer.
    for anchors in ([second, first], [second, third], [second]):
        found, _ = stacks.of(anchors)
        assert found[:, 0, 0].tolist() == [anchor.index for anchor in anchors]


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 3.0])
def test_misfits_are_blurred_as_by_a_gaussian(sigma):
    error = np.random.default_rng(0).gamma(1, 8, (60, 80)).clip(0, 255).astype(np.uint8)
    expected = cv2.GaussianBlur(error, (0, 0), sigma).astype(int)
    blurred = Misfit.of(error, sigma).blurred.astype(int)
    assert np.abs(blurred - expected).mean() < 0.7
    assert np.abs(blurred - error).mean() > 0.05
