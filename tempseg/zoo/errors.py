"""What can go wrong between a zoo name and a model on disk."""

from __future__ import annotations

from tempseg.errors import ModelError

__all__ = ["ArchiveError", "TransferError", "ZooError"]


class ZooError(ModelError):
    """A model of the zoo cannot be had; the message names it and the way out."""


class TransferError(ZooError):
    """An address does not give the file that it should."""


class ArchiveError(ZooError):
    """An archive cannot be unpacked, or should not be."""
