"""Milliseconds a frame by number of threads."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from tempseg.errors import ModelError
from tempseg.probing.results import Timing
from tempseg.segmenters import SegmenterOptions

__all__ = ["thread_counts", "time_apart"]

_TIMEOUT_S = 600


def thread_counts(available: int) -> tuple[int, ...]:
    """Return 1, 2, 4, … and the number of threads there are.

    Examples
    --------
    >>> thread_counts(6)
    (1, 2, 4, 6)
    """
    counts = []
    count = 1
    while count < available:
        counts.append(count)
        count *= 2
    return (*counts, max(available, 1))


def time_apart(
    model: str, options: SegmenterOptions, *, threads: Sequence[int | None]
) -> tuple[Timing, ...]:
    """Return how long a model takes a frame, each time in a new process.

    Parameters
    ----------
    model : str
    options : SegmenterOptions
    threads : sequence of int or None
        None leaves the number to the model, and is told as 0.

    Raises
    ------
    ModelError
        When the model fails, ends its process, or takes longer than ten minutes.
    """
    return tuple(_timing(model, replace(options, threads=count)) for count in threads)


def _timing(model: str, options: SegmenterOptions) -> Timing:
    try:
        done = subprocess.run(
            # -P: the user's folder must not hide a package that the model's runtime imports.
            [sys.executable, "-P", "-m", "tempseg.probing.trial"],
            input=json.dumps({"model": model, "options": asdict(options)}),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{model}: takes longer than {_TIMEOUT_S} s for its first frames; "
            "give a smaller model or a smaller segmenter.input_size"
        ) from error
    answer = _last_object(done.stdout)
    if "error" in answer:
        raise ModelError(str(answer["error"]))
    taken = answer.get("ms")
    if not isinstance(taken, list):
        raise ModelError(
            f"{model}: ends the process that runs it ({_ending(done)}); is the file complete, "
            "and does its input fit into memory? If so, give the model in another format"
        )
    return Timing(options.threads or 0, statistics.median(taken), min(taken), len(taken))


def _last_object(text: str) -> dict[str, object]:
    lines = text.splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _ending(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode >= 0:
        last = done.stderr.strip().splitlines()
        told = f": {last[-1][:200]}" if last else ""
        return f"exit status {done.returncode}{told}"
    try:
        return f"signal {signal.Signals(-done.returncode).name}"
    except ValueError:
        return f"signal {-done.returncode}"
