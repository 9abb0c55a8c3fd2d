"""Runs that are killed at moments given as shares of their chunks; `python -m`, for the tests.

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
from tempseg.config import load_config
from tempseg.runners.chunks import plan_run


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
    count = len(plan_run(source, load_config(overrides=json.loads(keys))).chunks)
    start = time.monotonic()
    _forked(lambda: run("timed"))
    chunk_s = (time.monotonic() - start) / count
    for number, share in enumerate(map(float, shares)):
        name = str(number)
        chunks = Path(out, name, "partial", "chunks")
        whole, rest = divmod(share * count, 1)

        def due(child, chunks=chunks, whole=whole, rest=rest):
            # By what is done, and not by the clock alone: the machine may be busy elsewhere.
            while _finished(chunks) < whole and not os.waitid(
                os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
            ):
                time.sleep(0.001)
            time.sleep(rest * chunk_s)

        _forked(lambda name=name: run(name), kill_when=due)
        left = _finished(chunks)
        _forked(lambda name=name: run(name, resume=True))
        sys.stdout.write(f"{number} {share * count:.3f} {left}\n")


def _finished(chunks: Path) -> int:
    try:
        return sum(name.isdigit() for name in os.listdir(chunks))
    except FileNotFoundError:
        # Not begun, or cleared up.
        return 0


def _forked(work, kill_when=None) -> None:
    """Do work in a fork; kill it when a function that is given its number returns."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told, and the child must end here
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        os._exit(0)
    if kill_when is not None:
        kill_when(child)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if kill_when is None and status:
        sys.exit(f"a run ended with {status}")


if __name__ == "__main__":
    main()
