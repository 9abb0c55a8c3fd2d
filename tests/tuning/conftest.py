"""A small rendered scene, and functions in place of networks."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg import load_config, synthesise
from tempseg.tuning import studies_of

FRAMES = 48
CALLS: list[int] = []
"""Grows by one whenever `brightness` or `bands` is asked."""


def brightness(image):
    """Return probabilities of three classes, by brightness."""
    CALLS.append(1)
    gray = image[::4, ::4].mean(axis=2)
    centres = np.array([40.0, 110.0, 190.0])
    scores = np.exp(-(((gray[..., None] - centres) / 30) ** 2)) + 1e-3
    return (scores / scores.sum(axis=2, keepdims=True)).astype(np.float32)


brightness.classes = ["dark", "middle", "bright"]


def bands(image):
    """Return labels of three classes, by brightness."""
    return brightness(image).argmax(axis=2).astype(np.uint8)


bands.classes = ["dark", "middle", "bright"]

SCORES = "python:tests.tuning.conftest:brightness"
LABELS = "python:tests.tuning.conftest:bands"


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A rendered scene: `video.mp4` and `labels`."""
    folder = tmp_path_factory.mktemp("tuning") / "scene"
    synthesise(folder, seed=3, width=192, height=112, duration_s=FRAMES / 25)
    return folder


@pytest.fixture
def source(scene):
    return str(scene / "video.mp4")


@pytest.fixture
def base():
    return load_config(overrides={"segmenter.model": SCORES})


@pytest.fixture(scope="session")
def study(scene, tmp_path_factory):
    """The scene, recorded, with what `brightness` says."""
    config = load_config(overrides={"segmenter.model": SCORES})
    cache = tmp_path_factory.mktemp("cache")
    (found,) = studies_of([str(scene / "video.mp4")], config, cache=cache)
    return found
