"""Large frames in overlapping tiles, so that the network sees small things at their size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tempseg.protocols import Segmenter
from tempseg.segmenters.batches import in_batches
from tempseg.segmenters.joined_segments import joined_segments
from tempseg.segmenters.regrid import labels_on, scores_on, shifted
from tempseg.types import (
    FloatArray,
    Frame,
    LabelArray,
    Placement,
    Prediction,
    RgbPicture,
    Segment,
    SegmenterInfo,
)

__all__ = ["TilingSegmenter", "segment_in_tiles"]

_LEAST_WEIGHT = 1e-3


class TilingSegmenter:
    """Runs a segmenter on every tile of a frame and joins the answers.

    Parameters
    ----------
    segmenter : Segmenter
        Must keep no memory from frame to frame.
    tile : (int, int)
        Width and height of a tile in pixels of the frame; a larger one is cut to the frame.
    overlap : float
        Share of a tile that its neighbour sees too, at least; in [0, 0.9].
    """

    def __init__(
        self, segmenter: Segmenter, *, tile: tuple[int, int], overlap: float = 0.25
    ) -> None:
        self._segmenter = segmenter
        self._tile = tile
        self._overlap = overlap

    @property
    def info(self) -> SegmenterInfo:
        """What the segmenter of one tile is."""
        return self._segmenter.info

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame, on a grid as fine as that of the tiles."""
        return segment_in_tiles(self._segmenter, frame, tile=self._tile, overlap=self._overlap)


def segment_in_tiles(
    segmenter: Segmenter, frame: Frame, *, tile: tuple[int, int], overlap: float
) -> Prediction:
    """Return a frame's answer, joined from tiles of equal size spread evenly over it.

    Scores are blended, with weights that fall towards a tile's borders over the overlap. Labels
    are taken from the tile that a cell is deepest in.

    Parameters
    ----------
    segmenter : Segmenter
    frame : Frame
    tile : (int, int)
        Width and height in pixels.
    overlap : float
        In [0, 0.9].

    Raises
    ------
    ModelError
        When ids of a tile are not their classes; and what the segmenter raises.
    """
    height, width = frame.size
    across = _Axis.over(width, tile[0], overlap)
    down = _Axis.over(height, tile[1], overlap)
    if len(across.starts) == len(down.starts) == 1:
        return segmenter.segment(frame)
    places = list(product(enumerate(down.starts), enumerate(across.starts)))
    parts = (_part(frame, top, left, down, across) for (_, top), (_, left) in places)
    joined: _Joined | None = None
    for ((row, top), (column, left)), answer in zip(
        places, in_batches(segmenter, parts), strict=True
    ):
        placed = replace(answer, placement=shifted(answer.placement, down=top, right=left))
        if joined is None:
            where = f"{segmenter.info.name}: frame {frame.index}"
            joined = _Joined(placed, down, across, where=where)
        joined.add(placed, row, column)
    assert joined is not None
    return joined.prediction()


def _part(frame: Frame, top: int, left: int, down: _Axis, across: _Axis) -> Frame:
    part = frame.image[top : top + down.length, left : left + across.length]
    return replace(frame, picture=RgbPicture(np.ascontiguousarray(part)))


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where tiles lie along one side of the frame, in pixels."""

    starts: tuple[int, ...]
    length: int
    side: int
    overlap_px: float

    @classmethod
    def over(cls, side: int, tile: int, overlap: float) -> _Axis:
        length = min(tile, side)
        shared = length * overlap
        count = 1 + math.ceil((side - length) / max(length - shared, 1))
        starts = np.linspace(0, side - length, count).round().astype(int)
        return cls(tuple(starts.tolist()), length, side, shared)

    def depths(self, cells: int) -> NDArray[np.float64]:
        """Return how deep in each tile every cell's middle lies, (tiles, cells), in pixels."""
        middles = (np.arange(cells) + 0.5) * (self.side / cells)
        starts = np.array(self.starts)[:, None]
        depths: NDArray[np.float64] = np.minimum(middles - starts, starts + self.length - middles)
        return depths

    def weights(self, cells: int) -> NDArray[np.float32]:
        """Return what each tile weighs in every cell, (tiles, cells); sums to one over tiles."""
        depths = self.depths(cells)
        ramps = np.clip(depths / max(self.overlap_px, _LEAST_WEIGHT), _LEAST_WEIGHT, 1)
        inside = np.where(depths >= 0, ramps, 0)
        weights: NDArray[np.float32] = (inside / inside.sum(axis=0)).astype(np.float32)
        return weights


class _Joined:
    """The frame's answer while tiles are coming in."""

    def __init__(self, first: Prediction, down: _Axis, across: _Axis, *, where: str) -> None:
        self._size = (
            max(round(down.side * first.placement.scale_y), 1),
            max(round(across.side * first.placement.scale_x), 1),
        )
        self._placement = Placement.stretch(self._size, (down.side, across.side))
        self._down, self._across = down, across
        self._where = where
        self._segments: dict[int, Segment] = {}
        self._scores: FloatArray | None = None
        self._labels: LabelArray | None = None
        if first.scores is not None:
            self._scores = np.zeros((*self._size, first.scores.shape[2]), np.float32)
        elif first.labels is not None:
            self._labels = np.zeros(self._size, first.labels.dtype)

    def add(self, tile: Prediction, row: int, column: int) -> None:
        """Take the answer of a tile, placed on the frame."""
        self._segments = joined_segments(self._segments, tile.segments, where=self._where)
        if self._scores is not None and tile.scores is not None:
            ys = self._down.weights(self._size[0])[row]
            xs = self._across.weights(self._size[1])[column]
            rows, columns = _span(ys > 0), _span(xs > 0)
            values = scores_on(
                tile.scores,
                tile.placement,
                size=(rows.stop - rows.start, columns.stop - columns.start),
                target=self._from(rows.start, columns.start),
            )
            weights = ys[rows, None] * xs[None, columns]
            self._scores[rows, columns] += values * weights[..., None]
        elif self._labels is not None and tile.labels is not None:
            rows = _span(self._down.depths(self._size[0]).argmax(axis=0) == row)
            columns = _span(self._across.depths(self._size[1]).argmax(axis=0) == column)
            self._labels[rows, columns] = labels_on(
                tile.labels,
                tile.placement,
                size=(rows.stop - rows.start, columns.stop - columns.start),
                target=self._from(rows.start, columns.start),
            )

    def prediction(self) -> Prediction:
        """Return the whole."""
        return Prediction(self._placement, self._labels, self._scores, self._segments)

    def _from(self, row: int, column: int) -> Placement:
        """Return where the grid lies that begins at a cell of the whole one."""
        placed = self._placement
        return Placement(
            placed.scale_x, placed.offset_x - column, placed.scale_y, placed.offset_y - row
        )


def _span(chosen: NDArray[np.bool_]) -> slice:
    """Return the one stretch of cells that are chosen; empty where none is."""
    places = np.flatnonzero(chosen)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)
