"""What keyframes say about frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.motion import Step
from tempseg.proposals import Anchor, Misfit, Stacks
from tempseg.types import Frame, Placement, Prediction


def _anchor(index: int) -> Anchor:
    frame = Frame.from_image(np.zeros((48, 64, 3), np.uint8), index=index, pts=index)
    labels = np.full((6, 8), index, np.uint8)
    prediction = Prediction(Placement.stretch((6, 8), frame.size), labels=labels)
    return Anchor.of(prediction, Step(frame, frame.luma))


def _answered(*, label_bits=8, **answer) -> Anchor:
    """Return the anchor of what a plug-in answered frame 7 with."""
    frame = Frame.from_image(np.zeros((48, 64, 3), np.uint8), index=7, pts=7)
    prediction = Prediction(Placement.stretch((6, 8), frame.size), **answer)
    return Anchor.of(prediction, Step(frame, frame.luma), label_bits=label_bits)


@pytest.mark.parametrize("label", [255, 256, 300, 65534])
def test_labels_that_eight_bits_cannot_tell_apart_are_a_model_error(label):
    labels = np.full((6, 8), 254, np.uint16)
    labels[0] = 65535
    assert np.unique(_answered(labels=labels).winners).tolist() == [254, 255]
    labels[1] = label
    with pytest.raises(ModelError, match=rf"frame 7 .* label {label}, .*8 bits; say label_bits=16"):
        _answered(labels=labels)
    assert np.unique(_answered(labels=labels, label_bits=16).winners)[-2] == max(label, 254)


def test_a_class_that_would_be_void_is_a_model_error():
    scores = np.zeros((6, 8, 256), np.float32)
    scores[..., 255] = 1
    with pytest.raises(ModelError, match=r"256 classes.*8 bits"):
        _answered(scores=scores)
    assert np.all(_answered(scores=scores, label_bits=16).winners == 255)
    fewer = np.ascontiguousarray(scores[..., 1:])
    assert np.all(_answered(scores=fewer).winners == 254)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.nan, "not finite"),
        (np.inf, "not finite"),
        (-np.inf, "not finite"),
        (-3.0, "from -3 to 0.25"),
        (1.01, "from 0.25 to 1.01"),
        (300.0, "from 0.25 to 300"),
    ],
)
@pytest.mark.parametrize("where", [(0, 0, 0), (3, 4, 1), (5, 7, 2)])
def test_scores_that_are_no_probabilities_are_a_model_error(value, told, where):
    scores = np.full((6, 8, 3), 0.25, np.float32)
    scores[where] = value
    with pytest.raises(ModelError, match=f"frame 7 .* scores .*{told}, expected probabilities"):
        _answered(scores=scores)


def test_scores_that_rounding_left_beyond_zero_and_one_are_probabilities():
    scores = np.zeros((6, 8, 2), np.float32)
    scores[..., 0], scores[..., 1] = -1e-4, 1 + 1e-4
    anchor = _answered(scores=scores)
    assert np.unique(anchor.scores[..., 0]).tolist() == [0]
    assert np.unique(anchor.scores[..., 1]).tolist() == [255]


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
