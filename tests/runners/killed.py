"""Runs that are killed at moments given as shares of their length; `python -m`, for the tests.

Loads everything once, then forks for every run: a run as long as a blink can be killed anywhere.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import cv2

import tempseg


def main() -> None:
    """Take source, model, folder, config as JSON, and the moments; tell what was left at each."""
    source, model, out, keys, *shares = sys.argv[1:]
    # Before the first fork: threads do not survive it.
    cv2.setNumThreads(1)

    def run(name: str, *, resume: bool = False) -> None:
        folder = Path(out, name)
        tempseg.run(source, folder, model=model, config=json.loads(keys), resume=resume)

    # Kernels are compiled, libraries loaded.
    run("first")
    # The machine may be busy with something else for a while.
    length_s = min(_forked(lambda n=n: run(f"timed {n}")) for n in range(3))
    for number, share in enumerate(map(float, shares)):
        name = str(number)
        _forked(lambda name=name: run(name), kill_after_s=share * length_s)
        chunks = Path(out, name, "partial", "chunks")
        left = [path.name for path in chunks.iterdir()] if chunks.exists() else []
        _forked(lambda name=name: run(name, resume=True))
        finished = sum(name.isdigit() for name in left)
        sys.stdout.write(f"{number} {share * length_s:.3f} {finished}\n")


def _forked(work, kill_after_s: float | None = None) -> float:
    """Do work in a fork; return the seconds it took."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told, and the child must end here
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if kill_after_s is None and status:
        sys.exit(f"a run ended with {status}")
    return time.monotonic() - start


if __name__ == "__main__":
    main()
