"""What a user may say about a model, and what is guessed where they do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tempseg.class_sets import ClassSet, class_set, custom, generic

__all__ = ["ClassChoice", "SegmenterOptions", "choose_classes"]

GUESSED_COUNT = 255
"""Classes assumed where nothing tells; the most that 8-bit label maps can hold."""


@dataclass(frozen=True, slots=True)
class SegmenterOptions:
    """Everything that config can say about a model.

    Parameters
    ----------
    input_size : (int, int) or None
        Width and height that the model takes; needed only where the model leaves them open.
    colour_order : str
        `rgb` or `bgr`.
    mean, scale : float, tuple of three floats, or None
        Input value = (pixel - mean) * scale, in `colour_order`; none for the model's own habit.
    resize : str
        `stretch` to the input, or `letterbox`: keep the aspect, pad around the middle.
    output : str
        What the model gives; `auto` looks at the first answer.
    output_name : str or None
        Which output to read, where the model has several.
    signature : str
        Which function of a SavedModel to call; of a LiteRT file only its first graph's is accepted.
    threshold : float
        Foreground probability at which a one-channel model's pixel becomes foreground.
    threads : int or None
        Threads for the model; none for the CPUs this process may use, at most eight.
    timeout_s : float or None
        Seconds that a frame may take; none for any time.
    classes : str or tuple of str
        A class set's name, the class names themselves, or `auto`.
    runtime : str
        `auto`: the one for the kind of file; `opencv`: OpenCV dnn.
    tiles : (int, int) or None
        Width and height of the tiles that frames are shown in, in pixels; none for whole frames.
    tile_overlap : float
        Share of a tile that its neighbour sees too; in [0, 0.9].
    flip : bool
        Whether frames are shown mirrored, too.
    batch : int
        Images that the model is shown at once, where as many are known; models with an open batch
        dimension only.
    scales : tuple of float
        How large things are shown, in [0.5, 4]; several are averaged.
    masks : str
        How label images are read: `binary`, `index`, or `auto`.
    first_mask : int
        Which label image, counted from 0, belongs to the first frame.
    """

    input_size: tuple[int, int] | None = None
    colour_order: Literal["rgb", "bgr"] = "rgb"
    mean: float | tuple[float, float, float] | None = None
    scale: float | tuple[float, float, float] | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"
    output: Literal["auto", "argmax", "logits", "probabilities", "sigmoid"] = "auto"
    output_name: str | None = None
    signature: str = "serving_default"
    threshold: float = 0.5
    threads: int | None = None
    timeout_s: float | None = None
    classes: str | tuple[str, ...] = "auto"
    runtime: Literal["auto", "opencv"] = "auto"
    tiles: tuple[int, int] | None = None
    tile_overlap: float = 0.25
    flip: bool = False
    batch: int = 1
    scales: tuple[float, ...] = (1.0,)
    masks: Literal["auto", "binary", "index"] = "auto"
    first_mask: int = 0

    def __post_init__(self) -> None:
        if self.input_size is not None and min(self.input_size) < 1:
            raise ValueError(f"input_size is {self.input_size}, expected positive (width, height)")
        if not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold is {self.threshold}, expected between 0 and 1")
        if self.tiles is not None and min(self.tiles) < 1:
            raise ValueError(f"tiles are {self.tiles}, expected positive (width, height)")
        if not 0.0 <= self.tile_overlap <= 0.9:
            raise ValueError(f"tile_overlap is {self.tile_overlap}, expected 0 to 0.9")
        if not self.scales or not all(0.5 <= scale <= 4 for scale in self.scales):
            raise ValueError(f"scales are {self.scales}, expected one or more from 0.5 to 4")
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}, expected at least 1")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}, expected at least 1")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}, expected above 0")


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """The classes of a model, what was assumed to find them, and on what grounds.

    `why` is empty where config names them.
    """

    class_set: ClassSet
    assumptions: tuple[str, ...] = ()
    why: str = ""


def choose_classes(
    options: SegmenterOptions, *, path: str | Path, channels: int | None
) -> ClassChoice:
    """Return the classes that config names, or a guess from channel count and file name.

    Parameters
    ----------
    options : SegmenterOptions
    path : str or Path
        The model's file or folder.
    channels : int or None
        Classes the model tells apart; one for a single foreground channel.

    Raises
    ------
    ConfigError
        When `options.classes` names no class set.
    """
    if options.classes != "auto":
        return ClassChoice(named_classes(options.classes))
    words = set(re.findall(r"[a-z]+", Path(path).stem.lower()))
    chosen, why = _guess(words, channels)
    advice = "set segmenter.classes if that is wrong"
    told = f"classes: {why} taken as {_told(chosen)}; {advice}"
    return ClassChoice(chosen, (told,), why)


def named_classes(classes: str | tuple[str, ...]) -> ClassSet:
    """Return the class set that a config value stands for."""
    return class_set(classes) if isinstance(classes, str) else custom(classes)


def _told(chosen: ClassSet) -> str:
    return f"{chosen.name} ({len(chosen.names)} classes)"


def _guess(words: set[str], channels: int | None) -> tuple[ClassSet, str]:
    if channels is None:
        for name, hints in _NAME_HINTS.items():
            hint = sorted(words & hints)
            if hint:
                return class_set(name), f"{hint[0]!r} in the name"
        return generic(GUESSED_COUNT), "a model that does not tell its classes"
    if channels in (1, 2):
        for name in ("hair", "person"):
            hint = sorted(words & _NAME_HINTS[name])
            if hint:
                return class_set(name), f"{channels} channel(s) and {hint[0]!r} in the name"
        return class_set("binary"), f"{channels} channel(s)"
    if channels == 12:
        camvid = class_set("camvid")
        with_void = ClassSet(
            "camvid",
            (*camvid.names, "void"),
            (*camvid.colours, (0, 0, 0)),
            frozenset({11}),
        )
        return with_void, "12 channels"
    if channels == 19:
        full = class_set("cityscapes")
        return ClassSet("cityscapes", full.names[:19], full.colours[:19]), "19 channels"
    if channels in _COUNTS:
        return class_set(_COUNTS[channels]), f"{channels} channels"
    return generic(channels), f"{channels} channels"


_COUNTS = {11: "camvid", 20: "cityscapes", 21: "voc", 32: "ade20k32", 150: "ade20k"}
_NAME_HINTS = {
    "voc": frozenset({"pascal", "voc"}),
    "cityscapes": frozenset({"cityscapes", "city"}),
    "ade20k": frozenset({"ade"}),
    "camvid": frozenset({"camvid"}),
    "hair": frozenset({"hair"}),
    "person": frozenset({"person", "selfie", "selfiesegmentation", "portrait", "human", "people"}),
}
