"""Detectors and networks for maps of classes, told apart by what they declare."""

from __future__ import annotations

import pytest

from tempseg.errors import ModelError
from tempseg.segmenters import Declared
from tempseg.segmenters.detectors import refuse_detector

Shapes = dict[str, tuple[int | None, ...] | None]

DETECTORS: dict[str, Shapes] = {
    "object detection API": {
        "detection_boxes": (1, 100, 4),
        "detection_classes": (1, 100),
        "detection_masks": (1, 100, 33, 33),
        "detection_scores": (1, 100),
        "num_detections": (1,),
    },
    "its scopes, of no shape": {"a/detection_boxes:0": None, "a/detection_masks:0": None},
    "OpenCV's text graph": {"detection_masks": None, "detection_out_final": None},
    "torchvision": {
        "boxes": (None, 4),
        "labels": (None,),
        "masks": (None, 1, None, None),
        "scores": (None,),
    },
    "one mask an object and class": {
        "b": (None, 100, 4),
        "m": (None, 100, 81, 28, 28),
        "s": (None, 100, 81),
    },
    "as many as there are": {"b": (1, None, 4), "m": (1, None, 28, 28), "s": (1, None)},
    "queries": {"logits": (1, 100, 92), "masks": (1, 100, 96, 128), "boxes": (1, 100, 4)},
    "boxes alone": {"a": (1, 10, 4), "b": (1, 10), "c": (1, 10)},
    "boxes with their scores": {"d": (1, 100, 5), "l": (1, 100), "m": (1, 100, 96, 160)},
    "as many, with their scores": {"d": (1, None, 5), "l": (1, None), "m": (1, None, 96, 160)},
}
WITH_PROTOTYPES: dict[str, Shapes] = {
    "prototypes": {"output0": (1, 116, 8400), "output1": (1, 32, 160, 160)},
    "prototypes, last": {"Identity": (1, 37, 2100), "Identity_1": (1, 80, 80, 32)},
    "prototypes of any size": {"a": (None, 116, None), "b": (None, 32, None, None)},
    "prototypes, sorted out": {"a": (1, 300, 38), "b": (1, 32, 160, 160)},
}
OTHERS: dict[str, Shapes] = {
    "one": {"logits": (1, 21, 64, 96)},
    "masks alone": {"detection_masks": (1, 1, 64, 96)},
    "auxiliary head": {"out": (1, 21, 64, 96), "aux": (1, 21, 64, 96)},
    "heads called alike": {"detection_main": (1, 2, 64, 96), "detection_aux": (1, 2, 32, 48)},
    "coarser heads": {"a": (1, 64, 96, 19), "b": (1, 32, 48, 19), "c": (1, 16, 24, 19)},
    "scores and ids": {"scores": (1, 32, 480, 640), "ids": (1, 480, 640)},
    "classes of the whole picture": {"map": (1, 100, 64, 96), "all": (1, 100)},
    "a box of one object": {"mask": (1, 1, 64, 96), "box": (1, 4), "score": (1, 1)},
    "a box a picture": {"mask": (None, 1, 64, 96), "box": (None, 4), "score": (None, 1)},
    "masks by quality": {"masks": (1, 4, 256, 256), "quality": (1, 4)},
    "no shapes": {"a": None, "b": None},
    "boxes beside a map": {"b": (1, 8732, 4), "s": (1, 8732, 21), "map": (1, 300, 300, 21)},
    "boxes beside a map as high": {"b": (1, 300, 4), "s": (1, 300), "map": (1, 300, 300, 21)},
    "boxes beside a map of any size": {"b": (1, None, 4), "s": (1, None), "m": (1, None, None, 9)},
    "open boxes beside a map": {"b": (1, None, 4), "s": (1, None, 1), "m": (1, None, 384, 640)},
    "rows of five beside a map": {"rows": (1, 33, 5), "map": (1, 33, 64, 96)},
    "rows of five alone": {"rows": (1, 33, 5), "more": (1, 33)},
    "32 classes and a row a pixel": {"map": (1, 32, 24, 40), "rows": (1, 960, 64)},
    "32 classes, last, and a row a pixel": {"map": (1, 24, 40, 32), "rows": (1, 64, 960)},
    "32 classes and wide ids": {"map": (1, 32, 64, 1024), "ids": (1, 64, 1024)},
    "32 classes and ids of any width": {"map": (1, 32, 512, None), "ids": (1, 512, None)},
    "rows beside a map": {"rows": (1, 25200, 6), "road": (1, 2, 640, 640)},
    "rows beside a map of 19": {"rows": (1, 84, 8400), "map": (1, 19, 640, 640)},
    "rows beside a map 32 wide": {"rows": (1, 84, 8400), "map": (1, 19, 32, 32)},
}


def declared(shapes: Shapes) -> list[Declared]:
    return [Declared(name, "float32", shape) for name, shape in shapes.items()]


@pytest.mark.parametrize("outputs", DETECTORS.values(), ids=DETECTORS)
def test_outputs_of_a_detector_are_refused_whichever_is_wanted(outputs: Shapes) -> None:
    for wanted in (None, *outputs):
        with pytest.raises(ModelError, match=r"^net: is a detector: .*python:MODULE:ATTRIBUTE"):
            refuse_detector("net", declared(outputs), wanted)


@pytest.mark.parametrize("outputs", WITH_PROTOTYPES.values(), ids=WITH_PROTOTYPES)
def test_what_may_be_prototypes_is_taken_by_name_only(outputs: Shapes) -> None:
    rows, prototypes = outputs
    for wanted in (None, rows):
        with pytest.raises(ModelError, match=rf"output_name if one of \['{prototypes}'\] gives"):
            refuse_detector("net", declared(outputs), wanted)
    refuse_detector("net", declared(outputs), prototypes)


@pytest.mark.parametrize("outputs", OTHERS.values(), ids=OTHERS)
def test_outputs_of_other_networks_are_taken(outputs: Shapes) -> None:
    for wanted in (None, *outputs):
        refuse_detector("net", declared(outputs), wanted)


def test_a_map_of_classes_beside_detections_is_taken_by_name() -> None:
    outputs = declared({**DETECTORS["object detection API"], "semantic": (1, 64, 96, 21)})
    with pytest.raises(ModelError, match=r"set segmenter\.output_name if one of \['semantic'\]"):
        refuse_detector("net", outputs, None)
    refuse_detector("net", outputs, "semantic")


def test_an_unknown_name_is_left_to_be_told_as_such() -> None:
    refuse_detector("net", declared(WITH_PROTOTYPES["prototypes"]), "output2")
