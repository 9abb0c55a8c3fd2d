"""The one concurrency primitive: an iterator that works ahead in a thread of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, Protocol, TypeVar

__all__ = ["Prefetch", "QueueWatch"]

Item = TypeVar("Item")

INTERRUPTED_S = 1.0
"""How long a thread is waited for after Ctrl-C: a model may take much longer over one frame."""


class QueueWatch(Protocol):
    """Follows queues: how long their readers wait, and how much waits in them."""

    def add_wait(self, queue: str, start: float, end: float) -> None:
        """Learn that a queue's reader waited, from `start` to `end` of `perf_counter`."""

    def depth_of(self, queue: str) -> Callable[[int], None] | None:
        """Return what wants to know how many items wait in a queue, each time it changes."""


class Prefetch(Generic[Item]):
    """Runs an iterable in a named thread, at most `capacity` items ahead of its reader.

    Used as a context manager; leaving it, for whatever reason, stops and joins the thread; after
    Ctrl-C one that is in the midst of a long call is left to itself. What the iterable raises is
    raised to the reader, in its place in the order.

    Parameters
    ----------
    items : iterable
        Only ever touched by the thread; a generator is closed there.
    name : str
        The thread's name.
    capacity : int
        Items that may wait.
    watch : QueueWatch, optional

    Examples
    --------
    >>> with Prefetch(iter("abc"), name="letters", capacity=2) as letters:
    ...     "".join(letters)
    'abc'
    """

    def __init__(
        self, items: Iterable[Item], *, name: str, capacity: int, watch: QueueWatch | None = None
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, expected at least 1")
        self._items = items
        self._capacity = capacity
        self._name = name
        self._watch = watch
        self._tell_depth = None if watch is None else watch.depth_of(name)
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
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._thread.join(INTERRUPTED_S if interrupted else None)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            if not (self._ready or self._ended):
                start = time.perf_counter()
                self._changed.wait_for(lambda: self._ready or self._ended)
                if self._watch is not None:
                    self._watch.add_wait(self._name, start, time.perf_counter())
            if self._ready:
                item = self._ready.popleft()
                self._note_depth()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            raise StopIteration

    def _work(self) -> None:
        try:
            iterator = iter(self._items)
            try:
                for item in iterator:
                    if not self._offer(item):
                        break
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
        except BaseException as error:  # noqa: BLE001 - handed to the reader, whatever it is
            self._error = error
        finally:
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
            self._note_depth()
            self._changed.notify_all()
            return True

    def _note_depth(self) -> None:
        if self._tell_depth is not None:
            self._tell_depth(len(self._ready))
