"""A crew of processes on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tempseg.runners.chunk_record import ChunkRecord
from tempseg.runners.chunks import ChunkPlan
from tempseg.runners.crew import MOST_THREADS, THREAD_VARIABLES, Share
from tempseg.runners.worker import Begin, Setup

__all__ = ["LocalProcesses", "cpus"]

_EVERY_S = 0.2
_LOOK_S = 0.5
_ROOT = Path(__file__).parents[2]
_BEGIN = (
    # The tempseg that runs here; of all else that lies beside it only what is nowhere else.
    "import sys; path = sys.path; path.insert(0, sys.argv[2]); import tempseg; "
    "path.append(path.pop(0)); from tempseg.runners.worker import main; main()"
)


@dataclass(frozen=True, slots=True)
class _Process:
    process: subprocess.Popen[bytes]
    line: Connection


class LocalProcesses:
    """Starts workers as processes, and shares the processors out among them.

    Parameters
    ----------
    workers : int
    """

    to_see_why = "run with --workers 1 to see why, or with fewer if memory is short"

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._started: dict[str, _Process] = {}

    def gather(self, plan: ChunkPlan) -> Share:
        """Return as many as were asked for."""
        del plan
        threads = max(1, min(MOST_THREADS, cpus() // self._workers))
        return Share(self._workers, threads, _EVERY_S)

    def start(self, setup: Setup) -> None:
        """Start a process."""
        ours, theirs = Pipe()
        shares = {name: str(setup.threads) for name in THREAD_VARIABLES}
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BEGIN, str(theirs.fileno()), str(_ROOT)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            # What the user set stands.
            env={**shares, **os.environ},
            # Out of reach of the terminal's Ctrl-C, which this process answers.
            process_group=0,
        )
        theirs.close()
        self._started[setup.name] = _Process(process, ours)
        self.send(setup.name, setup)

    def send(self, name: str, message: object) -> None:
        """Write to a process."""
        with contextlib.suppress(OSError):
            self._started[name].line.send(message)

    def listen(self) -> list[tuple[str, object]]:
        """Read what processes say."""
        by_line = {started.line: name for name, started in self._started.items()}
        found: list[tuple[str, object]] = []
        while not found:
            for line in wait(list(by_line), _LOOK_S):
                assert isinstance(line, Connection)
                message: object = None
                with contextlib.suppress(EOFError, OSError):
                    message = line.recv()
                found.append((by_line[line], message))
            told = {name for name, _ in found}
            gone = [name for name in self._started if name not in told and self._is_gone(name)]
            found += [(name, None) for name in gone]
        return found

    def _is_gone(self, name: str) -> bool:
        """Tell whether a process has ended and said all, also where a child holds its line open."""
        started = self._started[name]
        return started.process.poll() is not None and not started.line.poll()

    def bury(self, name: str) -> str:
        """Return the exit status or signal of a process."""
        started = self._started.pop(name)
        started.line.close()
        status = started.process.wait()
        _kill_group(started.process)
        if status >= 0:
            return f"exit status {status}"
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"

    def begin(self, name: str, folder: Path, run: str) -> Begin:
        """Have a process write where its chunks belong."""
        del name
        return Begin(str(folder), run)

    def collect(self, name: str, record: ChunkRecord, folder: Path) -> None:
        """Leave a chunk where it is."""

    def dismiss(self) -> None:
        """Leave no process behind."""
        for started in self._started.values():
            started.line.close()
            _kill_group(started.process)
        for started in self._started.values():
            started.process.wait()
        self._started = {}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and what its model has started, if anything is left of them."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def cpus() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
