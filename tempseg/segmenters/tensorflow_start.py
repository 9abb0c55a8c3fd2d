"""TensorFlow, imported when a model needs it: quietly, and with the threads asked for."""

from __future__ import annotations

import logging
import os
from typing import Any

from tempseg.segmenters.native_log import quiet_native_log

__all__ = ["first_line", "started_tensorflow"]

_logger = logging.getLogger(__name__)


def started_tensorflow(model: str, threads: int | None) -> Any:
    """Return the `tensorflow` module; `model` is named where `threads` come too late for it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_native_log():
        import tensorflow as tf

    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        except RuntimeError:
            _logger.warning(
                "%s: tensorflow is running already, segmenter.threads = %d has no effect",
                model,
                threads,
            )
    return tf


def first_line(error: Exception) -> str:
    """Return what is worth telling of an error whose message may run over pages."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
