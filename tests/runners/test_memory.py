"""Runs of models that take their own previous mask."""

from __future__ import annotations

import numpy as np
import pytest

import tempseg
from tempseg.errors import ConfigError

from ..segmenters.tiny_onnx import write_onnx
from .conftest import CHUNKS, CONFIG, SIZE


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network of one foreground: what is red, the more so where it was foreground before."""
    path = tmp_path_factory.mktemp("model") / "red.onnx"
    weights = np.array([[0.5], [-0.5], [-0.5], [2.0]], np.float32)
    write_onnx(path, weights, size=SIZE, channels=4, tail=["Sigmoid"])
    return path


def _run(material, model, out, **config):
    keys = CONFIG | {"segmenter.classes": "binary", "output.overlay": False} | config
    return tempseg.run(material.clip, out, model=model, config=keys)


def test_an_audit_is_refused_before_anything_is_done(material, model, tmp_path):
    told = r"red\.onnx: takes its own previous mask.*leave out --audit"
    with pytest.raises(ConfigError, match=told):
        _run(material, model, tmp_path / "run", **{"run.audit": 3})
    assert list(tmp_path.iterdir()) == []


def test_chunks_that_lose_the_mask_say_so(material, model, tmp_path):
    cut = _run(material, model, tmp_path / "cut").assumptions
    assert [told for told in cut if told.startswith("memory: ")] == [
        f"memory: the model's previous mask begins anew with each of the run's {CHUNKS} chunks; "
        "set run.chunk_s = 0 if that is wrong"
    ]
    whole = _run(material, model, tmp_path / "whole", **{"run.chunk_s": 0}).assumptions
    assert whole == tuple(told for told in cut if not told.startswith("memory: "))


def test_models_without_a_memory_lose_nothing_between_chunks(whole):
    assert "memory: " not in (whole / "run.json").read_text()
