"""From hundreds of configs to the few that are worth measuring in full, and their figures."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from tempseg.opencv_threads import single_threaded_opencv
from tempseg.protocols import WorkObserver
from tempseg.segmenters.network import available_threads
from tempseg.tuning.cost import Carrying, StageMs
from tempseg.tuning.decisions import Decisions, KeyframesTaken
from tempseg.tuning.pareto import layers
from tempseg.tuning.scoring import Figures, Study, Tally, part_of, score
from tempseg.tuning.space import Trial

__all__ = ["Measured", "Search", "search"]

Item = TypeVar("Item")
Made = TypeVar("Made")

IN_FULL = 24
"""Configs that are measured on all frames, beside those of the policy `interval`."""

WARM_UP = 24
"""Frames that are replayed before anything is measured."""

FIRST_PART = 0.25
"""Share of each recording that all others are measured on."""

COMPARED = 10
"""Times as many configs as are measured on all frames are compared on that part at most."""

ALIKE = 0.02
"""Shares of keyframes this far apart, in proportion, are the same share to a reader."""

MOST_ALIKE = 3
"""Configs of one policy and one share that are measured at all."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A config and what it comes to on all frames.

    Parameters
    ----------
    trial : Trial
    figures : Figures
    stages : StageMs
        What the time of a run is predicted by.
    same_as : tuple of str
        Names of other configs that take the same keyframes and carry alike.
    """

    trial: Trial
    figures: Figures
    stages: StageMs
    same_as: tuple[str, ...] = ()

    @property
    def carrying(self) -> Carrying:
        """What is done on the frames between keyframes."""
        return Carrying(
            self.figures.carry_ms,
            both_ways=self.trial.config.propagate.lookahead > 0,
            moves=self.figures.keyframes < self.figures.frames,
        )

    @property
    def ms(self) -> float:
        """What a run would take a frame, in milliseconds, predicted."""
        return self.stages.run_ms(self.carrying, share=self.figures.share)

    @property
    def fps(self) -> float:
        """Frames a second, predicted."""
        return 1000 / self.ms

    def quality(self, *, truth: bool) -> float:
        """Return what is to be high: mIoU against truth, or fidelity between keyframes."""
        return self.figures.miou if truth else self.figures.fidelity_between


@dataclass(frozen=True, slots=True)
class Search:
    """What came of a search.

    Parameters
    ----------
    measured : tuple of Measured
        By rising share of keyframes.
    tried : int
        Configs whose keyframes were told.
    distinct : int
        Of these, those that differ in what they give.
    sampled : int
        Of these, those that were measured on a part or all.
    """

    measured: tuple[Measured, ...]
    tried: int
    distinct: int
    sampled: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Configs that give the same, by the first of them."""

    trial: Trial
    same_as: tuple[str, ...]
    keyframes: int


def search(
    studies: Sequence[Study],
    trials: Sequence[Trial],
    stages: StageMs,
    *,
    truth: bool = False,
    in_full: int = IN_FULL,
    observer: WorkObserver | None = None,
) -> Search:
    """Return the configs that matter, measured on all frames.

    First the keyframes of every config are told, with nothing carried; configs that take the same
    keyframes and carry alike are one. Of one policy and nearly one share a few are kept. The
    rest are measured on the first part of each recording, and the best layers of that on all of it.
    What was given and the policy `interval` are always measured in full.

    Parameters
    ----------
    studies : sequence of Study
    trials : sequence of Trial
    stages : StageMs
    truth : bool
        Whether the truth says what is good.
    in_full : int
        Configs that are measured on all frames, about.
    observer : WorkObserver, optional
    """
    crew = _Crew(observer)
    with crew:
        # What is loaded for the first frames is no config's own time.
        Tally(studies[:1]).add(studies[0], trials[0].config, first=WARM_UP)
        candidates = _distinct(_told(studies, trials, crew))
        always = [c for c in candidates if _is_baseline(c)]
        others = [c for c in candidates if not _is_baseline(c)]
        few = _spread(_thinned(others), COMPARED * in_full)
        sampled = len(always) + len(few)
        longer = any(part_of(len(study), FIRST_PART) < len(study) for study in studies)
        if len(few) > in_full and longer:
            few = _promising(studies, few, crew, in_full, truth=truth)
        chosen = always + few
        found = crew.all("measure configs", chosen, lambda c: score(studies, c.trial.config)[0])
    measured = [
        Measured(c.trial, figures, stages, c.same_as)
        for c, figures in zip(chosen, found, strict=True)
    ]
    measured.sort(key=lambda m: (m.figures.share, -m.quality(truth=truth)))
    return Search(tuple(measured), len(trials), len(candidates), sampled)


