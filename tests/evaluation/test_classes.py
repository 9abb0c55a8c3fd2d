"""What classes are scored, and how ids in files become them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempseg.class_sets import class_set, custom, generic
from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation.classes import Classes, IdReader, agree_on_classes
from tempseg.evaluation.inputs import LabelSequence
from tempseg.evaluation.mapping import ClassMapping
from tempseg.evaluation.maps import FolderMaps


def _sequence(name="folder", *, classes=None, bits=8, two_valued=False, size=(1, 4)):
    maps = FolderMaps((Path("a.png"), Path("b.png")))
    return LabelSequence(name, maps, size, bits, two_valued=two_valued, class_set=classes)


VOC, CAMVID = class_set("voc"), class_set("camvid")


def test_what_is_asked_for_goes_before_what_a_run_tells():
    found = agree_on_classes(_sequence(classes=VOC), None, None, asked=5)
    assert (found.count, found.void) == (5, 255)


@pytest.mark.parametrize(
    ("asked", "names"),
    [("camvid", CAMVID.names), ("sky, sea", ("sky", "sea")), ("2", ("class 0", "class 1"))],
)
def test_classes_are_asked_for_by_number_set_or_names(asked, names):
    assert agree_on_classes(_sequence(), None, None, asked=asked).class_set.names == names


def test_a_run_tells_its_classes():
    found = agree_on_classes(_sequence("run", classes=VOC), _sequence("gt"), None)
    assert (found.class_set, found.told_by) == (VOC, "run")


def test_named_classes_go_before_counted_ones():
    found = agree_on_classes(
        _sequence("run", classes=generic(9)), _sequence("gt", classes=CAMVID), None
    )
    assert (found.class_set, found.told_by) == (CAMVID, "gt")


def test_sequences_of_different_classes_need_a_mapping():
    with pytest.raises(ConfigError, match=r"run has 21, gt has 11 classes: map them"):
        agree_on_classes(_sequence("run", classes=VOC), _sequence("gt", classes=CAMVID), None)


def test_sequences_whose_names_stand_for_other_ids_need_a_mapping():
    one, other = custom(["Sky", "Building", "Road"]), custom(["building", "sky", "lane"])
    with pytest.raises(ConfigError, match="building is class 1 in run and class 0 in gt: map"):
        agree_on_classes(_sequence("run", classes=one), _sequence("gt", classes=other), None)


def test_equal_class_sets_agree_whatever_their_names():
    sets = [custom(["Car", "car", "road"]) for _ in range(2)]
    given = [_sequence(name, classes=found) for name, found in zip("ab", sets, strict=True)]
    assert agree_on_classes(*given, None).class_set == sets[0]


def test_sequences_that_call_classes_by_other_names_are_compared():
    one, other = custom(["Sky", "building", "Road"]), custom(["sky", "house", "road"])
    found = agree_on_classes(_sequence("run", classes=one), _sequence("gt", classes=other), None)
    assert found.class_set == one


def test_wide_maps_without_classes_are_told_by_their_own_name():
    with pytest.raises(ConfigError, match="gt: label maps of 16 bits need --classes"):
        agree_on_classes(_sequence("run"), _sequence("gt", bits=16), None)


def test_a_mapping_leads_to_the_truths_classes():
    mapping = ClassMapping("map.json", {"0": 3})
    found = agree_on_classes(
        _sequence("run", classes=VOC), _sequence("gt", classes=CAMVID), None, mapping=mapping
    )
    assert found.class_set == CAMVID


def test_a_mapping_without_named_classes_counts_its_targets():
    found = agree_on_classes(
        _sequence(), None, None, mapping=ClassMapping("m", {"0": 3, "1": None})
    )
    assert found.count == 4


def test_masks_of_0_and_255_are_two_classes():
    found = agree_on_classes(_sequence(two_valued=True), None, None)
    assert found.class_set == class_set("binary")


def test_masks_of_one_object_do_not_meet_many_classes_unnoticed():
    with pytest.raises(ConfigError, match="gt: holds 0 and 255 only"):
        agree_on_classes(_sequence("run", classes=VOC), _sequence("gt", two_valued=True), None)


def test_where_nobody_tells_every_8_bit_id_counts():
    found = agree_on_classes(_sequence(), _sequence(), None)
    assert (found.count, found.told_by) == (255, "")


def test_16_bit_ids_need_classes():
    with pytest.raises(ConfigError, match="16 bits need --classes"):
        agree_on_classes(_sequence(bits=16), None, None)


@pytest.mark.parametrize("asked", [0, "vok", 70000])
def test_classes_that_are_none_are_refused(asked):
    with pytest.raises(ConfigError):
        agree_on_classes(_sequence(), None, None, asked=asked)


@pytest.mark.parametrize(
    ("asked", "mapping"),
    [
        (None, None),
        (None, ClassMapping("m", {"0": 4096})),
        ([str(number) for number in range(4097)], None),
    ],
)
def test_more_classes_than_can_be_scored_are_refused_with_what_to_do(asked, mapping):
    many = _sequence("run", classes=generic(40001), bits=16)
    with pytest.raises(ConfigError, match="4096"):
        agree_on_classes(many, None, None, asked=asked, mapping=mapping)


def test_many_classes_are_scored_where_a_mapping_makes_them_few():
    many, mapping = _sequence("run", classes=generic(40001), bits=16), ClassMapping("m", {"0": 3})
    assert agree_on_classes(many, None, None, mapping=mapping).count == 4


def _read(labels, classes, *, bits=8, two_valued=False, **options):
    sequence = _sequence(bits=bits, two_valued=two_valued)
    reader = IdReader(sequence, Classes(classes, "--classes"), **options)
    dtype = np.uint8 if bits == 8 else np.uint16
    return reader.read(np.array([labels], dtype), 0)


def test_plain_ids_are_handed_on_untouched():
    sequence = _sequence()
    labels = np.uint8([[0, 1, 255, 10]])
    assert IdReader(sequence, Classes(CAMVID, "x")).read(labels, 0) is labels


def test_the_void_id_and_the_highest_become_void():
    assert _read([0, 11, 255, 10], CAMVID, void=11).tolist() == [[0, 255, 255, 10]]


def test_16_bit_files_of_few_classes_become_8_bit_maps():
    found = _read([0, 65535, 255, 10], CAMVID, bits=16)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 255, 255, 10]]


def test_many_classes_stay_in_16_bits():
    found = _read([0, 65535, 299, 255], generic(300), bits=16)
    assert found.dtype == np.uint16
    assert found.tolist() == [[0, 65535, 299, 255]]


def test_8_bit_void_becomes_16_bit_void_beside_many_classes():
    sequence = _sequence()
    reader = IdReader(sequence, Classes(generic(300), "x"))
    assert reader.read(np.uint8([[0, 255, 254, 3]]), 0).tolist() == [[0, 65535, 254, 3]]


def test_255_of_masks_is_the_object():
    assert _read([0, 255, 0, 255], class_set("binary"), two_valued=True).tolist() == [[0, 1, 0, 1]]


def test_255_is_void_where_masks_hold_other_ids():
    assert _read([0, 255, 1, 0], class_set("binary")).tolist() == [[0, 255, 1, 0]]


def test_a_mapping_goes_from_files_to_classes_and_void():
    mapping = ClassMapping("m", {"0": 3, "1": None, "2": 11})
    found = _read([0, 1, 2, 255], CAMVID, mapping=mapping, void=11)
    assert found.tolist() == [[3, 255, 255, 255]]


@pytest.mark.parametrize(("target", "read"), [(1, 1), (0, 0), (None, 255), (255, 255)])
def test_a_mapping_may_say_what_255_is(target, read):
    mapping = ClassMapping("m", {"0": 0, "255": target})
    found = _read([0, 255, 0, 0], class_set("binary"), mapping=mapping, two_valued=True)
    assert found.tolist() == [[0, read, 0, 0]]


def test_the_rest_of_a_mapping_is_not_void():
    mapping = ClassMapping("m", {"3": 1, "*": 0})
    found = _read([3, 4, 255, 0], class_set("binary"), mapping=mapping)
    assert found.tolist() == [[1, 0, 255, 0]]


def test_an_id_that_is_no_class_is_told_with_its_file():
    with pytest.raises(SourceError, match=r"a\.png: holds id 11, expected 0 to 10 or void"):
        _read([0, 11, 2, 3], CAMVID)


def test_an_id_that_the_mapping_leaves_out_is_told():
    with pytest.raises(SourceError, match="holds id 7"):
        _read([0, 7, 0, 0], CAMVID, mapping=ClassMapping("m", {"0": 3}))


def test_a_map_of_another_size_is_told():
    reader = IdReader(_sequence(), Classes(CAMVID, "x"))
    with pytest.raises(SourceError, match=r"b\.png: is 2×1 of 8 bits, but the first is 4×1"):
        reader.read(np.uint8([[0, 1]]), 1)


def test_a_mapping_to_a_class_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="maps to id 11, but --classes has 11 classes"):
        _read([0, 0, 0, 0], CAMVID, mapping=ClassMapping("m", {"0": 11}))


def test_a_void_that_is_a_class_is_refused():
    with pytest.raises(ConfigError, match="--void 3: is one of the 11 classes"):
        _read([0, 0, 0, 0], CAMVID, void=3)
