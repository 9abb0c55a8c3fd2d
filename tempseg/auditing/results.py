"""What an audit found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tempseg.auditing.interval import Estimate

__all__ = ["Audit", "AuditedFrame", "Verdict"]

Verdict = Literal["below", "within", "above"]


@dataclass(frozen=True, slots=True)
class AuditedFrame:
    """One frame that the segmenter was asked about after the run.

    Parameters
    ----------
    index : int
        As in `frames.csv`.
    time_s : float
        Presentation time.
    fidelity : float
        mIoU of the run's labels against the segmenter's own, in [0, 1]; nan without a known pixel.
    floor : float
        mIoU of the segmenter's labels of the frame before, carried here, against those; nan where
        the frame opens a shot.
    """

    index: int
    time_s: float
    fidelity: float
    floor: float


@dataclass(frozen=True, slots=True)
class Audit:
    """A run held against its own segmenter on frames drawn from those between keyframes.

    Parameters
    ----------
    seed : int
        What the frames were drawn with.
    between : int
        Frames of the run that are no keyframes; those drawn from.
    frames : tuple of AuditedFrame
        Those drawn, in order; none where every frame was a keyframe.
    fidelity : Estimate
        Mean mIoU of single frames between keyframes, `fidelity_between` of `tempseg eval`.
    floor : Estimate
        The segmenter's agreement with itself a frame before, over the same frames; those that
        open a shot have none.
    difference : Estimate
        Fidelity less floor, frame by frame: narrower than either, as a frame that is hard to
        carry is hard for both. A frame without a floor is held against the mean of the others.
    miou : float
        Of one confusion matrix over all frames drawn.
    wall_s : float
        What the audit took.
    """

    seed: int
    between: int
    frames: tuple[AuditedFrame, ...]
    fidelity: Estimate
    floor: Estimate
    difference: Estimate
    miou: float
    wall_s: float

    @property
    def complete(self) -> bool:
        """Whether every frame between keyframes was asked about, so that nothing is estimated."""
        return len(self.frames) == self.between

    @property
    def verdict(self) -> Verdict | None:
        """Where fidelity lies against the floor; none where nothing could be compared."""
        if math.isnan(self.difference.mean):
            return None
        if self.difference.high < 0:
            return "below"
        return "above" if self.difference.low > 0 else "within"

    @property
    def message(self) -> str:
        """What it comes to, in one sentence."""
        if not self.between:
            return "nothing to audit: every frame is a keyframe"
        if math.isnan(self.fidelity.mean):
            return "nothing could be compared: the segmenter left every audited frame void"
        told = f"fidelity {_interval(self.fidelity, exact=self.complete)}"
        if self.verdict is None:
            return f"{told}; its noise floor could not be told"
        floor = f"the segmenter's noise floor of {self.floor.mean:.3f}"
        gap = _interval(self.difference, exact=self.complete, sign=True)
        level = abs(self.difference.mean) < 0.0005
        # Where every frame was asked about, nothing is left to chance.
        if self.verdict == "within" and not (self.complete and level):
            return f"{told} is within {floor}: the difference of {gap} may be chance"
        if level:
            return f"{told} is at {floor}"
        return f"{told} is {self.verdict} {floor} by {gap}"

    def as_dict(self) -> dict[str, object]:
        """Return what `run.json` holds; null stands for what is not known."""
        return {
            "seed": self.seed,
            "between": self.between,
            "fidelity": _as_dict(self.fidelity),
            "fidelity_floor": _as_dict(self.floor),
            "difference": _as_dict(self.difference),
            "miou": _known(self.miou),
            "verdict": self.verdict,
            "wall_s": self.wall_s,
            "frames": [
                {
                    "index": frame.index,
                    "time_s": frame.time_s,
                    "fidelity": _known(frame.fidelity),
                    "fidelity_floor": _known(frame.floor),
                }
                for frame in self.frames
            ],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Audit:
        """Return what `as_dict` was made of.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it was made of something else.
        """
        return cls(
            seed=int(told["seed"]),
            between=int(told["between"]),
            frames=tuple(
                AuditedFrame(
                    int(frame["index"]),
                    float(frame["time_s"]),
                    _value(frame["fidelity"]),
                    _value(frame["fidelity_floor"]),
                )
                for frame in told["frames"]
            ),
            fidelity=_estimate(told["fidelity"]),
            floor=_estimate(told["fidelity_floor"]),
            difference=_estimate(told["difference"]),
            miou=_value(told["miou"]),
            wall_s=float(told["wall_s"]),
        )


def _interval(estimate: Estimate, *, exact: bool, sign: bool = False) -> str:
    mean, low, high = estimate.mean, estimate.low, estimate.high
    if sign:
        # The sentence says which way; a difference that may be nought keeps its signs.
        if high < 0:
            mean, low, high = -mean, -high, -low
        return f"{mean:.3f}" if exact else f"{mean:.3f} ({low:.3f} to {high:.3f})"
    return f"{mean:.3f}" if exact else f"{mean:.3f} (95 %: {low:.3f} to {high:.3f})"


def _as_dict(estimate: Estimate) -> dict[str, float | None]:
    return {
        "mean": _known(estimate.mean),
        "low": _known(estimate.low),
        "high": _known(estimate.high),
    }


def _estimate(told: Mapping[str, Any]) -> Estimate:
    return Estimate(_value(told["mean"]), _value(told["low"]), _value(told["high"]))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _value(told: object) -> float:
    return math.nan if told is None else float(told)  # type: ignore[arg-type]
