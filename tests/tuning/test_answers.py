"""Answers of a model, asked for once."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import CallableSegmenter, SegmenterOptions
from tempseg.tuning.answers import AnswerStore, KnownSegmenter
from tempseg.types import Frame, Placement, Prediction, Segment


def test_ids_that_are_no_classes_are_not_compared(tmp_path):
    def counted(image):
        labels = np.full(image.shape[:2], 7, np.uint8)
        placement = Placement.stretch(labels.shape, labels.shape)
        return Prediction(placement, labels, segments={7: Segment(7, 1)})

    asked = CallableSegmenter(counted, SegmenterOptions(classes="binary"), name="counted")
    known = KnownSegmenter(AnswerStore(tmp_path), asked.info, asked=asked)
    frame = Frame.from_image(np.zeros((4, 6, 3), np.uint8), index=3)
    for _ in range(2):
        with pytest.raises(ModelError, match="counted: frame 3: id 7 stands for class 1"):
            known.segment(frame)
