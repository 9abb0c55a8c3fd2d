"""Where label maps are stored: folders of label images, and label videos."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tempseg.errors import SourceError
from tempseg.label_images import list_images, read_label_image
from tempseg.types import LabelArray
from tempseg.video import read_label_video
from tempseg.video.decoding import VideoDecoder

__all__ = ["FolderMaps", "StoredMaps", "VideoMaps"]


class StoredMaps(Protocol):
    """Label maps in order, as they are stored."""

    @property
    def stems(self) -> tuple[str, ...] | None:
        """File names without suffix, one a map; none where maps have no names."""

    def __len__(self) -> int:
        """Return how many maps there are."""

    def read(self, places: Sequence[int]) -> Iterator[LabelArray]:
        """Yield the maps at rising places.

        Raises
        ------
        SourceError
            When a map cannot be read.
        """

    def where(self, place: int) -> str:
        """Return what to call one map in a message."""


@dataclass(frozen=True, slots=True)
class FolderMaps:
    """Label images, one a map, in natural order of their names."""

    paths: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> FolderMaps:
        """Return the label images of a folder.

        Raises
        ------
        SourceError
            When there are none.
        """
        images = list_images(folder)
        if not images:
            raise SourceError(
                f"{folder}: holds no label images; give a run's folder, a masks.mkv or a folder "
                "of PNG files"
            )
        return cls(tuple(images))

    @property
    def stems(self) -> tuple[str, ...]:
        """File names without suffix."""
        return tuple(path.stem for path in self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, places: Sequence[int]) -> Iterator[LabelArray]:
        """Yield the maps at these places."""
        for place in places:
            yield read_label_image(self.paths[place])

    def where(self, place: int) -> str:
        """Return the image's path."""
        return str(self.paths[place])


@dataclass(frozen=True, slots=True)
class VideoMaps:
    """The frames of a label video."""

    path: Path
    count: int

    @classmethod
    def of(cls, path: Path) -> VideoMaps:
        """Return the maps of a label video, counted by its packets.

        Raises
        ------
        SourceError
            When it cannot be read or holds no frame.
        """
        decoder = VideoDecoder(str(path))
        try:
            count = decoder.frames_before(sys.maxsize)
        finally:
            decoder.close()
        if count == 0:
            raise SourceError(f"{path}: holds no frame; write it again")
        return cls(path, count)

    @property
    def stems(self) -> None:
        """None: frames have no names."""
        return None

    def __len__(self) -> int:
        return self.count

    def read(self, places: Sequence[int]) -> Iterator[LabelArray]:
        """Yield the maps at rising places, decoding those between as well."""
        wanted = iter(places)
        awaited = next(wanted, None)
        for place, (_, labels) in enumerate(read_label_video(str(self.path))):
            if awaited is None:
                return
            if place == awaited:
                yield labels
                awaited = next(wanted, None)
        if awaited is not None:
            raise SourceError(
                f"{self.path}: ends before frame {awaited}, but tells of {self.count} frames; "
                "write it again"
            )

    def where(self, place: int) -> str:
        """Return the video's path and the frame."""
        return f"{self.path}: frame {place}"
