"""Label maps as image files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tempseg.class_sets import class_set
from tempseg.errors import OutputError, SourceError
from tempseg.label_images import list_images, read_label_image, write_label_image

IDS = np.array([[0, 1, 2], [3, 255, 11]], dtype=np.uint8)


def save(path: Path, array: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def gray_png(path: Path, samples: list[int], depth: int) -> Path:
    """Write one row of gray samples with few bits, which Pillow cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    bits = "".join(f"{sample:0{depth}b}" for sample in samples)
    row = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    header = struct.pack(">IIBBBBB", len(samples), 1, depth, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND", b"")
    )
    return path


def test_palette_images_give_indices(tmp_path: Path) -> None:
    write_label_image(tmp_path / "a.png", IDS, colours=class_set("camvid"))
    np.testing.assert_array_equal(read_label_image(tmp_path / "a.png"), IDS)


def test_gray_images_give_samples(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_label_image(save(tmp_path / "a.png", IDS)), IDS)


@pytest.mark.parametrize(("depth", "samples"), [(1, [0, 1, 1]), (2, [3, 0, 2]), (4, [9, 15, 1])])
def test_gray_of_few_bits_gives_samples(tmp_path: Path, depth: int, samples: list[int]) -> None:
    path = gray_png(tmp_path / "a.png", samples, depth)
    assert read_label_image(path).tolist() == [samples]


def test_16_bit_ids_survive(tmp_path: Path) -> None:
    ids = np.array([[0, 300], [65535, 7]], dtype=np.uint16)
    write_label_image(tmp_path / "a.png", ids, colours=())
    read = read_label_image(tmp_path / "a.png")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, ids)


def test_colour_images_of_equal_channels_are_ids(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.repeat(IDS[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_label_image(path), IDS)


def test_colour_images_are_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    with pytest.raises(SourceError, match=r"a\.png.*colour image.*palette or gray PNG"):
        read_label_image(path)


def test_jpeg_is_refused_as_lossy(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", IDS)
    with pytest.raises(SourceError, match=r"a\.jpg.*lossy.*PNG"):
        read_label_image(path)


@pytest.mark.parametrize(
    ("name", "told", "options"),
    [
        ("a.webp", "WebP", {}),
        ("a.webp", "WebP", {"icc_profile": b"any"}),
        ("a.tif", "TIFF with JPEG", {"compression": "jpeg"}),
    ],
    ids=["WebP", "WebP of many chunks", "TIFF"],
)
def test_lossy_kinds_of_lossless_formats_are_refused(
    tmp_path: Path, name: str, told: str, options: dict[str, Any]
) -> None:
    Image.fromarray(np.tile(IDS, (8, 8))).save(tmp_path / name, **options)
    with pytest.raises(SourceError, match=rf"{name}: {told}.* is lossy.*PNG"):
        read_label_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.webp", {"lossless": True}),
        ("a.webp", {"lossless": True, "icc_profile": b"any"}),
        ("a.webp", {"lossless": True, "save_all": True, "append_images": [Image.new("L", (3, 2))]}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.tif", {}),
    ],
    ids=["WebP", "WebP of many chunks", "animated WebP", "TIFF of LZW", "TIFF"],
)
def test_lossless_kinds_keep_ids(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    Image.fromarray(IDS).save(tmp_path / name, **options)
    np.testing.assert_array_equal(read_label_image(tmp_path / name), IDS)


def test_a_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    good = save(tmp_path / "good.png", np.zeros((64, 64), np.uint8)).read_bytes()
    for name, content in (("a.png", b"no image"), ("b.png", good[: len(good) // 2])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            read_label_image(tmp_path / name)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        read_label_image(tmp_path / "nowhere.png")


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_label_image(tmp_path / name, IDS, colours=class_set("voc"))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_palette_shows_the_class_colours(tmp_path: Path) -> None:
    write_label_image(tmp_path / "a.png", IDS, colours=class_set("voc"))
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert tuple(shown[0, 1]) == class_set("voc").colours[1]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing"):
        write_label_image(tmp_path / "missing" / "a.png", IDS, colours=())


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_16_bits_are_refused_not_halved(tmp_path: Path, channels: int) -> None:
    ids = np.arange(20, dtype=np.uint16).reshape(4, 5)
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([ids] * channels))
    with pytest.raises(SourceError, match="colours of 16 bits"):
        read_label_image(tmp_path / "a.png")


def test_an_image_beyond_what_is_read_is_named(tmp_path: Path, monkeypatch) -> None:
    write_label_image(tmp_path / "a.png", IDS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    with pytest.raises(SourceError, match=r"a\.png: not a readable image"):
        read_label_image(tmp_path / "a.png")


def test_images_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("img10.png", "img2.png", "img1.PNG", ".img0.png", "notes.txt", "7.png"):
        (tmp_path / name).touch()
    (tmp_path / "img3.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == [
        "7.png",
        "img1.PNG",
        "img2.png",
        "img10.png",
    ]


def test_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        list_images(tmp_path / "nowhere")
