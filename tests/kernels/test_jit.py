"""How kernels are compiled where their code cannot be kept."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core.caching import CacheImpl

from tempseg.kernels import _jit


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_kernels_work_without_a_place_for_their_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    _jit._warn_once.cache_clear()

    def doubled(values, out):
        for place in range(len(values)):
            out[place] = 2 * values[place]

    out = np.zeros(2, np.int64)
    for function in (doubled, doubled):
        _jit.kernel(function)(np.array([3, 4]), out)
    assert out.tolist() == [6, 8]
    assert caplog.text.count("NUMBA_CACHE_DIR") == 1
