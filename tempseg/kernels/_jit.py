"""The one place that says how kernels are compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from numba import njit

__all__ = ["inlined", "kernel"]

_log = logging.getLogger(__name__)
_FLAGS = {"nogil": True, "error_model": "numpy"}

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile on first call, keep the code on disk where that can be, release the GIL.

    No fast-math: sums keep their order, so that every machine gives the same bytes.
    """
    try:
        return cast(Function, njit(cache=True, **_FLAGS)(function))
    except RuntimeError as error:
        # Numba's own words for a package and a home that cannot be written.
        if "no locator" not in str(error):
            raise
        _warn_once()
        return cast(Function, njit(**_FLAGS)(function))


def inlined(function: Function) -> Function:
    """Compile a small function into each kernel that calls it."""
    return cast(Function, njit(inline="always", error_model="numpy")(function))


@cache
def _warn_once() -> None:
    _log.warning(
        "compiled code can be kept nowhere, so that each process takes its time to compile; set "
        "NUMBA_CACHE_DIR to a folder that can be written"
    )
