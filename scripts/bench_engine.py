"""What a frame between keyframes costs the engine, decoding and writing aside.

    .venv/bin/python scripts/bench_engine.py VIDEO --model MODEL [--config configs/fast.toml]

Frames are decoded and the model is asked before the clock. Motion runs in a thread of its own, as
in a run. A frame's share of the time is what the whole took, over the frames that are no keyframes;
so what keyframes cost beside the model is in it, too. Beside wall times stands processor time,
which says more on a machine that is shared.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from tempseg.build import build_engine, build_segmenter, build_source
from tempseg.config import load_config
from tempseg.prefetch import Prefetch
from tempseg.protocols import Segmenter
from tempseg.runners.local import SPAN_AHEAD
from tempseg.runners.timing import StageTimes
from tempseg.types import Frame, Origin, Planes, Prediction, UInt8Array


class DecodedPicture:
    """A picture whose planes are at hand, as a decoder's are."""

    def __init__(self, planes: Planes, image: UInt8Array) -> None:
        self._planes, self._image = planes, image
        self.size = planes.y.shape

    def luma(self) -> UInt8Array:
        """Return the decoder's own plane."""
        return self._planes.y

    def yuv420(self) -> Planes:
        """Return the decoder's planes."""
        return self._planes

    def rgb(self) -> UInt8Array:
        """Return the RGB that was made ahead."""
        return self._image


class Remembered:
    """A segmenter that is asked once about each frame."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._answers: dict[int, Prediction] = {}
        self.info = segmenter.info

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer, the one of before where there is one."""
        if frame.index not in self._answers:
            self._answers[frame.index] = self._segmenter.segment(frame)
        return self._answers[frame.index]


def main() -> None:
    """Print milliseconds a frame, median of the runs, with motion's and carrying's part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video")
    parser.add_argument("--model", required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    overrides = [("segmenter.model", options.model), *options.settings]
    config = load_config(options.config, overrides=overrides)
    frames = []
    for frame in build_source(options.video, config):
        picture = DecodedPicture(frame.picture.yuv420(), frame.image)
        frames.append(Frame(frame.index, frame.pts, frame.time_base, picture))
        if len(frames) == options.frames:
            break
    segmenter = Remembered(build_segmenter(config))
    figures = []
    for run in range(options.runs + 1):
        times = StageTimes()
        engine = build_engine(config, segmenter, timer=times)
        start, start_cpu = time.perf_counter(), time.process_time()
        with Prefetch(engine.steps(frames), name="motion", capacity=SPAN_AHEAD) as steps:
            results = list(engine.carried(engine.decided(steps)))
        wall_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
        between = sum(result.origin is not Origin.SEGMENTED for result in results)
        totals = [wall_s, cpu_s, times.totals["motion"], times.totals["carry"]]
        # Once before the clock runs: kernels are compiled or read from their cache, and the model
        # is asked.
        if run:
            figures.append([1000 * seconds / between for seconds in totals])
    wall, cpu, motion, carry = np.median(figures, axis=0)
    height, width = frames[0].size
    print(
        f"{width}×{height}, {len(frames)} frames, {between} between keyframes: "
        f"{wall:.1f} ms a frame (motion {motion:.1f}, carry {carry:.1f}), CPU {cpu:.1f}"
    )


if __name__ == "__main__":
    main()
