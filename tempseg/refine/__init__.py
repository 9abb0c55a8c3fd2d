"""What is done to labels with the pictures at hand."""

from tempseg.refine.matching import Pixels, Reference, Source, match

__all__ = ["Pixels", "Reference", "Source", "match"]
