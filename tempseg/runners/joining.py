"""Finished chunks made into the files of a run, in their order, as they come."""

from __future__ import annotations

import contextlib
import csv
import io
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from tempseg.decisions import KeyframeReason
from tempseg.errors import OutputError
from tempseg.outputs import Totals
from tempseg.runners.chunk_record import ChunkRecord, Seam
from tempseg.runners.chunks import ChunkPlan
from tempseg.runners.work import SeamError
from tempseg.video import AudioTracks, LabelJoiner, OverlayJoiner

__all__ = ["RunJoiner"]

_REASON, _SHOT, _EVIDENCE = 3, 4, 5
"""Columns of `frames.csv`; what follows the evidence is the verdict on it."""


class RunJoiner:
    """Joins chunks into `masks.mkv`, `overlay.mp4` and `frames.csv`, and sums up their figures.

    Parameters
    ----------
    plan : ChunkPlan
    folder : Path
        Where the files go.

    Raises
    ------
    OutputError
        When one cannot be written; also from `add` and `finish`.
    """

    def __init__(self, plan: ChunkPlan, folder: Path) -> None:
        self.frames = 0
        """Frames joined so far."""
        self.assumptions: tuple[str, ...] = ()
        self._plan = plan
        self._before: ChunkRecord | None = None
        self._reasons: Counter[str] = Counter()
        self._damaged = 0
        self._shots = 0
        self._times = (0.0, 0.0)
        self._stage_s: dict[str, float] = {}
        self._wait_s: dict[str, float] = {}
        self._memory_mb: dict[str, float] = {}
        self._overlay: OverlayJoiner | None = None
        self._table_path = folder / "frames.csv"
        with contextlib.ExitStack() as opened:
            self._masks = LabelJoiner(str(folder / "masks.mkv"))
            opened.callback(self._masks.abandon)
            try:
                self._table = opened.enter_context(self._table_path.open("wb"))
            except OSError as error:
                raise self._unwritten(error) from error
            if plan.config.output.overlay:
                self._overlay = self._new_overlay(folder)
            opened.pop_all()

    def add(self, record: ChunkRecord, folder: Path) -> None:
        """Append a chunk, finished in a folder.

        Raises
        ------
        SeamError
            When it does not begin with the frame that closed the chunk before it.
        """
        before = self._before
        if before is not None:
            _check_seam(before.closing, record.opening, self._plan.source)
        first_s = record.opening.pts * self._plan.video.time_base
        self._masks.add(str(folder / "masks.mkv"), first_s=first_s)
        if self._overlay is not None:
            tick_s = self._plan.video.time_base
            moved = [ticks * tick_s for ticks in record.restarts]
            self._overlay.add(str(folder / "overlay.mp4"), first_s=first_s, moved_s=moved)
        shift = self.frames - _first_index(self._plan, record) if self._plan.renumbers else 0
        opened = self._add_rows(folder / "frames.csv", shift=shift)
        self._count(record, opened)

    def add_unfinished(self, folder: Path, number: int) -> None:
        """Append what can be read of a chunk that was not finished; no error is raised."""
        # It is looked at and not used: what cannot be read of it is left out.
        part = self._plan.chunks[number].part
        pts = self._plan.first_pts if part.begin is None else part.begin
        first_s = pts * self._plan.video.time_base
        with contextlib.suppress(OutputError, OSError):
            self._masks.add(str(folder / "masks.mkv"), first_s=first_s)
            self._add_rows(folder / "frames.csv", shift=0)
            if self._overlay is not None:
                self._overlay.add(str(folder / "overlay.mp4"), first_s=first_s)

    def finish(self) -> None:
        """Complete the files."""
        self._masks.close()
        if self._overlay is not None:
            self._overlay.close()
        try:
            self._table.close()
        except OSError as error:
            raise self._unwritten(error) from error

    def abandon(self) -> None:
        """Close the files so that what is in them can be looked at; raises no error."""
        self._masks.abandon()
        if self._overlay is not None:
            self._overlay.abandon()
        with contextlib.suppress(OSError):
            self._table.close()

    @property
    def last_s(self) -> float:
        """Time of the last frame so far, in seconds."""
        return self._times[1]

    def totals(self, *, wall_s: float) -> Totals:
        """Return what the run came to."""
        keyframes = sum(self._reasons.values())
        return Totals(
            frames=self.frames,
            keyframes=keyframes,
            keyframe_share=keyframes / self.frames,
            reasons=dict(sorted(self._reasons.items())),
            damaged=self._damaged,
            duration_s=self._times[1] - self._times[0],
            wall_s=wall_s,
            frames_per_s=self.frames / wall_s,
            segmenter_s=self._stage_s["segment"],
            stage_s=self._stage_s,
            peak_memory_mb=sum(self._memory_mb.values()),
            wait_s=self._wait_s,
        )

    def _new_overlay(self, folder: Path) -> OverlayJoiner:
        video = self._plan.video
        audio = None
        if video.media_path is not None:
            audio = AudioTracks(
                video.media_path,
                start_s=video.start_s,
                end_s=video.end_s,
                origin_s=video.origin_s,
            )
        # A part begins at zero, as players expect; a whole video keeps its own start.
        shift_s = self._plan.first_pts * video.time_base if video.start_s else Fraction(0)
        path = str(folder / "overlay.mp4")
        return OverlayJoiner(path, time_base=video.time_base, audio=audio, shift_s=shift_s)

    def _count(self, record: ChunkRecord, opened: str) -> None:
        if self._before is None:
            self.assumptions = record.assumptions
            self._times = record.first_s, record.last_s
        self._times = self._times[0], record.last_s
        self.frames += record.frames
        self._reasons.update(record.keyframe_reasons)
        if self._before is not None:
            # A chunk takes its first frame for that of a run.
            self._reasons[opened] += 1
            self._reasons[KeyframeReason.FIRST.value] -= 1
        self._shots += record.closing_shot
        self._damaged += record.damaged
        _add(self._stage_s, record.stage_s)
        _add(self._wait_s, record.wait_s)
        memory = self._memory_mb.get(record.process, 0.0)
        self._memory_mb[record.process] = max(memory, record.peak_memory_mb)
        self._before = record

    def _add_rows(self, path: Path, *, shift: int) -> str:
        """Append a chunk's table; return the reason that its first row has here."""
        try:
            with path.open("rb") as rows:
                header, first = rows.readline(), rows.readline()
                if not first.endswith(b"\n"):
                    # Only one that was not finished.
                    return ""
                if self._before is None:
                    self._table.write(header)
                cells = next(csv.reader([first.decode()]))
                if self._before is not None:
                    # Why it would have become a keyframe, or did, is known from before it.
                    cells[_REASON], *seen = self._before.closing_row
                    cells[_EVIDENCE : _EVIDENCE + len(seen)] = seen
                self._table.write(_row(cells, shift, self._shots))
                moved = bool(shift or self._shots)
                for line in rows:
                    if not line.endswith(b"\n"):
                        # As above.
                        break
                    if moved:
                        line = _row(next(csv.reader([line.decode()])), shift, self._shots)
                    self._table.write(line)
        except OSError as error:
            raise self._unwritten(error) from error
        return cells[_REASON]

    def _unwritten(self, error: OSError) -> OutputError:
        return OutputError(f"{self._table_path}: cannot be written: {error.strerror}")


def _add(total: dict[str, float], seconds: Mapping[str, float]) -> None:
    for name, value in seconds.items():
        total[name] = total.get(name, 0.0) + value


def _first_index(plan: ChunkPlan, record: ChunkRecord) -> int:
    """Return the number that a chunk's first frame got when it was run."""
    return plan.chunks[record.number].part.first_index


def _check_seam(closing: Seam | None, opening: Seam, source: str) -> None:
    if closing != opening:
        raise SeamError(
            f"{source}: a seek to {opening.pts} gives another frame there than reading on to it"
        )


def _row(cells: list[str], shift: int, shots: int) -> bytes:
    cells[0] = str(int(cells[0]) + shift)
    cells[_SHOT] = str(int(cells[_SHOT]) + shots)
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
