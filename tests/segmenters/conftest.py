"""Tiny models, made once a session."""

from __future__ import annotations

import pytest

from tests.segmenters.tiny import TinyModels, make_tiny_models


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModels:
    """Return the folder of tiny models."""
    return make_tiny_models(tmp_path_factory.getbasetemp() / "tiny")
