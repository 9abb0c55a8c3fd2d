"""Keyframes that are known before the engine comes to them, shown to the model in batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from tempseg.decisions import Evidence
from tempseg.errors import ModelError
from tempseg.forced import Forced
from tempseg.motion import Step
from tempseg.protocols import BatchSegmenter, KeyframePolicy
from tempseg.types import Frame, Prediction

__all__ = ["MOST_WAITING", "KeyframePlan", "answered_ahead"]

_log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Frames that wait for a batch to fill at most, keyframes and those between."""


class KeyframePlan:
    """Tells keyframes by age and scene cuts alone, as the engine will decide.

    Parameters
    ----------
    policy : KeyframePolicy
        One that asks for nothing but the age.
    forced : Forced
    """

    def __init__(self, policy: KeyframePolicy, *, forced: Forced) -> None:
        self._policy = policy
        self._forced = forced
        self._last: Frame | None = None
        self._age = 0

    def takes(self, step: Step) -> bool:
        """Return whether the next frame becomes a keyframe."""
        last, self._last = self._last, step.frame
        self._age += 1
        if last is not None and not step.cut and not self._forced.takes(step.frame, last):
            evidence = Evidence(self._age, 0.0, 0.0, 0.0, 0.0)
            if self._policy.decide(evidence).reason is None:
                return False
        self._age = 0
        return True


def answered_ahead(
    steps: Iterable[Step],
    segmenter: BatchSegmenter,
    plan: KeyframePlan,
    *,
    measure: Callable[[str, Frame], AbstractContextManager[None]],
) -> Iterator[tuple[Step, Prediction | None]]:
    """Yield steps in order, keyframes with the model's answer.

    A batch is asked for when it is full, when `MOST_WAITING` frames wait, and at the end: what is
    in it follows from the frames alone. Where the model fails on a batch its keyframes come
    without answers, so that they are asked for one by one and what was done before is kept.

    Parameters
    ----------
    steps : iterable of Step
    segmenter : BatchSegmenter
    plan : KeyframePlan
    measure : callable
        Given `segment` and the first frame of a batch, returns a context for the time it takes.
    """
    waiting: list[Step] = []
    keyframes: list[Frame] = []
    failed: list[Exception] = []
    try:
        for step in steps:
            waiting.append(step)
            if plan.takes(step):
                keyframes.append(step.frame)
            if len(keyframes) == segmenter.batch or len(waiting) == MOST_WAITING:
                yield from _answered(waiting, keyframes, segmenter, measure, failed)
                waiting, keyframes = [], []
    except Exception:
        # What was read before the source failed is worth finishing: models have no part in it.
        yield from _answered(waiting, keyframes, segmenter, measure, failed)
        raise
    yield from _answered(waiting, keyframes, segmenter, measure, failed)


def _answered(
    waiting: list[Step],
    keyframes: list[Frame],
    segmenter: BatchSegmenter,
    measure: Callable[[str, Frame], AbstractContextManager[None]],
    failed: list[Exception],
) -> Iterator[tuple[Step, Prediction | None]]:
    answers: dict[int, Prediction] = {}
    if keyframes:
        try:
            with measure("segment", keyframes[0]):
                found = segmenter.segment_batch(keyframes)
            answers = {frame.index: one for frame, one in zip(keyframes, found, strict=False)}
        except Exception as error:  # noqa: BLE001 - asked one by one, the frame at fault raises it
            if not isinstance(error, ModelError) and not failed:
                failed.append(error)
                _log.warning(
                    "%s: keyframes from frame %d on are asked for one by one, as others will be "
                    "where a batch fails: %s: %s",
                    segmenter.info.name,
                    keyframes[0].index,
                    type(error).__name__,
                    " ".join(str(error).split()),
                )
    for step in waiting:
        yield step, answers.get(step.frame.index)
