"""Where a source can be read from, found without decoding it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from tempseg.errors import SourceError
from tempseg.protocols import FrameSource
from tempseg.video.decoding import PtsRange, VideoDecoder
from tempseg.video.fields import FieldPairs
from tempseg.video.idr import opens_cleanly
from tempseg.video.source import VideoSource

__all__ = ["SeekPoint", "Survey", "survey"]

# Packets beyond the end of a part that may still hold a frame presented before it.
_REORDERED = 64


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """A frame that decodes without those before it.

    Parameters
    ----------
    pts : int
        Its presentation time.
    before : int
        Frames of the part that are presented before it, by their packets.
    """

    pts: int
    before: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source's packets tell.

    Parameters
    ----------
    points : tuple of SeekPoint
        Where reading may begin, apart from the beginning; none where the timestamps cannot be
        relied on.
    frames : int
        Frames of the part, by their packets.
    digest : str
        Hash of the packets and their times, in hex; for images, of names, sizes and dates.
    bytes_read : int
        Their size.
    doubt : str
        Why there are no points, where the file is to blame; else empty.
    """

    points: tuple[SeekPoint, ...]
    frames: int
    digest: str
    bytes_read: int
    doubt: str = ""


def survey(source: FrameSource, *, apart_s: float) -> Survey:
    """Return where a source can be read from, at points at least `apart_s` apart; 0 for none.

    Of a video all packets are read and none is decoded, of images the headers.

    Raises
    ------
    SourceError
        When the source cannot be read, or images differ in size.
    """
    apart = Fraction(str(apart_s)) / source.info.time_base
    if isinstance(source, VideoSource):
        return _surveyed(source.info.name, source.range, apart)
    from tempseg.video.images import ImageSource

    assert isinstance(source, ImageSource)
    source.check_sizes()
    places = source.places
    digest, size = hashlib.sha256(), 0
    for path in source.paths:
        try:
            found = os.stat(path)
        except OSError as error:
            raise SourceError(f"{path}: is gone ({error.strerror})") from error
        told = f"{os.path.basename(path)}\0{found.st_size}\0{found.st_mtime_ns}\0"
        digest.update(os.fsencode(told))
        size += found.st_size
    points = []
    last = places[0]
    for place in places:
        if apart and place - last >= apart:
            points.append(SeekPoint(place, place - places[0]))
            last = place
    return Survey(tuple(points), len(places), digest.hexdigest(), size)


def _surveyed(path: str, wanted: PtsRange, apart: Fraction) -> Survey:
    decoder = VideoDecoder(path)
    try:
        doubt = "" if decoder.seeks else "a seek would give its frames other times"
        scan = _Scan(decoder.stream, wanted, apart, doubt=doubt)
        for packet in decoder.packets_from(wanted.start):
            if not scan.take(packet):
                break
        return scan.survey()
    finally:
        decoder.close()


class _Scan:
    """Goes through packets in the order of decoding."""

    def __init__(
        self, stream: VideoStream, wanted: PtsRange, apart: Fraction, *, doubt: str
    ) -> None:
        self._stream, self._wanted, self._apart = stream, wanted, apart
        self._fields = FieldPairs(stream.codec_context)
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._frames = 0
        self._beyond = 0
        self._doubt = doubt
        self._points: list[SeekPoint] = []
        self._last: int | None = None
        # Times since the last seek point, and that point's own: what is presented before it
        # belongs to the part before, though it may be decoded after it.
        self._opening: int | None = None
        self._times: set[int] = set()
        self._highest: int | None = None
        self._floor: int | None = None

    def take(self, packet: Packet[Any]) -> bool:
        """Count a packet; return whether more are wanted."""
        pts = packet.pts
        self._digest.update(f"{pts} {packet.size} ".encode())
        self._digest.update(packet)
        self._bytes += packet.size
        if packet.stream_index != self._stream.index:
            return True
        if self._fields.completes(packet) or packet.is_discard:
            return True
        if pts is None:
            self._doubt = self._doubt or "a packet has no timestamp"
            self._frames += 1
            return True
        if self._wanted.end is not None and pts >= self._wanted.end:
            self._beyond += 1
            return self._beyond < _REORDERED
        if pts not in self._wanted:
            return True
        if self._last is None:
            self._last = pts
        if packet.is_keyframe:
            self._open(pts, packet)
        elif self._opening is not None and pts < self._opening:
            self._precede(pts)
        if pts in self._times:
            self._doubt = self._doubt or f"two packets have the timestamp {pts}"
        self._times.add(pts)
        self._highest = pts if self._highest is None else max(pts, self._highest)
        self._frames += 1
        return True

    def _open(self, pts: int, packet: Packet[Any]) -> None:
        if self._highest is not None and pts <= self._highest:
            self._doubt = self._doubt or f"the timestamps go back to {pts}"
        self._opening, self._floor = pts, self._highest
        self._times.clear()
        assert self._last is not None
        if self._apart and pts - self._last >= self._apart and opens_cleanly(packet):
            self._points.append(SeekPoint(pts, self._frames))
            self._last = pts

    def _precede(self, pts: int) -> None:
        """Take a frame that is decoded after a seek point and presented before it."""
        if self._floor is not None and pts <= self._floor:
            self._doubt = self._doubt or f"the timestamps go back to {pts}"
        elif self._points and self._points[-1].pts == self._opening:
            self._points[-1] = SeekPoint(self._opening, self._points[-1].before + 1)

    def survey(self) -> Survey:
        """Return what was found."""
        return Survey(
            () if self._doubt else tuple(self._points),
            self._frames,
            self._digest.hexdigest(),
            self._bytes,
            self._doubt,
        )
