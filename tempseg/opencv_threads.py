"""How many threads OpenCV works with where stages run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

__all__ = ["single_threaded_opencv"]


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV from threads of its own: they spin while they wait, on cores that stages need.

    Flow of 854×480 takes as long with two of them as with one, and twice the processor time; a run
    of 720p on two cores 2 % longer.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
