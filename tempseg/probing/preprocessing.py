"""What the comparison of preprocessings says, and how much of it can be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tempseg.probing.pictures import Pictures
from tempseg.probing.results import CandidateScore, Confidence, Guess
from tempseg.segmenters.ports import InputPort

__all__ = ["preprocessing_guesses"]

_LEAST_BITS = 0.05
"""Below this a model saw nothing on the pictures that it could be judged by."""
_LEAST_RENDERED_BITS = 0.1
"""The same on rendered pictures."""
_CLEAR = 1.1
"""How many times the next best score the best has to have."""
_CLEARER = 1.2
"""The same on rendered pictures."""


def preprocessing_guesses(
    scores: Sequence[CandidateScore],
    *,
    port: InputPort,
    given: Mapping[str, object],
    source: str,
    pictures: Pictures,
    habit: tuple[str, str] | None = None,
) -> list[tuple[Guess, str]]:
    """Return the guesses on range and colour order, with the config key each is about.

    Parameters
    ----------
    scores : sequence of CandidateScore
        Best first.
    port : InputPort
    given : mapping
        The keys that were not to be guessed.
    source : str
        Who gave them.
    pictures : Pictures
    habit : (str, str) or None
        A word in the model's name, and the pixel values that go with it.
    """
    ranges = _best_by(scores, lambda score: score.candidate.name)
    orders = _best_by(
        [score for score in scores if score.candidate.name == scores[0].candidate.name],
        lambda score: score.candidate.colour_order,
    )
    if "mean" in given or "scale" in given:
        told = ", ".join(f"{key} = {given[key]}" for key in ("mean", "scale") if key in given)
        values = Guess("pixel values", told, "given", (source,))
    elif len(ranges) == 1 and port.dtype != "float32":
        values = _by_type(ranges[0], port)
    else:
        values = _compared("pixel values", ranges, pictures, told=lambda one: one.candidate.name)
        if habit is not None and habit[1] == ranges[0].candidate.name:
            added = f"{habit[0]!r} in the name goes with it"
            values = replace(values, evidence=(*values.evidence, added))
    if "colour_order" in given:
        order = Guess("colour order", str(given["colour_order"]).upper(), "given", (source,))
    else:
        order = _compared(
            "colour order",
            orders,
            pictures,
            told=lambda one: one.candidate.colour_order.upper(),
        )
    return [(values, "mean"), (order, "colour_order")]


def _by_type(score: CandidateScore, port: InputPort) -> Guess:
    evidence = [f"the input is {port.dtype}"]
    if port.quantisation is not None:
        step, zero = port.quantisation
        evidence.append(f"quantised with step {step:.4g} and zero {zero}")
    return Guess("pixel values", score.candidate.name, "certain", tuple(evidence))


def _best_by(
    scores: Sequence[CandidateScore], key: Callable[[CandidateScore], str]
) -> list[CandidateScore]:
    best: dict[str, CandidateScore] = {}
    for score in scores:
        best.setdefault(key(score), score)
    return list(best.values())


def _compared(
    subject: str,
    scores: Sequence[CandidateScore],
    pictures: Pictures,
    *,
    told: Callable[[CandidateScore], str],
) -> Guess:
    best = scores[0]
    if len(scores) == 1:
        return Guess(subject, told(best), "undecided", ("nothing else could be tried",))
    second = scores[1]
    clear = _CLEARER if pictures.rendered else _CLEAR
    evidence = [
        f"{best.score:.3f} bits survive mirroring, enlarging, mist and dusk, on {pictures.words}"
    ]
    sure: Confidence = "undecided"
    if best.score < (_LEAST_RENDERED_BITS if pictures.rendered else _LEAST_BITS):
        evidence.append("that is next to nothing: give a picture of what the model was made for")
    elif best.score < clear * second.score:
        evidence.append(f"no clear lead over {second.score:.3f}")
    else:
        evidence.append(f"the next best has {second.score:.3f}")
        sure = "likely"
    return Guess(subject, told(best), sure, tuple(evidence), runner_up=told(second))
