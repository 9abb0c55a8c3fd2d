"""Whether what follows a packet decodes without what lies before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av.packet import Packet

__all__ = ["opens_cleanly", "units"]

_IDR, _SEI = 5, 6
_RECOVERY_POINT = 6


def opens_cleanly(packet: Packet[Any]) -> bool:
    """Tell whether every frame from a packet's on can be decoded exactly, starting with it.

    Containers and FFmpeg flag more than that for H.264, such as the beginning of a gradual
    refresh: an instantaneous refresh is needed, or a recovery point that is exact at once. The
    keyframes of other codecs are taken as they are.
    """
    if not packet.is_keyframe:
        return False
    context = packet.stream.codec_context
    if context.name != "h264":
        return True
    extradata = context.extradata or b""
    data = bytes(packet)
    for unit in units(data, extradata):
        kind = unit[0] & 31
        if kind == _IDR or (kind == _SEI and _recovers_at_once(unit)):
            return True
    return False


def units(data: bytes, extradata: bytes) -> Iterator[bytes]:
    """Yield NAL units, length-prefixed as in MP4 or after start codes as in a stream."""
    if extradata[:1] == b"\x01" and len(extradata) > 4:
        width = (extradata[4] & 3) + 1
        place = 0
        while place + width < len(data):
            length = int.from_bytes(data[place : place + width], "big")
            place += width
            if length:
                yield data[place : place + length]
            place += length
        return
    place = data.find(b"\0\0\1")
    while place >= 0:
        following = data.find(b"\0\0\1", place + 3)
        unit = data[place + 3 : following if following >= 0 else len(data)]
        if unit:
            yield unit
        place = following


def _recovers_at_once(unit: bytes) -> bool:
    """Tell whether a message unit holds a recovery point of no frames, exactly matching."""
    place = 1
    while place + 2 < len(unit):
        kind, place = _sum_of_bytes(unit, place)
        size, place = _sum_of_bytes(unit, place)
        if kind == _RECOVERY_POINT and place < len(unit):
            # The count as an Exp-Golomb code, of which a 1 stands for 0, then the exactness.
            return unit[place] & 0xC0 == 0xC0
        place += size
    return False


def _sum_of_bytes(unit: bytes, place: int) -> tuple[int, int]:
    value = 0
    while place < len(unit) and unit[place] == 255:
        value += 255
        place += 1
    if place < len(unit):
        value += unit[place]
    return value, place + 1
