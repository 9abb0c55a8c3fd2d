"""Slow twins of the metrics of outlines, objects and tubes, and a street to hold them against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product

import numpy as np

from tempseg.synthetic import street_scene

Pixels = set[tuple[int, ...]]

STREET_THINGS = frozenset({8, 9, 10})
FIRST_CAR, SECOND_CAR, ROAD = 1, 5, 3


@cache
def street() -> tuple[np.ndarray, np.ndarray]:
    """Return labels and ids, (4, H, W), of a rendered street."""
    scene = street_scene(width=96, height=54, frame_rate=10)
    frames = [scene.render(index) for index in range(8, 12)]
    return np.stack([frame.labels for frame in frames]), np.stack([frame.ids for frame in frames])


def swapped_street() -> tuple[np.ndarray, np.ndarray]:
    """Return the street with two cars' ids swapped in the second half."""
    labels, ids = street()
    late = (np.arange(len(ids)) >= len(ids) // 2)[:, None, None]
    swapped = np.where(late & (ids == FIRST_CAR), SECOND_CAR, ids)
    swapped = np.where(late & (ids == SECOND_CAR), FIRST_CAR, swapped)
    return labels, swapped.astype(ids.dtype)


def street_without_a_car() -> tuple[np.ndarray, np.ndarray]:
    """Return the street with one car taken for road."""
    labels, ids = street()
    car = ids == SECOND_CAR
    return np.where(car, ROAD, labels).astype(labels.dtype), np.where(car, 0, ids)


def mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan; nan where there is none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def pixels(mask) -> Pixels:
    """Return the places of a mask."""
    return set(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True))


def masks_of(labels, truth, number: int, void: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where both maps hold a number, off the truth's void."""
    valid = truth != void
    return (labels == number) & valid, (truth == number) & valid


def band(mask) -> Pixels:
    """Return the pixels of a mask that erosion takes off: those near what is not in it."""
    height, width = mask.shape
    steps = max(1, round(0.02 * math.sqrt(height**2 + width**2)))
    out = set()
    for y, x in pixels(mask):
        for oy, ox in product(range(y - steps, y + steps + 1), range(x - steps, x + steps + 1)):
            if not (0 <= oy < height and 0 <= ox < width) or not mask[oy, ox]:
                out.add((y, x))
    return out


def iou(one: Pixels, other: Pixels, *, empty: float = 0.0) -> float:
    """Return the intersection over the union of two sets."""
    return len(one & other) / len(one | other) if one | other else empty


def boundary_iou(frames, *, classes: int, void: int, coco: bool = False) -> list[float]:
    """Return each class's mean over the (labels, truth) that show it."""
    values: list[list[float]] = [[] for _ in range(classes)]
    for (labels, truth), number in product(frames, range(classes)):
        mask, true = masks_of(labels, truth, number, void)
        if mask.any() or true.any():
            value = iou(band(mask), band(true))
            values[number].append(min(value, iou(pixels(mask), pixels(true))) if coco else value)
    return [mean(each) for each in values]


def boundary(mask) -> Pixels:
    """Return the pixels that differ from their east, south or south-east neighbour."""
    height, width = mask.shape
    out = set()
    for y, x in np.ndindex(mask.shape):
        for oy, ox in ((y, x + 1), (y + 1, x), (y + 1, x + 1)):
            if oy < height and ox < width and mask[oy, ox] != mask[y, x]:
                out.add((y, x))
    return out


def near(one: Pixels, other: Pixels, radius: int) -> float:
    """Return the share of one set that has a pixel of the other within a disk."""
    hits = sum(any((y - oy) ** 2 + (x - ox) ** 2 <= radius**2 for oy, ox in other) for y, x in one)
    return hits / len(one)


def f_measure(mask, truth, radius: int, *, empty: float) -> float:
    """Return the F measure of two masks' boundaries."""
    one, other = boundary(mask), boundary(truth)
    if not one and not other:
        return empty
    if not one or not other:
        return 0.0
    precision, recall = near(one, other, radius), near(other, one, radius)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_f(frames, *, classes: int, tolerance: int, void: int) -> float:
    """Return the F measure: mean over frames that have a boundary, then over classes."""
    return mean(
        mean(
            f_measure(*masks_of(labels, truth, number, void), tolerance, empty=math.nan)
            for labels, truth in frames
        )
        for number in range(classes)
    )


def decay(values: Sequence[float]) -> float:
    """Return the mean of the first quarter less that of the last."""
    ends = np.floor(np.linspace(1, len(values), 5) + 0.5).astype(int) - 1
    return mean(values[ends[0] : ends[1] + 1]) - mean(values[ends[3] : ends[4] + 1])


def region_scores(videos, *, void: int, drop: int = 0) -> dict[str, float]:
    """Return the DAVIS statistics over videos, each a list of (labels, truth)."""
    tracks: dict[str, list[list[float]]] = {"j": [], "f": []}
    for frames in videos:
        shown = {int(i) for _, truth in frames for i in np.unique(truth)} - {0, void}
        for number in sorted(shown):
            j, f = [], []
            for labels, truth in frames[drop : len(frames) - drop]:
                mask, true = masks_of(labels, truth, number, void)
                radius = math.ceil(0.008 * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))
                j.append(iou(pixels(mask), pixels(true), empty=1.0))
                f.append(f_measure(mask, true, radius, empty=1.0))
            if j:
                tracks["j"].append(j)
                tracks["f"].append(f)
    out = {}
    for name, values in tracks.items():
        out[f"{name}_mean"] = mean(mean(track) for track in values)
        out[f"{name}_recall"] = mean(mean(float(v > 0.5) for v in track) for track in values)
        out[f"{name}_decay"] = mean(decay(track) for track in values)
    out["jf"] = (out["j_mean"] + out["f_mean"]) / 2
    return out


