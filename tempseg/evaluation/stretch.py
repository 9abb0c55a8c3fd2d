"""Memory of the last few frames within one shot."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["Stretch"]

Item = TypeVar("Item")


class Stretch(Generic[Item]):
    """The last items of a stretch of consecutive frames of one shot.

    Parameters
    ----------
    keep : int
        Items that are kept.

    Examples
    --------
    >>> stretch = Stretch(keep=2)
    >>> for index in (0, 1, 2, 5):
    ...     stretch.add(index, "abcdef"[index], starts_shot=False)
    ...     print(stretch.length, stretch.last(2))
    1 None
    2 ['a', 'b']
    3 ['b', 'c']
    1 None
    """

    def __init__(self, *, keep: int) -> None:
        self.length = 0
        """Items since the stretch began, those no longer kept included."""
        self._items: deque[Item] = deque(maxlen=keep)
        self._index = -2

    def add(self, index: int, item: Item, *, starts_shot: bool) -> None:
        """Take a frame's item; begin anew where a shot does, or a frame was left out."""
        if starts_shot or index != self._index + 1:
            self._items.clear()
            self.length = 0
        self._items.append(item)
        self._index = index
        self.length += 1

    def last(self, count: int) -> Sequence[Item] | None:
        """Return the last `count` items, oldest first; none where the stretch is shorter."""
        return list(self._items)[-count:] if self.length >= count else None

    def since(self, start: int) -> Sequence[Item]:
        """Return the items from place `start` of the stretch on, as far as they are kept."""
        return list(self._items)[start - self.length :]