class _Crew:
    """Threads that work through lists, with what they did shown."""

    def __init__(self, observer: WorkObserver | None) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        # Configs side by side, not OpenCV's threads within one: those wait for one another.
        self._opencv = single_threaded_opencv()

    def __enter__(self) -> _Crew:
        self._opencv.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._opencv.__exit__(None, None, None)

    def all(self, name: str, items: Sequence[Item], work: Callable[[Item], Made]) -> list[Made]:
        """Return what work makes of each item, in their order."""
        if self._observer is not None:
            self._observer.begin(name, len(items))
        pool = ThreadPoolExecutor(available_threads(), thread_name_prefix="tempseg-tune")
        try:
            futures = [pool.submit(work, item) for item in items]
            for done in as_completed(futures):
                done.result()
                if self._observer is not None:
                    self._observer.advance()
            return [future.result() for future in futures]
        finally:
            # Whoever is interrupted waits for no more than what has begun.
            pool.shutdown(wait=True, cancel_futures=True)


def _told(
    studies: Sequence[Study], trials: Sequence[Trial], crew: _Crew
) -> list[tuple[Trial, tuple[KeyframesTaken, ...]]]:
    """Return what each config decides on each recording."""
    memory = [Decisions(s.material.recording, s.material.segmenter) for s in studies]

    def told(trial: Trial) -> tuple[KeyframesTaken, ...]:
        return tuple(decisions.of(trial.config) for decisions in memory)

    return list(zip(trials, crew.all("tell keyframes", trials, told), strict=True))


def _distinct(told: Iterable[tuple[Trial, tuple[KeyframesTaken, ...]]]) -> list[_Candidate]:
    """Return one candidate for all configs that give the same, the first of them."""
    groups: dict[object, list[Trial]] = {}
    counts: dict[object, int] = {}
    for trial, decided in told:
        config = trial.config
        carried = config.propagate.model_dump_json(), config.refine.model_dump_json()
        key: object = (tuple(one.places for one in decided), *carried)
        groups.setdefault(key, []).append(trial)
        counts[key] = sum(len(one.keyframes) for one in decided)
    return [
        _Candidate(group[0], tuple(trial.name for trial in group[1:]), counts[key])
        for key, group in groups.items()
    ]


def _is_baseline(candidate: _Candidate) -> bool:
    policy = candidate.trial.keys.get("keyframe.policy")
    return not candidate.trial.keys or policy in ("interval", "every")


def _thinned(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Return candidates with at most a few of each policy and nearly one share."""
    kept: list[_Candidate] = []
    counts: dict[object, int] = {}
    for candidate in candidates:
        keyframe = candidate.trial.config.keyframe
        level = round(math.log(max(candidate.keyframes, 1)) / math.log1p(ALIKE))
        key = (keyframe.policy, level, candidate.trial.config.propagate.lookahead)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MOST_ALIKE:
            kept.append(candidate)
    return kept


def _spread(candidates: Sequence[_Candidate], count: int) -> list[_Candidate]:
    """Return so many candidates at most, of all policies and evenly over what they spend."""
    if len(candidates) <= count:
        return list(candidates)
    policies = [candidate.trial.config.keyframe.policy for candidate in candidates]
    order = sorted(
        range(len(candidates)), key=lambda i: (policies.index(policies[i]), candidates[i].keyframes)
    )
    chosen = sorted(order[len(order) * n // count] for n in range(count))
    return [candidates[i] for i in chosen]


def _promising(
    studies: Sequence[Study],
    candidates: Sequence[_Candidate],
    crew: _Crew,
    count: int,
    *,
    truth: bool,
) -> list[_Candidate]:
    """Return the candidates of the best layers by a first part of each recording."""
    found = crew.all(
        "compare configs",
        candidates,
        lambda c: score(studies, c.trial.config, part=FIRST_PART)[0],
    )
    points = []
    for candidate, figures in zip(candidates, found, strict=True):
        worth = figures.miou if truth else figures.fidelity_between
        points.append((candidate.keyframes, 0.0 if math.isnan(worth) else worth))
    kept: list[int] = []
    for layer in layers(points):
        kept += layer[: count - len(kept)]
        if len(kept) >= count:
            break
    return [candidates[i] for i in sorted(kept)]
