"""Why a figure is not there."""

from __future__ import annotations

from itertools import pairwise

from tempseg.evaluation.plan import WINDOWS
from tempseg.evaluation.results import AccuracyScores
from tempseg.evaluation.setup import Compared

__all__ = ["skipped_figures"]

ACCURACY = (
    "miou",
    "pixel_accuracy",
    "class_accuracy",
    "fw_iou",
    "iou_per_class",
    "boundary_iou",
    "boundary_f",
    "trimap_miou",
)
MOTION = ("tc", "mtc", "tc_worst", "flicker", "boundary_jitter")
REGIONS = ("j_mean", "j_recall", "j_decay", "f_mean", "f_recall", "f_decay", "jf")
TUBES = ("stq", "aq", "sq", "vpq")


def skipped_figures(compared: Compared, accuracy: AccuracyScores | None) -> dict[str, str]:
    """Return why figures are missing, by their names without `@` and what follows it.

    Parameters
    ----------
    compared : Compared
    accuracy : AccuracyScores or None
        Of the prediction; tells which windows were there.
    """
    truth, reference, plan = compared.truth, compared.reference, compared.plan
    skipped: dict[str, str] = {}
    if not plan.motion:
        skipped |= dict.fromkeys(MOTION, compared.no_video)
    if truth is None or accuracy is None:
        skipped |= dict.fromkeys((*ACCURACY, "static_flip_rate"), "needs --truth")
        skipped |= {f"vc{window}": "needs --truth" for window in WINDOWS}
    else:
        for window in WINDOWS:
            if accuracy.video_consistency[window].windows == 0:
                skipped[f"vc{window}"] = f"needs truth on {window} frames in a row of one shot"
        if _none_in_a_row(truth.alignment.frames):
            skipped["static_flip_rate"] = "needs truth on two frames in a row"
    if not plan.objects:
        skipped |= dict.fromkeys(REGIONS, "needs --objects")
    elif truth is None:
        skipped |= dict.fromkeys(REGIONS, "needs --truth")
    no_ids = _why_no_tubes(compared)
    skipped |= dict.fromkeys(TUBES, no_ids) if no_ids else {}
    if reference is None:
        skipped["fidelity"] = "needs --reference"
        skipped["fidelity_floor"] = "needs --reference"
    elif not plan.motion:
        skipped["fidelity_floor"] = compared.no_video
    if compared.keyframes is None:
        skipped["copy_last"] = "needs a run's folder: its frames.csv tells the keyframes"
        skipped["fidelity_between"] = skipped["copy_last"]
    if compared.warp_video is None:
        skipped["warp_error"] = "needs --warp-error VIDEO"
    if compared.true_cuts is None:
        skipped["cut_f1"] = "needs --cuts"
    elif compared.keyframes is None:
        skipped["cut_f1"] = "needs a run's folder: its frames.csv tells the cuts"
    return skipped


def _none_in_a_row(frames: tuple[int, ...]) -> bool:
    """Tell whether no two of these rising frames are neighbours."""
    return all(b - a > 1 for a, b in pairwise(frames))


def _why_no_tubes(compared: Compared) -> str:
    truth = compared.truth
    if truth is None:
        return "needs --truth"
    if truth.sequence.ids is None or compared.prediction.sequence.ids is None:
        return "needs ids beside the labels, on both sides"
    return "" if compared.plan.things else "needs --things: the classes that ids tell apart"
