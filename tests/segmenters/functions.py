"""Functions that stand in for models."""

from __future__ import annotations

import sys

import numpy as np

from tempseg.types import Placement, Prediction, Segment


def colours(image: np.ndarray) -> np.ndarray:
    """Return the strongest channel of every second pixel."""
    return image[::2, ::2].argmax(axis=2)


def half_sure(image: np.ndarray) -> np.ndarray:
    """Return probabilities, three quarters for the strongest channel."""
    return np.where(image == image.max(axis=2, keepdims=True), 0.75, 0.125)


def placed(image: np.ndarray) -> Prediction:
    """Return the labels of the left half alone."""
    width = image.shape[1] // 2
    return Prediction(Placement(1, 0, 1, 0), labels=colours(image)[:, : width // 2].astype("u1"))


def counted(pixels: np.ndarray) -> Prediction:
    """Answer with an id that is no class."""
    labels = np.full(pixels.shape[:2], 2, np.uint8)
    placement = Placement.stretch(labels.shape, labels.shape)
    return Prediction(placement, labels, segments={2: Segment(2, 1)})


def writes(image: np.ndarray) -> np.ndarray:
    """Write into what was given."""
    image[:] = 7
    return np.zeros(image.shape[:2], np.uint8)


def breaks(image: np.ndarray) -> np.ndarray:
    """Raise what no one foresaw."""
    raise RuntimeError("out of\nmemory")


def leaves(image: np.ndarray) -> np.ndarray:
    """End the process, as scripts do."""
    sys.exit(3)


class Net:
    """A model that is set up once and knows its classes."""

    classes = ("red", "green", "blue")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return colours(image)


class NeedsMore:
    """A model that cannot be set up without an argument."""

    def __init__(self, path: str) -> None:
        self.path = path


class Numbered(Net):
    """A model whose classes are no names."""

    classes = (0, 1, 2)  # type: ignore[assignment]


net = Net()
number = 3
