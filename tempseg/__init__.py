"""Temporally consistent video segmentation.

Run a segmentation network on few frames of a video and carry its answer to the others.

Names are loaded when first used, so that importing the package costs nothing.

Examples
--------
>>> import tempseg
>>> tempseg.load_config(overrides=["keyframe.interval=5"]).keyframe.interval
5
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempseg.api import RunSummary, export, plan, probe, quantize, run, segment, synthesise
    from tempseg.config import Config, load_config
    from tempseg.decisions import KeyframeReason
    from tempseg.demonstration import DemoSummary, demo
    from tempseg.engine import Engine, EngineSettings
    from tempseg.errors import (
        ConfigError,
        ModelError,
        OutputError,
        RunError,
        SourceError,
        TempsegError,
    )
    from tempseg.evaluation import Evaluation, compare, evaluate
    from tempseg.promise import Promise, run_within
    from tempseg.trade_off import tune
    from tempseg.types import Frame, FrameResult, Origin, Prediction, Segmentation

__all__ = [
    "Config",
    "ConfigError",
    "DemoSummary",
    "Engine",
    "EngineSettings",
    "Evaluation",
    "Frame",
    "FrameResult",
    "KeyframeReason",
    "ModelError",
    "Origin",
    "OutputError",
    "Prediction",
    "Promise",
    "RunError",
    "RunSummary",
    "Segmentation",
    "SourceError",
    "TempsegError",
    "compare",
    "demo",
    "evaluate",
    "export",
    "load_config",
    "plan",
    "probe",
    "quantize",
    "run",
    "run_within",
    "segment",
    "synthesise",
    "tune",
]

_HOMES = {
    "tempseg.api": (
        "RunSummary",
        "export",
        "plan",
        "probe",
        "quantize",
        "run",
        "segment",
        "synthesise",
    ),
    "tempseg.config": ("Config", "load_config"),
    "tempseg.demonstration": ("DemoSummary", "demo"),
    "tempseg.engine": ("Engine", "EngineSettings"),
    "tempseg.errors": (
        "ConfigError",
        "ModelError",
        "OutputError",
        "RunError",
        "SourceError",
        "TempsegError",
    ),
    "tempseg.evaluation": ("Evaluation", "compare", "evaluate"),
    "tempseg.decisions": ("KeyframeReason",),
    "tempseg.promise": ("Promise", "run_within"),
    "tempseg.trade_off": ("tune",),
    "tempseg.types": (
        "Frame",
        "FrameResult",
        "Origin",
        "Prediction",
        "Segmentation",
    ),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
