"""How well human masks are carried: DAVIS sequences, keyframes at a fixed interval.

    .venv/bin/python scripts/bench_propagation.py --davis ../shared/data/davis

J is the region measure (intersection over union of the object) of the frames between keyframes,
averaged over a sequence, then over sequences. "between" counts the frames that have a keyframe
on both sides; "all" also those after the last keyframe of a sequence. Milliseconds are the
engine's own, on the clock, motion in a thread of its own as in a run: decoding is done before,
nothing is written. "motion" and "carry" are the two threads' shares of it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tempseg.build import build_engine, build_segmenter, build_source
from tempseg.config import Config, load_config
from tempseg.label_images import list_images, read_label_image
from tempseg.prefetch import Prefetch
from tempseg.runners.local import SPAN_AHEAD
from tempseg.runners.timing import StageTimes
from tempseg.types import Frame, Origin, Planes, UInt8Array


@dataclass(frozen=True, slots=True)
class Score:
    """One sequence under one config."""

    sequence: str
    frames: int
    j_between: float
    j_all: float
    ms_per_frame: float
    motion_ms: float
    carry_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """The pixels as a video's decoder gives them: planes without conversion."""

    image: UInt8Array
    planes: Planes

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.planes.y.shape

    def rgb(self) -> UInt8Array:
        """Return RGB."""
        return self.image

    def luma(self) -> UInt8Array:
        """Return the luma plane."""
        return self.planes.y

    def yuv420(self) -> Planes:
        """Return the planes."""
        return self.planes


def measure(images: Path, masks: Path, config: Config) -> Score:
    """Carry the keyframes' masks of one sequence and compare with the masks between."""
    source = build_source(str(images), config)
    # Pixels as in a run of a video: the decoder's work is not the engine's.
    frames = [
        Frame(f.index, f.pts, f.time_base, DecodedPicture(f.image, f.picture.yuv420()))
        for f in source
    ]
    truth = [read_label_image(path) > 0 for path in list_images(masks)]
    with_model = load_config(overrides=config.set_keys() | {"segmenter.model": f"masks:{masks}"})
    times = StageTimes()
    engine = build_engine(with_model, build_segmenter(with_model), timer=times)
    start = time.perf_counter()
    with Prefetch(engine.steps(frames), name="motion", capacity=SPAN_AHEAD) as steps:
        results = list(engine.carried(engine.decided(steps)))
    wall_s = time.perf_counter() - start
    last_key = max(r.frame.index for r in results if r.origin is Origin.SEGMENTED)
    between, every = [], []
    for result in results:
        if result.origin is Origin.SEGMENTED:
            continue
        index = result.frame.index
        j = region_similarity(result.segmentation.labels > 0, truth[index])
        every.append(j)
        if index < last_key:
            between.append(j)
    return Score(
        images.name,
        len(frames),
        float(np.mean(between)),
        float(np.mean(every)),
        wall_s / len(frames) * 1000,
        times.totals["motion"] / len(frames) * 1000,
        times.totals["carry"] / len(frames) * 1000,
    )


def region_similarity(found: np.ndarray, expected: np.ndarray) -> float:
    """Return intersection over union; 1 where both are empty."""
    union = np.count_nonzero(found | expected)
    return 1.0 if union == 0 else np.count_nonzero(found & expected) / union


def main() -> None:
    """Print a table a mode, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--davis", type=Path, default=Path("../shared/data/davis"))
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console()
    figures = {}
    for mode, lookahead in (("both-sided", max(20, 2 * options.interval)), ("causal", 0)):
        overrides: list[str | tuple[str, object]] = [
            ("keyframe.policy", "interval"),
            ("keyframe.interval", options.interval),
            # The sequences hold no cut; a false one would reset the interval.
            ("keyframe.scene_threshold", 1.0),
            ("propagate.lookahead", lookahead),
            *options.settings,
        ]
        config = load_config(options.config, overrides=overrides)
        sequences = sorted(path for path in (options.davis / "JPEGImages").iterdir())
        # Once before the clock runs: kernels are compiled or read from their cache.
        measure(sequences[0], options.davis / "Annotations" / sequences[0].name, config)
        scores = [
            measure(path, options.davis / "Annotations" / path.name, config) for path in sequences
        ]
        table = Table(title=f"{mode}, every {options.interval}th frame a keyframe")
        for heading in ("sequence", "frames", "J between", "J all", "ms/frame", "motion", "carry"):
            table.add_column(heading, justify="left" if heading == "sequence" else "right")
        total = sum(score.frames for score in scores)
        mean = Score(
            "mean",
            total,
            float(np.mean([score.j_between for score in scores])),
            float(np.mean([score.j_all for score in scores])),
            *(
                sum(getattr(score, name) * score.frames for score in scores) / total
                for name in ("ms_per_frame", "motion_ms", "carry_ms")
            ),
        )
        for score in (*scores, mean):
            table.add_row(
                score.sequence,
                str(score.frames),
                f"{score.j_between:.3f}",
                f"{score.j_all:.3f}",
                f"{score.ms_per_frame:.1f}",
                f"{score.motion_ms:.1f}",
                f"{score.carry_ms:.1f}",
                style="bold" if score is mean else None,
            )
        console.print(table)
        figures[mode] = [asdict(score) for score in (*scores, mean)]
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
