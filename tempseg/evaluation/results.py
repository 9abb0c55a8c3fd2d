"""What an evaluation found, as values and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from tempseg.metrics.area_jitter import AreaJitterScores
from tempseg.metrics.boundary_iou import BoundaryIouScores
from tempseg.metrics.confusion import ConfusionScores
from tempseg.metrics.fidelity import FidelityScores
from tempseg.metrics.regions import RegionScores
from tempseg.metrics.stq import StqScores
from tempseg.metrics.temporal_consistency import TemporalScores
from tempseg.metrics.video_consistency import VideoConsistencyScores
from tempseg.metrics.vpq import VpqScores

__all__ = [
    "AccuracyScores",
    "Evaluation",
    "EvaluationSettings",
    "Figure",
    "FrameScores",
    "MotionScores",
    "Scores",
    "SteadinessScores",
    "TubeScores",
    "worst_frames",
]

Figure = float | int | None | Mapping[str, float | None]
"""A number, none where nothing was compared, or numbers by class."""

WORST_COUNT = 10
WORST_APART = 8
"""Frames between two of the worst at least, so that one bad moment fills one place."""


@dataclass(frozen=True, slots=True)
class FrameScores:
    """One frame of the prediction in figures; none where something was not given.

    Parameters
    ----------
    index : int
    time_s : float or None
        Presentation time.
    tc, flicker : float or None
        Of the pair that ends at this frame.
    flip_rate : float or None
        Share of pixels that differ from the frame before.
    blink : float or None
        Share of pixels that differ from both neighbours, which agree.
    miou : float or None
        Against the truth of this frame.
    fidelity : float or None
        mIoU against the per-frame segmenter's labels.
    """

    index: int
    time_s: float | None = None
    tc: float | None = None
    flicker: float | None = None
    flip_rate: float | None = None
    blink: float | None = None
    miou: float | None = None
    fidelity: float | None = None


@dataclass(frozen=True, slots=True)
class SteadinessScores:
    """How labels change from frame to frame; needs nothing but the labels."""

    flip_rate: float
    blink: float
    area_jitter: AreaJitterScores

    def figures(self) -> dict[str, Figure]:
        """Return the figures by name."""
        return _plain(self) | _plain(self.area_jitter)


@dataclass(frozen=True, slots=True)
class MotionScores:
    """How labels change where motion does not explain it; needs the video."""

    temporal: TemporalScores
    boundary_jitter: float

    def figures(self) -> dict[str, Figure]:
        """Return the figures by name."""
        figures = _plain(self.temporal) | _plain(self)
        return {key: value for key, value in figures.items() if key != "pairs"}


@dataclass(frozen=True, slots=True)
class AccuracyScores:
    """How right labels are; needs the truth, on some frames or all.

    `video_consistency` is by window in frames, `boundary_f` and `trimap_miou` by pixels.
    """

    confusion: ConfusionScores
    static_flip_rate: float
    video_consistency: Mapping[int, VideoConsistencyScores]
    boundary_iou: BoundaryIouScores
    boundary_f: Mapping[int, float]
    trimap_miou: Mapping[int, float]
    regions: RegionScores | None = None

    def figures(self, class_names: Sequence[str], *, absent: bool) -> dict[str, Figure]:
        """Return the figures by name; `absent` tells whether absent classes are shown, as none."""
        per_class = dict(zip(class_names, map(_known, self.confusion.iou_per_class), strict=True))
        figures = _plain(self.confusion)
        figures["iou_per_class"] = {
            name: value for name, value in per_class.items() if absent or value is not None
        }
        figures["static_flip_rate"] = _known(self.static_flip_rate)
        for window, scores in self.video_consistency.items():
            figures[f"vc{window}"] = _known(scores.vc)
            figures[f"vc{window}_correct"] = _known(scores.vc_correct)
        figures |= _plain(self.boundary_iou)
        figures |= {f"boundary_f@{px}": _known(value) for px, value in self.boundary_f.items()}
        figures |= {f"trimap_miou@{px}": _known(value) for px, value in self.trimap_miou.items()}
        return figures | ({} if self.regions is None else _plain(self.regions))


@dataclass(frozen=True, slots=True)
class TubeScores:
    """How things keep their ids; needs ids on both sides."""

    stq: StqScores
    vpq: VpqScores

    def figures(self) -> dict[str, Figure]:
        """Return the figures by name."""
        lengths = {f"vpq_{n}": _known(value) for n, value in self.vpq.by_length.items()}
        return _plain(self.stq) | _plain(self.vpq) | lengths


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of one label sequence; none where what they need was not given."""

    steadiness: SteadinessScores
    motion: MotionScores | None = None
    accuracy: AccuracyScores | None = None
    fidelity: FidelityScores | None = None
    tubes: TubeScores | None = None

    def figures(self, class_names: Sequence[str], *, absent: bool = True) -> dict[str, Figure]:
        """Return all figures by the names that table and JSON object show.

        Parameters
        ----------
        class_names : sequence of str
        absent : bool
            Whether classes that never occur stand in `iou_per_class`, as none.
        """
        figures: dict[str, Figure] = {}
        if self.accuracy is not None:
            figures |= self.accuracy.figures(class_names, absent=absent)
        if self.fidelity is not None:
            figures |= _plain(self.fidelity)
        if self.motion is not None:
            figures |= self.motion.figures()
        figures |= self.steadiness.figures()
        if self.tubes is not None:
            figures |= self.tubes.figures()
        return figures


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """What was compared, and how: what a reader needs to judge the figures.

    Parameters
    ----------
    prediction, truth, reference, video : str or None
        As the user named them; `video` as the run's record does where it was found there.
    frames : int
    width, height : int
        In pixels.
    class_names : tuple of str
    classes_told_by : str
        Who named the classes; empty where nobody did and every 8-bit id but void counts.
    void : int
        The id in files that stands for none.
    compat : str or None
    truth_frames, reference_frames : int
        Frames that met a label map.
    truth_rule, reference_rule : str
        How they were matched: `order`, `every N`, `time`, `name`, `number`, or empty.
    keyframes : int or None
        Of the run; none where the prediction is no run.
    cuts : tuple of int
        Frames that begin a new shot; no pair or window goes across.
    flow : str or None
        The flow that judged.
    warp, occlusion : str or None
        How the flow carried labels, and whether pixels that it says are hidden were left out;
        none without flow.
    averaging : str
    pairs : int
        Pairs of frames that the flow judged.
    windows : mapping of int to int
        Windows compared, by their length in frames.
    skipped : mapping of str to str
        Why a figure is not there, by its name.
    """

    prediction: str
    frames: int
    width: int
    height: int
    class_names: tuple[str, ...]
    classes_told_by: str
    void: int
    truth: str | None = None
    reference: str | None = None
    video: str | None = None
    compat: str | None = None
    truth_frames: int = 0
    reference_frames: int = 0
    truth_rule: str = ""
    reference_rule: str = ""
    keyframes: int | None = None
    cuts: tuple[int, ...] = ()
    flow: str | None = None
    warp: str | None = None
    occlusion: str | None = None
    averaging: str = ""
    pairs: int = 0
    windows: Mapping[int, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the settings as the JSON object shows them; `classes` is K."""
        shown = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        shown["classes"] = len(self.class_names)
        shown["cuts"] = list(self.cuts)
        shown["class_names"] = list(self.class_names) if self.classes_told_by else None
        shown["windows"] = {str(length): count for length, count in self.windows.items()}
        return shown


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A label sequence in figures, beside what it is to be held against.

    Parameters
    ----------
    settings : EvaluationSettings
    prediction : Scores
    reference : Scores or None
        The same figures of the per-frame segmenter's labels.
    copied : Scores or None
        The same figures of the run's last keyframe, copied to the frames after it: the reference
        at that frame where there is one, else the run's own labels.
    fidelity_floor : float or None
        The per-frame labels at t-1, carried to t, against those at t.
    warp_error : float or None
        Of the video that was given for it.
    cut_f1 : mapping of int to float
        F1 of the run's scene cuts, by tolerance in frames; empty without true cuts.
    frames : tuple of FrameScores
    worst : tuple of int
        The frames that flicker most, worst first, none near another.
    stage_s : mapping of str to float
        Seconds by stage; stages run side by side, so these can add up to more than `wall_s`.
    wall_s : float
        From the first frame asked for to the last figure.
    """

    settings: EvaluationSettings
    prediction: Scores
    reference: Scores | None
    copied: Scores | None
    fidelity_floor: float | None
    warp_error: float | None
    cut_f1: Mapping[int, float]
    frames: tuple[FrameScores, ...]
    worst: tuple[int, ...]
    stage_s: Mapping[str, float]
    wall_s: float

    @property
    def frames_per_s(self) -> float:
        """Frames scored a second of wall time."""
        return len(self.frames) / self.wall_s if self.wall_s > 0 else math.inf

    def columns(self) -> dict[str, dict[str, Figure]]:
        """Return the figures by sequence: `prediction`, and `reference` and `copy_last` if any."""
        settings = self.settings
        sequences = {
            "prediction": self.prediction,
            "reference": self.reference,
            "copy_last": self.copied,
        }
        columns = {
            name: scores.figures(settings.class_names, absent=bool(settings.classes_told_by))
            for name, scores in sequences.items()
            if scores is not None
        }
        own = columns["prediction"]
        for name in ("fidelity_floor", "warp_error"):
            value = getattr(self, name)
            own |= {} if value is None else {name: _known(value)}
        if self.cut_f1:
            own["cut_f1"] = _known(self.cut_f1[1])
            own |= {f"cut_f1@{px}": _known(value) for px, value in self.cut_f1.items()}
        return columns

    def as_dict(self) -> dict[str, object]:
        """Return the figures as one object of plain values, none for nan."""
        columns = self.columns()
        shown: dict[str, object] = {**columns.pop("prediction")}
        shown |= columns
        shown["worst_frames"] = list(self.worst)
        shown["settings"] = self.settings.as_dict()
        shown["stage_s"] = {stage: round(spent, 4) for stage, spent in self.stage_s.items()}
        shown["wall_s"] = round(self.wall_s, 4)
        shown["frames_per_s"] = round(self.frames_per_s, 2)
        return shown

    def to_json(self) -> str:
        """Return `as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False, ensure_ascii=False)


def worst_frames(frames: Sequence[FrameScores]) -> tuple[int, ...]:
    """Return the frames with most flicker, or label changes where no flow judged, worst first.

    Examples
    --------
    >>> rows = [FrameScores(i, flip_rate=value) for i, value in enumerate([0.0, 0.3, 0.2])]
    >>> worst_frames(rows)
    (1,)
    """
    judged = any(frame.flicker is not None for frame in frames)
    measured = [(frame.flicker if judged else frame.flip_rate, frame.index) for frame in frames]
    chosen: list[int] = []
    for value, index in sorted(((v, i) for v, i in measured if v), key=lambda m: (-m[0], m[1])):
        del value
        if len(chosen) < WORST_COUNT and all(abs(index - c) >= WORST_APART for c in chosen):
            chosen.append(index)
    return tuple(chosen)


def _plain(scores: object) -> dict[str, Figure]:
    """Return the single figures of a result; a frame's number may be none."""
    found = {entry.name: getattr(scores, entry.name) for entry in fields(scores)}  # type: ignore[arg-type]
    return {
        key: _known(value) for key, value in found.items() if isinstance(value, float | int | None)
    }


def _known(value: float | None) -> float | None:
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
