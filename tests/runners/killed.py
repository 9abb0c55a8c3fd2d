"""Runs that are killed at moments given as shares of their length; `python -m`, for the tests.

Loads everything once, then forks for every run: a run as long as a blink can be killed anywhere.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import cv2

import tempseg
from tempseg import config, engine  # noqa: F401 - loaded before the clock starts

source, model, out, keys, *shares = sys.argv[1:]
cv2.setNumThreads(1)
settings = dict(pair.split("=") for pair in keys.split(","))
settings = {key: float(value) if value[0].isdigit() else value for key, value in settings.items()}
settings["keyframe.interval"] = int(settings["keyframe.interval"])
settings["output.report"] = False


def run(folder: str, *, resume: bool) -> None:
    tempseg.run(source, folder, model=model, config=settings, resume=resume)


def forked(folder: str, kill_after_s: float | None, *, resume: bool) -> float:
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            run(folder, resume=resume)
        except BaseException as error:  # noqa: BLE001 - told, and the child must end here
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if kill_after_s is None and status:
        sys.exit(f"{folder}: the run ended with {status}")
    return time.monotonic() - start


run(f"{out}/first", resume=False)
length_s = forked(f"{out}/timed", None, resume=False)
for number, share in enumerate(map(float, shares)):
    forked(f"{out}/{number}", share * length_s, resume=False)
    chunks = Path(out, str(number), "partial", "chunks")
    left = [path.name for path in chunks.iterdir()] if chunks.exists() else []
    forked(f"{out}/{number}", None, resume=True)
    finished = sum(name.isdigit() for name in left)
    sys.stdout.write(f"{number} {share * length_s:.3f} {finished}\n")
