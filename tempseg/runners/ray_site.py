"""A machine of a cluster, where a worker writes chunks for another machine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tempseg.build import build_source
from tempseg.errors import ConfigError, ModelError, OutputError, SourceError, TempsegError
from tempseg.outputs import library_versions
from tempseg.protocols import Segmenter
from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import ChunkPlan, SourceState
from tempseg.runners.storage import Storage
from tempseg.runners.worker import Begin, Site

__all__ = ["Placed", "RaySite"]

SEEN_S = 5.0
"""How long a network's file system may take to show a folder that has just been made elsewhere."""


@dataclass(frozen=True, slots=True)
class Placed:
    """On which node a worker has come to be."""

    node: str


class RaySite(Site):
    """A node: it must have the run's libraries, source and model, and reach where chunks go.

    Parameters
    ----------
    home : str
        Id of the node that the run itself is on.
    versions : mapping of library to version
        Those of the run.
    stored : bool
        Whether chunks pass through storage, whose address is then what `begin` is told.
    """

    def __init__(self, home: str, versions: Mapping[str, str], *, stored: bool) -> None:
        self._home = home
        self._versions = versions
        self._stored = stored
        self._storage: Storage | None = None
        self.folder: Path | None = None
        """What is to be removed at the end."""

    def placed(self) -> Placed:
        """Return the node."""
        return Placed(_here()[1])

    def load(self, plan: ChunkPlan) -> tuple[ChunkPlan, Segmenter]:
        """Return the plan, as it holds here, and the model."""
        self._check_versions()
        with self._told_with_node():
            plan = replace(plan, state=_seen_here(plan))
            if not plan.state.path:
                build_source(plan.source, plan.config).close()
            return super().load(plan)

    def begin(self, begin: Begin) -> Path:
        """Return the folder to write chunks into, once it is known that the run will see them."""
        if not self._stored:
            folder = Path(begin.folder)
            end = time.monotonic() + SEEN_S
            while not folder.is_dir() and time.monotonic() < end:
                time.sleep(0.2)
            if not folder.is_dir():
                raise OutputError(
                    f"{folder.parent}: is not seen on node {_here()[1]}; let --out lie on a disk "
                    "that all nodes share, or set run.storage to an address that all reach"
                )
            return folder
        self._storage = Storage(begin.folder)
        if not self._storage.begun():
            raise OutputError(
                f"run.storage {self._storage.url}: node {_here()[1]} does not see what the run "
                "wrote there; choose an address that all nodes reach"
            )
        self.folder = Path(tempfile.mkdtemp(prefix="tempseg-"))
        return self.folder

    def deliver(self, record: ChunkRecord) -> None:
        """Copy a finished chunk to the storage."""
        if self._storage is not None:
            assert self.folder is not None
            chunk = self.folder / f"{record.number:05d}"
            self._storage.put(chunk)
            shutil.rmtree(chunk, ignore_errors=True)

    def _check_versions(self) -> None:
        own = library_versions()
        found = [
            f"{name} {own[name]} in place of {version}"
            for name, version in self._versions.items()
            if own[name] != version
        ]
        if found:
            raise ConfigError(
                f"node {_here()[1]} would give other bytes: it has {', '.join(found)}; "
                "install on it what is installed here"
            )

    @contextmanager
    def _told_with_node(self) -> Iterator[None]:
        try:
            yield
        except TempsegError as error:
            node, name = _here()
            if node == self._home:
                raise
            kind = type(error) if isinstance(error, SourceError | ModelError) else ConfigError
            raise kind(
                f"{error} (on node {name}: source and model must lie at the same paths on every "
                "node)"
            ) from error


def _seen_here(plan: ChunkPlan) -> SourceState:
    """Return the state of the source on this machine, whose copy may have another date."""
    state = plan.state
    if not state.path:
        return state
    here = SourceState.of(state.path)
    if here.bytes != state.bytes:
        raise SourceError(
            f"{state.path}: is another file, of {here.bytes} bytes in place of {state.bytes}"
        )
    return here


def _here() -> tuple[str, str]:
    """Return the id of this node and the address that people know it by."""
    import ray

    return ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
