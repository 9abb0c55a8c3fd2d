"""Packets that hold the second field of a frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av.packet import Packet

from tempseg.video.idr import units

__all__ = ["FieldPairs"]

_SLICES = (1, 5)
_SPS = 7
# Bytes of a slice that hold all that is read of it.
_HEAD = 24
# Profiles whose parameters tell the chroma format (ITU-T H.264, 7.3.2.1.1).
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


class FieldPairs:
    """Finds the second fields among a stream's packets, in the order of decoding.

    FFmpeg hands out each field of interlaced H.264 as a packet of its own where a frame is coded
    as two, as camcorders and broadcasters do: a frame is then two packets, of which the second
    may have no time.

    Parameters
    ----------
    context : av.codec.context.CodecContext
        The stream's.
    """

    def __init__(self, context: Any) -> None:
        self._head = _slice_head(context)
        self._extradata = context.extradata or b""
        self._first: tuple[int, int] | None = None

    def completes(self, packet: Packet[Any]) -> bool:
        """Tell whether a packet holds a frame's second field; to be asked of every packet."""
        if self._head is None or not packet.size:
            return False
        fields = set(self._fields(bytes(packet)))
        # Both in one packet, or a whole frame: there is none to wait for.
        field = fields.pop() if len(fields) == 1 else None
        first, self._first = self._first, field
        if field is None or first is None or field == first or field[0] != first[0]:
            return False
        self._first = None
        return True

    def _fields(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield the number of the frame and which field of it, of each slice of a field."""
        assert self._head is not None
        colour_bits, number_bits = self._head
        for unit in units(data, self._extradata):
            if unit[0] & 31 in _SLICES:
                bits = _Bits(unit[1:_HEAD])
                for _ in range(3):
                    bits.golomb()
                bits.number(colour_bits)
                number = bits.number(number_bits)
                if bits.number(1):
                    yield number, bits.number(1)


def _slice_head(context: Any) -> tuple[int, int] | None:
    """Return how many bits of a slice tell the colour plane, and how many the frame's number.

    None where every picture is a whole frame.
    """
    if context.name != "h264":
        return None
    extradata = context.extradata or b""
    if extradata[:1] == b"\x01":
        # The set's length lies behind six bytes of the header, and the set behind it.
        sets = [extradata[8 : 8 + int.from_bytes(extradata[6:8], "big")]]
    else:
        sets = [unit for unit in units(extradata, b"") if unit[0] & 31 == _SPS]
    if not sets or not sets[0]:
        return None
    return _read_set(_Bits(sets[0][1:]))


def _read_set(bits: _Bits) -> tuple[int, int] | None:
    colour_bits = 0
    profile = bits.number(8)
    bits.number(16)
    bits.golomb()
    if profile in _WITH_CHROMA:
        chroma = bits.golomb()
        if chroma == 3:
            colour_bits = 2 * bits.number(1)
        bits.golomb()
        bits.golomb()
        bits.number(1)
        if bits.number(1):
            for place in range(12 if chroma == 3 else 8):
                if bits.number(1):
                    _skip_scaling(bits, 16 if place < 6 else 64)
    number_bits = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.number(1)
        bits.golomb()
        bits.golomb()
        # More than the standard's 255 are damage.
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()
    bits.number(1)
    bits.golomb()
    bits.golomb()
    return None if bits.number(1) else (colour_bits, number_bits)


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            step = (code + 1) // 2 if code % 2 else -(code // 2)
            following = (last + step) % 256
        last = following or last


class _Bits:
    """Numbers out of a unit's payload; behind its end all bits are 0."""

    def __init__(self, payload: bytes) -> None:
        # Where two zeros would be followed by less than four, a three has been put between.
        content = payload.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def number(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            return 0
        return (self._value >> self._left) & ((1 << bits) - 1)

    def golomb(self) -> int:
        zeros = 0
        while self._left > 0 and not self.number(1):
            zeros += 1
        return (1 << zeros) - 1 + self.number(zeros)
