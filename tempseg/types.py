"""The values that cross module borders: frames, answers, motion, evidence, results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from numbers import Rational
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tempseg.class_sets import ClassSet
from tempseg.decisions import Evidence, KeyframeReason, Verdict

__all__ = [
    "ROUNDED_S",
    "VOID_8",
    "VOID_16",
    "BoolArray",
    "ColourTags",
    "FloatArray",
    "Frame",
    "FrameResult",
    "LabelArray",
    "MotionField",
    "Origin",
    "Picture",
    "Placement",
    "Planes",
    "Prediction",
    "RgbPicture",
    "Segment",
    "Segmentation",
    "SegmenterInfo",
    "UInt8Array",
    "VideoInfo",
]

BoolArray = NDArray[np.bool_]
UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
LabelArray = NDArray[np.uint8] | NDArray[np.uint16]

VOID_8 = 255
VOID_16 = 65535

ROUNDED_S = Fraction(6, 10_000_000)
"""A frame is shown at most this much before its time as written to the microsecond.

Half of one; the rest is for binary numbers, which miss halves by a little."""


class Origin(StrEnum):
    """Where a frame's labels come from."""

    SEGMENTED = "segmented"
    """The segmenter ran on this frame."""
    PROPAGATED = "propagated"
    """Carried from keyframes on one side only: before it, or after it at the start of a shot."""
    INTERPOLATED = "interpolated"
    """Carried from keyframes on both sides and blended."""


