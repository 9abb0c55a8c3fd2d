"""What few keyframes cost or gain: one model at several intervals, against truth and itself.

    .venv/bin/python scripts/bench_accuracy.py ../shared/data/camvid/val \
        --model ../shared/models/espnetv2/espnetv2_s_2.0_city_1024x512.tflite \
        --truth ../shared/data/camvid/valannot

Each source is run with `tempseg.run` and scored with `tempseg.evaluate`, the run on every frame
first: it is the reference of the others. Runs are kept under --out and used again unless --fresh.
Frames a second are a run's own, masks written and overlay not.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tempseg

MAPS = Path(__file__).resolve().parents[1] / "configs" / "maps"
SHOWN = (
    "miou",
    "tc",
    "flicker",
    "blink",
    "fidelity",
    "fidelity_floor",
    "frames_per_s",
)


def run_and_score(source: str, interval: int, options: argparse.Namespace) -> dict[str, object]:
    """Return the figures of one source at one interval."""
    stem = f"{Path(source).stem}-{Path(options.model).stem}"
    folder = options.out / f"{stem}-{interval}"
    overrides: list[str | tuple[str, object]] = [
        *options.settings,
        ("keyframe.policy", "interval"),
        ("keyframe.interval", interval),
        ("output.overlay", False),
        ("output.report", False),
        ("source.end", options.end),
    ]
    if options.fresh and folder.exists():
        shutil.rmtree(folder)
    if not (folder / "run.json").exists():
        config = tempseg.load_config(
            options.config, overrides=[o for o in overrides if o[1] is not None]
        )
        tempseg.run(source, folder, model=options.model, config=config)
    evaluation = tempseg.evaluate(
        folder,
        truth=options.truth,
        reference=None if interval == 1 else options.out / f"{stem}-1",
        mapping=options.map,
        truth_mapping=options.map_truth if options.truth else None,
    )
    figures = evaluation.as_dict()
    totals = json.loads((folder / "run.json").read_text())["totals"]
    return {
        "source": source,
        "interval": interval,
        "keyframe_share": totals["keyframe_share"],
        **{key: figures.get(key) for key in SHOWN},
        "frames_per_s": totals["frames_per_s"],
    }


def main() -> None:
    """Print a row a source and interval, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--truth", help="label images, one a frame or by name")
    parser.add_argument("--map", help="classes of the model to those of the truth")
    parser.add_argument("--map-truth", help="ids of the truth's files to classes")
    parser.add_argument("--camvid", action="store_true", help="maps from Cityscapes to CamVid")
    parser.add_argument("--intervals", type=int, nargs="+", default=[10, 5])
    parser.add_argument("--end", help="seconds or timecode at which each source is cut off")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("out/bench_accuracy"))
    parser.add_argument("--fresh", action="store_true", help="run again what has been run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.camvid:
        options.map = str(MAPS / "cityscapes_to_camvid.toml")
        options.map_truth = str(MAPS / "camvid_truth.toml")
    rows = [
        run_and_score(source, interval, options)
        for source in options.sources
        for interval in (1, *options.intervals)
    ]
    table = Table(title=f"{Path(options.model).name}")
    for heading in ("source", "interval", *SHOWN):
        table.add_column(heading, justify="left" if heading == "source" else "right")
    for row in rows:
        values = [row[key] for key in SHOWN]
        table.add_row(
            Path(str(row["source"])).name,
            str(row["interval"]),
            *("" if value is None else f"{value:.4f}" for value in values[:-1]),
            f"{values[-1]:.1f}",
        )
    Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
