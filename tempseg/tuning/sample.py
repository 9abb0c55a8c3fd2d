"""Which parts of a long video stand for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tempseg.config import Config
from tempseg.types import VideoInfo

__all__ = ["PIECE_FRAMES", "Piece", "draw_pieces"]

PIECE_FRAMES = 100
"""Frames a piece, about: several of the longest intervals that are tried, and often a shot."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a source.

    Parameters
    ----------
    spec : str
        The source, as the user named it.
    start, end : str, float or None
        As `source.start` and `source.end`; none for where the source begins or ends.
    """

    spec: str
    start: str | float | None = None
    end: str | float | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        if self.start is None and self.end is None:
            return self.spec
        end = "" if self.end is None else f" to {self.end}"
        return f"{self.spec} from {self.start or 0}{end}"


def draw_pieces(
    spec: str, video: VideoInfo, config: Config, *, frames: int, seed: int
) -> list[Piece]:
    """Return the pieces of a source that are recorded: all of it, or some drawn across it.

    The video is divided into as many equal stretches as there are pieces, and in each a piece
    begins at random, so that every part of a video has its say and none is favoured.

    Parameters
    ----------
    spec : str
    video : VideoInfo
        Of the part that the config asks for.
    config : Config
    frames : int
        Frames of all pieces together; 0 for the whole.
    seed : int
        Another seed, other pieces.
    """
    wanted = config.source
    there = video.frame_count
    if frames == 0 or there is None or there <= frames * 5 // 4:
        return [Piece(spec, wanted.start, wanted.end)]
    count = max(1, round(frames / PIECE_FRAMES))
    length, rest = divmod(frames, count)
    random = np.random.default_rng([seed, there])
    first_s = Fraction(video.start_s or 0)
    pieces = []
    for number in range(count):
        lower, upper = there * number // count, there * (number + 1) // count
        size = length + (number < rest)
        place = lower + int(random.integers(0, max(1, upper - lower - size + 1)))
        # Half a frame early, so that rounding never costs the first one.
        start = first_s + max(Fraction(0), place - Fraction(1, 2)) / video.frame_rate
        end = first_s + (place + size - Fraction(1, 2)) / video.frame_rate
        pieces.append(Piece(spec, round(float(start), 4), round(float(end), 4)))
    return pieces
