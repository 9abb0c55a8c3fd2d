"""Label maps out of label videos."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from tempseg.errors import SourceError
from tempseg.types import LabelArray
from tempseg.video.decoding import VideoDecoder
from tempseg.video.samples import sample_rows

__all__ = ["read_label_video"]


def read_label_video(path: str) -> Iterator[tuple[Fraction, LabelArray]]:
    """Yield the time in seconds and the label map of every frame of a label video.

    Parameters
    ----------
    path : str
        A video in gray or gray16le, as `LabelEncoder` writes it.

    Yields
    ------
    time_s : Fraction
    labels : ndarray, shape (H, W), uint8 or uint16

    Raises
    ------
    SourceError
        When the file cannot be read, is no label video, or a frame of it is damaged.
    """
    decoder = VideoDecoder(str(path))
    try:
        time_base = decoder.stream.time_base
        assert time_base is not None
        for frame in decoder.frames():
            # Copies: the decoder predicts the next frames from its own buffers.
            time_s = (frame.pts or 0) * time_base
            if frame.format.name == "gray":
                yield time_s, sample_rows(frame.planes[0], np.uint8).copy()
            elif frame.format.name == "gray16le":
                yield time_s, sample_rows(frame.planes[0], np.uint16).copy()
            else:
                raise SourceError(
                    f"{path}: its pictures are {frame.format.name}, no label maps; "
                    "give a video in gray or gray16le"
                )
        if decoder.damaged:
            raise SourceError(
                f"{path}: {decoder.damaged} of its frames are damaged; write it again"
            )
    finally:
        decoder.close()
