"""Names and colours of classes."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.class_sets import CLASS_SETS, class_set, custom, generic
from tempseg.errors import ConfigError

COUNTS = {
    "ade20k": 150,
    "ade20k32": 32,
    "binary": 2,
    "camvid": 11,
    "cityscapes": 20,
    "hair": 2,
    "person": 2,
    "voc": 21,
}


@pytest.mark.parametrize("name", CLASS_SETS)
def test_every_set_has_its_number_of_distinct_names(name: str) -> None:
    assert len(set(class_set(name).names)) == COUNTS[name]


@pytest.mark.parametrize("name", CLASS_SETS)
def test_background_ids_are_classes(name: str) -> None:
    found = class_set(name)
    assert all(0 <= class_id < len(found.names) for class_id in found.background)


@pytest.mark.parametrize(
    ("name", "class_id", "class_name", "colour"),
    [
        ("voc", 0, "background", (0, 0, 0)),
        ("voc", 15, "person", (192, 128, 128)),
        ("voc", 20, "tv monitor", (0, 64, 128)),
        ("cityscapes", 0, "road", (128, 64, 128)),
        ("cityscapes", 13, "car", (0, 0, 142)),
        ("cityscapes", 18, "bicycle", (119, 11, 32)),
        ("cityscapes", 19, "background", (0, 0, 0)),
        ("camvid", 0, "Sky", (128, 128, 128)),
        ("camvid", 10, "Bicyclist", (0, 128, 192)),
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 12, "person", (150, 5, 61)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("ade20k32", 0, "other", (0, 0, 0)),
        ("ade20k32", 13, "person", (150, 5, 61)),
        ("ade20k32", 31, "armchair", (8, 255, 214)),
    ],
)
def test_known_classes_stand_at_their_ids(
    name: str, class_id: int, class_name: str, colour: tuple[int, int, int]
) -> None:
    found = class_set(name)
    assert (found.names[class_id], found.colours[class_id]) == (class_name, colour)


def test_an_unknown_set_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"'cityscape'.*did you mean 'cityscapes'.*camvid"):
        class_set("cityscape")


def test_generic_colours_do_not_depend_on_the_count() -> None:
    assert generic(300).colours[:7] == generic(7).colours == custom([*"abcdefg"]).colours


def test_generic_colours_never_change() -> None:
    assert generic(4).colours == ((241, 78, 76), (8, 120, 159), (106, 70, 3), (167, 172, 253))


def test_the_first_32_generic_colours_are_well_apart() -> None:
    colours = np.array(generic(32).colours, dtype=float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distances[~np.eye(32, dtype=bool)].min() > 20


def test_custom_names_that_mean_nothing_are_background() -> None:
    assert custom(["kite", "Background", "void"]).background == {1, 2}


@pytest.mark.parametrize(("names", "problem"), [([], "at least one"), (["a", "a"], "'a'")])
def test_unusable_custom_names_are_refused(names: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        custom(names)


@pytest.mark.parametrize("count", [0, 65536])
def test_a_generic_count_outside_16_bits_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=str(count)):
        generic(count)
