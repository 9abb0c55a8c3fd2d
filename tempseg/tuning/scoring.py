"""What a config comes to on recordings: how often the network runs, and how good the labels are."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from tempseg.config import Config
from tempseg.metrics.confusion import ConfusionMatrix
from tempseg.metrics.fidelity import Fidelity
from tempseg.metrics.temporal_consistency import TemporalConsistency
from tempseg.tuning.reference import Material
from tempseg.tuning.replay import Keyframes, replay
from tempseg.tuning.truth import Truth
from tempseg.types import LabelArray

__all__ = ["Figures", "Study", "Tally", "part_of", "score"]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A recording with all that a config is measured by.

    Parameters
    ----------
    material : Material
    truth : Truth or None
    """

    material: Material
    truth: Truth | None = None

    def __len__(self) -> int:
        return len(self.material.recording)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a config comes to on all recordings together; nan where nothing was compared.

    Parameters
    ----------
    frames, keyframes : int
    share : float
        Keyframes a frame.
    fidelity, fidelity_p5, fidelity_worst : float
        mIoU of single frames against the model's own labels: mean, 5th percentile and least.
    fidelity_between, fidelity_p5_between, fidelity_worst_between : float
        The same over the frames between keyframes; 1 where there are none.
    tc, flicker : float
        Temporal consistency.
    miou : float
        Against the truth; nan without.
    carry_ms : float
        What carrying took a frame, in milliseconds of one core.
    """

    frames: int
    keyframes: int
    share: float
    fidelity: float
    fidelity_p5: float
    fidelity_worst: float
    fidelity_between: float
    fidelity_p5_between: float
    fidelity_worst_between: float
    tc: float
    flicker: float
    miou: float
    carry_ms: float

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the figures for JSON, none for nan."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }


class _OwnTime:
    """Adds up what one thread itself spends on carrying, whoever else is busy."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def measure(self, stage: str, frame_index: int) -> Iterator[None]:  # noqa: ARG002 - all alike
        """Count the time inside, of the stage that is carrying."""
        start = time.thread_time()
        try:
            yield
        finally:
            if stage == "carry":
                self.seconds += time.thread_time() - start


class Tally:
    """Gathers the figures of one config, recording by recording.

    Parameters
    ----------
    studies : sequence of Study
        All of one model.
    """

    def __init__(self, studies: Sequence[Study]) -> None:
        labels = studies[0].material.labels
        self._fidelity = Fidelity(labels.classes, void=labels.void)
        self._temporal = TemporalConsistency(labels.classes, void=labels.void)
        truth = next((study.truth for study in studies if study.truth), None)
        self._confusion = (
            None if truth is None else ConfusionMatrix(truth.classes.count, void=truth.classes.void)
        )
        self.frames = 0
        self._carry_s = 0.0
        self.keyframes: list[Keyframes] = []
        """Of each recording."""

    def add(self, study: Study, config: Config, *, first: int | None = None) -> None:
        """Replay a config on a recording, or on its first frames, and take its figures."""
        material, own = study.material, _OwnTime()
        reader = None if study.truth is None else study.truth.reader()
        keyframes: list[tuple[int, str]] = []
        before: LabelArray | None = None
        shot = 0
        results = replay(material.recording, config, material.segmenter, first=first, timer=own)
        for place, result in enumerate(results):
            labels = result.segmentation.labels
            cut = place in material.cuts or result.shot != shot
            shot = result.shot
            if result.reason is not None:
                keyframes.append((place, result.reason.value))
            self._fidelity.update(
                labels,
                material.labels.at(place),
                frame=self.frames,
                between=result.reason is None,
            )
            if before is not None and not cut:
                self._temporal.update(before, labels, material.forward(place), frame=self.frames)
            truth = None if study.truth is None else study.truth.at(place)
            if self._confusion is not None and truth is not None and reader is not None:
                self._confusion.update(reader.read(labels, place), truth)
            before = labels
            self.frames += 1
        self._carry_s += own.seconds
        self.keyframes.append(tuple(keyframes))

    def figures(self) -> Figures:
        """Return the figures of all that was taken."""
        count = sum(map(len, self.keyframes))
        scores, temporal = self._fidelity.compute(), self._temporal.compute()
        every = count == self.frames
        return Figures(
            frames=self.frames,
            keyframes=count,
            share=count / self.frames,
            fidelity=scores.fidelity,
            fidelity_p5=scores.fidelity_p5,
            fidelity_worst=scores.fidelity_worst,
            fidelity_between=1.0 if every else scores.fidelity_between,
            fidelity_p5_between=1.0 if every else scores.fidelity_p5_between,
            fidelity_worst_between=1.0 if every else scores.fidelity_worst_between,
            tc=temporal.tc,
            flicker=temporal.flicker,
            miou=math.nan if self._confusion is None else self._confusion.compute().miou,
            carry_ms=1000 * self._carry_s / self.frames,
        )


def score(
    studies: Sequence[Study], config: Config, *, part: float = 1.0
) -> tuple[Figures, tuple[Keyframes, ...]]:
    """Return what a config comes to, and its keyframes on each recording.

    Parameters
    ----------
    studies : sequence of Study
    config : Config
    part : float
        Share of each recording that is looked at, from its first frame on.
    """
    tally = Tally(studies)
    for study in studies:
        first = None if part >= 1 else part_of(len(study), part)
        tally.add(study, config, first=first)
    return tally.figures(), tuple(tally.keyframes)


LEAST_PART = 60
"""Frames of a recording that are looked at at least."""


def part_of(frames: int, part: float) -> int:
    """Return how many frames of a recording are looked at.

    Examples
    --------
    >>> part_of(400, 0.25), part_of(100, 0.25), part_of(20, 0.25)
    (100, 60, 20)
    """
    return min(frames, max(LEAST_PART, round(frames * part)))
