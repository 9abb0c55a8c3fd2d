"""The embedded model."""

from __future__ import annotations

import numpy as np
import pytest

import tempseg
from tempseg.build import build_segmenter, with_zoo_keys
from tempseg.class_sets import class_set
from tempseg.config import load_config
from tempseg.synthetic import street_scene
from tempseg.types import VOID_8, Frame
from tempseg.zoo import fetch, find_entry

FORMS = ("street", "street-savedmodel")


@pytest.fixture(scope="module")
def rendered():
    """A frame of each shot of a street that the model never saw."""
    scene = street_scene(seed=31337, width=480, height=270, frame_rate=10)
    return [scene.render(index) for index in (20, len(scene) - 15)]


def opened(form):
    return build_segmenter(with_zoo_keys(load_config(overrides={"segmenter.model": form})))


@pytest.fixture(scope="module")
def answers(rendered):
    """What each form says of each frame: class ids on its own grid."""
    frames = [Frame.from_image(frame.image) for frame in rendered]
    found = {}
    for form in FORMS:
        segmenter = opened(form)
        found[form] = np.stack([segmenter.segment(frame).scores.argmax(2) for frame in frames])
    return found


def test_it_is_small() -> None:
    assert fetch(find_entry("street")).stat().st_size <= 3_000_000


@pytest.mark.parametrize("form", FORMS)
def test_it_tells_camvids_classes_and_has_to_assume_nothing(form) -> None:
    told = opened(form).info
    assert told.class_set == class_set("camvid")
    assert told.assumptions == ()


def test_it_names_most_of_a_rendered_street(rendered, tmp_path) -> None:
    right, shown, overlaps = 0, 0, []
    for index, frame in enumerate(rendered):
        (result,) = segmented(frame.image, tmp_path / str(index))
        known = frame.labels != VOID_8
        right += int((result == frame.labels)[known].sum())
        shown += int(known.sum())
        for class_id in np.unique(frame.labels[known]):
            one, other = (result == class_id) & known, (frame.labels == class_id) & known
            overlaps.append((one & other).sum() / (one | other).sum())
    assert right / shown > 0.9
    assert np.mean(overlaps) > 0.6


def segmented(image, folder):
    """Label maps of a folder of one picture, as anybody would ask for them."""
    from PIL import Image

    folder.mkdir()
    Image.fromarray(image).save(folder / "0.png")
    return [result.segmentation.labels for result in tempseg.segment(str(folder), model="street")]


def test_litert_and_savedmodel_agree(answers) -> None:
    assert np.mean(answers["street"] == answers["street-savedmodel"]) >= 0.999
