"""A part of a video as the engine sees it, kept on disk: luma, motion both ways, pictures."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.build import build_source
from tempseg.config import Config, load_config
from tempseg.errors import OutputError, SourceError
from tempseg.flows import DisFlow
from tempseg.flows.inverse_search import SETTINGS
from tempseg.locks import locked
from tempseg.motion import Step, Stepper, working_size
from tempseg.prefetch import Prefetch
from tempseg.protocols import FlowEstimator, FrameSource, WorkObserver
from tempseg.runners.chunks import Chunk, plan_run
from tempseg.tuning.fingerprint import digest, source_fingerprint
from tempseg.tuning.journal import Journal, JournalWriter, Layer
from tempseg.tuning.sample import Piece
from tempseg.types import (
    ColourTags,
    FloatArray,
    Frame,
    Planes,
    RgbPicture,
    UInt8Array,
    VideoInfo,
)
from tempseg.video import FramePart

__all__ = [
    "FORMAT",
    "RecordedFlow",
    "Recording",
    "alone_with",
    "check_room",
    "part_config",
    "record",
]

_log = logging.getLogger(__name__)

FORMAT = 1
"""Of what lies on disk; another number, and everything is recorded anew."""

SPARE_BYTES = 200_000_000
"""What a recording leaves free on its disk."""

_AHEAD = 6


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The frames of a part of a source, with the motion between them.

    Parameters
    ----------
    folder : Path
    piece : Piece
    config : Config
        What it was recorded with; `source.start` and `source.end` are the piece's own.
    video : VideoInfo
    first_index : int
        Number of its first frame in the part that a run of the source would take.
    journal : Journal
    chunks : tuple of Chunk
        That a run of it is cut into; a piece that was drawn is none's whole, and one chunk.
    """

    folder: Path
    piece: Piece
    config: Config
    video: VideoInfo
    first_index: int
    journal: Journal
    chunks: tuple[Chunk, ...]

    def __len__(self) -> int:
        return len(self.journal.rows)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.video.height, self.video.width

    def frames(self, *, first: int | None = None) -> Iterator[Frame]:
        """Yield the frames, or the first few, with pictures that are read from disk when asked.

        They have luma and colour planes, but no RGB: what a segmenter saw is asked for once.
        """
        planes = self.journal.array("planes")
        luma = self.journal.array("luma") if _has_luma(self.journal.layers) else None
        for place, row in enumerate(islice(self.journal.rows, first)):
            own = None if luma is None else luma[place]
            picture = _RecordedPicture(self.size, planes[place], ColourTags(*row["colour"]), own)
            yield Frame(row["index"], row["pts"], self.video.time_base, picture)

    def placed(self, config: Config) -> Config:
        """Return a run's config with its forced frames by their numbers here."""
        forced = config.keyframe.forced
        if not forced:
            return config
        here = [n - self.first_index if isinstance(n, int) else n for n in forced]
        here = [n for n in here if not isinstance(n, int) or n >= 0]
        # Times before the piece are dropped by its own start.
        own = part_config(config, self.piece)
        return load_config(overrides=own.set_keys() | {"keyframe.forced": here})

    def source(self) -> FrameSource:
        """Open the part again, for what has to see it in colour."""
        return build_source(self.piece.spec, self.config)

    def flow(self) -> RecordedFlow:
        """Return the motion that was recorded, for an engine of its own."""
        return RecordedFlow(
            self.journal.array("work"),
            self.journal.array("onto"),
            self.journal.array("back"),
            live=DisFlow(self.config.flow.preset),
        )


class RecordedFlow:
    """A flow estimator that knows the answers for neighbouring frames of a recording.

    What it is asked about is recognised by the pictures themselves, so that whatever an engine
    asks is answered as the estimator itself would: from the recording, or by `live`.

    Parameters
    ----------
    work : ndarray, shape (T, h, w), uint8
        Working luma.
    onto, back : ndarray, shape (T, h, w, 2), float32
        Motion from the frame before, and to it; of the first frame nothing is known.
    live : FlowEstimator
    """

    def __init__(
        self, work: UInt8Array, onto: FloatArray, back: FloatArray, *, live: FlowEstimator
    ) -> None:
        self._work, self._onto, self._back = work, onto, back
        self._live = live
        self._at = 1
        self.estimated = 0
        """How often the recording had no answer."""

    def estimate(self, target: UInt8Array, source: UInt8Array) -> FloatArray:
        """Return the pull field: `target(p) = source(p + flow(p))`."""
        for at in (self._at, self._at + 1, 1):
            if not 1 <= at < len(self._work):
                continue
            before, now = self._work[at - 1], self._work[at]
            if target.shape != now.shape:
                break
            if _same(target, now) and _same(source, before):
                self._at = at
                return cast(FloatArray, self._onto[at])
            if _same(target, before) and _same(source, now):
                self._at = at
                return cast(FloatArray, self._back[at])
        self.estimated += 1
        return self._live.estimate(target, source)


