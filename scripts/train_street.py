"""Train the embedded model of road scenes from nothing: `train_street.py --camvid FOLDER`.

Learns from a folder of CamVid and from scenes that this project renders. The last part of each
drive is held out and scored on the way; at the end a short stage learns from it too. Go on after
an interruption with `--resume`; make the files of the package with `export_street.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from street_training.batches import Mixture, working_ahead
from street_training.curves import append_row, drawn_curves, read_rows
from street_training.learning import Learner, LearningSettings
from street_training.material import (
    MaterialError,
    Pictures,
    camvid_pictures,
    class_shares,
    split_tails,
)
from street_training.progress import Position, Stage, rate_at, restored, saved
from street_training.rendered import rendered_pictures
from street_training.scoring import scored


def main(words: Sequence[str] | None = None) -> int:
    """Parse, train, and return the exit status."""
    arguments = _parser().parse_args(words)
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    try:
        _train(arguments)
    except MaterialError as error:
        print(f"train_street: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train_street: stopped; --resume goes on from the last score", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"train_street: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add(
        "--camvid",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="pictures to learn from; labels of the same names lie in FOLDERannot",
    )
    add(
        "--work",
        type=Path,
        default=Path("street-work"),
        metavar="DIR",
        help="checkpoint, curves and rendered pictures (default: %(default)s)",
    )
    add("--minutes", type=float, default=60.0, help="of the first stage (default: %(default)g)")
    add("--epochs", type=float, help="of the first stage, instead of --minutes")
    add(
        "--finish-minutes",
        type=float,
        default=14.0,
        help="of the second stage, on everything (default: %(default)g; 0: none)",
    )
    add("--finish-epochs", type=float, help="of the second stage, instead of --finish-minutes")
    add(
        "--hold-out",
        type=float,
        default=0.15,
        metavar="SHARE",
        help="last part of each drive to score on (default: %(default)g)",
    )
    add(
        "--rendered-seeds",
        type=int,
        default=36,
        metavar="N",
        help="rendered streets of 9 frames each (default: %(default)s; 0: none)",
    )
    add("--batch", type=int, default=6, metavar="N", help="(default: %(default)s)")
    add("--peak", type=float, default=2e-3, metavar="RATE", help="(default: %(default)g)")
    add("--finish-peak", type=float, default=4e-4, metavar="RATE", help="(default: %(default)g)")
    add("--score-every", type=int, default=500, metavar="STEPS", help="(default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=0, help="(default: as many as there are cores)")
    add("--resume", action="store_true", help="go on from the checkpoint in --work")
    return parser  # fmt: skip


def _train(arguments: argparse.Namespace) -> None:
    checkpoint = arguments.work / "checkpoint.npz"
    if arguments.resume and not checkpoint.is_file():
        raise MaterialError(f"{checkpoint}: nothing to go on from; start without --resume")
    filmed = camvid_pictures(arguments.camvid)
    learnt, held = split_tails(filmed.names, arguments.hold_out)
    height, width = filmed.labels.shape[1:]
    if not learnt:
        raise MaterialError(f"--hold-out {arguments.hold_out:g} leaves nothing to learn from")
    if height % 8 or width % 8:
        raise MaterialError(
            f"{arguments.camvid}: pictures of {width}×{height}, expected multiples of 8"
        )
    rendered = unseen = None
    if arguments.rendered_seeds:
        seeds = range(1000, 1000 + arguments.rendered_seeds)
        rendered = rendered_pictures(arguments.work / "rendered.npz", seeds=seeds)
        unseen = rendered_pictures(arguments.work / "unseen.npz", seeds=range(9000, 9003))
    arguments.work.mkdir(parents=True, exist_ok=True)
    if not arguments.resume:
        (arguments.work / "curves.csv").unlink(missing_ok=True)
    learner = Learner(
        class_shares(filmed.labels[learnt]), LearningSettings(),
        height=height, width=width, seed=arguments.seed,
    )  # fmt: skip
    position = restored(checkpoint, learner.variables()) if arguments.resume else Position()
    judges = {"held_out_miou": filmed.pick(held), "rendered_miou": unseen}
    mixtures = [
        Mixture(part, rendered, arguments.batch, 0.22, arguments.seed + index, height, width)
        for index, part in enumerate((filmed.pick(learnt), filmed))
    ]
    print(f"{len(learnt)} pictures to learn from, {len(held)} held out, "
          f"{0 if rendered is None else len(rendered)} rendered", flush=True)  # fmt: skip
    for index, stage in enumerate(_stages(arguments, mixtures)):
        if position.stage > index:
            continue
        mixture = mixtures[1 if stage.everything else 0]
        print(f"stage {stage.name}", flush=True)
        position = _run(stage, position, learner, mixture, judges, arguments)
        position = Position(stage=index + 1, step=position.step)
        # What each stage ended with is kept: the first one never saw what was held out.
        for path in (checkpoint, arguments.work / f"{stage.name}.npz"):
            saved(path, learner.variables(), position)


def _stages(arguments: argparse.Namespace, mixtures: list[Mixture]) -> list[Stage]:
    def steps(epochs: float | None, mixture: Mixture) -> int | None:
        return None if epochs is None else round(epochs * mixture.steps_per_epoch)

    first = steps(arguments.epochs, mixtures[0])
    second = steps(arguments.finish_epochs, mixtures[1])
    stages = [
        Stage("held-out", arguments.minutes if first is None else None, first,
              arguments.peak, everything=False),
        Stage("everything", arguments.finish_minutes if second is None else None, second,
              arguments.finish_peak, everything=True),
    ]  # fmt: skip
    return [stage for stage in stages if stage.minutes or stage.steps]


def _run(
    stage: Stage,
    position: Position,
    learner: Learner,
    mixture: Mixture,
    judges: dict[str, Pictures | None],
    arguments: argparse.Namespace,
) -> Position:
    began = time.monotonic() - position.elapsed_s
    batches = working_ahead(mixture, position.stage_step)
    losses: list[float] = []
    try:
        while stage.share(position) < 1:
            images, labels = next(batches)
            rate = rate_at(stage, position)
            losses.append(learner.step(images, labels, rate=rate, number=position.step))
            position = replace(
                position,
                stage_step=position.stage_step + 1,
                step=position.step + 1,
                elapsed_s=time.monotonic() - began,
            )
            if not np.isfinite(losses[-1]):
                raise MaterialError(f"the loss is {losses[-1]} at step {position.step}")
            if position.step % 50 == 0:
                print(f"  step {position.step}: {stage.share(position):.1%} of the stage, "
                      f"rate {rate:.2e}, loss {np.mean(losses[-50:]):.3f}", flush=True)  # fmt: skip
            last = stage.share(position) >= 1
            if position.step % arguments.score_every == 0 or last:
                _tell(stage, position, rate, losses, learner, judges, arguments.work)
                saved(arguments.work / "checkpoint.npz", learner.variables(), position)
                losses = []
    finally:
        batches.close()
    return position


def _tell(
    stage: Stage,
    position: Position,
    rate: float,
    losses: list[float],
    learner: Learner,
    judges: dict[str, Pictures | None],
    work: Path,
) -> None:
    row = {
        "stage": stage.name, "step": position.step, "minutes": f"{position.elapsed_s / 60:.2f}",
        "rate": f"{rate:.2e}", "loss": f"{np.mean(losses):.4f}",
    }  # fmt: skip
    for name, pictures in judges.items():
        if pictures is not None and len(pictures):
            classes = scored(learner.averaged, pictures)
            row[name] = f"{100 * np.nanmean(classes):.2f}"
            print(f"  {name}: " + " ".join(f"{100 * value:.1f}" for value in classes))
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    table = work / "curves.csv"
    append_row(table, row)
    (work / "curves.svg").write_text(drawn_curves(read_rows(table)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
