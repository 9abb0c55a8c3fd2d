"""Label images on disk in place of a model: one a frame, in natural order."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from tempseg.class_sets import ClassSet, class_set, generic
from tempseg.errors import ModelError, ModelSettingError, SourceError
from tempseg.label_images import list_images, read_label_image
from tempseg.segmenters.options import SegmenterOptions, named_classes
from tempseg.types import (
    VOID_8,
    VOID_16,
    Frame,
    LabelArray,
    Placement,
    Prediction,
    SegmenterInfo,
)

__all__ = ["PrecomputedSegmenter"]

_DEFAULTS = SegmenterOptions()
_SAMPLE = 64


class PrecomputedSegmenter:
    """Answers frame `n` with the `n`-th label image of a folder, from 0.

    Parameters
    ----------
    folder : str or Path
    options : SegmenterOptions
        `masks`: `index` takes ids as they are; `binary` takes every non-zero pixel for
        foreground, id 1; `auto` is binary where a sample of images holds 0 and 255 only. `classes`:
        by default `binary`, or as many nameless classes as the sample's highest id asks for.

    Raises
    ------
    ModelError
        When there is no image to answer with.
    """

    def __init__(self, folder: str | Path, options: SegmenterOptions = _DEFAULTS) -> None:
        self._folder = str(folder)
        if not self._folder:
            raise ModelError("masks: names no folder; give masks:FOLDER")
        self._first = options.first_mask
        try:
            self._images = list_images(folder)
        except SourceError as error:
            raise ModelError(str(error)) from error
        if not self._images:
            raise ModelError(f"{folder}: holds no label images; give a folder of PNG files")
        self._strict = options.masks == "auto"
        self._binary = options.masks == "binary"
        highest = 0
        if options.masks == "auto" or (options.classes == "auto" and not self._binary):
            sample = [_Found.of(self._read(path)) for path in _spread(self._images)]
            highest = max(found.highest for found in sample)
            self._binary = (
                self._strict
                and all(found.two_valued for found in sample)
                and any(found.foreground for found in sample)
            )
        classes, assumptions = self._classes(options, highest)
        self._class_count = len(classes.names)
        if self._binary and self._class_count < 2:
            raise ModelError(
                f"{folder}: binary masks need two classes, but segmenter.classes names "
                f"{self._class_count}; name the background first"
            )
        self._info = SegmenterInfo(
            f"masks:{folder}",
            "masks",
            classes,
            sha256=_names_and_sizes(self._images),
            label_bits=16 if self._class_count > VOID_8 else 8,
            assumptions=assumptions,
        )

    @property
    def info(self) -> SegmenterInfo:
        """What the masks are; `sha256` covers names and sizes of the files, not their bytes."""
        return self._info

    def segment(self, frame: Frame) -> Prediction:
        """Return the label image that belongs to a frame."""
        place = self._first + frame.index
        if place >= len(self._images):
            raise ModelError(
                f"{self._folder}: holds {len(self._images)} label images, but frame "
                f"{frame.index} asks for number {place + 1}; give one for each frame of the source"
            )
        path = self._images[place]
        raw = self._read(path)
        height, width = frame.size
        rows, columns = raw.shape
        # The aspect may differ by what rounding a scaled side to whole pixels takes.
        if abs(columns * height - rows * width) > max(height, width):
            raise ModelError(
                f"{path}: is {columns}x{rows}, but frame {frame.index} is {width}x{height}; "
                "label images need the frame's size or its aspect"
            )
        labels = self._foreground(raw, path) if self._binary else self._ids(raw, path)
        return Prediction(Placement.stretch((rows, columns), (height, width)), labels=labels)

    def _read(self, path: Path) -> LabelArray:
        try:
            return read_label_image(path)
        except SourceError as error:
            raise ModelError(str(error)) from error

    def _classes(self, options: SegmenterOptions, highest: int) -> tuple[ClassSet, tuple[str, ...]]:
        if options.classes != "auto":
            return named_classes(options.classes), ()
        if self._binary or highest <= 1:
            return class_set("binary"), ()
        told = f"classes: ids up to {highest} in {min(len(self._images), _SAMPLE)} label images"
        return generic(highest + 1), (
            f"{told} taken for {highest + 1} nameless classes; set segmenter.classes to name them",
        )

    def _foreground(self, raw: LabelArray, path: Path) -> LabelArray:
        found = _Found.of(raw)
        if self._strict and not found.two_valued:
            raise ModelSettingError(
                f"{path}: holds id {found.highest}, but others hold 0 and 255 only; "
                "set segmenter.masks to 'index' or 'binary'"
            )
        return (raw > 0).astype(np.uint8)

    def _ids(self, raw: LabelArray, path: Path) -> LabelArray:
        own_void = np.iinfo(raw.dtype).max
        void = VOID_16 if self._class_count > VOID_8 else VOID_8
        known = (raw < self._class_count) & (raw != own_void)
        if not known.all():
            stray = ~known & (raw != own_void) & (raw != void)
            if stray.any():
                raise ModelSettingError(
                    f"{path}: holds id {raw[stray][0]}, expected 0 to {self._class_count - 1}, or "
                    f"{own_void} for void; set segmenter.classes to a set that covers it"
                )
        labels = raw.astype(np.uint16)
        labels[~known] = void
        return labels if void == VOID_16 else labels.astype(np.uint8)


class _Found:
    """What one label image holds."""

    def __init__(self, values: list[int], void: int) -> None:
        self.foreground = VOID_8 in values or VOID_16 in values
        self.two_valued = set(values) <= {0, VOID_8, VOID_16}
        self.highest = max((value for value in values if value != void), default=0)

    @classmethod
    def of(cls, raw: LabelArray) -> _Found:
        counts = np.bincount(raw.ravel())
        return cls(np.flatnonzero(counts).tolist(), int(np.iinfo(raw.dtype).max))


def _spread(images: list[Path]) -> list[Path]:
    if len(images) <= _SAMPLE:
        return images
    places = np.linspace(0, len(images) - 1, _SAMPLE).round().astype(int)
    return [images[place] for place in places]


def _names_and_sizes(images: list[Path]) -> str:
    digest = hashlib.sha256()
    for image in images:
        digest.update(os.fsencode(f"{image.name}\0{image.stat().st_size}\0"))
    return digest.hexdigest()
