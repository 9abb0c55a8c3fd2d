"""Where the model is cheaper than carrying: the model on every frame."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tempseg.build import build_segmenter, build_source
from tempseg.config import Config, load_config
from tempseg.planning.rehearsal import Rehearsal, compiled_before, rehearse

__all__ = ["guarded"]

_log = logging.getLogger(__name__)

WARM_UP, MEASURED = range(24), range(96)
"""Frames that compile and load what a run needs, and frames whose time counts."""


def guarded(source: str, config: Config, *, earlier: Mapping[str, object] | None = None) -> Config:
    """Return the config, with policy `every` where the model is cheaper than carrying its answer.

    A stretch at the source's start is really run, twice: once to warm up. What is decided by the
    clock is written into the config, so that its record gives the same labels again.

    Parameters
    ----------
    source : str
    config : Config
    earlier : mapping, optional
        The keys of the run that is gone on with, whose decision stands.

    Raises
    ------
    SourceError, ModelError
        When one of them cannot be used.
    """
    if earlier is not None:
        decided = earlier.get("keyframe.guard") and earlier.get("keyframe.policy") == "every"
        return _on_every_frame(config) if decided else config
    opened = build_source(source, config)
    try:
        segmenter = build_segmenter(config, source=opened)
    finally:
        opened.close()
    end_s = float(MEASURED.stop / opened.info.frame_rate)

    def rehearsed(places: range) -> Rehearsal:
        part_s = (0.0, end_s)
        return rehearse(build_source(source, config), segmenter, config, places, part_s=part_s)

    rehearsed(WARM_UP)
    found = compiled_before(lambda: rehearsed(MEASURED))
    if not found.keyframes or found.call_ms >= found.carrying_ms:
        return config
    _log.warning(
        "%s: a call takes %.1f ms, carrying %.1f ms a frame: the model runs on every frame "
        "(keyframe.guard)",
        config.segmenter.model,
        found.call_ms,
        found.carrying_ms,
    )
    return _on_every_frame(config)


def _on_every_frame(config: Config) -> Config:
    return load_config(overrides=config.set_keys() | {"keyframe.policy": "every"})
