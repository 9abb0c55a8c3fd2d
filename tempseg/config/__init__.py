"""The config: one typed tree, read from TOML, overridden key by key."""

from __future__ import annotations

from tempseg.config.keys import check_keys, keys_of
from tempseg.config.load import load_config, sidecar_path
from tempseg.config.tree import (
    Config,
    FlowConfig,
    KeyframeConfig,
    OutputConfig,
    PropagateConfig,
    RefineConfig,
    RunConfig,
    SegmenterConfig,
    SourceConfig,
)

__all__ = [
    "Config",
    "FlowConfig",
    "KeyframeConfig",
    "OutputConfig",
    "PropagateConfig",
    "RefineConfig",
    "RunConfig",
    "SegmenterConfig",
    "SourceConfig",
    "check_keys",
    "keys_of",
    "load_config",
    "sidecar_path",
]
