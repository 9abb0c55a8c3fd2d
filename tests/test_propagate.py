"""Labels of a frame between keyframes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tempseg.motion import Step, no_motion
from tempseg.propagate import look_up
from tempseg.proposals import Anchor, Proposal
from tempseg.refine import Pixels, Reference
from tempseg.types import Frame, Placement, Prediction

SIZE = 48, 64


def _step(index, image):
    frame = Frame.from_image(image, index=index, time_base=Fraction(1, 25))
    return Step(frame, frame.luma, onto=no_motion(index - 1, frame.luma))


def _keyframe(index, image, labels):
    prediction = Prediction(Placement.stretch(SIZE, SIZE), labels=labels)
    step = _step(index, image)
    anchor = Anchor.of(prediction, step, matching=True)
    reference = Reference.of(labels, Pixels.of(step.frame.picture.yuv420(), step.luma))
    return Proposal(anchor, no_motion(index, step.luma)), reference


@pytest.mark.parametrize("sides", [(-2,), (-2, 2)], ids=["one side", "both sides"])
def test_the_frame_before_decides_where_no_keyframe_looks_alike(sides):
    rng = np.random.default_rng(0)
    seen = rng.integers(60, 200, (*SIZE, 3), dtype=np.uint8)
    white = np.full_like(seen, 255)
    nothing = np.zeros(SIZE, np.uint8)
    expected = nothing.copy()
    expected[12:36, 16:48] = 1
    proposals, references = zip(*(_keyframe(5 + d, white, nothing) for d in sides), strict=True)
    _, last = _keyframe(4, seen, expected)
    distances = list(map(float, sides))
    without, _ = look_up(proposals, distances, references, _step(5, seen))
    labels, _ = look_up(proposals, distances, references, _step(5, seen), last)
    assert not without.any()
    assert np.count_nonzero(labels != expected) <= 0.02 * expected.size
