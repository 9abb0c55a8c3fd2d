"""Pictures to watch a model on: the user's own, or rendered ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tempseg.errors import SourceError
from tempseg.types import Frame, UInt8Array
from tempseg.video import open_source

__all__ = ["Pictures", "pictures_of", "rendered_pictures"]

_MOST = 3
_FRAMES_BETWEEN = 25


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures, RGB, and what they are in words.

    Parameters
    ----------
    images : tuple of ndarray, shape (H, W, 3), uint8
    words : str
    rendered : bool
        Whether no camera took them, so that less can be concluded.
    """

    images: tuple[UInt8Array, ...]
    words: str
    rendered: bool = False


def pictures_of(source: str | Path) -> Pictures:
    """Return an image, or up to three frames of a video or a folder, a second apart.

    Raises
    ------
    SourceError
        When there is nothing to read.
    """
    spec = str(source)
    frames = open_source(spec)
    try:
        images = tuple(frame.image for frame in _spread(frames))
    finally:
        frames.close()
    if not images:
        raise SourceError(f"{spec}: holds no picture")
    words = spec if len(images) == 1 else f"{len(images)} frames of {spec}"
    return Pictures(images, words)


def rendered_pictures() -> Pictures:
    """Return three frames of the synthetic street."""
    # Every run imports this room: it is to begin in a blink.
    from tempseg.synthetic import street_scene

    scene = street_scene(width=640, height=360)
    places = (20, 100, 170)
    images = tuple(scene.render(place).image for place in places)
    return Pictures(images, f"{len(images)} rendered frames of a street", rendered=True)


def _spread(frames: Iterator[Frame] | object) -> Iterator[Frame]:
    taken = 0
    for place, frame in enumerate(frames):  # type: ignore[arg-type, var-annotated]
        if place % _FRAMES_BETWEEN == 0:
            yield frame
            taken += 1
        if taken == _MOST:
            return
