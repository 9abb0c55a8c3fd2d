"""What a model's answers are: ids, logits or probabilities, and of which classes."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tempseg.class_sets import ClassSet, class_set
from tempseg.errors import ConfigError, ModelError
from tempseg.probing.candidates import Candidate
from tempseg.probing.results import Guess
from tempseg.segmenters import NetworkSegmenter, SegmenterOptions
from tempseg.segmenters.answers import sum_tolerance
from tempseg.segmenters.options import ClassChoice
from tempseg.types import UInt8Array

__all__ = [
    "AnswerFacts",
    "answer_facts",
    "class_guess",
    "class_value",
    "labels_inside",
    "output_guess",
]

_TOLERANCE = 1e-3
Kind = Literal["argmax", "logits", "probabilities", "sigmoid"]


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What answers to one picture under all candidates have in common.

    Parameters
    ----------
    dtype : str
    grid : (int, int)
        Height and width.
    channels : int
    low, high : float
        The least and the greatest value.
    sum_error : float
        How far the sum over the channels is from one, at most.
    whole : bool
        Whether all values are whole numbers.
    answers : int
        Of how many answers this was seen.
    step : float
        Of the values, where they are quantised; 0 where they are not.
    """

    dtype: str
    grid: tuple[int, int]
    channels: int
    low: float
    high: float
    sum_error: float
    whole: bool
    answers: int
    step: float = 0.0


def answer_facts(
    segmenter: NetworkSegmenter,
    candidates: tuple[Candidate, ...],
    *,
    options: SegmenterOptions,
    image: UInt8Array,
) -> AnswerFacts:
    """Return what a network's answers are like, whatever it is fed.

    Raises
    ------
    ModelError
        When no answer is made of numbers, or one is no grid.
    """
    seen: list[tuple[float, float, float, float]] = []
    for candidate in candidates:
        preprocessor = segmenter.preprocessor(candidate.applied(options))
        answer, _ = segmenter.raw_answer(image, preprocessor=preprocessor)
        grid = answer[0] if answer.ndim > 2 and answer.shape[0] == 1 else answer
        if grid.ndim not in (2, 3) or grid.size == 0:
            raise ModelError(
                f"{segmenter.info.name}: answers in shape {list(answer.shape)}, expected "
                "[1, height, width, classes] or [1, height, width]; set segmenter.output_name "
                "to another output"
            )
        if np.isfinite(grid).all():
            seen.append(_facts_of(grid))
    if not seen:
        raise ModelError(
            f"{segmenter.info.name}: answers values that are not finite, whatever pixels it is "
            "fed; check the model's export"
        )
    table = np.array(seen)
    return AnswerFacts(
        grid.dtype.name,
        (grid.shape[0], grid.shape[1]),
        1 if grid.ndim == 2 else grid.shape[2],
        float(table[:, 0].min()),
        float(table[:, 1].max()),
        float(table[:, 2].max()),
        bool(table[:, 3].all()),
        len(seen),
        segmenter.output.step,
    )


def output_guess(facts: AnswerFacts) -> tuple[Kind, Guess]:
    """Return what the output is, and why."""
    many = f"in {facts.answers} answers" if facts.answers > 1 else "in one answer"
    told = f"values from {facts.low:.4g} to {facts.high:.4g} {many}"
    within = facts.low >= -_TOLERANCE and facts.high <= 1 + _TOLERANCE
    if not facts.dtype.startswith("float") and facts.channels == 1:
        return "argmax", _output("class ids (argmax)", "certain", f"{facts.dtype}, one a pixel")
    if facts.channels == 1:
        if facts.whole and facts.high > 1:
            return "argmax", _output("class ids (argmax)", "likely", f"whole {told}")
        if within:
            return "sigmoid", _output("foreground probability (sigmoid)", "certain", told)
        return "logits", _output("foreground logits", "likely", told)
    if not within:
        return "logits", _output("logits", "likely", told)
    if facts.sum_error <= sum_tolerance(facts.channels, facts.step):
        sums = f"they sum to 1 over {facts.channels} channels, within {facts.sum_error:.0e}"
        return "probabilities", _output("probabilities (softmax)", "certain", told, sums)
    return "sigmoid", _output(
        "a probability of its own for each class (sigmoid)",
        "likely",
        told,
        f"their sum over {facts.channels} channels is off 1 by up to {facts.sum_error:.2g}",
    )


def labels_inside(path: str) -> tuple[str, ...]:
    """Return the class names that a `.tflite` file carries in its metadata; none where it does not.

    Metadata's files are a ZIP archive behind the model
    (https://ai.google.dev/edge/litert/models/metadata).
    """
    if not path.lower().endswith(".tflite"):
        return ()
    try:
        with zipfile.ZipFile(path) as archive:
            lists = [name for name in archive.namelist() if name.lower().endswith(".txt")]
            if len(lists) != 1:
                return ()
            lines = archive.read(lists[0]).decode("utf-8", "replace").splitlines()
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return ()
    names = tuple(line.strip() for line in lines if line.strip())
    return names if len(set(names)) == len(names) else ()


def class_guess(
    choice: ClassChoice, facts: AnswerFacts, *, ids: bool, inside: tuple[str, ...]
) -> Guess:
    """Return which classes a model tells apart, and why.

    Parameters
    ----------
    choice : ClassChoice
    facts : AnswerFacts
    ids : bool
        Whether the answers are class ids.
    inside : tuple of str
        Names that were taken out of the file.
    """
    names = choice.class_set.names
    told = f"{choice.class_set.name}, {len(names)} classes"
    seen = f"ids {facts.low:.0f} to {facts.high:.0f} seen" if ids else ""
    if inside and inside == names:
        return Guess("classes", told, "certain", ("a list of names in the file's metadata",))
    evidence = tuple(word for word in (choice.why, seen) if word)
    if choice.class_set.name == "generic":
        value = "not known" if ids else f"{len(names)}, nameless"
        return Guess("classes", value, "undecided", evidence)
    unsure = choice.class_set.name == "binary"
    return Guess("classes", told, "undecided" if unsure else "likely", evidence)


def class_value(classes: ClassSet) -> str | list[str] | None:
    """Return what `segmenter.classes` has to be to give these; none for nameless ones."""
    if classes.name == "generic":
        return None
    try:
        named = class_set(classes.name)
    except ConfigError:
        return list(classes.names)
    same = named.names[: len(classes.names)] == classes.names
    return classes.name if same else list(classes.names)


def _facts_of(grid: NDArray[Any]) -> tuple[float, float, float, float]:
    sums = math.nan
    if grid.ndim == 3:
        sums = float(np.abs(grid.sum(axis=2, dtype=np.float64) - 1).max())
    whole = bool((grid == np.rint(grid)).all())
    return float(grid.min()), float(grid.max()), sums, whole


def _output(value: str, confidence: Literal["certain", "likely"], *evidence: str) -> Guess:
    return Guess("output", value, confidence, evidence)
