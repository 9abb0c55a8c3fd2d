"""What keyframes say about frames."""

from __future__ import annotations

import numpy as np

from tempseg.motion import Step
from tempseg.proposals import Anchor, Stacks
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
