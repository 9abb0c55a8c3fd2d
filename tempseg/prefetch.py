"""The one concurrency primitive: an iterator that works ahead in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, TypeVar

__all__ = ["Prefetch"]

Item = TypeVar("Item")


class Prefetch(Generic[Item]):
    """Runs an iterable in a named thread, at most `capacity` items ahead of its reader.

    Used as a context manager; leaving it, for whatever reason, stops and joins the thread. What
    the iterable raises is raised to the reader, in its place in the order.

    Parameters
    ----------
    items : iterable
        Only ever touched by the thread; a generator is closed there.
    name : str
        The thread's name.
    capacity : int
        Items that may wait.

    Examples
    --------
    >>> with Prefetch(iter("abc"), name="letters", capacity=2) as letters:
    ...     "".join(letters)
    'abc'
    """

    def __init__(self, items: Iterable[Item], *, name: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, expected at least 1")
        self._items = items
        self._capacity = capacity
        self._ready: deque[Item] = deque()
        self._changed = Condition()
        self._ended = False
        self._stopped = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name=f"tempseg-{name}", daemon=True)

    def __enter__(self) -> Prefetch[Item]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            raise StopIteration

    def _work(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                if not self._offer(item):
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the reader, whatever it is
            self._error = error
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _offer(self, item: Item) -> bool:
        """Queue an item; return false when the reader has gone."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < self._capacity or self._stopped)
            if self._stopped:
                return False
            self._ready.append(item)
            self._changed.notify_all()
            return True
