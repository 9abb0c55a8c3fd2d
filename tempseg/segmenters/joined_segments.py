"""What ids stand for in several answers that become one."""

from __future__ import annotations

from collections.abc import Mapping

from tempseg.errors import ModelError
from tempseg.types import Segment

__all__ = ["joined_segments"]


def joined_segments(
    known: Mapping[int, Segment], further: Mapping[int, Segment], *, where: str
) -> dict[int, Segment]:
    """Return the segments of two answers for parts or copies of a frame; the higher score counts.

    Parameters
    ----------
    known, further : mapping of int to Segment
        As of `Prediction`.
    where : str
        Begins the message of the error.

    Raises
    ------
    ModelError
        When an id is not its class: another part may mean something else by it.
    """
    joined: dict[int, Segment] = {}
    for key, segment in (*known.items(), *further.items()):
        if key != segment.class_id:
            raise ModelError(
                f"{where}: id {key} stands for class {segment.class_id}, and nothing tells what "
                "the same id means in another part or copy of the frame; let the model label with "
                "class ids, or remove segmenter.tiles, segmenter.flip and segmenter.scales"
            )
        before = joined.get(key)
        if before is None or before.score < segment.score:
            joined[key] = segment
    return joined
