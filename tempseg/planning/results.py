"""A plan in figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from tempseg.decisions import KeyframeReason

__all__ = ["Cost", "PlannedKeyframe", "RunPlan"]


@dataclass(frozen=True, slots=True)
class PlannedKeyframe:
    """A frame that the segmenter would run on.

    Parameters
    ----------
    index : int
        As in `frames.csv`.
    time_s : float
        Presentation time.
    reason : KeyframeReason
    """

    index: int
    time_s: float
    reason: KeyframeReason


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run would take, from a stretch of it that was really run.

    Parameters
    ----------
    rehearsed_frames, rehearsed_keyframes : int
        Of the stretch.
    keyframes : int
        Expected of the run: the plan's own where that is exact, else corrected by the stretch.
    wall_s : float
        As `totals.wall_s` of `run.json`: page and audit come on top.
    audit_s : float
        For the segmenter's calls of an audit, at most.
    segmenter_ms : float
        A call.
    carrying_ms : float
        Motion and carrying, a frame between keyframes.
    masks_mb, overlay_mb : float
        Of 10^6 bytes; the overlay is 0 where none is written.
    memory_mb : float
        Peak of the process, of 2^20 bytes, as `totals.peak_memory_mb`.
    """

    rehearsed_frames: int
    rehearsed_keyframes: int
    keyframes: int
    wall_s: float
    audit_s: float
    segmenter_ms: float
    carrying_ms: float
    masks_mb: float
    overlay_mb: float
    memory_mb: float

    @property
    def disk_mb(self) -> float:
        """Masks and overlay together, of 10^6 bytes."""
        return self.masks_mb + self.overlay_mb


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run with the same source and config would do.

    Parameters
    ----------
    source : str
    frames : int
    duration_s : float
        From the first frame's time to the last's.
    keyframes : tuple of PlannedKeyframe
    exact : bool
        Whether a run takes these very keyframes. Estimated where its policy looks at the borders
        of labels: these are then the keyframes that the pictures alone ask for.
    cost : Cost or None
        None without a model.
    """

    source: str
    frames: int
    duration_s: float
    keyframes: tuple[PlannedKeyframe, ...]
    exact: bool
    cost: Cost | None = None

    @property
    def keyframe_share(self) -> float:
        """Keyframes of all frames, in [0, 1]."""
        return len(self.keyframes) / self.frames

    @property
    def reasons(self) -> dict[str, int]:
        """How many keyframes come for each reason."""
        return dict(sorted(Counter(keyframe.reason.value for keyframe in self.keyframes).items()))

    @property
    def advice(self) -> str | None:
        """What would be better than this run; none where nothing is known."""
        cost = self.cost
        if cost is None or len(self.keyframes) == self.frames:
            return None
        if cost.segmenter_ms >= cost.carrying_ms:
            return None
        return (
            f"the segmenter is cheaper than carrying ({cost.segmenter_ms:.1f} ms a call against "
            f"{cost.carrying_ms:.1f} ms a frame): for time alone run it on every frame, with "
            "keyframe.policy=every"
        )

    def as_dict(self) -> dict[str, object]:
        """Return what `plan --json` writes."""
        cost = self.cost
        return {
            "source": self.source,
            "frames": self.frames,
            "duration_s": self.duration_s,
            "exact": self.exact,
            "keyframe_share": self.keyframe_share,
            "reasons": self.reasons,
            "keyframes": [
                {"index": k.index, "time_s": k.time_s, "reason": k.reason.value}
                for k in self.keyframes
            ],
            "cost": None if cost is None else {**asdict(cost), "disk_mb": cost.disk_mb},
            "advice": self.advice,
        }
