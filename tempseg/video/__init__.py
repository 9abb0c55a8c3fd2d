"""Reading and writing video with PyAV, and folders of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempseg.video.audio import AudioTracks
from tempseg.video.container import is_address
from tempseg.video.encode import LabelEncoder, OverlayEncoder
from tempseg.video.image_files import image_files, is_image_name
from tempseg.video.join import LabelJoiner, OverlayJoiner
from tempseg.video.labels import read_label_video
from tempseg.video.part import FramePart
from tempseg.video.picture import DecodedPicture
from tempseg.video.source import VideoSource, open_source
from tempseg.video.survey import SeekPoint, Survey, survey

if TYPE_CHECKING:
    from tempseg.video.images import ImageSource

__all__ = [
    "AudioTracks",
    "DecodedPicture",
    "FramePart",
    "ImageSource",
    "LabelEncoder",
    "LabelJoiner",
    "OverlayEncoder",
    "OverlayJoiner",
    "SeekPoint",
    "Survey",
    "VideoSource",
    "image_files",
    "is_address",
    "is_image_name",
    "open_source",
    "read_label_video",
    "survey",
]


def __getattr__(name: str) -> object:
    # OpenCV is imported where images are read, and not before.
    if name == "ImageSource":
        from tempseg.video.images import ImageSource

        return ImageSource
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
