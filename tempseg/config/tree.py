"""The keys of the config: their types, ranges and defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Config",
    "FlowConfig",
    "KeyframeConfig",
    "OutputConfig",
    "PropagateConfig",
    "RefineConfig",
    "RunConfig",
    "SegmenterConfig",
    "SourceConfig",
]

SidePx = Annotated[int, Field(ge=1, le=16384)]
TilePx = Annotated[int, Field(ge=32, le=16384)]
PerChannel = float | Annotated[list[float], Field(min_length=1)]

SHORTEST = 3
"""Frames between keyframes at least, where nothing else is asked for."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SourceConfig(_Section):
    """What part of the source is read, and how fast image folders play."""

    start: str | float | None = None
    end: str | float | None = None
    frame_rate: Annotated[float, Field(gt=0, le=1000)] = 25.0


class SegmenterConfig(_Section):
    """The model and what it expects."""

    model: str | None = None
    classes: str | list[str] = "auto"
    input_size: Annotated[list[SidePx], Field(min_length=2, max_length=2)] | None = None
    colour_order: Literal["rgb", "bgr"] = "rgb"
    mean: PerChannel | None = None
    scale: PerChannel | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"
    output: Literal["auto", "argmax", "logits", "probabilities", "sigmoid"] = "auto"
    output_name: str | None = None
    signature: str = "serving_default"
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    timeout_s: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    batch: Annotated[int, Field(ge=1, le=64)] = 1
    runtime: Literal["auto", "opencv"] = "auto"
    tiles: Annotated[list[TilePx], Field(min_length=2, max_length=2)] | None = None
    tile_overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.25
    flip: bool = False
    scales: Annotated[list[Annotated[float, Field(ge=0.5, le=4)]], Field(min_length=1)] = [1.0]
    masks: Literal["auto", "binary", "index"] = "auto"

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: str | list[str]) -> str | list[str]:
        if isinstance(classes, list) and (not classes or len(set(classes)) < len(classes)):
            raise ValueError("expected at least one name, and none twice")
        return classes


class FlowConfig(_Section):
    """How motion is estimated."""

    preset: Literal["fast", "medium", "slow"] = "medium"
    resolution_px: Annotated[int, Field(ge=48, le=4096)] = 256


class KeyframeConfig(_Section):
    """When the segmenter runs."""

    policy: Literal["adaptive", "every", "interval", "share", "span"] = "adaptive"
    interval: Annotated[int, Field(ge=1, le=100_000)] = 10
    min_interval: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_interval: Annotated[int, Field(ge=1, le=100_000)] | None = None
    drift_threshold: Annotated[float, Field(ge=0, le=1)] = 0.15
    doubt_threshold: Annotated[float, Field(gt=0, le=1000)] = 2.0
    span_threshold: Annotated[float, Field(ge=0, le=1)] = 0.3
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    forced: list[Annotated[int, Field(ge=0)] | str] = []
    scene_threshold: Annotated[float, Field(ge=0, le=1)] = 0.4
    guard: bool = False

    @property
    def shortest(self) -> int:
        """What `min_interval` is, or comes to where it is left to the policy."""
        if self.min_interval is not None:
            return self.min_interval
        # Half of the mean distance, so that a budget can be spent, and spent unevenly.
        wanted = max(int(0.5 / self.share), 1) if self.policy == "share" else SHORTEST
        return min(wanted, SHORTEST, self.max_interval or SHORTEST)

    @property
    def longest(self) -> int:
        """What `max_interval` is, or comes to where it is left to the policy."""
        if self.max_interval is not None:
            return self.max_interval
        if self.policy == "share":
            return max(round(3 / self.share), self.shortest)
        return max(15 if self.policy == "adaptive" else 60, self.shortest)

    @field_validator("forced", mode="before")
    @classmethod
    def _times_as_text(cls, forced: object) -> object:
        if isinstance(forced, list) and any(isinstance(one, float) for one in forced):
            raise ValueError('numbers are of frames: give times as text, such as "2.5"')
        return forced

    @model_validator(mode="after")
    def _ordered(self) -> KeyframeConfig:
        if self.shortest > self.longest:
            raise ValueError(
                f"min_interval ({self.min_interval}) is above max_interval ({self.max_interval})"
            )
        if self.policy == "share" and self.share * self.shortest > 1:
            raise ValueError(
                f"share ({self.share:g}) cannot be spent with min_interval ({self.shortest}), "
                f"which allows one frame in {self.shortest}: set min_interval to "
                f"{int(1 / self.share)}, or share to 1/{self.shortest} at most"
            )
        return self


class PropagateConfig(_Section):
    """How answers are carried to the frames between."""

    lookahead: Annotated[int, Field(ge=0, le=1000)] = 40
    keyframes_per_side: Annotated[int, Field(ge=1, le=8)] = 2
    residual_scale: Annotated[float, Field(gt=0, le=1000)] = 20.0
    residual_blur_px: Annotated[float, Field(ge=0, le=50)] = 2.0
    time_scale: Annotated[float, Field(gt=0, le=100_000)] = 20.0


class RefineConfig(_Section):
    """What is done to a frame's labels before they leave."""

    smoothing: Annotated[float, Field(ge=0, le=1)] = 1.0
    matching: bool = True
    void_unexplained: bool = False


class OutputConfig(_Section):
    """What is written, and how the overlay looks."""

    overlay: bool = True
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.55
    legend: bool = True
    crf: Annotated[int, Field(ge=0, le=51)] = 20
    preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = "ultrafast"
    report: bool = True


class RunConfig(_Section):
    """How the work is divided, and what is done beside it."""

    chunk_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    ray: str = ""
    storage: str = ""
    audit: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0

    @property
    def workers_given(self) -> int | None:
        """As many workers as were asked for; none where that was left open."""
        return self.workers if "workers" in self.model_fields_set else None


class Config(_Section):
    """The whole tree.

    Examples
    --------
    >>> Config().keyframe.policy
    'adaptive'
    """

    source: SourceConfig = SourceConfig()
    segmenter: SegmenterConfig = SegmenterConfig()
    flow: FlowConfig = FlowConfig()
    keyframe: KeyframeConfig = KeyframeConfig()
    propagate: PropagateConfig = PropagateConfig()
    refine: RefineConfig = RefineConfig()
    output: OutputConfig = OutputConfig()
    run: RunConfig = RunConfig()

    def set_keys(self) -> dict[str, object]:
        """Return what was set, not left at its default, by full key; for `load_config`."""
        return {
            f"{section}.{key}": value
            for section, keys in self.model_dump(exclude_unset=True).items()
            for key, value in keys.items()
        }
