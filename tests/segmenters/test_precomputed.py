"""Label images in place of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tempseg.errors import ModelError
from tempseg.segmenters import PrecomputedSegmenter, SegmenterOptions, open_segmenter
from tempseg.types import Frame, Placement


def frame(index: int = 0, size: tuple[int, int] = (4, 6)) -> Frame:
    return Frame.from_image(np.zeros((*size, 3), np.uint8), index=index)


def folder(path: Path, *images: np.ndarray) -> Path:
    for number, image in enumerate(images, start=1):
        Image.fromarray(image).save(path / f"m{number}.png")
    return path


def full(value: int, dtype: type = np.uint8, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    image = np.zeros(size, dtype)
    image[1:3, 1:3] = value
    return image


def labels(segmenter: PrecomputedSegmenter, index: int) -> np.ndarray:
    found = segmenter.segment(frame(index)).labels
    assert found is not None
    return found


def test_masks_without_a_folder_are_refused() -> None:
    with pytest.raises(ModelError, match="masks: names no folder; give masks:FOLDER"):
        open_segmenter("masks:")


def test_frames_get_the_images_in_natural_order(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, *(full(i) for i in range(1, 12))))
    assert [int(labels(segmenter, i).max()) for i in (0, 1, 9, 10)] == [1, 2, 10, 11]


def test_black_and_white_masks_are_binary(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(0), full(255)))
    assert segmenter.info.class_set.name == "binary"
    np.testing.assert_array_equal(labels(segmenter, 1), full(1))


def test_one_bit_masks_are_binary(tmp_path: Path) -> None:
    Image.fromarray(full(255)).convert("1").save(tmp_path / "a.png")
    segmenter = PrecomputedSegmenter(tmp_path)
    assert segmenter.info.class_set.name == "binary"
    np.testing.assert_array_equal(labels(segmenter, 0), full(1))


def test_ids_are_kept_and_void_stays_void(tmp_path: Path) -> None:
    image = full(5)
    image[0, 0] = 255
    segmenter = PrecomputedSegmenter(folder(tmp_path, image))
    assert len(segmenter.info.class_set.names) == 6
    np.testing.assert_array_equal(labels(segmenter, 0), image)


def test_binary_by_config_takes_every_non_zero_pixel(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(5)), SegmenterOptions(masks="binary"))
    np.testing.assert_array_equal(labels(segmenter, 0), full(1))


def test_index_by_config_takes_255_for_void(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(255)), SegmenterOptions(masks="index"))
    np.testing.assert_array_equal(labels(segmenter, 0), full(255))


def test_an_id_among_binary_masks_is_refused_by_file(tmp_path: Path) -> None:
    images = [full(255) for _ in range(200)]
    images[100] = full(7)
    segmenter = PrecomputedSegmenter(folder(tmp_path, *images))
    with pytest.raises(ModelError, match=r"m101\.png: holds id 7.*segmenter\.masks"):
        segmenter.segment(frame(100))


def test_an_id_beyond_the_classes_is_refused_by_file(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(11)), SegmenterOptions(classes="camvid"))
    with pytest.raises(ModelError, match=r"m1\.png: holds id 11, expected 0 to 10"):
        segmenter.segment(frame())


def test_files_of_8_and_16_bits_mix(tmp_path: Path) -> None:
    narrow, wide = full(3), full(400, np.uint16)
    narrow[0, 0] = 255
    wide[0, 0] = 65535
    segmenter = PrecomputedSegmenter(folder(tmp_path, narrow, wide))
    assert segmenter.info.label_bits == 16
    made = [labels(segmenter, i) for i in range(2)]
    assert [m.dtype for m in made] == [np.uint16, np.uint16]
    assert [(int(m[0, 0]), int(m[1, 1])) for m in made] == [(65535, 3), (65535, 400)]


def test_16_bit_files_of_few_ids_become_bytes(tmp_path: Path) -> None:
    wide = full(9, np.uint16)
    wide[0, 0] = 65535
    made = labels(PrecomputedSegmenter(folder(tmp_path, wide)), 0)
    assert made.dtype == np.uint8
    assert (int(made[0, 0]), int(made[1, 1])) == (255, 9)


def test_smaller_images_of_the_same_aspect_are_placed(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(1, size=(40, 71))))
    found = segmenter.segment(frame(size=(80, 143)))
    assert found.placement == Placement.stretch((40, 71), (80, 143))


def test_another_aspect_is_refused_by_file(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(1, size=(40, 40))))
    with pytest.raises(ModelError, match=r"m1\.png: is 40x40, but frame 0 is 71x40"):
        segmenter.segment(frame(size=(40, 71)))


def test_too_few_images_are_refused_with_the_count(tmp_path: Path) -> None:
    segmenter = PrecomputedSegmenter(folder(tmp_path, full(1), full(2)))
    with pytest.raises(ModelError, match="holds 2 label images, but frame 2"):
        segmenter.segment(frame(2))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no label images"):
        PrecomputedSegmenter(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        PrecomputedSegmenter(tmp_path / "nowhere")


def test_colour_masks_are_refused_by_file(tmp_path: Path) -> None:
    image = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    with pytest.raises(ModelError, match=r"m1\.png: a colour image"):
        PrecomputedSegmenter(folder(tmp_path, image))


def test_the_hash_follows_names_and_sizes(tmp_path: Path) -> None:
    before = PrecomputedSegmenter(folder(tmp_path, full(1))).info.sha256
    after = PrecomputedSegmenter(folder(tmp_path, full(1), full(1))).info.sha256
    assert before != after
