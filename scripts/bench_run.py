"""What few keyframes save, start to end, and that memory does not grow with the video.

    .venv/bin/python scripts/bench_run.py VIDEO --model MODEL

Each run is a process of its own, as a user starts it; wall time is from its start to its end,
memory its peak resident size. Runs alternate between interval 1 (the model on every frame) and
the others, so that a machine whose speed drifts treats all alike; medians are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import av
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Timing:
    """One process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    frames: int
    segmenter_ms: float
    stage_ms: dict[str, float]


def run_once(video: Path, model: str, out: Path, settings: list[str]) -> Timing:
    """Run the command and return what it took."""
    command = [sys.executable, "-m", "tempseg", "run", str(video), "--model", model]
    command += ["--out", str(out), "--overwrite", "--quiet"]
    for setting in settings:
        command += ["--set", setting]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    if status != 0:
        sys.exit(f"error: {' '.join(command)} ended with status {status}")
    totals = json.loads((out / "run.json").read_text())["totals"]
    return Timing(
        wall_s,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        totals["frames"],
        totals["segmenter_s"] / totals["keyframes"] * 1000,
        {k: round(v / totals["frames"] * 1000, 2) for k, v in totals["stage_s"].items()},
    )


def repeated(video: Path, times: int, out: Path) -> Path:
    """Write the video's pictures `times` times over without encoding again."""
    with av.open(str(out), "w") as target:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(video)) as source:
                pictures = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(pictures)
                    stream.time_base = pictures.time_base
                end = offset
                for packet in source.demux(pictures):
                    if packet.dts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.stream = stream
                    target.mux(packet)
            offset = end
    return out


def main() -> None:
    """Print the table, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--intervals", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10, help="length of the memory test; 0: none")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    intervals = [1, *options.intervals]
    timings: dict[str, list[Timing]] = {str(interval): [] for interval in intervals}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        fixed = ["keyframe.policy=interval", *options.settings]
        run_once(options.video, options.model, out, [*fixed, "source.end=0.5"])
        for _ in range(options.runs):
            for interval in intervals:
                settings = [*fixed, f"keyframe.interval={interval}"]
                timing = run_once(options.video, options.model, out, settings)
                timings[str(interval)].append(timing)
        if options.repeat:
            long = repeated(options.video, options.repeat, Path(folder) / "long.mp4")
            settings = [*fixed, "keyframe.interval=10"]
            timings[f"10, {options.repeat} times as long"] = [
                run_once(long, options.model, out, settings)
            ]
    table = Table(title=f"{options.video.name}, {Path(options.model).name}")
    for heading in ("interval", "frames", "wall s", "frames/s", "faster", "CPU s", "peak MB"):
        table.add_column(heading, justify="right")
    baseline = statistics.median(timing.wall_s for timing in timings["1"])
    for name, found in timings.items():
        wall_s = statistics.median(timing.wall_s for timing in found)
        frames = found[0].frames
        table.add_row(
            name,
            str(frames),
            f"{wall_s:.1f}",
            f"{frames / wall_s:.1f}",
            f"{baseline * frames / timings['1'][0].frames / wall_s:.2f}×",
            f"{statistics.median(timing.cpu_s for timing in found):.1f}",
            f"{max(timing.peak_mb for timing in found):.0f}",
        )
    console = Console()
    console.print(table)
    ms = statistics.median(timing.segmenter_ms for timing in timings["1"])
    console.print(f"segmenter: {ms:.0f} ms a call at interval 1")
    if options.json is not None:
        figures = {name: [asdict(t) for t in found] for name, found in timings.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
