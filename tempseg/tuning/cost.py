"""What a config would take to run, from what its stages took here."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from tempseg.build import build_sinks
from tempseg.config import Config
from tempseg.planning import Rehearsal, rehearse
from tempseg.segmenters.network import available_threads
from tempseg.tuning.reference import Material
from tempseg.tuning.replay import replay

__all__ = ["Carrying", "StageMs", "measure_stages", "rehearse_piece"]

WARM_UP_FRAMES, WRITTEN_FRAMES = 8, 40
"""Frames that load what writing needs, and those behind them whose time counts."""

REHEARSED_FRAMES = 240


@dataclass(frozen=True, slots=True)
class Carrying:
    """What a config does on the frames between its keyframes.

    Parameters
    ----------
    ms : float
        What the engine takes a frame, in milliseconds.
    both_ways : bool
        Whether motion is estimated back too.
    moves : bool
        Whether motion is estimated at all.
    """

    ms: float
    both_ways: bool
    moves: bool


@dataclass(frozen=True, slots=True)
class StageMs:
    """What stages take on this machine, in milliseconds.

    Parameters
    ----------
    decode, motion, write : float
        A frame; motion both ways.
    segment : float
        A call of the model.
    cores : float
        CPUs' worth of work that is done at a time. As many as a run may use, if stages side by side
        did not slow one another down. The model may use all of them.
    """

    decode: float
    motion: float
    segment: float
    write: float
    cores: float

    def run_ms(self, carrying: Carrying, *, share: float) -> float:
        """Return what a run would take a frame, in milliseconds.

        Decoding, motion, the engine and writing run side by side: the slowest of them is the
        least, and so is all work together shared out over the cores.

        Parameters
        ----------
        carrying : Carrying
        share : float
            Keyframes a frame.
        """
        stages = self._side_by_side(carrying)
        model = self.segment * share
        return max(*stages, carrying.ms + model, sum(stages) / self.cores + model)

    def held_to(self, found: Rehearsal, carrying: Carrying) -> StageMs:
        """Return these with the `cores` that make them tell what a stretch of a run took.

        Parameters
        ----------
        found : Rehearsal
            Its segmenter is whatever answered there.
        carrying : Carrying
        """
        took = 1000 * (found.wall_s - found.segmenter_s) / found.frames
        work = sum(self._side_by_side(carrying))
        return replace(self, cores=min(self.cores, work / took) if took > 0 else self.cores)

    def _side_by_side(self, carrying: Carrying) -> tuple[float, float, float, float]:
        motion = self.motion * (1.0 if carrying.both_ways else 0.5) if carrying.moves else 0.0
        return self.decode, motion, carrying.ms, self.write

    def as_dict(self) -> dict[str, float]:
        """Return the figures for JSON."""
        return {key: round(float(value), 4) for key, value in asdict(self).items()}


def measure_stages(material: Material, config: Config) -> StageMs:
    """Return what the stages take: from the recording, the answers, and writing some frames."""
    recording = material.recording
    rows = recording.journal.rows
    moved = [row["motion_s"] for row in rows[1:]] or [0.0]
    decoded = [row["decode_s"] for row in rows[1:]] or [0.0]
    return StageMs(
        decode=1000 * sum(decoded) / len(decoded),
        # The first pair also pays for loading what estimates it.
        motion=1000 * median(moved),
        segment=material.segment_ms,
        write=_writing_ms(material, config),
        cores=available_threads(),
    )


def rehearse_piece(material: Material, config: Config) -> Rehearsal:
    """Run a stretch of a recorded piece for real, with the answers that are known."""
    recording = material.recording
    rows = recording.journal.rows[: REHEARSED_FRAMES + 1]
    stretch = range(min(len(rows), REHEARSED_FRAMES))
    lasts_s = float((rows[-1]["pts"] - rows[0]["pts"]) * recording.video.time_base)
    return rehearse(
        recording.source(),
        material.segmenter,
        recording.placed(config),
        stretch,
        part_s=(0.0, lasts_s),
    )


def _writing_ms(material: Material, config: Config) -> float:
    """Return the milliseconds that masks, overlay and table take a frame."""
    recording, info = material.recording, material.segmenter.info
    every = config.model_copy(
        update={"keyframe": config.keyframe.model_copy(update={"policy": "interval"})}
    )
    with tempfile.TemporaryDirectory(prefix="tempseg-tune-") as folder:
        sinks = build_sinks(
            config,
            Path(folder),
            video=replace(recording.video, media_path=None),
            segmenter=info,
            stages=(),
            take_timings=lambda _: {},
        )
        spent_s = []
        first = WARM_UP_FRAMES + WRITTEN_FRAMES
        results = replay(recording, every, material.segmenter, first=first)
        try:
            for result in results:
                start = time.perf_counter()
                for sink in sinks.values():
                    sink.write(result)
                spent_s.append(time.perf_counter() - start)
        finally:
            for sink in sinks.values():
                sink.abandon()
    counted = spent_s[WARM_UP_FRAMES:] or spent_s
    return 1000 * sum(counted) / max(len(counted), 1)
