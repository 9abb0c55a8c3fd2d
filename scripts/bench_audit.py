"""Whether the intervals of audits hold the truth: how often, over many seeds, and how wide.

    .venv/bin/python scripts/bench_audit.py VIDEO... --model MODEL [--set KEY=VALUE]...

Each video is run once and every frame between its keyframes audited, which gives the truth. Then
audits of a few frames are drawn from those scores, as `tempseg run --audit N` would draw them with
so many seeds. Beside that, what frames drawn without strata and Student's interval would give.
Runs are kept under --out and used again unless --fresh.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import stdtrit

import tempseg
from tempseg.auditing import Audit, Estimate, draw, estimate, estimate_difference

EVERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """How audits of one video with one number of frames fare.

    Parameters
    ----------
    held, plain_held : float
        Share of seeds whose interval holds the truth; the same without strata, by Student's t.
    floor_held, difference_held : float
        The same for the floor and for fidelity less floor.
    width, plain_width : float
        Mean width of the intervals of fidelity.
    judged : mapping of verdict to share of seeds
    """

    video: str
    model: str
    between: int
    fidelity: float
    floor: float
    count: int
    held: float
    floor_held: float
    difference_held: float
    width: float
    plain_held: float
    plain_width: float
    judged: dict[str, float]


def audited_run(video: str, options: argparse.Namespace) -> Audit:
    """Return the audit of all frames between a run's keyframes."""
    folder = options.out / f"{Path(video).stem}-{Path(options.model).stem}"
    overrides: list[str | tuple[str, object]] = [
        *options.settings,
        ("output.overlay", False),
        ("output.report", False),
        ("run.audit", EVERY),
    ]
    if options.end is not None:
        overrides.append(("source.end", options.end))
    if options.fresh and folder.exists():
        shutil.rmtree(folder)
    record = folder / "run.json"
    if not record.exists() or "audit" not in json.loads(record.read_text()):
        config = tempseg.load_config(options.config, overrides=overrides)
        tempseg.run(video, folder, model=options.model, config=config, overwrite=True)
    return Audit.from_dict(json.loads(record.read_text())["audit"])


def plain_estimate(values: Sequence[float], *, population: int) -> Estimate:
    """Return mean and Student's interval of values drawn without strata."""
    known = np.array(values)
    known = known[np.isfinite(known)]
    unseen = 1 - len(values) / population
    reach = float(stdtrit(len(known) - 1, 0.975)) * known.std(ddof=1)
    reach *= math.sqrt(unseen / len(known))
    return Estimate(float(known.mean()), float(known.mean() - reach), float(known.mean() + reach))


def coverage(video: str, model: str, audit: Audit, count: int, seeds: int) -> Coverage:
    """Return how audits of `count` frames fare against the audit of all."""
    columns = {
        "fidelity": [frame.fidelity for frame in audit.frames],
        "floor": [frame.floor for frame in audit.frames],
    }
    truths = {name: getattr(audit, name).mean for name in (*columns, "difference")}
    held = dict.fromkeys((*truths, "plain"), 0)
    widths = {"fidelity": 0.0, "plain": 0.0}
    judged = dict.fromkeys(("below", "within", "above"), 0)
    chance = np.random.default_rng(0)

    def take(name: str, found: Estimate, truth: float) -> None:
        held[name] += found.low <= truth <= found.high
        if name in widths:
            widths[name] += found.high - found.low

    for seed in range(seeds):
        drawn = draw(audit.between, count, seed=seed)
        scored = {name: [values[i] for i in drawn] for name, values in columns.items()}
        for name, values in scored.items():
            take(name, estimate(values, population=audit.between), truths[name])
        found = estimate_difference(scored["fidelity"], scored["floor"], population=audit.between)
        take("difference", found, truths["difference"])
        told = "below" if found.high < 0 else "above" if found.low > 0 else "within"
        judged[told] += 1
        plain = chance.choice(audit.between, count, replace=False)
        values = [columns["fidelity"][i] for i in plain]
        take("plain", plain_estimate(values, population=audit.between), truths["fidelity"])
    return Coverage(
        video=Path(video).stem,
        model=Path(model).stem,
        between=audit.between,
        fidelity=truths["fidelity"],
        floor=truths["floor"],
        count=count,
        held=held["fidelity"] / seeds,
        floor_held=held["floor"] / seeds,
        difference_held=held["difference"] / seeds,
        width=widths["fidelity"] / seeds,
        plain_held=held["plain"] / seeds,
        plain_width=widths["plain"] / seeds,
        judged={name: number / seeds for name, number in judged.items()},
    )


def main() -> None:
    """Print a row a video and number of frames, and add all figures to --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 20, 30])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--end", help="seconds or timecode at which each video is cut off")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("out/bench_audit"))
    parser.add_argument("--fresh", action="store_true", help="run again what has been run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for video in options.videos:
        audit = audited_run(video, options)
        rows += [
            coverage(video, options.model, audit, count, options.seeds)
            for count in options.counts
            if count < audit.between
        ]
    percent: Callable[[float], str] = "{:.1%}".format
    table = Table(title=Path(options.model).name)
    heads = ("video", "frames", "fidelity", "floor", "N", "held", "floor held", "difference held")
    for head in (*heads, "width", "plain held", "plain width", "below/within/above"):
        table.add_column(head, justify="left" if head == "video" else "right")
    for row in rows:
        table.add_row(
            row.video,
            str(row.between),
            f"{row.fidelity:.3f}",
            f"{row.floor:.3f}",
            str(row.count),
            percent(row.held),
            percent(row.floor_held),
            percent(row.difference_held),
            f"{row.width:.3f}",
            percent(row.plain_held),
            f"{row.plain_width:.3f}",
            "/".join(f"{share:.0%}" for share in row.judged.values()),
        )
    Console(width=160).print(table)
    if options.json is not None:
        found = json.loads(options.json.read_text()) if options.json.exists() else []
        options.json.write_text(json.dumps(found + [asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
