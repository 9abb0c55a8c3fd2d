"""What is told of the time that compiling takes."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from numba.core.caching import CacheImpl

from tempseg.kernels.compiling import compiling

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")

SOURCE = """
from tempseg.kernels._jit import kernel


@kernel
def doubled(values):
    return 2 * values[0]
"""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    (tmp_path / "doubling.py").write_text(SOURCE, encoding="utf-8")
    return _load(tmp_path)


def _load(folder: Path) -> ModuleType:
    spec = spec_from_file_location("doubling", folder / "doubling.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _seconds(module: ModuleType) -> float:
    with compiling() as found:
        assert module.doubled(np.array([4])) == 8
    return found.seconds


def test_a_kernel_is_compiled_once_for_all_processes(loaded, tmp_path):
    assert _seconds(loaded) > 0
    assert _seconds(_load(tmp_path)) == 0


def test_code_that_can_be_kept_nowhere_is_compiled_by_every_run_and_not_told(tmp_path, monkeypatch):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    (tmp_path / "doubling.py").write_text(SOURCE, encoding="utf-8")
    assert _seconds(_load(tmp_path)) == 0
