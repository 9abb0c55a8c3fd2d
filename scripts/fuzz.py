"""Damaged videos and random configs by the thousand: an answer or a told error, nothing else.

    .venv/bin/python scripts/fuzz.py --videos 2000 --configs 20000 --seed 0

Small clips of several codecs and containers are made, damaged at random (bytes flipped, ranges
zeroed, cut, repeated, swapped, the end cut off) and run with a trivial model in worker processes,
each with a time limit; configs are random trees, overrides and TOML texts. What is no finished run
and no error of tempseg's own - another exception, a crash, a hang, files that do not fit each
other - is printed with its seed, kept in --keep, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing as mp
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np

from tempseg.build import build_engine, segmenter_options
from tempseg.config import Config, load_config
from tempseg.errors import RunError, TempsegError
from tempseg.segmenters import CallableSegmenter

CLIPS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "ffv1.mkv": ("ffv1", "yuv444p"),
    "h264.ts": ("libx264", "yuv420p"),
}
FRAMES = 12
LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that ended as none may."""

    case: str
    what: str


def make_clips(folder: Path) -> dict[str, bytes]:
    """Write a small clip a codec and return their bytes by name."""
    random_pixels = np.random.default_rng(0)
    made = {}
    for name, (codec, pixels) in CLIPS.items():
        path = folder / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
            still = random_pixels.integers(0, 256, (64, 96, 3), np.uint8)
            for index in range(FRAMES):
                image = np.roll(still, 3 * index, axis=1)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        made[name] = path.read_bytes()
    return made


def damaged(content: bytes, seed: int) -> bytes:
    """Return a file's bytes with one to eight faults."""
    choose = random.Random(seed)
    data = bytearray(content)
    for _ in range(choose.choice((1, 1, 2, 4, 8))):
        if not data:
            break
        at = choose.randrange(len(data))
        # Headers are short and matter most.
        at = choose.choice((at, at, at % 512, len(data) - 1 - at % 1024)) % len(data)
        length = min(choose.choice((1, 2, 4, 16, 256, 4096)), len(data) - at)
        match choose.randrange(7):
            case 0:
                data[at] ^= 1 << choose.randrange(8)
            case 1:
                data[at : at + length] = bytes(length)
            case 2:
                data[at : at + length] = choose.randbytes(length)
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length]
            case 5:
                del data[at:]
            case _:
                data[at : at + length] = b"\xff" * length
    return bytes(data)


def bright(image: np.ndarray) -> np.ndarray:
    """Label bright pixels: a model that costs nothing."""
    return (image[::4, ::4].mean(axis=2) > 127).astype(np.uint8)


def run_video(path: Path, out: Path) -> str:
    """Run a clip; return how the command would end, or raise what it would not expect."""
    import tempseg

    config = {"segmenter.classes": ["dark", "bright"], "output.report": False}
    try:
        summary = tempseg.run(
            path, out, model=f"python:{__name__}:bright", config=config, overwrite=True
        )
    except RunError:
        return "status 1"
    except TempsegError:
        return "status 2"
    from tempseg.video import read_label_video

    rows = len((out / "frames.csv").read_text().splitlines()) - 1
    maps = sum(1 for _ in read_label_video(str(out / "masks.mkv")))
    if not rows == maps == summary.totals.frames:
        raise AssertionError(f"{rows} rows, {maps} maps, {summary.totals.frames} frames")
    return "status 0"


def work(pipe: Connection, folder: str) -> None:
    """Answer paths with how they ended, until there are none."""
    sys.modules.setdefault("fuzz", sys.modules[__name__])
    import logging

    logging.disable(logging.CRITICAL)
    av.logging.set_level(None)
    while (path := pipe.recv()) is not None:
        try:
            pipe.send((True, run_video(Path(path), Path(folder) / "out")))
        except BaseException:  # noqa: BLE001 - everything is a finding
            pipe.send((False, traceback.format_exc()))


