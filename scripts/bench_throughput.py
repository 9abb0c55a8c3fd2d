"""How near a run is to what decoding, encoding and the model alone would take.

    .venv/bin/python scripts/bench_throughput.py VIDEO --model MODEL \
        --parts floor speed workers memory

VIDEO is repeated to --seconds without encoding it again. Each measurement is a process of its own,
started like a user's; what is compared takes turns, in each of --runs rounds, so that a machine
whose speed drifts treats all alike, and medians of the rounds' ratios are printed. Beside every
ratio of wall times stands that of CPU times, which says more on a machine that is shared.

floor   a run with overlay against a plain PyAV transcode with the overlay's encoder settings, and
        one without against decoding and FFV1; each floor plus the run's segmenter calls times what
        a call takes where nothing else runs
speed   keyframes every 25 frames (4 %) against the same model on every frame in this pipeline, and
        against the loop that people write: OpenCV reads, resizes, blends and writes
workers two workers against one, and how many cores one keeps busy; label maps alone of a model that
        takes no time, so that decoding, motion and writing are what is left
ray     --ray on this machine against --workers, as many each: a cluster of the run's own, whose
        start and end count, and one that runs already
memory  peak of a run of --seconds and of ten times that, less that of a process that only loads and
        calls the model
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from bench_run import repeated
from rich.console import Console
from rich.table import Table

from tempseg.build import build_segmenter
from tempseg.config import Config, load_config
from tempseg.protocols import Segmenter
from tempseg.types import Frame, Prediction
from tempseg.video import open_source

INTERVAL = 25
CLUSTER_STARTS_S = 5.0

_DEAR = "TEMPSEG_BENCH_DEAR"


@dataclass(frozen=True, slots=True)
class Timing:
    """One process: seconds of wall and CPU, peak memory, and what it printed last."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    told: dict[str, float]


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured on what."""

    video: Path
    model: str
    config: Path
    settings: tuple[str, ...]
    runs: int
    folder: Path

    def loaded(self) -> Config:
        """Return the config of a run."""
        return load_config(self.config, overrides=[("segmenter.model", self.model), *self.settings])

    def run(
        self,
        *extra: str,
        video: Path | None = None,
        model: str | None = None,
        interval: int = INTERVAL,
        timed: Callable[[Sequence[str]], Timing] | None = None,
    ) -> Timing:
        """Time the command."""
        out = self.folder / "run"
        command = [sys.executable, "-m", "tempseg", "run", str(video or self.video)]
        command += ["--model", model or self.model, "--config", str(self.config), "--out", str(out)]
        command += ["--overwrite", "--quiet", "--no-report", *extra]
        wanted = ["keyframe.policy=interval", f"keyframe.interval={interval}", *self.settings]
        for setting in wanted:
            command += ["--set", setting]
        timing = (timed or timed_alone)(command)
        totals = json.loads((out / "run.json").read_text())["totals"]
        told = {key: totals[key] for key in ("frames", "keyframes", "segmenter_s", "wall_s")}
        stages = {f"{k}_ms": v / totals["frames"] * 1000 for k, v in totals["stage_s"].items()}
        return Timing(timing.wall_s, timing.cpu_s, timing.peak_mb, told | stages)

    def part(self, name: str, *, video: Path | None = None) -> Timing:
        """Time one of this script's own loops."""
        command = [sys.executable, __file__, str(video or self.video), "--model", self.model]
        command += ["--config", str(self.config), "--loop", name, "--folder", str(self.folder)]
        for setting in self.settings:
            command += ["--set", setting]
        return timed_alone(command)


def blank(_: np.ndarray) -> np.ndarray:
    """Say one thing of every picture, in no time."""
    return np.zeros((9, 16), np.uint8)


@cache
def _asked_again() -> tuple[Segmenter, int]:
    """Return the model of `dear`, and how often it is asked."""
    model, calls, *settings = json.loads(os.environ[_DEAR])
    return build_segmenter(
        load_config(None, overrides=[("segmenter.model", model), *settings])
    ), calls


def dear(image: np.ndarray) -> Prediction:
    """Say what a model says, in several times its time."""
    segmenter, calls = _asked_again()
    return [segmenter.segment(Frame.from_image(image)) for _ in range(calls)][-1]