def tubes(labels, ids, things) -> dict[tuple[int, int], Pixels]:
    """Return the pixels (t, y, x) of each (class, id) of things."""
    return {
        (label, number): pixels((labels == label) & (ids == number))
        for label in things
        for number in np.unique(ids[labels == label]).tolist()
    }


def stq(videos, *, classes: int, things, void: int) -> tuple[float, float, float]:
    """Return (STQ, AQ, SQ) of videos, each (labels, ids, truth, truth ids) of (T, H, W)."""
    qualities = []
    for labels, ids, truth, truth_ids in videos:
        true_tubes = tubes(truth, truth_ids, things)
        crowd = set().union(*(true_tubes.get((label, 0), set()) for label in things))
        found = [tube - crowd for tube in tubes(labels, ids, things).values()]
        for (_, number), true in true_tubes.items():
            if number != 0:
                shares = (len(tube & true) ** 2 / len(tube | true) for tube in found)
                qualities.append(sum(shares) / len(true))
    ious = []
    for label in range(classes):
        hits, union = 0, 0
        for labels, _, truth, _ in videos:
            mask, true = masks_of(labels, truth, label, void)
            hits, union = hits + (mask & true).sum(), union + (mask | true).sum()
        ious.append(hits / union if union else math.nan)
    aq, sq = mean(qualities), mean(ious)
    return math.sqrt(aq * sq), aq, sq


def segments(labels, ids, things, void: int) -> dict[tuple[int, int], Pixels]:
    """Return the pixels of each segment: things by class and id, other classes whole."""
    number = np.where(np.isin(labels, sorted(things)), ids, 0)
    return {
        (label, each): pixels((labels == label) & (number == each))
        for label in np.unique(labels).tolist()
        if label != void
        for each in np.unique(number[labels == label]).tolist()
    }