def _same(one: UInt8Array, other: UInt8Array) -> bool:
    return bool(np.array_equal(one, other))


@dataclass(slots=True, eq=False)
class _RecordedPicture:
    """A picture whose samples lie in a recording."""

    size: tuple[int, int]
    samples: UInt8Array
    colour: ColourTags
    own_luma: UInt8Array | None
    _planes: Planes | None = field(default=None, init=False)

    def rgb(self) -> UInt8Array:
        """Raise: colours are recorded as planes only."""
        raise SourceError("a recorded frame holds no RGB; open the source itself for that")

    def luma(self) -> UInt8Array:
        """Return the luma, shape (H, W)."""
        return self.yuv420().y if self.own_luma is None else self.own_luma

    def yuv420(self) -> Planes:
        """Return 4:2:0 planes with their colour tags."""
        if self._planes is None:
            height, width = self.size
            low = (height + 1) // 2, (width + 1) // 2
            y, u = height * width, low[0] * low[1]
            flat = np.asarray(self.samples)
            self._planes = Planes(
                flat[:y].reshape(height, width),
                flat[y : y + u].reshape(low),
                flat[y + u :].reshape(low),
                self.colour,
            )
        return self._planes


def part_config(config: Config, piece: Piece) -> Config:
    """Return the config of a run of a piece alone."""
    keys = config.set_keys()
    return load_config(
        overrides=keys | {"source.start": piece.start, "source.end": piece.end}
        if piece.start is not None or piece.end is not None
        else {k: v for k, v in keys.items() if k not in ("source.start", "source.end")}
    )


def record(
    piece: Piece,
    config: Config,
    cache: Path,
    *,
    before: int = 0,
    observer: WorkObserver | None = None,
) -> Recording:
    """Return the recording of a piece: as it lies in the cache, or made now.

    One that was interrupted is gone on with; one that is damaged is made anew, as far as it is.

    Parameters
    ----------
    piece : Piece
    config : Config
        Only `source`, `flow` and `run.chunk_s` matter.
    cache : Path
    before : int
        Frames of the source before the part that a run of it would take.
    observer : WorkObserver, optional

    Raises
    ------
    SourceError
        When the source cannot be read.
    OutputError
        When the disk cannot take it.
    """
    own = part_config(config, piece)
    source = build_source(piece.spec, own)
    try:
        video = source.info
        frames = iter(source)
        head = next(frames)
        told = {
            "format": FORMAT,
            "tempseg": version("tempseg"),
            "source": source_fingerprint(piece.spec),
            "part": [piece.start, piece.end],
            "frame_rate": own.source.frame_rate,
            "flow": own.flow.model_dump(mode="json"),
            # Another estimator, and what it said before is no longer what a run would see.
            "estimator": [cv2.__version__, *SETTINGS[own.flow.preset]],
            "size": [video.height, video.width],
        }
        folder = cache / "recordings" / digest(told)
        layers = _layers(head, own)
        skipped = source.count_before() if piece.start is not None else 0
        # Before the work: it refuses images of different sizes.
        chunks = _run_chunks(piece, config)
        with alone_with(folder):
            journal = Journal.read(folder, "frames", layers, told)
            if journal.damaged:
                _log.warning(
                    "%s: is damaged, or holds no checksums yet; what is not whole is recorded anew",
                    folder,
                )
            if journal.end is None or not journal.rows:
                if observer is not None:
                    observer.begin(f"record {Path(piece.spec).name}", video.frame_count or 0)
                check_room(folder, layers, (video.frame_count or 1) - len(journal.rows))
                _write(journal, source, (head, frames), own, observer)
                journal = Journal.read(folder, "frames", layers, told)
        if journal.end is None:
            raise OutputError(f"{folder}: cannot be read back; check the disk, or use --cache")
        chunks = chunks or (Chunk(0, FramePart(), len(journal.rows)),)
        return Recording(folder, piece, own, video, skipped - before, journal, chunks)
    finally:
        source.close()


