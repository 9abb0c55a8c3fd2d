"""Test-time augmentation: the answer is the mean over mirrored and rescaled views of a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.protocols import Segmenter
from tempseg.segmenters.batches import in_batches
from tempseg.segmenters.joined_segments import joined_segments
from tempseg.segmenters.regrid import labels_on, scores_on, shifted
from tempseg.segmenters.tiling import segment_in_tiles
from tempseg.types import Frame, LabelArray, Placement, Prediction, RgbPicture, SegmenterInfo

__all__ = ["AugmentingSegmenter"]

_TILE_OVERLAP = 0.25


class AugmentingSegmenter:
    """Runs a segmenter on several views of a frame; scores are averaged, labels put to the vote.

    A scale says how large things appear to the network, whatever its input's size: above one,
    the frame is shown in overlapping parts; below one, shrunk into a mirrored border. In a vote
    that is level, the view named first wins.

    Parameters
    ----------
    segmenter : Segmenter
        Must keep no memory from frame to frame.
    flip : bool
        Whether every view is shown mirrored left to right, too.
    scales : sequence of float
        In [0.5, 4]; the answer's grid is the first one's.
    """

    def __init__(
        self, segmenter: Segmenter, *, flip: bool = False, scales: Sequence[float] = (1.0,)
    ) -> None:
        self._segmenter = segmenter
        self._flip = flip
        self._scales = tuple(scales)

    @property
    def info(self) -> SegmenterInfo:
        """What the segmenter of one view is."""
        return self._segmenter.info

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame, on the grid of the first view.

        Raises
        ------
        ModelError
            When ids of several views are not their classes; and what the segmenter raises.
        """
        where = f"{self.info.name}: frame {frame.index}"
        views = self._views(frame)
        first = next(views)
        segments = first.segments
        if first.scores is not None:
            size = first.scores.shape[:2]
            mean = first.scores.copy()
            count = 1
            for view in views:
                assert view.scores is not None
                segments = joined_segments(segments, view.segments, where=where)
                mean += scores_on(view.scores, view.placement, size=size, target=first.placement)
                count += 1
            mean /= count
            return replace(first, scores=mean, segments=segments)
        assert first.labels is not None
        votes = [first.labels]
        for view in views:
            assert view.labels is not None
            segments = joined_segments(segments, view.segments, where=where)
            votes.append(
                labels_on(
                    view.labels, view.placement, size=first.labels.shape, target=first.placement
                )
            )
        return replace(first, labels=_majority(votes), segments=segments)

    def _views(self, frame: Frame) -> Iterator[Prediction]:
        ways = [frame]
        if self._flip:
            ways.append(replace(frame, picture=_picture(frame.image[:, ::-1])))
        for scale in self._scales:
            answer, *mirrored = self._scaled(ways, scale)
            yield answer
            for turned in mirrored:
                yield _mirrored(turned, frame.size[1])

    def _scaled(self, frames: Sequence[Frame], scale: float) -> list[Prediction]:
        """Return the answers for frames of one size, shown at one scale."""
        if scale == 1:
            return list(in_batches(self._segmenter, frames))
        height, width = frames[0].size
        if scale > 1:
            tile = (max(round(width / scale), 1), max(round(height / scale), 1))
            return [
                segment_in_tiles(self._segmenter, frame, tile=tile, overlap=_TILE_OVERLAP)
                for frame in frames
            ]
        top, left = (round(side * (1 / scale - 1) / 2) for side in (height, width))
        bordered = (
            cv2.copyMakeBorder(frame.image, top, top, left, left, cv2.BORDER_REFLECT)
            for frame in frames
        )
        shown = (
            replace(frame, picture=_picture(image))
            for frame, image in zip(frames, bordered, strict=True)
        )
        return [
            replace(answer, placement=shifted(answer.placement, down=-top, right=-left))
            for answer in in_batches(self._segmenter, shown)
        ]


def _picture(image: NDArray[Any]) -> RgbPicture:
    return RgbPicture(np.ascontiguousarray(image))


def _mirrored(answer: Prediction, width: int) -> Prediction:
    placed = answer.placement
    grid = answer.labels if answer.labels is not None else answer.scores
    assert grid is not None
    offset_x = grid.shape[1] - 1 - placed.offset_x - placed.scale_x * (width - 1)
    turned: Any = np.ascontiguousarray(grid[:, ::-1])
    placement = Placement(placed.scale_x, offset_x, placed.scale_y, placed.offset_y)
    if answer.labels is not None:
        return replace(answer, placement=placement, labels=turned)
    return replace(answer, placement=placement, scores=turned)


def _majority(votes: Sequence[LabelArray]) -> LabelArray:
    """Return the most frequent label a cell; the first of those that are level."""
    stacked = np.stack(votes)
    supporters = np.stack([(stacked == vote).sum(axis=0) for vote in votes])
    winners = supporters.argmax(axis=0)
    return cast(LabelArray, np.take_along_axis(stacked, winners[None], axis=0)[0])
