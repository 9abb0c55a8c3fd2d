"""Smaller LiteRT files of SavedModel and Keras models, checked against what they were made of."""

from tempseg.quantisation.quantize import KINDS, quantize_model
from tempseg.quantisation.results import Kind, ModelFigures, Quantisation, Refusal

__all__ = [
    "KINDS",
    "Kind",
    "ModelFigures",
    "Quantisation",
    "Refusal",
    "quantize_model",
]
