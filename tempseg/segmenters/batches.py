"""Several frames, or several views of one, shown to a model at once where it takes that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tempseg.protocols import BatchSegmenter, Segmenter
from tempseg.types import Frame, Prediction

__all__ = ["in_batches"]


def in_batches(segmenter: Segmenter, frames: Iterable[Frame]) -> Iterator[Prediction]:
    """Yield the answers for frames in their order, asked for in batches of the segmenter's size.

    No more frames are taken ahead than one batch holds.
    """
    if not isinstance(segmenter, BatchSegmenter) or segmenter.batch == 1:
        yield from map(segmenter.segment, frames)
        return
    coming = iter(frames)
    while batch := list(islice(coming, segmenter.batch)):
        yield from segmenter.segment_batch(batch)
