"""Well-known public segmenters by name: a table, a cache, and what brings and verifies files."""

from tempseg.zoo.cache import cache_folder
from tempseg.zoo.download import TransferObserver, TransferSettings
from tempseg.zoo.errors import ArchiveError, TransferError, ZooError
from tempseg.zoo.obtain import cached_model, expected_checksum, fetch, resolve_model
from tempseg.zoo.table import (
    ZooEntry,
    ZooFile,
    entry_for,
    entry_of_bytes,
    find_entry,
    zoo_entries,
)

__all__ = [
    "ArchiveError",
    "TransferError",
    "TransferObserver",
    "TransferSettings",
    "ZooEntry",
    "ZooError",
    "ZooFile",
    "cache_folder",
    "cached_model",
    "entry_for",
    "entry_of_bytes",
    "expected_checksum",
    "fetch",
    "find_entry",
    "resolve_model",
    "zoo_entries",
]
