"""A crew of actors on a Ray cluster."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempseg.errors import ConfigError, ModelError, OutputError, RunError
from tempseg.outputs import library_versions, make_room
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import ChunkPlan
from tempseg.runners.crew import MOST_THREADS, THREAD_VARIABLES, Share
from tempseg.runners.ledger import is_whole
from tempseg.runners.ray_connection import connected
from tempseg.runners.ray_site import Placed, RaySite
from tempseg.runners.ray_worker import RayWorker
from tempseg.runners.storage import Storage
from tempseg.runners.worker import Begin, Ready, Setup

__all__ = ["RayActors", "shared_out"]

_log = logging.getLogger(__name__)

_EVERY_S = 0.5
_PATIENCE_S = 30.0
_LEAVE_S = 1.0


@dataclass(slots=True, eq=False)
class _Actor:
    handle: Any
    call: Any = None
    """What it has to say, when it has."""
    node: str = ""
    error: Exception | None = None


class RayActors:
    """Starts workers as actors, wherever the cluster has room.

    Nothing but messages passes through Ray. Chunks are written into the run's own folder where all
    nodes see it, else they pass through storage; each is held against its record before it counts.

    Parameters
    ----------
    address : str
        `local` for a cluster of its own on this machine, `auto` for one that runs here, else
        `HOST:PORT`. Where Ray is connected already, that connection is used.
    workers : int, optional
        Else one for each processor that the cluster has.
    storage : str
        An fsspec address that all nodes reach; empty where they share the run's folder.
    """

    to_see_why = "run without --ray to see why, or with fewer --workers if memory is short"

    def __init__(self, address: str, *, workers: int | None, storage: str) -> None:
        self._address = address
        self._wanted = workers
        self._url = storage
        self._storage: Storage | None = None
        self._folder: Path | None = None
        self._ray: Any = None
        self._connection = contextlib.ExitStack()
        self._site: RaySite | None = None
        self._actors: dict[str, _Actor] = {}
        self._model: tuple[str, str] | None = None
        self._warned = False

    def gather(self, plan: ChunkPlan) -> Share:
        """Connect to the cluster; share its processors out."""
        if self._url:
            # A wrong address is told before anything is started.
            Storage(self._url)
        self._ray = self._connection.enter_context(connected(self._address, self._wanted))
        home = self._ray.get_runtime_context().get_node_id()
        self._site = RaySite(home, library_versions(), stored=bool(self._url))
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        there = [int(node["Resources"].get("CPU", 0)) for node in nodes]
        if self._wanted is None and not sum(there):
            raise ConfigError(
                f"--ray {self._address}: the cluster has no processors now; say how many workers "
                "to wait for with --workers"
            )
        workers, threads = shared_out(there, wanted=self._wanted, chunks=len(plan.chunks))
        return Share(workers, threads, _EVERY_S)

    def start(self, setup: Setup) -> None:
        """Ask for an actor; it comes to be when a node has room for it."""
        actor = self._ray.remote(
            num_cpus=setup.threads,
            # What it has is lost with it: another is started, and told what to do again.
            max_restarts=0,
            # To be talked to while it works.
            max_concurrency=3,
            scheduling_strategy="SPREAD",
        )(RayWorker)
        handle = actor.remote(
            pickle.dumps((setup, self._site)),
            threads={name: str(setup.threads) for name in THREAD_VARIABLES},
            import_path=setup.import_path,
            folder=os.getcwd(),
        )
        self._actors[setup.name] = _Actor(handle)

    def send(self, name: str, message: object) -> None:
        """Call an actor."""
        self._actors[name].handle.tell.remote(message)

    def listen(self) -> list[tuple[str, object]]:
        """Wait for calls to be answered."""
        while True:
            calls = {self._call(actor): name for name, actor in self._actors.items()}
            done, _ = self._ray.wait(list(calls), timeout=_PATIENCE_S)
            if done:
                done, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
            elif not self._warned:
                # An actor that there is answers in less.
                self._warned = True
                _log.warning("--ray %s: no node has room for a worker yet", self._address)
            found = [pair for call in done for pair in self._answered(calls[call])]
            if found:
                return found

    def bury(self, name: str) -> str:
        """Tell what is known of an actor's end."""
        actor = self._actors.pop(name)
        self._kill(actor)
        told = str(actor.error)
        if getattr(actor.error, "_actor_init_failed", False):
            last = told.strip().splitlines()[-1].strip()
            raise RunError(
                f"no worker can be started on the cluster: {last}; install tempseg on every node "
                "as it is installed here"
            )
        where = actor.node or "unknown"
        if "node has died" in told:
            return f"node {where} was lost"
        return f"its process on node {where} ended"

    def begin(self, name: str, folder: Path, run: str) -> Begin:
        """Have an actor write into a folder of its own, or pass chunks through storage."""
        if self._folder is None:
            self._folder = folder
            self._sweep()
            if self._url:
                self._storage = Storage(_own_address(self._url, folder))
                self._storage.begin()
        own = self._own_folder(name)
        try:
            own.mkdir()
        except OSError as error:
            raise OutputError(f"{own}: cannot be made: {error.strerror}") from error
        return Begin(str(own.absolute()) if self._storage is None else self._storage.url, run)

    def collect(self, name: str, record: ChunkRecord, folder: Path) -> None:
        """Bring a chunk to its place, once it is known to be what was written."""
        arrived = self._own_folder(name) / f"{record.number:05d}"
        target = folder / arrived.name
        node = self._actors[name].node
        try:
            if self._storage is not None:
                shutil.rmtree(arrived, ignore_errors=True)
                arrived.mkdir()
                self._storage.take(arrived)
            if not is_whole(record, arrived):
                raise OutputError(
                    f"{arrived}: is not what node {node} has written; run again with --resume"
                )
            make_room(target)
            arrived.rename(target)
        except OSError as error:
            raise OutputError(
                f"{arrived}: does not come from node {node} ({error.strerror}); if --out is not on "
                "a disk that all nodes share, set run.storage"
            ) from error

    def dismiss(self) -> None:
        """Kill all actors and disconnect."""
        actors, self._actors = list(self._actors.values()), {}
        with contextlib.suppress(Exception):
            if self._storage is not None and actors:
                left = [actor.handle.leave.remote() for actor in actors]
                self._ray.wait(left, num_returns=len(left), timeout=_LEAVE_S)
        for actor in actors:
            self._kill(actor)
        self._connection.close()
        self._sweep()
        if self._storage is not None:
            self._storage.clear()

    def _call(self, actor: _Actor) -> Any:
        if actor.call is None:
            actor.call = actor.handle.said.remote()
        return actor.call

    def _answered(self, name: str) -> Iterator[tuple[str, object]]:
        """Yield what an actor has said."""
        actor = self._actors[name]
        call, actor.call = actor.call, None
        try:
            messages = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            actor.error = error
            messages = [None]
        for message in messages:
            if isinstance(message, Placed):
                actor.node = message.node
                continue
            if isinstance(message, Ready):
                self._compare(message, actor.node)
            yield name, message

    def _compare(self, ready: Ready, node: str) -> None:
        """Raise where a node has another model by that name."""
        model = ready.info.sha256
        if self._model is None:
            self._model = model, node
        elif self._model[0] != model:
            raise ModelError(
                f"{ready.info.name}: is another file on node {node} than on node {self._model[1]}; "
                "give all nodes the same"
            )

    def _kill(self, actor: _Actor) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(actor.handle)

    def _own_folder(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / name.replace(" ", "-")

    def _sweep(self) -> None:
        """Remove what workers have left unfinished."""
        if self._folder is not None:
            for left in self._folder.glob("worker-*"):
                shutil.rmtree(left, ignore_errors=True)


def shared_out(there: Sequence[int], *, wanted: int | None, chunks: int) -> tuple[int, int]:
    """Return how many workers there should be and the processors of each.

    Parameters
    ----------
    there : sequence of int
        Processors by node.
    wanted : int, optional
        Workers.
    chunks : int

    Examples
    --------
    >>> shared_out([4, 4], wanted=None, chunks=100)
    (8, 1)
    >>> shared_out([4, 4], wanted=None, chunks=3)
    (3, 2)
    >>> shared_out([4, 2], wanted=2, chunks=100)
    (2, 2)
    """
    count = max(1, min(chunks, wanted or sum(there)))
    fitting = [
        threads
        for threads in range(1, MOST_THREADS + 1)
        if sum(node // threads for node in there) >= count
    ]
    return count, max(fitting, default=1)


def _own_address(url: str, folder: Path) -> str:
    """Return the address of a run's own folder: the same again when it is gone on with."""
    where = f"{platform.node()}:{folder.resolve()}"
    return f"{url.rstrip('/')}/tempseg-{hashlib.sha256(where.encode()).hexdigest()[:16]}"
