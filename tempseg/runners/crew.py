"""Where a pool's workers come from, and how they are reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import ChunkPlan
from tempseg.runners.worker import Begin, Setup

__all__ = ["MOST_THREADS", "THREAD_VARIABLES", "Crew", "Share"]

THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TEMPSEG_THREADS"),
)
"""Read by libraries when they are imported."""

MOST_THREADS = 8
"""What one worker can make use of."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many workers there are to be, and what is each one's.

    Parameters
    ----------
    workers, threads : int
    every_s : float
        How often each tells of what it has written.
    """

    workers: int
    threads: int
    every_s: float


class Crew(Protocol):
    """Starts workers, known by name, and talks to them."""

    to_see_why: str
    """What to do when workers die."""

    def gather(self, plan: ChunkPlan) -> Share:
        """Reach what the workers run on.

        Raises
        ------
        ConfigError
            When it cannot be reached.
        """

    def start(self, setup: Setup) -> None:
        """Start a worker."""

    def send(self, name: str, message: object) -> None:
        """Tell a worker something; one that is gone is found when it is listened to."""

    def listen(self) -> list[tuple[str, object]]:
        """Return what workers say, waiting for something; none for one that is gone."""

    def bury(self, name: str) -> str:
        """Forget a worker that is gone; tell how it ended."""

    def begin(self, name: str, folder: Path, run: str) -> Begin:
        """Return what a worker that is ready is to be told."""

    def collect(self, name: str, record: ChunkRecord, folder: Path) -> None:
        """Have a chunk that a worker has finished in the folder of all chunks.

        Raises
        ------
        OutputError
            When it does not come whole.
        """

    def dismiss(self) -> None:
        """Stop all workers at once and leave nothing behind."""
