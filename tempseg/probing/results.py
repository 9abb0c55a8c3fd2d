"""What a probe finds: rows of inputs, outputs, guesses, candidates and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tempseg.class_sets import ClassSet
from tempseg.probing.candidates import Candidate
from tempseg.types import LabelArray, UInt8Array

__all__ = ["CandidateScore", "Confidence", "Guess", "Probe", "TensorRow", "Timing", "View"]

Confidence = Literal["given", "certain", "likely", "undecided"]


@dataclass(frozen=True, slots=True)
class TensorRow:
    """An input or output as the model declares it.

    Parameters
    ----------
    name, dtype : str
    shape : tuple of int or None, or None
        None for a side that the model leaves open, and in all where it is not declared.
    role : str
        What it is taken for, in words.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    role: str


@dataclass(frozen=True, slots=True)
class Guess:
    """One thing that was found out about a model.

    Parameters
    ----------
    subject, value : str
        What was asked, and the answer, in words.
    confidence : str
        `given` by the user or the table of models, `certain` where the file says so, `likely` or
        `undecided` where only its behaviour does.
    evidence : tuple of str
        What the answer rests on.
    runner_up : str
        The next best answer, where there is one.
    """

    subject: str
    value: str
    confidence: Confidence
    evidence: tuple[str, ...] = ()
    runner_up: str = ""


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """How a model behaves under one preprocessing.

    Parameters
    ----------
    candidate : Candidate
    score : float
        Class information, in bits, that the answer to a picture shares with those to mirrored,
        enlarged, pale and dark views of it, less what hard borders between classes and the rarer
        colour order take away; more is better.
    confidence : float
        Mean greatest class probability over all pixels; 1 for models that give ids.
    border_confidence : float
        The same along borders between classes; not a number where there are none.
    largest_share : float
        Share of the pixels that the commonest class takes.
    problem : str
        Why it cannot be right; empty where nothing speaks against it.
    """

    candidate: Candidate
    score: float
    confidence: float = float("nan")
    border_confidence: float = float("nan")
    largest_share: float = float("nan")
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds a frame at a number of threads, batch size 1, in a process of its own."""

    threads: int
    median_ms: float
    least_ms: float
    runs: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a model sees in one picture under one preprocessing.

    Parameters
    ----------
    picture : ndarray, shape (H, W, 3), uint8
        RGB.
    labels : ndarray, shape (H, W), uint8 or uint16
    """

    candidate: Candidate
    picture: UInt8Array
    labels: LabelArray


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """All that was found out about a model.

    Parameters
    ----------
    model, runtime : str
        As the user named it, and what runs it.
    inputs, outputs : tuple of TensorRow
    guesses : tuple of Guess
    candidates : tuple of CandidateScore
        Best first; none where nothing had to be compared.
    timings : tuple of Timing
    class_set : ClassSet
    segmenter : mapping
        The `[segmenter]` keys that the model needs.
    block : str
        The same as TOML, to paste.
    sidecar : Path or None
        Where `tempseg run` looks for it; none for models that are no files.
    pictures : str
        What the behaviour was watched on, in words.
    views : tuple of View
        The first picture under each candidate, best first.
    """

    model: str
    runtime: str
    inputs: tuple[TensorRow, ...]
    outputs: tuple[TensorRow, ...]
    guesses: tuple[Guess, ...]
    candidates: tuple[CandidateScore, ...]
    timings: tuple[Timing, ...]
    class_set: ClassSet
    segmenter: Mapping[str, object]
    block: str
    sidecar: Path | None
    pictures: str
    views: tuple[View, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return everything but the pictures, as JSON would hold it."""
        return {
            "model": self.model,
            "runtime": self.runtime,
            "inputs": [asdict(row) for row in self.inputs],
            "outputs": [asdict(row) for row in self.outputs],
            "guesses": [asdict(guess) for guess in self.guesses],
            "candidates": [_plain(asdict(score)) for score in self.candidates],
            "timings": [asdict(timing) for timing in self.timings],
            "classes": list(self.class_set.names),
            "segmenter": dict(self.segmenter),
            "block": self.block,
            "sidecar": None if self.sidecar is None else str(self.sidecar),
            "pictures": self.pictures,
        }


def _plain(score: dict[str, object]) -> dict[str, object]:
    # JSON knows no number that is none.
    return {
        key: None if isinstance(value, float) and np.isnan(value) else value
        for key, value in score.items()
    }
