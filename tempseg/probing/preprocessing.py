"""What the comparison of preprocessings says, and how much of it can be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    """
    best = scores[0]
    guesses = []
    ranges = _best_by(scores, lambda score: score.candidate.name)
    orders = _best_by(
        [score for score in scores if score.candidate.name == best.candidate.name],
        lambda score: score.candidate.colour_order,
    )
    if "mean" in given or "scale" in given:
        told = ", ".join(f"{key} = {given[key]}" for key in ("mean", "scale") if key in given)
        guesses.append((Guess("pixel values", told, "given", (source,)), "mean"))
    elif len(ranges) == 1 and port.dtype != "float32":
        evidence = [f"the input is {port.dtype}"]
        if port.quantisation is not None:
            step, zero = port.quantisation
            evidence.append(f"quantised with step {step:.4g} and zero {zero}")
        guesses.append(
            (Guess("pixel values", best.candidate.name, "certain", tuple(evidence)), "mean")
        )
    else:
        guesses.append(
            (
                _compared(
                    "pixel values", ranges, pictures, told=lambda score: score.candidate.name
                ),
                "mean",
            )
        )
    if "colour_order" in given:
        told = str(given["colour_order"]).upper()
        guesses.append((Guess("colour order", told, "given", (source,)), "colour_order"))
    else:
        guesses.append(
            (
                _compared(
                    "colour order",
                    orders,
                    pictures,
                    told=lambda score: score.candidate.colour_order.upper(),
                ),
                "colour_order",
            )
        )
    return guesses


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
