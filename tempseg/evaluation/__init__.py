"""Label maps from files, scored in one pass."""

from tempseg.evaluation.one_pass import EvaluationObserver, compare, evaluate
from tempseg.evaluation.results import Evaluation, EvaluationSettings, FrameScores, Scores

__all__ = [
    "Evaluation",
    "EvaluationObserver",
    "EvaluationSettings",
    "FrameScores",
    "Scores",
    "compare",
    "evaluate",
]
