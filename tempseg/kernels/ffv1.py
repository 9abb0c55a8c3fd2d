"""A kernel that writes label maps as FFV1, a run of equal labels at a time.

The Golomb-Rice coder of version 3 with 8 bits and the smallest context, as RFC 9043 has it. General
encoders look at every sample; most of a label map lies within one label, and is passed over here
eight samples at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempseg.kernels._jit import inlined, kernel
from tempseg.types import UInt8Array

IntArray = NDArray[np.int64]

__all__ = ["CONTEXTS", "encode_slice", "fresh_states", "most_bytes"]

_LEVELS = np.repeat(np.arange(6), (1, 1, 3, 7, 23, 93))
_QUANTISED = np.concatenate([_LEVELS, -_LEVELS[-1:], -_LEVELS[:0:-1]]).astype(np.int64)
"""What a difference of two samples, modulo 256, counts as."""

_STEPS = 11
CONTEXTS = (_STEPS**3 + 1) // 2

_RUN_BITS = np.repeat(np.arange(25), [4] * 4 + [2] * 4 + [1] * 17).astype(np.int64)
"""How many bits the length of a run takes, by how long those before were."""

_MOST_ZEROS, _ESCAPED_BITS = 12, 8
_MOST_COUNTED = 128

_WORD = 8


def fresh_states(slices: int) -> IntArray:
    """Return what is known at a keyframe of the samples of each context: nothing."""
    # Of each context: drift, sum of errors, bias, count.
    return np.tile(np.array([0, 4, 0, 1], np.int64), (slices, CONTEXTS, 1))


def most_bytes(height: int, width: int) -> int:
    """Return what `encode_slice` may write at most."""
    # A sample takes 20 bits, and as many as there are in _RUN_BITS where it ends a run.
    return height * width * 6 + 64


@inlined
def _put(
    out: UInt8Array, at: int, held: np.uint64, bits: int, length: int, value: int
) -> tuple[int, np.uint64, int]:
    """Append bits to those that are held; write the whole bytes among them."""
    held = np.uint64((held << np.uint64(length)) | np.uint64(value))
    bits += length
    while bits >= 8:
        bits -= 8
        out[at] = np.uint8((held >> np.uint64(bits)) & np.uint64(255))
        at += 1
    return at, held, bits


@inlined
def _signed(sample: np.uint8) -> int:
    # What `int` makes of it has no sign.
    return np.int64(sample)  # type: ignore[return-value]


@inlined
def _folded(difference: int) -> int:
    return ((difference + 128) & 255) - 128


@kernel
def encode_slice(
    labels: UInt8Array, part: tuple[int, int, int, int], states: IntArray, out: UInt8Array
) -> int:
    """Write the samples of a slice, what comes behind its header; return how many bytes.

    Parameters
    ----------
    labels : array, shape (H, W)
    part : (int, int, int, int)
        The slice's first row and column, height and width.
    states : array, shape (CONTEXTS, 4)
        Of `fresh_states` at a keyframe; goes on from frame to frame.
    out : array, shape (most_bytes(height, width),)
    """
    first_row, first_column, height, width = part
    # Rows with room for the samples beside them, and for whole words.
    room = (width // _WORD + 2) * _WORD
    own, above = np.zeros((2, room + 2), np.uint8)
    uneven = np.zeros(room, np.uint8)
    words = uneven.view(np.uint64)
    at, held, bits = 0, np.uint64(0), 0
    run_index = 0
    for y in range(height):
        own, above = above, own
        own[0], above[width + 1] = above[1], above[width]
        line = labels[first_row + y, first_column : first_column + width]
        for x in range(width):
            own[x + 1] = line[x]
        for x in range(width):
            label = own[x + 1]
            uneven[x] = (
                (own[x] ^ label)
                | (above[x] ^ label)
                | (above[x + 1] ^ label)
                | (above[x + 2] ^ label)
            )
        # Ends the search for the next uneven sample.
        uneven[width] = 1
        run, in_run = 0, False
        x = 0
        while True:
            begin = x
            while x % _WORD and uneven[x] == 0:
                x += 1
            if uneven[x] == 0:
                word = x // _WORD
                while words[word] == 0:
                    word += 1
                x = word * _WORD
                while uneven[x] == 0:
                    x += 1
            if x > begin:
                run += x - begin
                in_run = True
            if x >= width:
                break
            left, corner = _signed(own[x]), _signed(above[x])
            top, beside = _signed(above[x + 1]), _signed(above[x + 2])
            slope = left + top - corner
            expected = max(min(left, top), min(max(left, top), slope))
            difference = _signed(own[x + 1]) - expected
            context = (
                _QUANTISED[(left - corner) & 255]
                + _STEPS * _QUANTISED[(corner - top) & 255]
                + _STEPS * _STEPS * _QUANTISED[(top - beside) & 255]
            )
            if context < 0:
                context, difference = -context, -difference
            difference = _folded(difference)
            in_run |= context == 0
            x += 1
            if in_run and difference == 0:
                run += 1
                continue
            if in_run:
                while run >= 1 << _RUN_BITS[run_index]:
                    run -= 1 << _RUN_BITS[run_index]
                    run_index += 1
                    at, held, bits = _put(out, at, held, bits, 1, 1)
                at, held, bits = _put(out, at, held, bits, 1 + _RUN_BITS[run_index], run)
                run_index = max(run_index - 1, 0)
                run, in_run = 0, False
                # It is known not to be 0.
                difference -= difference > 0
            state = states[context]
            drift, errors, bias, count = state[0], state[1], state[2], state[3]
            difference = _folded(difference - bias)
            k, reach = 0, count
            while reach < errors:
                k += 1
                reach += reach
            code = ~difference if 2 * drift + count < 0 else difference
            code = 2 * code if code >= 0 else -2 * code - 1
            zeros = code >> k
            if zeros < _MOST_ZEROS:
                value = (1 << k) + (code & ((1 << k) - 1))
                at, held, bits = _put(out, at, held, bits, zeros + k + 1, value)
            else:
                length = _MOST_ZEROS + _ESCAPED_BITS
                at, held, bits = _put(out, at, held, bits, length, code - _MOST_ZEROS + 1)
            errors += abs(difference)
            drift += difference
            if count == _MOST_COUNTED:
                count, drift, errors = count >> 1, drift >> 1, errors >> 1
            count += 1
            if drift <= -count:
                bias = max(bias - 1, -128)
                drift = max(drift + count, 1 - count)
            elif drift > 0:
                bias = min(bias + 1, 127)
                drift = min(drift - count, 0)
            state[0], state[1], state[2], state[3] = drift, errors, bias, count
        if in_run:
            while run >= 1 << _RUN_BITS[run_index]:
                run -= 1 << _RUN_BITS[run_index]
                run_index += 1
                at, held, bits = _put(out, at, held, bits, 1, 1)
            if run:
                at, held, bits = _put(out, at, held, bits, 1, 1)
    if bits:
        at, held, bits = _put(out, at, held, bits, 8 - bits, 0)
    return at