def _run_chunks(piece: Piece, config: Config) -> tuple[Chunk, ...]:
    """Return the chunks of a run of the source; none for a piece that was drawn."""
    if (piece.start, piece.end) == (config.source.start, config.source.end):
        return plan_run(piece.spec, config).chunks
    return ()


@contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Hold a recording's folder, waiting for another tune that works in it."""
    with ExitStack() as held:
        # Where there can be no lock nothing else can be written either: that is told, not this.
        with suppress(OSError):
            held.enter_context(locked(folder / ".lock"))
        yield


def _layers(head: Frame, config: Config) -> list[Layer]:
    height, width = head.size
    working = working_size(head.size, config.flow.resolution_px)
    samples = height * width + 2 * ((height + 1) // 2) * ((width + 1) // 2)
    byte, real = np.dtype(np.uint8), np.dtype(np.float32)
    layers = [
        Layer("work", byte, working),
        Layer("onto", real, (*working, 2)),
        Layer("back", real, (*working, 2)),
        Layer("planes", byte, (samples,)),
    ]
    if not np.array_equal(head.luma, head.picture.yuv420().y) or isinstance(
        head.picture, RgbPicture
    ):
        layers.append(Layer("luma", byte, (height, width)))
    return layers


def _has_luma(layers: Any) -> bool:
    return any(layer.name == "luma" for layer in layers)


def check_room(folder: Path, layers: Sequence[Layer], frames: int) -> None:
    """Raise before the work where the disk has no room for it.

    Raises
    ------
    OutputError
    """
    needed = sum(layer.nbytes for layer in layers) * max(frames, 1)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed + SPARE_BYTES > free:
        raise OutputError(
            f"{folder}: needs {needed / 1e6:,.0f} MB, but {there} has {free / 1e6:,.0f} MB free; "
            "name a place with room by --cache, or take fewer frames by --sample"
        )


def _write(
    journal: Journal,
    source: FrameSource,
    frames: tuple[Frame, Iterator[Frame]],
    config: Config,
    observer: WorkObserver | None,
) -> None:
    done = len(journal.rows)
    stepper = Stepper(
        DisFlow(config.flow.preset), resolution_px=config.flow.resolution_px, onto=True, back=True
    )
    with (
        JournalWriter(journal) as writer,
        Prefetch(_timed(*frames), name="decode", capacity=_AHEAD) as decoded,
    ):
        for place, (frame, decode_s) in enumerate(decoded):
            if place < done:
                if place == done - 1:
                    # The one before the next: its luma is what motion is estimated from.
                    stepper.step(frame)
            else:
                start = time.perf_counter()
                step = stepper.step(frame)
                motion_s = time.perf_counter() - start
                writer.add(
                    _arrays(step, journal),
                    index=frame.index,
                    pts=frame.pts,
                    colour=_colour(frame),
                    decode_s=round(decode_s, 6),
                    motion_s=round(motion_s, 6),
                )
            if observer is not None:
                observer.advance()
        writer.finish(damaged=source.damaged)


def _arrays(step: Step, journal: Journal) -> Mapping[str, NDArray[Any]]:
    planes = step.frame.picture.yuv420()
    still = np.zeros((*step.luma.shape, 2), np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "work": step.luma,
        "onto": still if step.onto is None else step.onto.flow,
        "back": still if step.back is None else step.back.flow,
        "planes": np.concatenate([planes.y.ravel(), planes.u.ravel(), planes.v.ravel()]),
    }
    if _has_luma(journal.layers):
        arrays["luma"] = step.frame.luma
    return arrays


def _colour(frame: Frame) -> list[object]:
    tags = frame.picture.yuv420().colour
    return [tags.matrix, tags.full_range, tags.primaries, tags.transfer]


def _timed(head: Frame, frames: Iterator[Frame]) -> Iterator[tuple[Frame, float]]:
    yield head, 0.0
    clock: Callable[[], float] = time.thread_time
    start = clock()
    for frame in frames:
        yield frame, clock() - start
        start = clock()
