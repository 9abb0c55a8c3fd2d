from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tempseg.errors import SourceError
from tempseg.label_images import list_images
from tempseg.segmenters.precomputed import PrecomputedSegmenter
from tempseg.tuning.fingerprint import source_fingerprint
from tempseg.video import ImageSource, images, open_source, survey
from tests.video.clips import gradient

PICTURE = gradient(0)
# An APP1 segment that says orientation 6: turn clockwise to see it upright.
EXIF = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def save(path, image=PICTURE):
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def test_folder_is_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        save(tmp_path / f"img{number}.png", gradient(number))
    blues = [int(frame.image[0, 0, 2]) for frame in open_source(str(tmp_path))]
    assert blues == [int(gradient(number)[0, 0, 2]) for number in (1, 2, 10)]


def test_frames_come_in_the_order_of_their_label_images(tmp_path):
    names = ["B1.png", "a1.png", "C1.png", "b1.png", "a10.png", "A2.png", "7.png", "a02.png"]
    for number, name in enumerate(names):
        save(tmp_path / name, np.full((4, 4, 3), number, np.uint8))
    # As macOS leaves it on disks that are not its own.
    (tmp_path / "._a1.png").write_bytes(b"Mac OS X")
    order = [names.index(path.name) for path in list_images(tmp_path)]
    for spec in (tmp_path, tmp_path / "*.png"):
        source = open_source(str(spec))
        assert [int(frame.image[0, 0, 0]) for frame in source] == order
        assert source.damaged == 0


def test_glob_takes_what_matches(tmp_path):
    for name in ("a1.png", "a2.png", "b1.png"):
        save(tmp_path / name)
    assert len(list(open_source(str(tmp_path / "a*.png")))) == 2


def test_names_need_not_be_text(tmp_path):
    save(tmp_path / "1.png", np.ones((4, 6), np.uint8))
    (tmp_path / "1.png").rename(tmp_path / os.fsdecode(b"\xfc1.png"))
    source = ImageSource(str(tmp_path))
    assert survey(source, apart_s=0).frames == source_fingerprint(str(tmp_path))["files"] == 1
    assert PrecomputedSegmenter(tmp_path).info.sha256


def test_other_files_in_the_folder_are_ignored(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("notes")
    assert len(list(open_source(str(tmp_path)))) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (29.97002997, Fraction(30000, 1001)),
        (23.976023976, Fraction(24000, 1001)),
        (59.94005994, Fraction(60000, 1001)),
        (0.0000123, Fraction(123, 10_000_000)),
        (29.97, Fraction(2997, 100)),
    ],
)
def test_rates_that_are_rounded_stand_for_those_that_can_be_counted_in(tmp_path, written, meant):
    save(tmp_path / "a.png")
    assert open_source(str(tmp_path), frame_rate=written).info.frame_rate == meant


@pytest.mark.parametrize("rate", [25, 12.5, Fraction(30000, 1001)])
def test_times_are_the_place_over_the_rate(tmp_path, rate):
    for number in range(3):
        save(tmp_path / f"{number}.png")
    frames = list(open_source(str(tmp_path), frame_rate=rate))
    assert frames[2].pts * frames[2].time_base == 2 / Fraction(rate)


@pytest.mark.parametrize(("start", "end", "count"), [(0.4, None, 6), (None, 0.4, 4), (0.4, 0.6, 2)])
def test_part_of_a_folder(tmp_path, start, end, count):
    for number in range(10):
        save(tmp_path / f"{number}.png")
    frames = list(open_source(str(tmp_path), start=start, end=end, frame_rate=10))
    assert len(frames) == count
    assert frames[0].pts == (4 if start else 0)


@pytest.mark.parametrize("place", range(1, 8))
def test_a_written_time_names_its_own_image(tmp_path, place):
    for number in range(10):
        save(tmp_path / f"{number}.png")
    rate = Fraction(30000, 1001)
    written = f"{float(place / rate):.6f}"
    from_it = list(open_source(str(tmp_path), start=written, frame_rate=rate))
    up_to_it = list(open_source(str(tmp_path), end=written, frame_rate=rate))
    assert (from_it[0].pts, up_to_it[-1].pts) == (place, place - 1)


def test_part_without_images_is_named(tmp_path):
    save(tmp_path / "a.png")
    expected = r"no image between start 1 and end of the last \(1 images last 0\.040 s\); choose"
    with pytest.raises(SourceError, match=expected):
        open_source(str(tmp_path), start=1)


