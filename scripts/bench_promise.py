"""Whether `tempseg run --max-drop D` keeps what it says, held against the model on every frame.

    .venv/bin/python scripts/bench_promise.py VIDEO... --model MODEL [--max-drop 1]

Each video is run with the promise. Then every frame between its keyframes is given to the model,
and fidelity less floor over all of them is the truth that the audits of the run estimated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tempseg
from tempseg.auditing import audit_run
from tempseg.build import build_segmenter, build_source

EVERY = 1_000_000


def main() -> None:
    """Print what was promised, what the run said came of it, and what is true."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--end", type=float, help="seconds of each video")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("out/promise"))
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=f"at most {options.max_drop:g} points below the floor, {options.model}")
    for heading in ("video", "frames", "policy", "attempts", "keyframes", "floor"):
        table.add_column(heading, justify="left" if heading in ("video", "policy") else "right")
    for heading in ("told", "kept", "true drop"):
        table.add_column(heading, justify="right")
    overrides: list[str | tuple[str, object]] = [
        *options.settings,
        ("segmenter.model", options.model),
        ("output.overlay", False),
        ("output.report", False),
    ]
    if options.end is not None:
        overrides.append(("source.end", options.end))
    config = tempseg.load_config(overrides=overrides)
    for video in options.videos:
        folder = options.out / Path(video).stem
        promise = tempseg.run_within(
            video,
            folder,
            max_drop=options.max_drop,
            config=config,
            overwrite=True,
            cache=options.out / "cache",
        )
        truth = audit_run(
            folder, build_source(video, config), build_segmenter(config), config, count=EVERY
        )
        last = promise.attempts[-1]
        told = last.audit.difference
        table.add_row(
            Path(video).stem,
            str(promise.summary.totals.frames),
            last.policy,
            str(len(promise.attempts)),
            f"{last.keyframe_share:.1%}",
            f"{truth.floor.mean:.3f}" if truth.between else "",
            f"{told.mean * 100:+.1f} ({told.low * 100:+.1f} to {told.high * 100:+.1f})"
            if truth.between
            else "none between",
            "yes" if promise.kept else "no",
            f"{truth.difference.mean * 100:+.1f}" if truth.between else "",
        )
        console.print(f"{Path(video).stem}: {promise.message}")
    console.print(table)


if __name__ == "__main__":
    main()
