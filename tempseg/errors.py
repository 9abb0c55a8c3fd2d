"""The errors that tempseg raises on purpose, and what lies behind them."""

import errno

__all__ = [
    "ConfigError",
    "EmptyPartError",
    "ModelError",
    "ModelTimeoutError",
    "OutputError",
    "RunError",
    "SourceError",
    "TempsegError",
    "is_full",
]


class TempsegError(Exception):
    """Something the user can act on; its message names the thing and the fix."""


class ConfigError(TempsegError):
    """A config key, value or option is wrong."""


class SourceError(TempsegError):
    """The input cannot be read."""


class EmptyPartError(SourceError):
    """No frame lies in the part of the input that was asked for."""


class ModelError(TempsegError):
    """The segmenter cannot be loaded, or answers with something unusable."""


class ModelTimeoutError(ModelError):
    """The segmenter did not answer in time."""


class ModelSettingError(ModelError):
    """What the segmenter answers asks for other settings, with which a run begins again."""


class OutputError(TempsegError):
    """A result cannot be written."""


class RunError(TempsegError):
    """A run that had begun could not be completed."""


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error comes of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
