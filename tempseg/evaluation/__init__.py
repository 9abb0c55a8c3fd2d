"""Label maps from files, scored in one pass."""

from tempseg.evaluation.one_pass import compare, evaluate
from tempseg.evaluation.results import Evaluation, EvaluationSettings, FrameScores, Scores

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "FrameScores",
    "Scores",
    "compare",
    "evaluate",
]
