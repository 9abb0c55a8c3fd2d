"""Which files are the images of a source, in which order."""

from __future__ import annotations

import glob
import os

from tempseg.errors import SourceError

__all__ = ["image_files", "is_image_name"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


def is_image_name(path: str) -> bool:
    """Tell whether a file is taken for an image, by its name."""
    return path.lower().endswith(_SUFFIXES)


def image_files(spec: str) -> list[str]:
    """Return the images that a folder or a glob stands for, in the order of the frames.

    Raises
    ------
    SourceError
        When there are none, or the folder cannot be read.
    """
    # Importing Pillow takes time that video files need not pay.
    from tempseg.label_images import natural_key

    if os.path.isdir(spec):
        try:
            entries = list(os.scandir(spec))
        except OSError as error:
            raise SourceError(f"{spec}: no readable folder ({error.strerror})") from error
        # Hidden ones are no frames: macOS leaves a ._NAME beside each file on foreign disks.
        found = [e.path for e in entries if e.is_file() and not e.name.startswith(".")]
        nothing = (
            f"{spec}: no images in this folder; it takes {', '.join(_SUFFIXES)}; "
            f"give videos as a glob, such as '{os.path.join(spec, '*.mp4')}'"
        )
    else:
        found = [path for path in glob.glob(spec, recursive=True) if os.path.isfile(path)]
        nothing = f"{spec}: no image matches; it takes {', '.join(_SUFFIXES)}"
    images = [path for path in found if is_image_name(path)]
    if not images:
        raise SourceError(nothing)
    return sorted(images, key=natural_key)
