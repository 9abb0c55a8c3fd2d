"""Labelled pictures in memory, and which of them are kept back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLASS_COUNT",
    "VOID",
    "MaterialError",
    "Pictures",
    "camvid_pictures",
    "class_shares",
    "split_tails",
]

CLASS_COUNT = 11
VOID = 255
_CAMVID_VOID = 11


class MaterialError(Exception):
    """A folder that is not what training needs; says what is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of one size and their labels.

    Parameters
    ----------
    images : ndarray, shape (N, H, W, 3), uint8
        RGB.
    labels : ndarray, shape (N, H, W), uint8
        Class ids below 11; 255 is void.
    names : tuple of str
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.names):
            raise ValueError(
                f"{len(self.images)} images, {len(self.labels)} label maps and "
                f"{len(self.names)} names, expected as many of each"
            )

    def __len__(self) -> int:
        return len(self.names)

    def pick(self, indices: Sequence[int]) -> Pictures:
        """Return some of the pictures."""
        chosen = list(indices)
        return Pictures(
            self.images[chosen], self.labels[chosen], tuple(self.names[i] for i in chosen)
        )


def camvid_pictures(folder: Path) -> Pictures:
    """Return a CamVid folder of .jpg or .png with labels of the same names in `<folder>annot`.

    Raises
    ------
    MaterialError
        When a folder or a label map is missing, or sizes differ.
    """
    labels_folder = folder.with_name(folder.name + "annot")
    for needed in (folder, labels_folder):
        if not needed.is_dir():
            raise MaterialError(f"{needed}: no such folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    if not paths:
        raise MaterialError(f"{folder}: holds no .jpg or .png")
    images, labels = [], []
    for path in paths:
        truth = labels_folder / f"{path.stem}.png"
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        label = cv2.imread(str(truth), cv2.IMREAD_UNCHANGED)
        if image is None or label is None:
            raise MaterialError(f"{path if image is None else truth}: cannot be read as a picture")
        if label.shape != image.shape[:2]:
            raise MaterialError(
                f"{truth}: is {label.shape[1::-1]}, expected {image.shape[1::-1]} as {path.name} is"
            )
        if images and image.shape != images[0].shape:
            raise MaterialError(f"{path}: is {image.shape[1::-1]}, others are not")
        images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        labels.append(np.where(label >= _CAMVID_VOID, VOID, label).astype(np.uint8))
    return Pictures(np.array(images), np.array(labels), tuple(path.stem for path in paths))


def split_tails(names: Sequence[str], share: float) -> tuple[list[int], list[int]]:
    """Return the indices to learn from and, of each drive, those of its last part.

    A block at the end, and not every seventh frame, since neighbours show the same street.

    Parameters
    ----------
    names : sequence of str
        Sorted; what stands before the first underscore names the drive.
    share : float
        Of each drive, to be held out.
    """
    learnt: list[int] = []
    held: list[int] = []
    for _, group in groupby(range(len(names)), key=lambda index: names[index].split("_")[0]):
        drive = list(group)
        first = len(drive) - round(share * len(drive))
        learnt += drive[:first]
        held += drive[first:]
    return learnt, held


def class_shares(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of each class among the pixels that are not void, shape (11,)."""
    counts = np.bincount(labels.ravel(), minlength=VOID + 1)[:CLASS_COUNT]
    return counts / max(1, counts.sum())
