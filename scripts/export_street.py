"""Write the files of the embedded model from what `train_street.py` left: `export_street.py WORK`.

Writes `street.tflite` and the folder `saved_model`, and ends with an error where they do not
answer as the trained network does.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from street_training.export import agreement, saved_answers, write_litert, write_saved_model
from street_training.learning import Learner, LearningSettings
from street_training.material import CLASS_COUNT, MaterialError, camvid_pictures
from street_training.network import folded
from street_training.progress import restored
from street_training.scoring import predicted

SMALLEST_AGREEMENT = 0.999
LARGEST_BYTES = 3_000_000


def main(words: Sequence[str] | None = None) -> int:
    """Parse, export, check, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("work", type=Path, help="the --work of train_street.py")
    parser.add_argument("--camvid", type=Path, required=True, metavar="FOLDER",
                        help="pictures to compare the answers on")  # fmt: skip
    parser.add_argument("--checkpoint", default="checkpoint.npz", metavar="NAME",
                        help="which of its checkpoints (default: %(default)s)")  # fmt: skip
    parser.add_argument("--to", type=Path, default=Path("tempseg/zoo/street"), metavar="DIR",
                        help="(default: %(default)s)")  # fmt: skip
    parser.add_argument("--pictures", type=int, default=12, metavar="N",
                        help="how many to compare (default: %(default)s)")  # fmt: skip
    arguments = parser.parse_args(words)
    try:
        return _export(arguments)
    except MaterialError as error:
        print(f"export_street: {error}", file=sys.stderr)
        return 2


def _export(arguments: argparse.Namespace) -> int:
    pictures = camvid_pictures(arguments.camvid)
    height, width = pictures.labels.shape[1:]
    learner = Learner(
        tf.ones(CLASS_COUNT).numpy() / CLASS_COUNT, LearningSettings(), height=height, width=width
    )
    position = restored(arguments.work / arguments.checkpoint, learner.variables())
    network = folded(learner.averaged)
    saved_model, litert = arguments.to / "saved_model", arguments.to / "street.tflite"
    write_saved_model(network, saved_model)
    write_litert(saved_model, litert)
    size = litert.stat().st_size
    print(f"step {position.step}: {litert} has {size / 1e6:.2f} MB")
    images = pictures.images[:: max(1, len(pictures) // arguments.pictures)]
    answers = saved_answers(network, saved_model, litert, images)
    shares = {form: agreement(answers["keras"], answers[form]) for form in answers}
    shares["before folding"] = agreement(
        predicted(learner.averaged, images), predicted(folded(learner.averaged, batch=None), images)
    )
    for form, share in shares.items():
        print(f"{form}: {share:.4%} of {len(images)} pictures' places as the trained network")
    if min(shares.values()) < SMALLEST_AGREEMENT or size > LARGEST_BYTES:
        print("export_street: too large, or not the same function", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
