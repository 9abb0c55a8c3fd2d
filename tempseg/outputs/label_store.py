"""The lossless label maps of a run."""

from __future__ import annotations

from typing import Protocol

from tempseg.errors import OutputError
from tempseg.types import FrameResult, LabelArray

__all__ = ["LabelSink", "LabelWriter"]


class LabelWriter(Protocol):
    """What the label store needs of an encoder."""

    def write(self, labels: LabelArray, pts: int) -> None:
        """Encode one label map."""

    def close(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of the file."""


class LabelSink:
    """Writes `masks.mkv`.

    Parameters
    ----------
    encoder : LabelWriter
    """

    def __init__(self, encoder: LabelWriter) -> None:
        self._encoder = encoder

    def write(self, result: FrameResult) -> None:
        """Encode one frame's labels."""
        self._encoder.write(result.segmentation.labels, result.frame.pts)

    def finish(self) -> None:
        """Complete the file."""
        self._encoder.close()

    def abandon(self) -> None:
        """Close what there is so that it can be read, or let go of it."""
        try:
            self.finish()
        except OutputError:
            self._encoder.abandon()
