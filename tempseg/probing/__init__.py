"""The doctor for models: what a model expects, found out by its file and by its behaviour."""

from tempseg.probing.block import save_block
from tempseg.probing.candidates import Candidate
from tempseg.probing.examine import probe
from tempseg.probing.results import CandidateScore, Guess, Probe, TensorRow, Timing, View
from tempseg.probing.sheet import draw_sheet

__all__ = [
    "Candidate",
    "CandidateScore",
    "Guess",
    "Probe",
    "TensorRow",
    "Timing",
    "View",
    "draw_sheet",
    "probe",
    "save_block",
]
