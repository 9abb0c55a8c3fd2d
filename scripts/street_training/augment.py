"""One picture to many: other distances, other light, another camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from street_training.material import VOID

__all__ = ["Augmentation", "augmented"]

# Poles, signs, fences, pedestrians and bicyclists: few pixels, and half of what is judged.
_RARE = (2, 6, 7, 9, 10)
_GRAY = np.full((3, 3), 1 / 3, np.float32)
_NOISE = np.random.default_rng(0).normal(0, 1, (1 << 20) + 4096).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a picture is changed.

    Parameters
    ----------
    height, width : int
        Of what comes out; labels come out at half.
    smallest, largest : float
        Bounds of the scale.
    aspect : tuple of float
        Bounds of the logarithm of the horizontal stretch beyond the fit of the whole picture.
    rare : float
        Share of pictures whose window is laid around a pixel of a rare class.
    """

    height: int = 360
    width: int = 480
    smallest: float = 0.65
    largest: float = 2.0
    aspect: tuple[float, float] = (-0.15, 0.15)
    rare: float = 0.35


def augmented(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    how: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a changed picture and its labels at half its size; 255 where nothing was filmed."""
    place = _placed(labels, how, rng)
    size = (how.width, how.height)
    shown = cv2.warpAffine(
        image, place, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    # Pixel centres lie at half-integers: u' = (u + 0.5) / 2 - 0.5.
    halved = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]]) @ np.vstack([place, [0, 0, 1]])
    truth = cv2.warpAffine(
        labels,
        halved,
        (how.width // 2, how.height // 2),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=VOID,
    )
    return _relit(shown, rng), truth


def _placed(
    labels: NDArray[np.uint8], how: Augmentation, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the affine map from the picture to the window."""
    height, width = labels.shape
    scale = float(np.exp(rng.uniform(np.log(how.smallest), np.log(how.largest))))
    scale_x = scale * how.width / width * float(np.exp(rng.uniform(*how.aspect)))
    scale_y = scale * how.height / height
    if rng.random() < 0.5:
        scale_x = -scale_x
    angle = np.deg2rad(rng.normal(0, 2.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([scale_x, scale_y])
    free = np.array(
        [
            max(0.0, width - how.width / abs(scale_x)) / 2,
            max(0.0, height - how.height / scale_y) / 2,
        ]
    )
    middle = np.array([width / 2, height / 2])
    target = np.array([how.width / 2, how.height / 2])
    aim = _rare_pixel(labels, rng) if rng.random() < how.rare else None
    if aim is None:
        aim = middle + rng.uniform(-1, 1, 2) * free
    else:
        aim = np.clip(aim, middle - free, middle + free)
    # Where the picture is smaller than the window it may lie anywhere in it.
    spare = np.array(
        [how.width - width * abs(scale_x), how.height - height * scale_y]
    ).clip(0) / 2  # fmt: skip
    target = target + rng.uniform(-1, 1, 2) * spare
    return np.column_stack([linear, target - linear @ aim])


def _rare_pixel(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float64] | None:
    coarse = labels[::4, ::4]
    places = np.argwhere(coarse == rng.choice(_RARE))
    if not len(places):
        return None
    y, x = places[rng.integers(len(places))] * 4
    return np.array([x, y], np.float64)


def _relit(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture in other light, through another lens, on another film."""
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6))
    if rng.random() < 0.8:
        saturation = rng.uniform(0.4, 1.5)
        mixing = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * _GRAY
        if rng.random() < 0.3:
            mixing = _hue_turned(rng.normal(0, 0.15)) @ mixing
        image = cv2.transform(image, mixing.astype(np.float32))
    level = np.arange(256, dtype=np.float64) / 255
    curves = []
    gamma = np.exp(rng.normal(0, 0.25))
    contrast, brightness = np.exp(rng.normal(0, 0.25)), rng.normal(0, 0.08)
    for _ in range(3):
        curve = level**gamma * np.exp(rng.normal(0, 0.06))
        curves.append((curve - 0.45) * contrast + 0.45 + brightness)
    table = (np.stack(curves, -1)[None].clip(0, 1) * 255).astype(np.uint8)
    image = cv2.LUT(image, table)
    if rng.random() < 0.25:
        count = image.size
        start = int(rng.integers(len(_NOISE) - count)) if count < len(_NOISE) else 0
        noise = np.resize(_NOISE[start : start + count], image.shape)
        image = (image + noise * rng.uniform(2, 9)).clip(0, 255).astype(np.uint8)
    return image


def _hue_turned(angle: float) -> NDArray[np.float64]:
    """Return the rotation of colours about the axis of grays."""
    axis = np.ones(3) / np.sqrt(3)
    cross = np.array(
        [[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]]
    )  # fmt: skip
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