class Worker:
    """A process that may crash or hang."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start()

    def _start(self) -> None:
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, str(self._folder)), daemon=True)
        self._process.start()
        theirs.close()
        self._warm = False

    def ended(self, path: Path) -> tuple[bool, str]:
        """Return whether a clip ended well, and how."""
        self._pipe.send(str(path))
        # The first case of a process also imports, and compiles what is not cached.
        limit_s = LIMIT_S if self._warm else LIMIT_S + 120
        try:
            if self._pipe.poll(limit_s):
                self._warm = True
                ok, told = self._pipe.recv()
                return bool(ok), str(told)
            told = f"hangs: not done within {limit_s:g} s"
        except EOFError:
            self._process.join()
            told = f"crashes: exit code {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        self._start()
        return False, told

    def stop(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(10)
        self._process.kill()


def fuzz_videos(
    count: int, *, seed: int, keep: Path | None = None
) -> tuple[Counter[str], list[Finding]]:
    """Run damaged clips; return how many ended how, and what ended badly."""
    ends: Counter[str] = Counter()
    findings = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = make_clips(folder)
        worker = Worker(folder)
        try:
            for number in range(seed, seed + count):
                clip = list(clips)[number % len(clips)]
                path = folder / f"case{Path(clip).suffix}"
                path.write_bytes(damaged(clips[clip], number))
                ok, told = worker.ended(path)
                ends[told if ok else told.partition(":")[0]] += 1
                if not ok:
                    findings.append(Finding(f"{clip}, seed {number}", told))
                    if keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{number}-{clip}").write_bytes(path.read_bytes())
        finally:
            worker.stop()
    return ends, findings


def _keys() -> list[str]:
    return [f"{section}.{key}" for section, keys in Config().model_dump().items() for key in keys]


def _value(choose: random.Random, depth: int = 0) -> object:
    simple = (
        choose.randrange(-3, 40),
        choose.choice((0, -1, 10**9, 10**30, 2**63, 1.5, -0.0, 1e308, float("inf"), float("nan"))),
        choose.random(),
        choose.choice((True, False, None)),
        choose.choice(
            ("", "auto", "interval", "adaptive", "voc", "street", "rgb", "logits", "a\nb", "\x00",
             "é" * 300, "python:os:getcwd", "masks:", "/", ".", "[1", "nan", "00:10", "{}"),
        ),
        b"\xff",
        Path("x"),
        np.float32(0.5),
        np.arange(3),
    )  # fmt: skip
    if depth < 3 and choose.random() < 0.25:
        many = range(choose.randrange(4))
        if choose.random() < 0.5:
            return [_value(choose, depth + 1) for _ in many]
        return {choose.choice(("a", "model", "x.y", "")): _value(choose, depth + 1) for _ in many}
    return choose.choice(simple)


def _override(choose: random.Random, key: str) -> str | tuple[str, object]:
    value = _value(choose)
    return f"{key}={value}" if choose.random() < 0.5 else (key, value)


def _toml(choose: random.Random) -> bytes:
    lines: list[str] = []
    for _ in range(choose.randrange(8)):
        section, _, name = choose.choice(_keys()).partition(".")
        raw = choose.choice(("1", "-1", "0.5", "'x'", "true", "[1, 2]", "{a = 1}", "nan", "inf", "",
                             "2020-01-01", "'''", "1_0", "0x10", "[[1]]", '"\\ud800"'))  # fmt: skip
        head, pair = f"[{section}]", f"{name} = {raw}"
        full = f"{section}.{pair}"
        lines += choose.choice(
            ([head], [f"[{head}]"], [full], [f"{section} = {raw}"], [head, pair])
        )
    text = "\n".join(lines).encode()
    return damaged(text, choose.randrange(10**9)) if choose.random() < 0.3 else text


def _cases(seed: int, count: int) -> Iterator[tuple[int, bytes | None, list[object]]]:
    keys = [*_keys(), *{key.partition(".")[0] for key in _keys()}, "x", "", ".", "flow.", ".preset"]
    keys += ["flow.preset.x", "flow..preset", " flow.preset"]
    for number in range(seed, seed + count):
        choose = random.Random(number)
        toml = _toml(choose) if choose.random() < 0.4 else None
        overrides = [_override(choose, choose.choice(keys)) for _ in range(choose.randrange(5))]
        yield number, toml, list(overrides)


def fuzz_configs(count: int, *, seed: int) -> tuple[Counter[str], list[Finding]]:
    """Load random configs, and build an engine of those that load."""
    ends: Counter[str] = Counter()
    findings = []
    segmenter = CallableSegmenter(bright)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "config.toml"
        for number, toml, overrides in _cases(seed, count):
            if toml is not None:
                path.write_bytes(toml)
            try:
                config = load_config(None if toml is None else path, overrides=overrides)  # type: ignore[arg-type]
                segmenter_options(config.segmenter)
                build_engine(config, segmenter)
                if load_config(overrides=config.set_keys()).model_dump() != config.model_dump():
                    raise AssertionError("its keys give another config")
                ends["loads"] += 1
            except TempsegError as error:
                ends["refused"] += 1
                if not str(error).strip():
                    findings.append(Finding(f"config {number}", "refused without a word"))
            except Exception:  # noqa: BLE001 - everything else is a finding
                findings.append(
                    Finding(f"config {number}: {toml!r} {overrides!r}", traceback.format_exc())
                )
    return ends, findings


def main() -> None:
    """Print how the cases ended, and every finding."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--videos", type=int, default=600)
    parser.add_argument("--configs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for clips that end badly")
    options = parser.parse_args()
    start = time.monotonic()
    found: list[Finding] = []
    for name, (ends, findings) in {
        "configs": fuzz_configs(options.configs, seed=options.seed),
        "videos": fuzz_videos(options.videos, seed=options.seed, keep=options.keep),
    }.items():
        print(f"{name}: {dict(sorted(ends.items()))}, {len(findings)} ended badly", flush=True)
        found += findings
    for finding in found:
        print(f"--- {finding.case}\n{finding.what}")
    print(f"{time.monotonic() - start:.0f} s")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    # Worker processes and the model's name find this file as a module.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import fuzz

    fuzz.main()
