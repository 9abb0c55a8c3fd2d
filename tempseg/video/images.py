"""Frames out of folders and patterns of images."""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np
from PIL import Image

from tempseg.errors import SourceError
from tempseg.types import Frame, RgbPicture, UInt8Array, VideoInfo
from tempseg.video.image_files import image_files
from tempseg.video.part import FramePart
from tempseg.video.timecode import first_tick, parse_time

__all__ = ["ImageSource"]

_log = logging.getLogger(__name__)

_MOST_TICKS = 2**31 - 1
_ORIENTATION = 0x0112


class ImageSource:
    """The images of a folder or pattern as frames.

    Orientation tags are applied, gray becomes RGB, alpha is dropped, 16 bits become 8. An image
    that cannot be read is skipped and counted, and warned of once; its place in time stays
    empty.

    Parameters
    ----------
    spec : str
        A folder, or a pattern such as `shots/*.png`. Names are sorted, numbers by value.
    start, end : str or float, optional
        As for `open_source`; the first image is at 0.
    frame_rate : Fraction or float
        Images a second.
    part : FramePart, optional
        A stretch within that; `info` stays that of the whole.

    Raises
    ------
    SourceError
        When there is no image, none can be read, or none lies in the part; while iterating, when
        an image has another size than the first.
    """

    def __init__(
        self,
        spec: str,
        *,
        start: str | float | None = None,
        end: str | float | None = None,
        frame_rate: Fraction | float = 25,
        part: FramePart | None = None,
    ) -> None:
        if not frame_rate > 0:
            raise SourceError(f"{spec}: frame rate is {frame_rate}; give one above 0")
        rate = _exact(frame_rate)
        if not rate:
            raise SourceError(f"{spec}: frame rate is {frame_rate}; give a greater one")
        start_s = None if start is None else parse_time(start, frame_rate=rate, name="start")
        end_s = None if end is None else parse_time(end, frame_rate=rate, name="end")
        if end_s is not None and end_s <= (start_s or 0):
            raise SourceError(f"{spec}: end {end!r} is not after start {start or 0!r}")
        every = image_files(spec)
        self._spec = spec
        self._part = part or FramePart()
        self._damaged = 0
        self._unreadable: str | None = None
        self._warned = False
        self._read = False
        self._time_base = 1 / rate
        self._paths = [
            (place, path)
            for place, path in enumerate(every)
            if (start_s is None or place >= first_tick(start_s, self._time_base))
            and (end_s is None or place < first_tick(end_s, self._time_base))
        ]
        if not self._paths:
            raise SourceError(
                f"{spec}: no image between start {start or 0!r} and end "
                f"{'of the last' if end is None else repr(end)} "
                f"({len(every)} images last {float(len(every) / rate):.3f} s); "
                "choose another part"
            )
        readable = (self._readable(path) for _, path in self._paths)
        first = next((image for image in readable if image is not None), None)
        if first is None:
            raise SourceError(f"{spec}: none of its {len(self._paths)} images could be read")
        self._info = VideoInfo(
            name=spec,
            width=first.shape[1],
            height=first.shape[0],
            time_base=self._time_base,
            frame_rate=rate,
            frame_count=len(self._paths),
            start_s=None if start_s is None else float(start_s),
            end_s=None if end_s is None else float(end_s),
        )

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        return self._info

    @property
    def damaged(self) -> int:
        """Unreadable images skipped so far."""
        return self._damaged

    @property
    def restarts(self) -> tuple[int, ...]:
        """None: images have no clock."""
        return ()

    @property
    def paths(self) -> list[str]:
        """The images of the part, in their order."""
        return [path for _, path in self._paths]

    @property
    def places(self) -> list[int]:
        """Where they stand among all images, which is their time."""
        return [place for place, _ in self._paths]

    def __iter__(self) -> Iterator[Frame]:
        """Read the images, once."""
        if self._read:
            raise SourceError(f"{self._spec}: a source is read once; open it again")
        self._read = True
        return self._frames()

    def count_before(self) -> int:
        """Return how many images lie before the part."""
        return self._paths[0][0]

    def check_sizes(self) -> None:
        """Refuse images of which one has another size than the first, as far as headers tell.

        Headers alone are read, and an image of every size that they tell.

        Raises
        ------
        SourceError
            Naming it and both sizes.
        """
        known = set()
        with warnings.catch_warnings():
            # Pillow warns of large images.
            warnings.simplefilter("ignore")
            for _, path in self._paths:
                header = _header(path)
                if header is None or header in known:
                    continue
                image = self._readable(path)
                if image is not None:
                    self._check_size(path, image)
                    known.add(header)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _frames(self) -> Iterator[Frame]:
        first = self._paths[0][0]
        part = self._part
        for place, path in self._paths:
            if part.begin is not None and place < part.begin:
                continue
            image = self._readable(path)
            closes = part.end is not None and place >= part.end
            if image is None:
                # What lies behind a part's end is the next one's to count.
                if not closes:
                    self._damaged += 1
                    self._unreadable = self._unreadable or path
                continue
            self._check_size(path, image)
            # The index skips a lost image too: label images are matched by it.
            yield Frame(place - first, place, self._time_base, RgbPicture(image))
            self._warn_of_damage()
            if closes:
                return
        self._warn_of_damage()

    def _check_size(self, path: str, image: UInt8Array) -> None:
        height, width = image.shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            raise SourceError(
                f"{path}: is {width}×{height}, but the images before it are "
                f"{self._info.width}×{self._info.height}; resize it or take it out"
            )

    def _readable(self, path: str) -> UInt8Array | None:
        try:
            return _read(path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror})") from error

    def _warn_of_damage(self) -> None:
        # Only to who reads on: a run opens its source several times for the first frame alone.
        if self._unreadable is not None and not self._warned:
            self._warned = True
            _log.warning("%s: cannot be read as an image and is skipped", self._unreadable)


def _exact(frame_rate: Fraction | float) -> Fraction:
    """Return a rate as it is written, or near it where FFmpeg cannot count in it.

    Examples
    --------
    >>> _exact(29.97), _exact(29.97002997)
    (Fraction(2997, 100), Fraction(30000, 1001))
    """
    rate = Fraction(str(frame_rate))
    if max(rate.numerator, rate.denominator) <= _MOST_TICKS:
        return rate
    return rate.limit_denominator(1001 if rate > 1 else 1_000_000)


def _header(path: str) -> tuple[object, ...] | None:
    """Return what an image's size follows from; none where its header cannot be read."""
    try:
        with Image.open(path) as image:
            exif = Image.Exif()
            # Not `getexif`, which decodes a PNG.
            exif.load(image.info.get("exif", b""))
            return image.format, image.size, exif.get(_ORIENTATION)
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError, struct.error):
        return None


def _read(path: str) -> UInt8Array | None:
    # Not `imread`, which cannot open every path that Python can on every system.
    data = np.fromfile(path, np.uint8)
    if data.size == 0:
        return None
    # What is wrong with an image is told by the caller, in one line.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)
    return None if image is None else image.astype(np.uint8, copy=False)
