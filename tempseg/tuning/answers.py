"""A segmenter's answers on disk, as exact as the engine keeps them."""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import time
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tempseg.errors import ModelError, OutputError
from tempseg.kernels import carry
from tempseg.protocols import Segmenter
from tempseg.runners.sealed import read_sealed, write_sealed
from tempseg.types import (
    FloatArray,
    Frame,
    LabelArray,
    Placement,
    Prediction,
    Segment,
    SegmenterInfo,
    UInt8Array,
)

__all__ = ["AnswerStore", "KnownSegmenter", "packed", "unpacked"]

_log = logging.getLogger(__name__)

_MAGIC = b"tempseg answer 1\n"
_LEAD = 0.25 / 255
"""What lifts the winner's score above its equals, and is lost again where scores are packed."""


def packed(prediction: Prediction, *, ms: float = 0.0) -> bytes:
    """Return an answer as bytes: labels as they are, scores in 1/255 with their winners.

    That is all the engine keeps of scores, so that the answer that `unpacked` makes of it gives
    the same labels, bit for bit.

    Raises
    ------
    ValueError
        When scores are no probabilities.
    """
    if prediction.scores is not None:
        height, width, _ = prediction.scores.shape
        scores = np.empty(prediction.scores.shape, np.uint8)
        winners = cast(LabelArray, np.empty((height, width), np.uint16))
        if not carry.pack(prediction.scores, scores, winners):
            raise ValueError("scores are not finite, or beyond what probabilities are: 0 to 1")
        # Classes one after the other: flat stretches, which compress.
        arrays: list[NDArray[Any]] = [np.ascontiguousarray(scores.transpose(2, 0, 1)), winners]
    else:
        assert prediction.labels is not None
        arrays = [np.ascontiguousarray(prediction.labels)]
    where = prediction.placement
    told = {
        "scores": prediction.scores is not None,
        "arrays": [[str(array.dtype), list(array.shape)] for array in arrays],
        "placement": [where.scale_x, where.offset_x, where.scale_y, where.offset_y],
        "segments": [
            [s.segment_id, s.class_id, s.score, s.is_thing] for s in prediction.segments.values()
        ],
        "ms": ms,
    }
    head = json.dumps(told).encode()
    body = zlib.compress(b"".join(array.tobytes() for array in arrays), 1)
    content = _MAGIC + struct.pack("<I", len(head)) + head + body
    return content + struct.pack("<I", zlib.crc32(content))


def unpacked(content: bytes) -> tuple[Prediction, float]:
    """Return the answer that bytes hold, and the milliseconds it took.

    Raises
    ------
    ValueError
        When they are not as they were written.
    """
    if not content.startswith(_MAGIC) or len(content) < len(_MAGIC) + 8:
        raise ValueError("is no answer")
    if struct.pack("<I", zlib.crc32(content[:-4])) != content[-4:]:
        raise ValueError("is damaged")
    begins = len(_MAGIC) + 4
    length = int.from_bytes(content[len(_MAGIC) : begins], "little")
    told: dict[str, Any] = json.loads(content[begins : begins + length])
    raw = zlib.decompress(content[begins + length : -4])
    arrays: list[NDArray[Any]] = []
    offset = 0
    for name, shape in told["arrays"]:
        count = int(np.prod(shape))
        array = np.frombuffer(raw, np.dtype(name), count, offset).reshape(shape)
        arrays.append(array)
        offset += array.nbytes
    placement = Placement(*told["placement"])
    segments = {s[0]: Segment(*s) for s in told["segments"]}
    if not told["scores"]:
        labels = cast(LabelArray, arrays[0])
        return Prediction(placement, labels=labels, segments=segments), told["ms"]
    scores = _unpacked_scores(cast(UInt8Array, arrays[0]), arrays[1])
    return Prediction(placement, scores=scores, segments=segments), told["ms"]


def _unpacked_scores(by_class: UInt8Array, winners: LabelArray) -> FloatArray:
    """Return scores (h, w, C) that pack to the same bytes and have the same winners."""
    scores = np.ascontiguousarray(by_class.transpose(1, 2, 0)).astype(np.float32)
    scores /= np.float32(255)
    height, width = winners.shape
    scores[np.arange(height)[:, None], np.arange(width), winners] += np.float32(_LEAD)
    return scores


class AnswerStore:
    """Answers to the frames of one recording by one model, a file a frame.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, index: int) -> Path:
        """Return where the answer to a frame lies."""
        return self.folder / f"{index:06d}.answer"

    def get(self, index: int) -> tuple[Prediction, float] | None:
        """Return an answer and the milliseconds it took; none where there is none that is whole."""
        file = self.file(index)
        try:
            return unpacked(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
            _log.warning("%s: %s; the model is asked again", file, error)
            with contextlib.suppress(OSError):
                file.unlink()
            return None

    def put(self, index: int, prediction: Prediction, *, ms: float) -> None:
        """Keep an answer; it appears whole or not at all.

        Raises
        ------
        OutputError
            When the disk takes no more.
        """
        file = self.file(index)
        unfinished = file.with_suffix(".partial")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(packed(prediction, ms=ms))
            unfinished.replace(file)
        except OSError as error:
            raise OutputError(
                f"{file}: cannot be written: {error.strerror}; free some space or name another "
                "place with --cache"
            ) from error

    def note(self, name: str) -> Any:
        """Return what was kept under a name beside the answers; none where nothing whole was."""
        file = self.folder / f"{name}.json"
        try:
            return read_sealed(file)["value"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError):
            _log.warning("%s: is damaged, or holds no checksum yet; it is made anew", file)
            return None

    def keep_note(self, name: str, value: object) -> None:
        """Keep something small beside the answers; of no harm where that fails."""
        file = self.folder / f"{name}.json"
        unfinished = file.with_suffix(".partial")
        with contextlib.suppress(OSError):
            write_sealed(unfinished, {"value": value})
            unfinished.replace(file)


class KnownSegmenter:
    """A segmenter that says what it said before, and asks the model for the rest.

    Parameters
    ----------
    store : AnswerStore
    info : SegmenterInfo
        Of the model.
    asked : Segmenter, optional
        Answers what is not known.
    """

    def __init__(
        self, store: AnswerStore, info: SegmenterInfo, *, asked: Segmenter | None = None
    ) -> None:
        self._store = store
        self._asked = asked
        self._info = info
        self.calls = 0
        """How often the model was asked."""
        self.ms: dict[int, float] = {}
        """What the answer to each frame took when it was asked for."""

    @property
    def info(self) -> SegmenterInfo:
        """What the model is."""
        return self._info

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer for one frame.

        Raises
        ------
        ModelError
            When its ids are not its classes, by which answers are compared.
        """
        known = self._store.get(frame.index)
        if known is not None:
            prediction, self.ms[frame.index] = known
            return prediction
        if self._asked is None:
            raise ModelError(f"{self._info.name}: nothing is known of frame {frame.index}")
        start = time.perf_counter()
        prediction = self._asked.segment(frame)
        ms = 1000 * (time.perf_counter() - start)
        for key, segment in prediction.segments.items():
            if key != segment.class_id:
                raise ModelError(
                    f"{self._info.name}: frame {frame.index}: id {key} stands for class "
                    f"{segment.class_id}, and policies are compared by classes; let the model "
                    "label with class ids"
                )
        self.calls += 1
        self.ms[frame.index] = ms
        self._store.put(frame.index, prediction, ms=ms)
        return prediction
