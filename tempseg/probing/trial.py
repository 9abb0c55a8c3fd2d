"""Runs a model in a process of its own and says how long a frame takes.

A model that its runtime cannot survive must not take the user's process along, and TensorFlow's
threads cannot be changed once it runs. Run as a module: a request as JSON on stdin, the answer as
the last line on stdout.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from tempseg.errors import TempsegError
from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.types import Frame

__all__ = ["main", "timed"]

_FRAME = (360, 640)
_MOST_RUNS = 15
_LEAST_RUNS = 3
_ENOUGH_S = 1.5


def timed(model: str, options: SegmenterOptions) -> list[float]:
    """Return the milliseconds of some frames, the first one left out."""
    if options.runtime == "opencv" or model.lower().endswith(".pb"):
        import cv2

        cv2.setNumThreads(options.threads or 1)
    segmenter = open_segmenter(model, options)
    random = np.random.default_rng(0)
    frame = Frame.from_image(random.integers(0, 256, (*_FRAME, 3), dtype=np.uint8))
    taken: list[float] = []
    while len(taken) <= _LEAST_RUNS or (len(taken) <= _MOST_RUNS and sum(taken[1:]) < _ENOUGH_S):
        begin = time.perf_counter()
        segmenter.segment(frame)
        taken.append(time.perf_counter() - begin)
    return [1000 * seconds for seconds in taken[1:]]


def _options(fields: dict[str, Any]) -> SegmenterOptions:
    # JSON made lists of tuples.
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }
    return SegmenterOptions(**given)


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    answer: dict[str, object]
    try:
        answer = {"ms": timed(request["model"], _options(request["options"]))}
    except TempsegError as error:
        answer = {"error": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
