"""Label maps as image files: raw ids in, raw ids out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import SEEK_CUR
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tempseg.class_sets import ClassSet
from tempseg.errors import OutputError, SourceError
from tempseg.types import LabelArray

__all__ = ["list_images", "natural_key", "read_label_image", "write_label_image"]

_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_LOSSY = frozenset({"JPEG", "MPO", "JPEG2000"})
_LOSSY_IN_TIFF = {"jpeg": "JPEG", "tiff_jpeg": "JPEG", "webp": "WebP"}
# Pillow stretches 2- and 4-bit gray to 0..255; ids are the samples themselves.
_GRAY_STRETCH = {2: 85, 4: 17}
_UNNAMED_COLOUR = (224, 224, 192)


def read_label_image(path: str | Path) -> LabelArray:
    """Return the ids in a label image as they are stored.

    Palette images give indices, not colours; gray images of 1 to 16 bits give their samples;
    colour images pass where all channels are equal.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ndarray, shape (H, W), uint8 or uint16

    Raises
    ------
    SourceError
        When the file cannot be read, is lossy, or holds colours instead of ids.
    """
    try:
        with Image.open(path) as image:
            lossy = _lossy(image, path)
            if lossy:
                raise SourceError(
                    f"{path}: {lossy} is lossy and cannot hold ids; save label images as PNG"
                )
            return _ids(image, path)
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such label image") from error
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise SourceError(
            f"{path}: not a readable image ({error}); save label images as PNG"
        ) from error


def _lossy(image: Image.Image, path: str | Path) -> str:
    """Return what kind of lossy file an image is; empty where it keeps ids."""
    if image.format in _LOSSY:
        return image.format
    compression = image.info.get("compression")
    if image.format == "TIFF" and compression in _LOSSY_IN_TIFF:
        return f"TIFF with {_LOSSY_IN_TIFF[compression]}"
    if image.format == "WEBP" and not _is_lossless_webp(path):
        return "WebP of this kind"
    return ""


def _is_lossless_webp(path: str | Path) -> bool:
    """Tell how a WebP's first picture is coded: its chunks say VP8L, or VP8 where it is lossy."""
    with Path(path).open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            kind, length = header[:4], int.from_bytes(header[4:], "little")
            if kind in (b"VP8L", b"VP8 "):
                return kind == b"VP8L"
            # A frame of an animation holds its place and time, and then chunks of its own.
            file.seek(16 if kind == b"ANMF" else length + length % 2, SEEK_CUR)
    return False


def _ids(image: Image.Image, path: str | Path) -> LabelArray:
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in ("L", "P"):
        ids = np.array(image)
        depth = _png_depth(image, path) if image.mode == "L" else 8
        return ids // np.uint8(_GRAY_STRETCH[depth]) if depth in _GRAY_STRETCH else ids
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        wide = np.array(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise SourceError(
                f"{path}: ids from {wide.min()} to {wide.max()}, expected 0 to 65535; "
                "save label images with 8 or 16 bits"
            )
        return wide.astype(np.uint16)
    if image.mode in ("LA", "RGB", "RGBA"):
        if _png_depth(image, path) == 16:
            raise SourceError(
                f"{path}: colours of 16 bits, of which half would be lost; save label images as "
                "palette or gray PNG"
            )
        channels = np.array(image)
        ids = channels[..., 0]
        colours = channels[..., 1:3] if image.mode != "LA" else channels[..., :0]
        if (colours == ids[..., None]).all():
            return np.ascontiguousarray(ids)
        raise SourceError(
            f"{path}: a colour image, expected ids; save label images as palette or gray PNG"
        )
    raise SourceError(
        f"{path}: pixels of kind {image.mode}, expected ids; save label images as 8- or 16-bit PNG"
    )


def _png_depth(image: Image.Image, path: str | Path) -> int:
    """Return the bits of a sample as the file has them; 8 for what is no PNG."""
    if image.format != "PNG":
        return 8
    with Path(path).open("rb") as file:
        return file.read(25)[24]


def write_label_image(
    path: str | Path,
    labels: LabelArray,
    *,
    colours: Sequence[tuple[int, int, int]] | ClassSet = (),
) -> None:
    """Write a label map as PNG: 8 bits with a palette, 16 bits as gray.

    The same labels and colours give the same bytes.

    Parameters
    ----------
    path : str or Path
    labels : ndarray, shape (H, W), uint8 or uint16
    colours : sequence of (int, int, int), or ClassSet
        RGB by id, for 8 bits; ids beyond them, and void, are near white.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    if labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"labels are {labels.dtype} {labels.shape}, expected uint8 or uint16 (H, W)"
        )
    image = Image.fromarray(np.ascontiguousarray(labels))
    if labels.dtype == np.uint8:
        named = colours.colours if isinstance(colours, ClassSet) else tuple(colours)
        if len(named) > 256:
            raise ValueError(f"{len(named)} colours, expected at most 256")
        palette = [*named, *[_UNNAMED_COLOUR] * (256 - len(named))]
        image.putpalette([channel for colour in palette for channel in colour])
    try:
        image.save(path, format="PNG", compress_level=6)
    except OSError as error:
        raise OutputError(f"{path}: cannot write the label image ({error})") from error


def list_images(folder: str | Path) -> list[Path]:
    """Return the images in a folder in natural order: `img2` before `img10`.

    Hidden files and files that are no images by their suffix are passed over.

    Raises
    ------
    SourceError
        When there is no such folder.
    """
    try:
        entries = list(Path(folder).iterdir())
    except OSError as error:
        raise SourceError(f"{folder}: no readable folder of images ({error.strerror})") from error
    images = [
        entry
        for entry in entries
        if entry.suffix.lower() in _SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    ]
    return sorted(images, key=lambda image: natural_key(image.name))


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return what sorts frames and label images alike: numbers by value, letters of any case.

    Examples
    --------
    >>> sorted(["b10", "a1", "B2"], key=natural_key)
    ['a1', 'B2', 'b10']
    """
    # Digits sort before letters; the name itself settles img02 against img2.
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    key = [
        (0, int(part), "") if part[0] in "0123456789" else (1, 0, part.lower()) for part in parts
    ]
    return key, name