def vpq(videos, *, classes: int, things, void: int, length: int) -> float:
    """Return the panoptic quality, in percent, of tubes over `length` frames."""
    ious: list[list[float]] = [[] for _ in range(classes)]
    wrong = [0.0] * classes
    for video in videos:
        for start in range(len(video[0]) - length + 1):
            labels, ids, truth, truth_ids = (each[start : start + length] for each in video)
            true = segments(truth, truth_ids, things, void)
            crowds = {key: true.pop(key) for key in list(true) if key[0] in things and key[1] == 0}
            nobody = pixels(truth == void)
            missed = set(true)
            for (label, _), found in segments(labels, ids, things, void).items():
                partners = [
                    key
                    for key, tube in true.items()
                    if key[0] == label and iou(found - nobody, tube) > 0.5
                ]
                for key in partners:
                    ious[label].append(iou(found - nobody, true[key]))
                    missed.discard(key)
                ignored = nobody | crowds.get((label, 0), set())
                if not partners and len(found & ignored) <= 0.5 * len(found):
                    wrong[label] += 0.5
            for label, _ in missed:
                wrong[label] += 0.5
    return 100 * mean(
        sum(each) / (len(each) + penalty) if each or penalty else math.nan
        for each, penalty in zip(ious, wrong, strict=True)
    )


def average_precision(videos, threshold: float, least: float, most: float) -> float:
    """Return the AP of one class; videos are ([(score, masks)], [masks])."""

    def outside(masks) -> bool:
        sizes = [int(mask.sum()) for mask in masks if mask.any()]
        area = sum(sizes) / len(sizes) if sizes else 0.0
        return area < least or area > most

    verdicts, wanted = [], 0
    for predictions, truths in videos:
        wanted += sum(not outside(masks) for masks in truths)
        free = list(range(len(truths)))
        for score, masks in sorted(predictions, key=lambda each: -each[0])[:100]:
            overlaps = {i: iou(pixels(masks), pixels(truths[i])) for i in free}
            fit = [i for i in free if overlaps[i] >= threshold]
            fit = [i for i in fit if not outside(truths[i])] or fit
            if fit:
                best = max(fit, key=lambda i: (overlaps[i], i))
                free.remove(best)
                if not outside(truths[best]):
                    verdicts.append((score, True))
            elif not outside(masks):
                verdicts.append((score, False))
    if not wanted:
        return math.nan
    verdicts.sort(key=lambda each: -each[0])
    points, hits = [], 0
    for count, (_, hit) in enumerate(verdicts, start=1):
        hits += hit
        points.append((hits / wanted, hits / count))
    return mean(
        max((precision for recall, precision in points if recall >= wish), default=0.0)
        for wish in np.linspace(0, 1, 101).tolist()
    )


def vis_ap(videos, *, classes: int) -> dict[str, float]:
    """Return the APs of videos, each ([(class, score, masks)], [(class, masks)])."""
    thresholds = np.linspace(0.5, 0.95, 10).tolist()

    def over(chosen, least: float, most: float) -> float:
        return mean(
            mean(average_precision(each, threshold, least, most) for threshold in chosen)
            for each in (
                [
                    (
                        [(score, masks) for label, score, masks in found if label == wanted],
                        [masks for label, masks in true if label == wanted],
                    )
                    for found, true in videos
                ]
                for wanted in range(classes)
            )
        )

    return {
        "vis_ap": over(thresholds, 0, math.inf),
        "vis_ap50": over(thresholds[:1], 0, math.inf),
        "small": over(thresholds, 0, 128**2),
        "medium": over(thresholds, 128**2, 256**2),
        "large": over(thresholds, 256**2, math.inf),
    }


def most_matches(detected: Sequence[int], truth: Sequence[int], tolerance: int) -> int:
    """Return how many cuts can be matched one to one at most, by trying all ways."""
    if not detected:
        return 0
    best = most_matches(detected[1:], truth, tolerance)
    for i, cut in enumerate(truth):
        if abs(cut - detected[0]) <= tolerance:
            rest = most_matches(detected[1:], [*truth[:i], *truth[i + 1 :]], tolerance)
            best = max(best, 1 + rest)
    return best
