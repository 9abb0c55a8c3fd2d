"""Files that say which class is which."""

from __future__ import annotations

import json

import pytest

from tempseg.class_sets import class_set
from tempseg.errors import ConfigError
from tempseg.evaluation.mapping import ClassMapping, load_mapping


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a mapping file."""

    def write(content, name="map.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_a_list_maps_by_place(written):
    mapping = load_mapping(written([3, 4, "void"]))
    assert mapping.targets(None, values=256) == {0: 3, 1: 4, 2: None}
    assert mapping.target_count == 5


def test_a_table_maps_by_name_and_by_id(written):
    mapping = load_mapping(written({"road": 3, "19": "void"}))
    assert mapping.targets(class_set("cityscapes"), values=256) == {0: 3, 19: None}


def test_a_star_maps_whatever_is_not_named(written):
    targets = load_mapping(written({"person": 1, "*": 0})).targets(class_set("voc"), values=256)
    assert targets[15] == 1
    assert {target for value, target in targets.items() if value != 15} == {0}
    assert len(targets) == 256


def test_toml_holds_it_under_map_and_names_the_target_classes(written):
    mapping = load_mapping(
        written('classes = "camvid"\n[map]\nroad = "Road"\nsky = 0\n', "map.toml")
    )
    assert mapping.targets(class_set("cityscapes"), values=256) == {0: 3, 10: 0}
    assert mapping.class_set == class_set("camvid")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([0, -1], "'1' maps to -1"),
        ({"road": "Rod"}, "'road' maps to 'Rod'"),
        ({"map": [0], "clases": "voc"}, "unknown key 'clases'"),
        ({"map": [0], "classes": 3}, "classes is 3"),
        ({"map": [0], "classes": "vok"}, "did you mean 'voc'"),
        ([], "holds no mapping"),
        ("3", "holds no mapping"),
        ("{", "is no JSON or TOML"),
        ("[" * 100_000, "is no JSON or TOML"),
    ],
)
def test_a_file_that_holds_no_mapping_is_refused(written, content, told):
    with pytest.raises(ConfigError, match=told):
        load_mapping(written(content))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no readable file of classes"):
        load_mapping(tmp_path / "none.toml")


def test_a_rule_for_a_class_that_is_not_there_is_refused(written):
    with pytest.raises(ConfigError, match="there is no class 'raod' to map"):
        load_mapping(written({"raod": 3})).targets(class_set("cityscapes"), values=256)


@pytest.mark.parametrize(
    ("targets", "count"),
    [([0, 1, 255], 2), ([0, 1, 65535], 2), ([255], 1), ([0, 255, 256], 257), ([0, 254], 255)],
)
def test_void_as_it_stands_in_files_is_no_class(targets, count):
    rules = {str(place): target for place, target in enumerate(targets)}
    assert ClassMapping("m", rules).target_count == count