@dataclass(frozen=True, slots=True)
class ColourTags:
    """How a picture's YUV samples are to be read; numbers as in ITU-T H.273."""

    matrix: int = 2
    full_range: bool = False
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A picture as 4:2:0 planes: `y` (H, W), `u` and `v` ((H+1)//2, (W+1)//2), all uint8."""

    y: UInt8Array
    u: UInt8Array
    v: UInt8Array
    colour: ColourTags

    def __post_init__(self) -> None:
        height, width = self.y.shape
        expected = ((height + 1) // 2, (width + 1) // 2)
        if self.u.shape != expected or self.v.shape != expected:
            raise ValueError(
                f"chroma planes are {self.u.shape} and {self.v.shape}, expected {expected}"
            )


class Picture(Protocol):
    """The pixels of one upright frame, converted only when somebody asks."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    def rgb(self) -> UInt8Array:
        """Return RGB, shape (H, W, 3)."""

    def luma(self) -> UInt8Array:
        """Return the luma, shape (H, W); the decoder's own plane where it can be had."""

    def yuv420(self) -> Planes:
        """Return 4:2:0 planes with their colour tags."""


@dataclass(frozen=True, slots=True, eq=False)
class RgbPicture:
    """A picture that is an RGB array already.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
    """

    image: UInt8Array

    def __post_init__(self) -> None:
        image = self.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(
                f"image is {image.dtype} {image.shape}, expected uint8 (H, W, 3), not empty"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def rgb(self) -> UInt8Array:
        """Return the array itself."""
        return self.image

    def luma(self) -> UInt8Array:
        """Return BT.601 full-range luma."""
        # Not above: reading videos needs no OpenCV, and it takes its time to load.
        import cv2

        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), np.uint8)

    def yuv420(self) -> Planes:
        """Return BT.601 full-range planes, chroma averaged over 2×2 pixels."""
        import cv2

        y, red, blue = cv2.split(cv2.cvtColor(self.image, cv2.COLOR_RGB2YCrCb))
        u, v = (_halved(np.asarray(chroma, np.uint8)) for chroma in (blue, red))
        return Planes(np.asarray(y, np.uint8), u, v, ColourTags(matrix=6, full_range=True))


def _halved(chroma: UInt8Array) -> UInt8Array:
    import cv2

    height, width = chroma.shape
    if height % 2 or width % 2:
        chroma = np.pad(chroma, ((0, height % 2), (0, width % 2)), mode="edge")
    size = (chroma.shape[1] // 2, chroma.shape[0] // 2)
    return np.asarray(cv2.resize(chroma, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One upright frame with its exact presentation time.

    Parameters
    ----------
    index : int
        Place in the run, from 0; an image that could not be read keeps its place.
    pts : int
        Presentation time in units of `time_base`.
    time_base : Fraction
        Seconds a unit of `pts`.
    picture : Picture
        The pixels.
    """

    index: int
    pts: int
    time_base: Fraction
    picture: Picture

    @classmethod
    def from_image(
        cls, image: UInt8Array, *, index: int = 0, pts: int = 0, time_base: Fraction = Fraction(1)
    ) -> Frame:
        """Return a frame of a copy of an RGB array, shape (H, W, 3), uint8.

        The array is the caller's to fill again: frames are looked at long after they were taken.

        Raises
        ------
        TypeError
            When the image is no array, or the time base no whole number or Fraction.
        ValueError
            When the image is of another shape or type, or empty.
        """
        if not isinstance(image, np.ndarray):
            raise TypeError(f"image is a {type(image).__name__}, expected an array (H, W, 3)")
        if not isinstance(time_base, Rational):
            raise TypeError(
                f"time_base is a {type(time_base).__name__}, expected a Fraction: seconds a unit"
            )
        return cls(index, pts, time_base, RgbPicture(np.array(image, order="C")))

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        # As float() of the product, whose making would take twenty times as long.
        return self.pts * self.time_base.numerator / self.time_base.denominator

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.picture.size

    @property
    def image(self) -> UInt8Array:
        """RGB, shape (H, W, 3), uint8, rotation applied."""
        return self.picture.rgb()

    @property
    def luma(self) -> UInt8Array:
        """Luma, shape (H, W), uint8."""
        return self.picture.luma()


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a source before its first frame.

    Parameters
    ----------
    name : str
        Path or pattern, as the user gave it.
    width, height : int
        Size of the upright frames in pixels.
    time_base : Fraction
        Seconds a unit of every frame's `pts`.
    frame_rate : Fraction
        Average frames a second; a hint for encoders, never used for times.
    frame_count : int or None
        Expected number of frames, where the container tells or the files can be counted.
    media_path : str or None
        The file whose audio belongs to the frames, where there is one.
    start_s, end_s : float or None
        The part asked for, in seconds from the first frame of the whole source.
    origin_s : Fraction
        That frame's presentation time.
    pixel_aspect : Fraction
        Width of an upright frame's pixels over their height.
    """

    name: str
    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction
    frame_count: int | None = None
    media_path: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    pixel_aspect: Fraction = Fraction(1)
    origin_s: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model's output grid lies on the frame.

    A frame pixel (x, y), integer at pixel centres, falls on the grid at
    `(scale_x * x + offset_x, scale_y * y + offset_y)`, integer at cell centres.
    """

    scale_x: float
    offset_x: float
    scale_y: float
    offset_y: float

    def __post_init__(self) -> None:
        values = self.scale_x, self.offset_x, self.scale_y, self.offset_y
        if not all(map(math.isfinite, values)):
            raise ValueError(f"placement is {values}, expected finite numbers")

    @classmethod
    def stretch(cls, grid: tuple[int, int], frame: tuple[int, int]) -> Placement:
        """Return the placement of a grid (h, w) that covers a frame (H, W) edge to edge."""
        scale_y, scale_x = grid[0] / frame[0], grid[1] / frame[1]
        return cls(scale_x, 0.5 * scale_x - 0.5, scale_y, 0.5 * scale_y - 0.5)


@dataclass(frozen=True, slots=True)
class Segment:
    """One labelled thing or class: what a segment id in a label map stands for."""

    segment_id: int
    class_id: int
    score: float = 1.0
    is_thing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a segmenter answers, on its own output grid.

    Exactly one of `labels` and `scores` is given.

    Parameters
    ----------
    placement : Placement
        Where the grid lies on the frame.
    labels : ndarray, shape (h, w), uint8 or uint16, optional
        Segment ids; 255 (65535 in 16 bits) is void.
    scores : ndarray, shape (h, w, C), float32, C-contiguous, optional
        Class probabilities in [0, 1].
    segments : mapping of int to Segment
        What the ids stand for, all that `labels` show but void; empty where an id is its class. A
        function may leave out ids that are their class, and background (0). The segmenter keeps its
        ids steady itself: the same id on two keyframes is the same thing, and nothing is put in
        order between them.
    """

    placement: Placement
    labels: LabelArray | None = None
    scores: FloatArray | None = None
    segments: Mapping[int, Segment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.labels is None) == (self.scores is None):
            raise ValueError("a prediction takes either labels or scores")
        if self.labels is not None and (
            self.labels.ndim != 2
            or self.labels.dtype not in (np.uint8, np.uint16)
            or self.labels.size == 0
        ):
            raise ValueError(
                f"labels are {self.labels.dtype} {self.labels.shape}, "
                "expected uint8 or uint16 (h, w), not empty"
            )
        if self.scores is not None and (
            self.scores.ndim != 3
            or self.scores.dtype != np.float32
            or not self.scores.flags.c_contiguous
            or self.scores.size == 0
        ):
            raise ValueError(
                f"scores are {self.scores.dtype} {self.scores.shape}, "
                "expected C-contiguous float32 (h, w, C), not empty"
            )


@dataclass(frozen=True, slots=True)
class SegmenterInfo:
    """What a segmenter is: for palettes, storage and the record of the run.

    Parameters
    ----------
    name : str
        The model as the user named it.
    runtime : str
        The adapter's name: `litert`, `saved_model`, `masks`, …
    class_set : ClassSet
        Names and colours of the classes.
    sha256 : str
        Hash of the model's bytes, in hex; of a function that of the file its module lies in.
        Empty where there is none.
    label_bits : int
        8, or 16 where ids can pass 254.
    assumptions : tuple of str
        What was assumed because neither config nor model said it.
    remembers : bool
        An answer depends on those before it, as of a model that takes its own previous mask.
    """

    name: str
    runtime: str
    class_set: ClassSet
    sha256: str = ""
    label_bits: int = 8
    assumptions: tuple[str, ...] = ()
    remembers: bool = False

    def __post_init__(self) -> None:
        if self.label_bits not in (8, 16):
            raise ValueError(f"label_bits is {self.label_bits}, expected 8 or 16")


@dataclass(frozen=True, slots=True, eq=False)
class MotionField:
    """A pull field on the target's working grid: `target(p) = source(p + flow(p))`.

    Parameters
    ----------
    source_index, target_index : int
        Frame indices the values come from and land on.
    flow : ndarray, shape (h, w, 2), float32
        (dx, dy) in pixels of the working grid.
    """

    source_index: int
    target_index: int
    flow: FloatArray

    def __post_init__(self) -> None:
        if self.flow.dtype != np.float32 or self.flow.ndim != 3 or self.flow.shape[2] != 2:
            raise ValueError(
                f"flow is {self.flow.dtype} {self.flow.shape}, expected float32 (h, w, 2)"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The answer for one frame.

    Parameters
    ----------
    labels : ndarray, shape (H, W), uint8 or uint16
        One segment id a pixel; 255 (65535 in 16 bits) is void.
    segments : mapping of int to Segment
        What the ids stand for; empty where an id is its class.
    confidence : ndarray, shape (h, w), float32, or None
        How well a keyframe explains the picture, on the motion's grid: 1 as it was carried, 0 not
        at all. None on keyframes, which need no explanation.
    """

    labels: LabelArray
    segments: Mapping[int, Segment] = field(default_factory=dict)
    confidence: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """A frame with its answer, where that came from, and why.

    Parameters
    ----------
    frame : Frame
    segmentation : Segmentation
    origin : Origin
    reason : KeyframeReason or None
        Why the segmenter ran; none on frames between keyframes.
    evidence : Evidence or None
        What the policy saw; none where it did not need to look.
    verdict : Verdict or None
        What the policy said to it; none on frames that no policy was asked about.
    shot : int
        Number of the frame's shot, from 0.
    """

    frame: Frame
    segmentation: Segmentation
    origin: Origin
    reason: KeyframeReason | None = None
    evidence: Evidence | None = None
    verdict: Verdict | None = None
    shot: int = 0