def test_info_counts_the_images(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png")
    info = ImageSource(str(tmp_path)).info
    assert (info.width, info.height, info.frame_count, info.media_path) == (64, 48, 3, None)


def test_exif_orientation_is_applied(tmp_path):
    path = tmp_path / "a.jpg"
    save(path)
    data = path.read_bytes()
    path.write_bytes(data[:2] + EXIF + data[2:])
    image = next(iter(open_source(str(tmp_path)))).image.astype(int)
    assert np.abs(image - np.rot90(PICTURE, -1)).mean() < 4


@pytest.mark.parametrize(
    "stored",
    [
        PICTURE[..., 0],
        PICTURE.astype(np.uint16) * 257,
        np.dstack([PICTURE, np.full(PICTURE.shape[:2], 9, np.uint8)]),
    ],
    ids=["gray", "16-bit", "alpha"],
)
def test_other_depths_and_channels_become_rgb(tmp_path, stored):
    if stored.ndim == 3:
        stored = np.concatenate([stored[..., 2::-1], stored[..., 3:]], axis=2)
    cv2.imwrite(str(tmp_path / "a.png"), stored)
    expected = PICTURE if stored.ndim == 3 else np.repeat(PICTURE[..., :1], 3, axis=2)
    image = next(iter(open_source(str(tmp_path)))).image
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_unreadable_image_leaves_its_time_empty(tmp_path, content):
    for number in (0, 2):
        save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(content)
    source = open_source(str(tmp_path))
    assert [(frame.index, frame.pts) for frame in source] == [(0, 0), (2, 2)]
    assert source.damaged == 1


def test_unreadable_images_are_warned_of_once_however_often_the_first_frame_is_looked_at(
    tmp_path, caplog
):
    save(tmp_path / "2.png")
    save(tmp_path / "3.png")
    for name in ("0.png", "1.png", "4.png"):
        (tmp_path / name).write_bytes(b"")
    next(iter(open_source(str(tmp_path))))
    assert not caplog.records
    assert len(list(open_source(str(tmp_path)))) == 2
    (record,) = caplog.records
    assert "0.png: cannot be read as an image" in record.getMessage()


def test_another_size_names_the_file_and_both_sizes(tmp_path):
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", gradient(0, width=32, height=16))
    with pytest.raises(SourceError, match=r"2\.png: is 32×16.*64×48"):
        list(open_source(str(tmp_path)))


def test_another_size_is_found_in_headers(tmp_path, monkeypatch):
    for number in range(8):
        save(tmp_path / f"{number}.jpg")
    (tmp_path / "0.jpg").write_bytes(b"no image")
    (tmp_path / "3.png").write_bytes(b"")
    save(tmp_path / "4.png")
    source, read, opened = ImageSource(str(tmp_path)), images._read, []
    monkeypatch.setattr(images, "_read", lambda path: opened.append(path) or read(path))
    source.check_sizes()
    assert [Path(path).name for path in opened] == ["1.jpg", "4.png"]
    save(tmp_path / "6.jpg", gradient(0, width=32, height=16))
    with pytest.raises(SourceError, match=r"6\.jpg: is 32×16.*64×48"):
        source.check_sizes()


def test_an_image_that_its_header_turns_has_another_size(tmp_path):
    for name in ("1.jpg", "2.jpg"):
        save(tmp_path / name)
    data = (tmp_path / "2.jpg").read_bytes()
    (tmp_path / "2.jpg").write_bytes(data[:2] + EXIF + data[2:])
    with pytest.raises(SourceError, match=r"2\.jpg: is 48×64.*64×48"):
        ImageSource(str(tmp_path)).check_sizes()


def test_folder_without_images_is_named(tmp_path):
    with pytest.raises(SourceError, match="no images in this folder"):
        open_source(str(tmp_path))


def test_a_folder_of_videos_is_told_to_be_given_as_a_glob(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(SourceError, match=r"give videos as a glob, such as '.*/\*\.mp4'"):
        open_source(str(tmp_path))


def test_folder_of_unreadable_images_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(SourceError, match="none of its 1 images"):
        open_source(str(tmp_path))


def test_rate_must_be_positive(tmp_path):
    with pytest.raises(SourceError, match="frame rate is 0"):
        open_source(str(tmp_path), frame_rate=0)
