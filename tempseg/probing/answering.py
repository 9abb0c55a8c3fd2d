"""Functions and ready-made masks: what answers, but is fed nothing that could be guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tempseg.errors import ModelError, SourceError
from tempseg.label_images import list_images, read_label_image
from tempseg.probing.answers import class_value
from tempseg.probing.behaviour import full_size_labels
from tempseg.probing.candidates import Candidate
from tempseg.probing.pictures import Pictures, pictures_of, rendered_pictures
from tempseg.probing.results import Guess, Probe, TensorRow, Timing, View
from tempseg.probing.timing import time_apart
from tempseg.protocols import Segmenter
from tempseg.segmenter_block import segmenter_block
from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.types import Frame, Prediction

__all__ = ["probe_answering"]

_MASKS = "masks:"


def probe_answering(
    name: str,
    path: str,
    options: SegmenterOptions,
    *,
    given: Mapping[str, object],
    image: str | Path | None,
    tell: Callable[[str], None],
) -> Probe:
    """Return what a function or a folder of masks answers with.

    Raises
    ------
    ModelError
        When there is no such thing, or its answer cannot be used.
    """
    masks = path.startswith(_MASKS)
    timings: tuple[Timing, ...] = ()
    if masks:
        segmenter = open_segmenter(path, options)
        pictures = _blank(path.removeprefix(_MASKS))
        tell("asking for an answer")
    else:
        pictures = rendered_pictures() if image is None else pictures_of(image)
        # A function runs in a process of its own first: it may end that one.
        timings = time_apart(path, options, threads=(None,))
        tell("asking for an answer")
        segmenter = open_segmenter(path, options)
    picture = pictures.images[0]
    answer = segmenter.segment(Frame.from_image(picture))
    keys = dict(given)
    classes = class_value(segmenter.info.class_set)
    remarks = {}
    if classes is not None:
        keys["classes"] = classes
    else:
        remarks["classes"] = "not known: a list of names"
    as_it_is = Candidate("as it is")
    return Probe(
        name,
        segmenter.info.runtime,
        (
            TensorRow("masks", "label images", None, "one a frame, in order of their names")
            if masks
            else TensorRow("image", "uint8", (None, None, 3), "RGB, at the frame's size"),
        ),
        (_answer_row(answer),),
        tuple(_guesses(segmenter, answer, given, masks=masks)),
        (),
        timings,
        segmenter.info.class_set,
        keys,
        segmenter_block(keys, remarks),
        None,
        pictures.words,
        (View(as_it_is, picture, full_size_labels(answer, picture)),),
    )


def _blank(folder: str) -> Pictures:
    """Return a black picture of the size of the first label image."""
    try:
        images = list_images(folder)
        first = read_label_image(images[0])
    except SourceError as error:
        raise ModelError(str(error)) from error
    blank = np.zeros((*first.shape, 3), np.uint8)
    return Pictures((blank,), f"{images[0].name}, the first of {len(images)}", rendered=True)


def _answer_row(answer: Prediction) -> TensorRow:
    if answer.labels is not None:
        return TensorRow("labels", answer.labels.dtype.name, answer.labels.shape, "ids")
    assert answer.scores is not None
    return TensorRow("scores", "float32", answer.scores.shape, "a value for each class")


def _guesses(
    segmenter: Segmenter, answer: Prediction, given: Mapping[str, object], *, masks: bool
) -> list[Guess]:
    info = segmenter.info
    told = f"{info.class_set.name}, {len(info.class_set.names)} classes"
    why = tuple(word for word in info.assumptions if word.startswith("classes"))
    if "classes" in given:
        classes = Guess("classes", told, "given", ("--set",))
    elif info.class_set.name == "generic":
        classes = Guess("classes", "not known", "undecided", why)
    else:
        classes = Guess("classes", told, "likely", why or (_own(segmenter, masks=masks),))
    kind = "ids" if answer.labels is not None else "probabilities"
    values = answer.labels if answer.labels is not None else answer.scores
    assert values is not None
    told = f"values from {values.min():.4g} to {values.max():.4g} in the first answer"
    more = tuple(word for word in info.assumptions if word.startswith("output"))
    return [Guess("output", kind, "likely" if more else "certain", more or (told,)), classes]


def _own(segmenter: Segmenter, *, masks: bool) -> str:
    return "the values of the label images" if masks else f"{segmenter.info.name} says so"
