"""What a finished chunk says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tempseg.runners.chunks import Chunk
from tempseg.runners.sealed import read_sealed, write_sealed

__all__ = ["ChunkRecord", "Seam"]


@dataclass(frozen=True, slots=True)
class Seam:
    """A frame that two chunks share, as one of them has seen it.

    Parameters
    ----------
    pts : int
    checksum : int
        CRC-32 of its luma.
    """

    pts: int
    checksum: int


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A finished chunk: its figures, and the checksums of its files.

    Parameters
    ----------
    number, begin, end : int
        The chunk's; times as in `FramePart`.
    run : str
        Hash of what the run is made of; another run's chunk has another.
    frames : int
    keyframe_reasons : mapping of reason to number of keyframes
    damaged : int
    restarts : tuple of int
        How far times are moved, in ticks, since each restart of the source's clock.
    first_s, last_s : float
        Times of its first and last frame.
    opening : Seam
        Its first frame.
    closing : Seam or None
        The next one's first frame.
    closing_row : tuple of str
        What the frame table says of the closing frame from here: reason, evidence and verdict.
    closing_shot : int
        The closing frame's shot, counted from this chunk's first.
    stage_s, wait_s : mapping of stage to seconds
    wall_s : float
        Since the chunk before it in the same process.
    peak_memory_mb : float
        Of the process so far.
    process : str
        Which of the run's processes it was.
    assumptions : tuple of str
        About the model.
    sizes : mapping of file name to bytes
    sha256 : mapping of file name to hash in hex
    """

    number: int
    begin: int | None
    end: int | None
    run: str
    frames: int
    keyframe_reasons: Mapping[str, int]
    damaged: int
    restarts: tuple[int, ...]
    first_s: float
    last_s: float
    opening: Seam
    closing: Seam | None
    closing_row: tuple[str, ...]
    closing_shot: int
    stage_s: Mapping[str, float]
    wait_s: Mapping[str, float]
    wall_s: float
    peak_memory_mb: float
    process: str
    assumptions: tuple[str, ...]
    sizes: Mapping[str, int]
    sha256: Mapping[str, str]

    def is_of(self, chunk: Chunk, run: str) -> bool:
        """Tell whether this is the record of a run's chunk."""
        own = (self.number, self.begin, self.end, self.run)
        return own == (chunk.number, chunk.part.begin, chunk.part.end, run)

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        write_sealed(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> ChunkRecord:
        """Return the record in a file.

        Raises
        ------
        OSError, ValueError, TypeError, KeyError
            When there is none, or it is damaged.
        """
        found = read_sealed(path)
        found["opening"] = Seam(**found["opening"])
        found["closing"] = None if found["closing"] is None else Seam(**found["closing"])
        for name in ("restarts", "closing_row", "assumptions"):
            found[name] = tuple(found[name])
        return cls(**found)