def _environment() -> dict[str, str]:
    """Return an environment in which this script's own models are found."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def timed_alone(command: Sequence[str]) -> Timing:
    """Run a command to its end; its last line may hold figures as JSON."""
    environment = _environment()
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - start
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with status {process.returncode}")
    told = json.loads(lines[-1]) if lines else {}
    return Timing(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, told)


def timed_with_all(command: Sequence[str]) -> Timing:
    """Run a command; its CPU time is that of all processes below it, looked at again and again.

    Those that Ray starts are waited for by Ray alone, and what they took is told to nobody.
    """
    environment = _environment()
    start = time.perf_counter()
    ticks: dict[int, int] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        while process.poll() is None:
            for pid in _below(process.pid):
                with contextlib.suppress(OSError):
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    ticks[pid] = int(fields[11]) + int(fields[12])
            time.sleep(0.1)
    wall_s = time.perf_counter() - start
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with status {process.returncode}")
    return Timing(wall_s, sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), math.nan, {})


def _below(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [pid]
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += _below(int(child))
    return found


def _transcode(bench: Bench, *, overlay: bool) -> dict[str, float]:
    """Decode and encode, as plainly as PyAV does it; the encoders are a run's own."""
    wanted = bench.loaded().output
    start = time.perf_counter()
    count = 0
    with av.open(str(bench.video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        with av.open(str(bench.folder / "plain.mkv"), "w") as target:
            codec = "libx264" if overlay else "ffv1"
            made = target.add_stream(codec, rate=stream.average_rate)
            made.width, made.height = stream.width, stream.height
            made.pix_fmt = "yuv420p" if overlay else "gray"
            made.codec_context.time_base = stream.time_base
            # A single thread and these options, as in tempseg/video/encode.py.
            made.codec_context.thread_count = 1
            made.options = (
                {"crf": str(wanted.crf), "preset": wanted.preset, "mbtree": "0"}
                if overlay
                else {"level": "3", "slicecrc": "1", "context": "0", "coder": "rice", "slices": "4"}
            )
            masks = _label_maps(stream.height, stream.width)
            for frame in container.decode(stream):
                if overlay:
                    shown = frame
                else:
                    shown = av.VideoFrame.from_ndarray(masks[count % len(masks)], format="gray")
                    shown.pts, shown.time_base = frame.pts, frame.time_base
                shown.pict_type = av.video.frame.PictureType.NONE
                target.mux(made.encode(shown))
                count += 1
            target.mux(made.encode(None))
    return {"frames": count, "wall_s": time.perf_counter() - start}


def _label_maps(height: int, width: int) -> list[np.ndarray]:
    """Return maps of moving blobs, about as rich as a model's."""
    maps = []
    for shift in range(8):
        labels = np.zeros((height, width), np.uint8)
        for number in range(1, 9):
            middle = (number * width // 9 + 4 * shift, number * height // 12 + height // 6)
            cv2.ellipse(labels, middle, (width // 14, height // 9), 0, 0, 360, number, -1)
        maps.append(labels)
    return maps


def _segmenter_alone(bench: Bench) -> dict[str, float]:
    """Time calls of the model on frames of the video, where nothing else runs."""
    config = bench.loaded()
    segmenter = build_segmenter(config)
    taken, spent = [], []
    source = open_source(str(bench.video))
    for frame in source:
        if frame.index % 5:
            continue
        image = frame.image
        held = Frame.from_image(image, index=frame.index)
        start, start_cpu = time.perf_counter(), time.process_time()
        segmenter.segment(held)
        taken.append(time.perf_counter() - start)
        spent.append(time.process_time() - start_cpu)
        if len(taken) == 24:
            break
    source.close()
    return {"call_s": statistics.median(taken[4:]), "call_cpu_s": statistics.median(spent[4:])}


def _naive(bench: Bench) -> dict[str, float]:
    """Label every frame with the loop that people write; its model takes as long as ours."""
    segmenter = build_segmenter(bench.loaded())
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    reader = cv2.VideoCapture(str(bench.video))
    width = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    path = str(bench.folder / "naive.mp4")
    writer = cv2.VideoWriter(path, fourcc, reader.get(cv2.CAP_PROP_FPS), (width, height))
    start = time.perf_counter()
    count = 0
    while True:
        good, picture = reader.read()
        if not good:
            break
        # Resizing to the model's input and reading its answer is the segmenter's part.
        rgb = np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        answer = segmenter.segment(Frame.from_image(rgb, index=count))
        if answer.labels is not None:
            labels = answer.labels
        else:
            assert answer.scores is not None
            labels = answer.scores.argmax(axis=2).astype(np.uint8)
        full = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        writer.write(cv2.addWeighted(picture, 0.5, colours[full], 0.5, 0))
        count += 1
    writer.release()
    return {"frames": count, "wall_s": time.perf_counter() - start}


LOOPS = {
    "transcode": lambda bench: _transcode(bench, overlay=True),
    "ffv1": lambda bench: _transcode(bench, overlay=False),
    "segmenter": _segmenter_alone,
    "naive": _naive,
}


def _ratios(name: str, pairs: Sequence[tuple[float, float]], bar: str) -> list[str]:
    found = [ours / theirs for ours, theirs in pairs]
    spread = f"{min(found):.2f}–{max(found):.2f}"
    return [name, f"{statistics.median(found):.2f}", spread, bar]


def bench_floor(bench: Bench, table: Table) -> dict[str, list[Timing]]:
    """Add the rows of runs against their floors."""
    kinds = {
        "overlay": ((), "transcode", "≤ 1.25"),
        "no overlay": (("--no-overlay",), "ffv1", "≤ 1.5"),
    }
    found: dict[str, list[Timing]] = {}
    for _ in range(bench.runs):
        for name, (extra, floor, _) in kinds.items():
            for key, timing in (
                (f"run, {name}", bench.run(*extra)),
                (f"floor, {name}", bench.part(floor)),
                (f"segmenter, {name}", bench.part("segmenter")),
            ):
                found.setdefault(key, []).append(timing)
    for name, (_, _, bar) in kinds.items():
        walls, cpus = [], []
        for run, floor_, call in zip(
            *(found[f"{part}, {name}"] for part in ("run", "floor", "segmenter")), strict=True
        ):
            calls = run.told["keyframes"]
            # From the first frame to the last file, as the loops count: without starting Python.
            floor_s = floor_.told["wall_s"] + calls * call.told["call_s"]
            walls.append((run.told["wall_s"], floor_s))
            cpus.append((run.cpu_s, floor_.cpu_s + calls * call.told["call_cpu_s"]))
        table.add_row(*_ratios(f"wall, {name} / floor", walls, bar))
        table.add_row(*_ratios(f"CPU, {name} / floor", cpus, ""))
    return found


def bench_speed(bench: Bench, table: Table, *, seconds: float) -> dict[str, list[Timing]]:
    """Add the rows of few keyframes against the model on every frame."""
    part = ("--end", str(seconds))
    short = bench.folder / "short.mp4"
    _cut(bench.video, seconds, short)
    few = f"every {INTERVAL}th"
    found: dict[str, list[Timing]] = {few: [bench.run(*part)], "every frame": [], "naive loop": []}
    for _ in range(bench.runs):
        # The short one before and after each long one, during which the machine may change.
        found["every frame"].append(bench.run(*part, interval=1))
        found[few].append(bench.run(*part))
        found["naive loop"].append(bench.part("naive", video=short))
        found[few].append(bench.run(*part))
    for first, (name, bar) in enumerate({"every frame": "≥ 8", "naive loop": "≥ 10"}.items()):
        walls, cpus = [], []
        for round_, base in enumerate(found[name]):
            before = 2 * round_ + first
            around = found[few][before : before + 2]
            frames = sum(run.told["frames"] for run in around)
            ours_s = sum(run.told["wall_s"] for run in around) / frames
            ours_cpu_s = sum(run.cpu_s for run in around) / frames
            walls.append((base.told["wall_s"] / base.told["frames"], ours_s))
            cpus.append((base.cpu_s / base.told["frames"], ours_cpu_s))
        table.add_row(*_ratios(f"frames/s, {few} / {name}", walls, bar))
        table.add_row(*_ratios(f"CPU a frame, {name} / {few}", cpus, ""))
    return found


def bench_workers(bench: Bench, table: Table) -> dict[str, list[Timing]]:
    """Add the rows of two workers against one."""
    found: dict[str, list[Timing]] = {}
    for _ in range(bench.runs):
        for workers in (1, 2):
            timing = bench.run(
                "--no-overlay", "--workers", str(workers), model="python:bench_throughput:blank"
            )
            found.setdefault(f"workers: {workers}", []).append(timing)
    one, two = found["workers: 1"], found["workers: 2"]
    walls = [(a.told["wall_s"], b.told["wall_s"]) for a, b in zip(one, two, strict=True)]
    table.add_row(*_ratios("wall, one worker / two", walls, "≥ 1.6"))
    busy = [(timing.cpu_s, timing.wall_s) for timing in one]
    table.add_row(*_ratios("cores that one keeps busy", busy, ""))
    return found


def bench_ray(bench: Bench, table: Table, *, workers: int) -> dict[str, list[Timing]]:
    """Add the rows of workers on Ray against as many of --workers."""
    kinds = {"--workers": (), "--ray": ("--ray",), "--ray auto": ("--ray", "auto")}
    found: dict[str, list[Timing]] = {name: [] for name in kinds}
    for round_ in range(bench.runs):
        # Whoever is first finds the machine as the last one left it: all take their turns.
        for name in list(kinds)[:: 1 if round_ % 2 else -1]:
            with _cluster(workers) if name == "--ray auto" else contextlib.nullcontext():
                timing = bench.run(*kinds[name], "--workers", str(workers), timed=timed_with_all)
            found[name].append(timing)
    for name, what in {"--ray": "a cluster of its own", "--ray auto": "one that runs"}.items():
        both = list(zip(found[name], found["--workers"], strict=True))
        walls = [(ray.wall_s, own.wall_s) for ray, own in both]
        table.add_row(*_ratios(f"wall, {name} ({what}) / --workers {workers}", walls, "≤ 1.1"))
    both = list(zip(found["--ray"], found["--workers"], strict=True))
    used = [(ray.cpu_s, own.cpu_s) for ray, own in both]
    table.add_row(*_ratios(f"CPU, --ray / --workers {workers}", used, ""))
    return found


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """Start a Ray cluster on this machine, as its owner would, and stop it at the end."""
    ray = Path(sys.executable).with_name("ray")
    room = max(workers, len(os.sched_getaffinity(0)))
    options = ["--head", "--disable-usage-stats", "--include-dashboard=false"]
    started = [ray, "start", *options, f"--num-cpus={room}"]
    subprocess.run(started, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # It has workers of its own to start first.
        time.sleep(CLUSTER_STARTS_S)
        yield
    finally:
        subprocess.run([ray, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _cut(video: Path, seconds: float, out: Path) -> None:
    with av.open(str(video)) as source, av.open(str(out), "w") as target:
        pictures = source.streams.video[0]
        stream = target.add_stream_from_template(pictures)
        for packet in source.demux(pictures):
            if packet.dts is None or packet.dts * packet.time_base > seconds:
                continue
            packet.stream = stream
            target.mux(packet)


def bench_memory(bench: Bench, table: Table) -> dict[str, list[Timing]]:
    """Add the rows of peak memory, short and long."""
    long = repeated(bench.video, 10, bench.folder / "ten.mp4")
    found = {
        "model alone": [bench.part("segmenter")],
        "run": [bench.run()],
        "run, ten times as long": [bench.run(video=long)],
    }
    alone, short, longer = (timings[0].peak_mb for timings in found.values())
    table.add_row("peak MB, model alone", f"{alone:.0f}", "", "")
    table.add_row("peak MB, run less model alone", f"{short - alone:.0f}", "", "< 1000")
    table.add_row("peak MB, run", f"{short:.0f}", "", "")
    table.add_row("peak, ten times as long / run", f"{longer / short:.3f}", "", "≤ 1.05")
    return found


def main() -> None:
    """Print the table, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/default.toml"))
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=["floor", "speed", "workers", "ray", "memory"],
        default=["floor", "speed"],
    )
    parser.add_argument("--seconds", type=float, default=120, help="VIDEO is repeated to this")
    parser.add_argument("--speed-seconds", type=float, default=20, help="of the part speed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--calls",
        type=int,
        default=1,
        help="ask MODEL so often a time, for a model as dear as that",
    )
    parser.add_argument("--workers", type=int, default=2, help="of the part ray")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--loop", choices=sorted(LOOPS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = tuple(options.settings)
    named = Path(options.model).name
    if options.calls > 1:
        own_settings = [one for one in settings if one.startswith("segmenter.")]
        os.environ[_DEAR] = json.dumps([options.model, options.calls, *own_settings])
        options.model, named = "python:bench_throughput:dear", f"{options.calls} × {named}"
        settings = tuple(one for one in settings if one not in own_settings)
    if options.loop is not None:
        own = Bench(options.video, options.model, options.config, settings, 1, options.folder)
        print(json.dumps(LOOPS[options.loop](own)))
        return
    with av.open(str(options.video)) as container:
        length_s = float(container.duration / av.time_base)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = max(1, round(options.seconds / length_s))
        video = repeated(options.video, times, folder / "long.mp4")
        bench = Bench(video, options.model, options.config, settings, options.runs, folder)
        # Once before the clock: kernels are compiled or read from their cache, files from the disk.
        bench.run("--end", "1")
        title = f"{options.video.name} × {times}, {named}, {options.config.name}"
        table = Table("", "median", "range", "bar", title=title)
        found: dict[str, list[Timing]] = {}
        if "floor" in options.parts:
            found |= bench_floor(bench, table)
        if "speed" in options.parts:
            found |= bench_speed(bench, table, seconds=options.speed_seconds)
        if "workers" in options.parts:
            found |= bench_workers(bench, table)
        if "ray" in options.parts:
            found |= bench_ray(bench, table, workers=options.workers)
        if "memory" in options.parts:
            found |= bench_memory(bench, table)
    Console().print(table)
    for name, timings in found.items():
        told = {key: statistics.median(t.told[key] for t in timings) for key in timings[0].told}
        figures = ", ".join(f"{key} {value:.4g}" for key, value in told.items())
        print(f"{name}: CPU {statistics.median(t.cpu_s for t in timings):.1f} s, {figures}")
    if options.json is not None:
        every = {name: [asdict(one) for one in timings] for name, timings in found.items()}
        options.json.write_text(json.dumps(every, indent=2) + "\n")


if __name__ == "__main__":
    main()
