"""What runs in an actor: a worker that speaks with its pool through Ray."""

from __future__ import annotations

import logging
import os
import pickle
import queue
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tempseg.runners.ray_site import RaySite
    from tempseg.runners.worker import Setup

__all__ = ["RayWorker"]

_MOST_WAITING = 1000
"""Messages that a worker writes before it waits for the pool to take them."""

_LISTENED_S = 10.0


class RayWorker:
    """A worker in an actor, which takes several calls at once.

    Parameters
    ----------
    packed : bytes
        Setup and site, pickled: what they need is imported once the threads are known.
    threads : mapping of environment variable to value
    import_path : sequence of str
        Where the run's machine finds modules; of use where it is the same machine.
    folder : str
        The working folder of the run, for paths that begin there.
    """

    def __init__(
        self,
        packed: bytes,
        *,
        threads: Mapping[str, str],
        import_path: Sequence[str],
        folder: str,
    ) -> None:
        # What the user set stands.
        for name, value in threads.items():
            os.environ.setdefault(name, value)
        sys.path += [entry for entry in import_path if entry not in sys.path]
        # What is meant must not be looked for where Ray happens to have been started.
        os.chdir(folder if Path(folder).is_dir() else "/")
        setup: Setup
        self._site: RaySite
        setup, self._site = pickle.loads(packed)
        self._line = _Calls()
        logging.getLogger("tempseg").addHandler(_ToPool(self._line))
        arguments = (self._line, setup, self._site)
        threading.Thread(target=_serve, args=arguments, name="tempseg-worker", daemon=True).start()

    def tell(self, message: object) -> None:
        """Take what the pool says."""
        self._line.told.put(message)

    def said(self) -> list[object]:
        """Return what the worker has to say, waiting a while for something."""
        found: list[object] = []
        with suppress(queue.Empty):
            found.append(self._line.said.get(timeout=_LISTENED_S))
            while True:
                found.append(self._line.said.get_nowait())
        return found

    def leave(self) -> None:
        """Remove what lies on this machine and end the process."""
        if self._site.folder is not None:
            shutil.rmtree(self._site.folder, ignore_errors=True)
        os._exit(0)


def _serve(line: _Calls, setup: Setup, site: RaySite) -> None:
    from tempseg.memory import collect_seldom
    from tempseg.runners.worker import serve

    collect_seldom()
    line.send(site.placed())
    serve(line, setup, site)


class _Calls:
    """A line made of calls."""

    def __init__(self) -> None:
        self.told: queue.Queue[Any] = queue.Queue()
        self.said: queue.Queue[object] = queue.Queue(_MOST_WAITING)

    def send(self, message: object) -> None:
        self.said.put(message)


class _ToPool(logging.Handler):
    """Sends warnings to the run's own log."""

    def __init__(self, line: _Calls) -> None:
        super().__init__(logging.WARNING)
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        from tempseg.runners.worker import Logged

        self._line.send(Logged(record.name, record.levelno, record.getMessage()))
