"""What keyframes chosen with the truth in hand would give: how far any policy could get on DAVIS.

    .venv/bin/python scripts/bound_policies.py --table TABLE --keyframes 71 37

The sequences are joined and human masks stand in for the model, as in `bench_policies.py davis`.
The engine carries them with a keyframe every 2, 3, ... 36 frames, from every offset: what it then
makes of each frame tells what every span and every end of a shot costs. Of these the best choice
of so many keyframes is found by dynamic programming: for mean J, and for few frames below a J of
--below; the first frame of each sequence is a keyframe. The engine then runs with that choice, so
that the figures printed are real.

The table takes an hour or two; it is kept in --table as it grows, and gone on with.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from bench_policies import Footage, joined_davis, sequences
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tempseg.config import load_config

Scores = NDArray[np.float64]
Cost = Callable[[Scores], float]

DISTANCES = (*range(2, 25), 28, 32, 36)
"""Frames from keyframe to keyframe that are tried."""

LOSS_BESIDE = 0.3
"""What falling short of 1 by one weighs beside a frame below the wanted J."""


@dataclass(frozen=True, slots=True)
class Spans:
    """J of the frames of one sequence by the keyframe before them and the one after.

    Parameters
    ----------
    length : int
        Frames of the sequence.
    scores : mapping of (int, int) to ndarray
        From a keyframe up to the next one, or to the end: J of that keyframe and all between.
    """

    length: int
    scores: dict[tuple[int, int], Scores]

    def best(self, cost: Cost, keyframe_costs: float) -> list[int]:
        """Return the keyframes for which the costs of spans and keyframes are least together."""
        least = [0.0] + [np.inf] * self.length
        came_from = [0] * (self.length + 1)
        for (start, end), scores in sorted(self.scores.items(), key=lambda item: item[0]):
            whole = least[start] + keyframe_costs + cost(scores)
            if whole < least[end]:
                least[end], came_from[end] = whole, start
        chosen, at = [], self.length
        while at > 0:
            at = came_from[at]
            chosen.append(at)
        return chosen[::-1]


def forced(footage: Footage, keyframes: Sequence[int]) -> Scores:
    """Return J of every frame with these keyframes and no others."""
    config = load_config(
        overrides={
            "keyframe.policy": "interval",
            "keyframe.interval": len(footage.steps),
            "keyframe.forced": list(keyframes),
        }
    )
    results = footage.results(config)
    found = [result.frame.index for result in results if result.reason is not None]
    assert found == sorted(keyframes)
    return footage.similarity(results)


def even(lengths: Sequence[int], distance: int, offset: int) -> list[list[int]]:
    """Return the first frame of each sequence, and every `distance`-th from an offset on."""
    return [[0, *range(offset, length, distance)] for length in lengths]


def spans(
    lengths: Sequence[int], distances: Sequence[int], scores: Callable[[int, int], Scores]
) -> list[Spans]:
    """Return the spans of each sequence, from runs with even distances and all offsets.

    A span between keyframes is taken from the run whose others are as far apart.
    """
    found = [Spans(length, {}) for length in lengths]
    ends = np.cumsum(lengths)[:-1]
    for distance in distances:
        for offset in range(1, distance + 1):
            chosen = even(lengths, distance, offset)
            for spans, keyframes, own in zip(
                found, chosen, np.split(scores(distance, offset), ends), strict=True
            ):
                for start, end in pairwise((*keyframes, spans.length)):
                    if end - start == distance or (start, end) not in spans.scores:
                        spans.scores[start, end] = own[start:end]
    return found


def cheapest(found: Sequence[Spans], cost: Cost, wanted: int) -> list[int]:
    """Return at most so many keyframes of the joined video, with the least cost of all spans."""
    starts = np.cumsum([0, *(spans.length for spans in found)])
    low, high = 1e-4, 20.0
    best: list[int] = []
    for _ in range(40):
        middle = (low * high) ** 0.5
        chosen = [
            int(start) + at
            for start, spans in zip(starts, found, strict=False)
            for at in spans.best(cost, middle)
        ]
        if len(chosen) > wanted:
            low = middle
        else:
            high, best = middle, chosen
    return best


def mean_loss(scores: Scores) -> float:
    """Return by how much J falls short of 1."""
    return float((1 - scores).sum())


def low_frames(least: float, scores: Scores) -> float:
    """Return how many frames are below a J, and a little of what all fall short of 1."""
    return float((scores < least).sum()) + LOSS_BESIDE * mean_loss(scores)


def main() -> None:
    """Print what the best choices give."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--davis", type=Path, default=Path("../shared/data/davis"))
    parser.add_argument("--table", type=Path, required=True, help="folder, made and gone on with")
    parser.add_argument("--distances", type=int, nargs="+", default=DISTANCES)
    parser.add_argument("--keyframes", type=int, nargs="+", default=[71, 37])
    parser.add_argument("--below", type=float, nargs="+", default=[0.6, 0.65, 0.7, 0.75, 0.8, 0.85])
    options = parser.parse_args()
    options.table.mkdir(parents=True, exist_ok=True)
    footage, lengths = joined_davis(options.davis, sequences(options.davis))
    starts = np.cumsum([0, *lengths])

    def scores(distance: int, offset: int) -> Scores:
        kept = options.table / f"{distance}-{offset}.npy"
        if not kept.exists():
            places = zip(starts, even(lengths, distance, offset), strict=False)
            made = forced(footage, [int(start) + at for start, own in places for at in own])
            np.save(kept, made)
        return np.asarray(np.load(kept), np.float64)

    found = spans(lengths, options.distances, scores)
    table = Table(title=f"keyframes chosen with the truth in hand, {sum(lengths)} frames")
    for heading in ("least", "keyframes", "mean J", "5th pct."):
        table.add_column(heading, justify="left" if heading == "least" else "right")
    for wanted in options.keyframes:
        costs: dict[str, Cost] = {"mean J": mean_loss}
        costs |= {f"frames below {least}": partial(low_frames, least) for least in options.below}
        for name, cost in costs.items():
            chosen = cheapest(found, cost, wanted)
            real = forced(footage, chosen)
            row = (real.mean(), np.percentile(real, 5))
            table.add_row(name, str(len(chosen)), *(f"{value:.3f}" for value in row))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
