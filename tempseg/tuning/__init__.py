"""Record a video once, replay configs on it, choose the best."""

from tempseg.tuning.results import Choice, Tuning, best_toml
from tempseg.tuning.scoring import Study
from tempseg.tuning.targets import Target, parse_target
from tempseg.tuning.truth import TruthRequest
from tempseg.tuning.tune import (
    SAMPLE_FRAMES,
    TARGET,
    choose,
    default_cache,
    studies_of,
    tune_config,
)

__all__ = [
    "SAMPLE_FRAMES",
    "TARGET",
    "Choice",
    "Study",
    "Target",
    "TruthRequest",
    "Tuning",
    "best_toml",
    "choose",
    "default_cache",
    "parse_target",
    "studies_of",
    "tune_config",
]
