"""What is done to labels: agreed on among keyframes, and looked up in the pictures at hand."""

from tempseg.refine.consensus import PLAIN_EVIDENCE, Consensus, Evidence
from tempseg.refine.matching import Pixels, Reference, Source, colour_distance, match

__all__ = [
    "PLAIN_EVIDENCE",
    "Consensus",
    "Evidence",
    "Pixels",
    "Reference",
    "Source",
    "colour_distance",
    "match",
]
