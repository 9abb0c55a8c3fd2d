"""Functions in place of models."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import signal
import time

import cv2
import numpy as np


def bright(image):
    """Tell bright pixels from dark ones."""
    return (image.mean(axis=2) > 128).astype(np.uint8)


bright.classes = ("dark", "bright")


def slow(image):
    """Take a while, so that there is a while to interrupt."""
    time.sleep(0.2)
    return bright(image)


slow.classes = bright.classes


_asked = itertools.count()


def stuck(image):
    """Take a minute over the sixth picture."""
    if next(_asked) == 5:
        time.sleep(60)
    return bright(image)


stuck.classes = bright.classes


def deadly(image):
    """End the process on a bright picture."""
    if image.mean() > 200:
        os.kill(os.getpid(), signal.SIGKILL)
    return bright(image)


def deserting(image):
    """End the first process that gets here, and leave a child with all that it had open."""
    with contextlib.suppress(FileExistsError):
        held = os.open(os.environ["DESERTED"], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(30)
        os.write(held, b"nobody came")
        os._exit(0)
    return bright(image)


class Doomed:
    """A model that ends the process that loads it."""

    def __init__(self):
        os.kill(os.getpid(), signal.SIGKILL)


def counts_threads(image):
    """Say how many threads OpenCV works with."""
    return np.full(image.shape[:2], min(cv2.getNumThreads(), 200), np.uint8)
