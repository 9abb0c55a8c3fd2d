"""Models that go wrong on a certain call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np


class _Faulty:
    """Labels the brighter half of the levels until its last good call is done."""

    classes = ("dark", "bright")

    def __init__(self, good_calls: int, fault: Callable[[np.ndarray], object]) -> None:
        self._good_calls = good_calls
        self._fault = fault

    def __call__(self, image: np.ndarray) -> object:
        self._good_calls -= 1
        labels = (image[::4, ::4].mean(axis=2) > 127).astype(np.uint8)
        return labels if self._good_calls >= 0 else self._fault(labels)


def _hang(_: np.ndarray) -> object:
    # In the C library, without Python's lock, as a network's runtime would.
    while True:
        ctypes.CDLL(None).pause()


def _raise(_: np.ndarray) -> object:
    raise RuntimeError("out of memory")


FAULTS: dict[str, Callable[[np.ndarray], object]] = {
    "hangs": _hang,
    "raises": _raise,
    "answers_none": lambda _: None,
    "answers_text": lambda _: "labels",
    "answers_nothing": lambda _: np.empty((0, 0), np.uint8),
    "answers_another_grid": lambda labels: labels[::2, ::2],
    "answers_five_dimensions": lambda labels: labels[None, None, None],
    "answers_unknown_classes": lambda labels: labels.astype(np.int64) + 7_000_000,
    "answers_negatives": lambda labels: labels.astype(np.int64) - 5,
    "answers_nan": lambda labels: np.full((*labels.shape, 2), np.nan, np.float32),
    "answers_floats_for_integers": lambda labels: labels.astype(np.float32),
    "answers_objects": lambda labels: labels.astype(object),
}


def __getattr__(name: str) -> _Faulty:
    """Return the model of a name such as `hangs_after_2`."""
    fault, after, calls = name.partition("_after_")
    if fault not in FAULTS or not after:
        raise AttributeError(name)
    return _Faulty(int(calls), FAULTS[fault])
