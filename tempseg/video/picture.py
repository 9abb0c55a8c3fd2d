"""A decoded frame's pixels, converted only when somebody asks."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av import VideoFrame

from tempseg.errors import SourceError
from tempseg.types import ColourTags, Planes, UInt8Array
from tempseg.video.samples import sample_rows

__all__ = ["DecodedPicture", "is_mirrored"]

# H.273 matrix coefficients.
_BT709, _UNSPECIFIED, _SMPTE170M = 1, 2, 6
_LIMITED, _FULL = 1, 2

# The smallest height that is taken for BT.709 where the stream does not say: players' rule.
_HD_HEIGHT = 720

_PLANES_420 = frozenset({"yuv420p", "yuvj420p", "yuva420p"})
_LUMA_PLANE = _PLANES_420 | {
    "gray",
    *("yuv410p", "yuv411p", "yuvj411p", "yuv422p", "yuvj422p", "yuv440p", "yuvj440p"),
    *("yuv444p", "yuvj444p", "yuva422p", "yuva444p", "nv12", "nv21", "nv16", "nv24", "nv42"),
}


class DecodedPicture:
    """The upright pixels of an FFmpeg frame.

    Samples are handed out where they lie whenever the format allows (rows may then be longer
    than the width: the arrays are not always contiguous); everything else is converted by
    swscale on demand and kept. Alpha is dropped.

    Where the stream does not name its matrix, BT.709 is taken from 720 lines on and BT.601
    below; where it does not name its range, limited, and full for gray. The tags of `yuv420`
    say what was taken. RGB formats become limited-range YUV by the same rule.

    Parameters
    ----------
    frame : av.VideoFrame
        Not to be changed by anybody afterwards.
    quarter_turns : int
        Quarter turns counter-clockwise that bring the frame upright.
    mirrored : bool
        Whether it is turned top to bottom first.
    """

    __slots__ = ("_colour", "_frame", "_gray", "_mirrored", "_name", "_planes", "_rgb", "_turns")

    def __init__(
        self, frame: VideoFrame, *, quarter_turns: int = 0, mirrored: bool = False
    ) -> None:
        self._frame = frame
        self._turns = quarter_turns % 4
        self._mirrored = mirrored
        self._name = frame.format.name
        self._gray = self._name.startswith(("gray", "ya8", "ya16", "mono"))
        self._colour = _colour_tags(frame, gray=self._gray)
        self._planes: Planes | None = None
        self._rgb: UInt8Array | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, upright."""
        height, width = self._frame.height, self._frame.width
        return (width, height) if self._turns % 2 else (height, width)

    def luma(self) -> UInt8Array:
        """Return the luma, shape (H, W); the decoder's own plane for 8-bit planar formats."""
        as_stored = self._turns == 0 and not self._mirrored
        if self._planes is None and as_stored and self._name in _LUMA_PLANE:
            return sample_rows(self._frame.planes[0], np.uint8)
        return self.yuv420().y

    def yuv420(self) -> Planes:
        """Return 4:2:0 planes with their colour tags."""
        if self._planes is None:
            if self._gray:
                y = self._upright(sample_rows(self._reformat("gray").planes[0], np.uint8))
                neutral = np.full(((y.shape[0] + 1) // 2, (y.shape[1] + 1) // 2), 128, np.uint8)
                self._planes = Planes(y, neutral, neutral, self._colour)
            else:
                frame = self._frame
                if self._name not in _PLANES_420:
                    frame = self._reformat("yuv420p")
                y, u, v = (self._upright(sample_rows(frame.planes[i], np.uint8)) for i in range(3))
                self._planes = Planes(y, u, v, self._colour)
        return self._planes

    def rgb(self) -> UInt8Array:
        """Return RGB, shape (H, W, 3), by the matrix and range the stream is tagged with."""
        if self._rgb is None:
            if self._gray:
                self._rgb = _gray_to_rgb(self.luma(), full_range=self._colour.full_range)
            else:
                height, width = self._frame.height, self._frame.width
                rows = sample_rows(self._reformat("rgb24").planes[0], np.uint8, padded=True)
                rows = np.ascontiguousarray(rows[:, : 3 * width])
                self._rgb = self._upright(rows.reshape(height, width, 3))
        return self._rgb

    def _reformat(self, name: str) -> VideoFrame:
        if self._name == name:
            return self._frame
        try:
            return self._converted(name)
        except av.error.FFmpegError as error:
            raise SourceError(
                f"its pixels of format {self._frame.format.name} with colour matrix "
                f"{self._colour.matrix} cannot be converted; encode the video anew, as yuv420p "
                "with BT.709"
            ) from error

    def _converted(self, name: str) -> VideoFrame:
        matrix = _SWS_MATRIX.get(self._colour.matrix, self._colour.matrix)
        value_range = _FULL if self._colour.full_range else _LIMITED
        if _is_rgb(self._frame):
            return self._frame.reformat(
                format=name, dst_colorspace=matrix, dst_color_range=value_range, threads=1
            )
        # swscale's quick path, without ACCURATE_RND: within 2 of the exact value (measured for
        # every matrix and range) at a fifth of the time, 0.4 ms for 1280×720. One thread: 2 gain
        # nothing at this size, and the engine has other work for the second core.
        same = {} if name == "rgb24" else {"dst_colorspace": matrix, "dst_color_range": value_range}
        return self._frame.reformat(
            format=name,
            src_colorspace=matrix,
            src_color_range=value_range,
            threads=1,
            **same,
        )

    def _upright(self, samples: UInt8Array) -> UInt8Array:
        if self._mirrored:
            samples = samples[::-1]
        elif self._turns == 0:
            return samples
        return np.ascontiguousarray(np.rot90(samples, self._turns))


def is_mirrored(frame: VideoFrame) -> bool:
    """Tell whether a frame's display matrix mirrors it besides the turn that its `rotation` is."""
    # A small copy has the same matrix: PyAV ties a frame to its side data in a circle, and a whole
    # picture would stay in memory until the collector comes.
    try:
        small = frame.reformat(width=16, height=16, format="gray", threads=1)
        side_data: Any = small.side_data
        matrix = side_data["DISPLAYMATRIX"]
    except (av.error.FFmpegError, KeyError, ValueError):
        # No such matrix, or beside it what PyAV has no name for.
        return False
    a, b, _, c, d = (int(n) for n in np.frombuffer(matrix, np.int32)[:5])
    return a * d < b * c


# PyAV takes swscale's numbers for matrices, which name BT.601 once and BT.2020 once.
_SWS_MATRIX = {5: 5, _SMPTE170M: 5, 10: 9}


def _is_rgb(frame: VideoFrame) -> bool:
    return frame.format.is_rgb or frame.format.has_palette


def _colour_tags(frame: VideoFrame, *, gray: bool) -> ColourTags:
    matrix = int(frame.colorspace)
    if matrix == _UNSPECIFIED or _is_rgb(frame) or matrix == 0:
        matrix = _BT709 if frame.height >= _HD_HEIGHT else _SMPTE170M
    value_range = int(frame.color_range)
    if gray:
        full_range = value_range != _LIMITED
    else:
        full_range = not _is_rgb(frame) and (
            value_range == _FULL or frame.format.name.startswith("yuvj")
        )
    return ColourTags(matrix, full_range, int(frame.color_primaries), int(frame.color_trc))


def _gray_to_rgb(luma: UInt8Array, *, full_range: bool) -> UInt8Array:
    # swscale takes gray for full range whatever the frame says.
    if not full_range:
        levels = (np.arange(256) - 16) * (255 / 219)
        luma = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[luma]
    return np.repeat(luma[:, :, None], 3, axis=2)
