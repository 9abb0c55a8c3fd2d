"""Whether plans come true: what `tempseg plan` tells beside what `tempseg run` then takes.

    .venv/bin/python scripts/bench_plan.py VIDEO... --model MODEL [--set KEY=VALUE]...

Plan and run are a process each, one after the other, --rounds times; a machine whose speed drifts
between them shows as an error of the plan. Medians are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Round:
    """A plan, and the run after it; disk in 10^6 bytes."""

    frames: int
    planned_keyframes: int
    same_keyframes: bool
    planned_s: float
    wall_s: float
    planned_mb: float
    written_mb: float
    planned_memory_mb: float
    memory_mb: float


def one_round(video: str, options: argparse.Namespace, folder: Path) -> Round:
    """Plan a run, run it, and return both in figures."""
    told, out = folder / "plan.json", folder / "run"
    common = [video, "--model", options.model, "--quiet"]
    for setting in options.settings:
        common += ["--set", setting]
    if options.end is not None:
        common += ["--end", options.end]
    for words in (
        ["plan", *common, "--json", str(told)],
        ["run", *common, "--no-report", "--overwrite", "--out", str(out)],
    ):
        if subprocess.run([sys.executable, "-m", "tempseg", *words], check=False).returncode != 0:
            sys.exit(f"error: tempseg {' '.join(words)} failed")
    plan = json.loads(told.read_text())
    totals = json.loads((out / "run.json").read_text())["totals"]
    rows = (out / "frames.csv").read_text().splitlines()[1:]
    ran = [int(row.split(",")[0]) for row in rows if row.split(",")[2] == "segmented"]
    written = [out / name for name in ("masks.mkv", "overlay.mp4") if (out / name).exists()]
    cost = plan["cost"]
    return Round(
        frames=totals["frames"],
        planned_keyframes=len(plan["keyframes"]),
        same_keyframes=[k["index"] for k in plan["keyframes"]] == ran,
        planned_s=cost["wall_s"],
        wall_s=totals["wall_s"],
        planned_mb=cost["disk_mb"],
        written_mb=sum(path.stat().st_size for path in written) / 1e6,
        planned_memory_mb=cost["memory_mb"],
        memory_mb=totals["peak_memory_mb"],
    )


def main() -> None:
    """Print a row a video, and write all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--end", help="seconds or timecode at which each video is cut off")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[Round]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for video in options.videos:
            found[video] = [one_round(video, options, Path(folder)) for _ in range(options.rounds)]
    table = Table(title=Path(options.model).name)
    heads = ("video", "frames", "keyframes", "same", "planned s", "run s", "ratio", "each round")
    for head in (*heads, "planned MB", "written MB", "planned memory", "memory"):
        table.add_column(head, justify="left" if head == "video" else "right")
    for video, rounds in found.items():

        def middle(name: str, rounds: list[Round] = rounds) -> float:
            return statistics.median(getattr(one, name) for one in rounds)

        ratios = [one.planned_s / one.wall_s for one in rounds]
        table.add_row(
            Path(video).stem,
            str(rounds[0].frames),
            str(rounds[0].planned_keyframes),
            "yes" if all(one.same_keyframes for one in rounds) else "no",
            f"{middle('planned_s'):.1f}",
            f"{middle('wall_s'):.1f}",
            f"{statistics.median(ratios):.2f}",
            " ".join(f"{ratio:.2f}" for ratio in ratios),
            f"{middle('planned_mb'):.2f}",
            f"{middle('written_mb'):.2f}",
            f"{middle('planned_memory_mb'):.0f}",
            f"{middle('memory_mb'):.0f}",
        )
    Console(width=160).print(table)
    if options.json is not None:
        figures = {video: [asdict(one) for one in rounds] for video, rounds in found.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
