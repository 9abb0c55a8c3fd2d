"""The only composer: config → source, segmenter, engine, sinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tempseg.config import Config, SegmenterConfig, load_config
from tempseg.engine import Engine, EngineSettings
from tempseg.errors import ConfigError, ModelError, SourceError
from tempseg.flows import DisFlow
from tempseg.forced import Forced
from tempseg.outputs import FrameTableSink, LabelSink, OverlayPainter, OverlaySink
from tempseg.policies import (
    AdaptivePolicy,
    EveryPolicy,
    IntervalPolicy,
    Limits,
    SharePolicy,
    SpanPolicy,
)
from tempseg.propagate import BlendSettings
from tempseg.protocols import (
    FlowEstimator,
    FrameSource,
    KeyframePolicy,
    ResultSink,
    Segmenter,
    SpanJudge,
    StageTimer,
)
from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.types import ROUNDED_S, ColourTags, SegmenterInfo, VideoInfo
from tempseg.video import FramePart, LabelEncoder, OverlayEncoder, open_source
from tempseg.video.timecode import parse_time
from tempseg.zoo import entry_for, resolve_model

__all__ = [
    "begins_anywhere",
    "build_engine",
    "build_per_frame_engine",
    "build_policy",
    "build_segmenter",
    "build_sinks",
    "build_source",
    "forced_before_part",
    "forced_frames",
    "segmenter_options",
    "with_zoo_keys",
]


def with_zoo_keys(config: Config) -> Config:
    """Return the config with what a model of the zoo needs, where it is not set otherwise."""
    entry = None if config.segmenter.model is None else entry_for(config.segmenter.model)
    if entry is None:
        return config
    needed = {f"segmenter.{key}": value for key, value in entry.segmenter.items()}
    return load_config(overrides=needed | config.set_keys())


def build_source(spec: str, config: Config, *, part: FramePart | None = None) -> FrameSource:
    """Return the frames of a video file, an image folder or a glob; a stretch of them with `part`.

    Raises
    ------
    SourceError
        When there is nothing to read.
    """
    wanted = config.source
    return open_source(
        spec, start=wanted.start, end=wanted.end, frame_rate=wanted.frame_rate, part=part
    )


def build_segmenter(
    config: Config, *, source: FrameSource | None = None, first_mask: int = 0
) -> Segmenter:
    """Return the segmenter that `segmenter.model` names.

    Ready-made masks are matched by order with the frames of the whole source; `source` tells
    where in it a part begins, or else `first_mask`.

    Raises
    ------
    ConfigError
        Without a model, or with values that no model takes.
    ModelError
        When the model cannot be loaded.
    """
    wanted = config.segmenter
    if wanted.model is None:
        raise ConfigError(
            "no model: pass --model MODEL (a model's file, a SavedModel folder, masks:FOLDER, "
            "python:MODULE:ATTRIBUTE) or set segmenter.model"
        )
    options = replace(segmenter_options(wanted), first_mask=first_mask)
    if source is not None and wanted.model.startswith("masks:") and config.source.start is not None:
        options = replace(options, first_mask=source.count_before())
    try:
        return open_segmenter(resolve_model(wanted.model), options)
    except OSError as error:
        raise ModelError(f"{wanted.model}: cannot be read: {error.strerror}") from error


def build_engine(
    config: Config,
    segmenter: Segmenter,
    *,
    flow: FlowEstimator | None = None,
    timer: StageTimer | None = None,
    forced: Forced | None = None,
) -> Engine:
    """Return the engine around a segmenter.

    `flow` stands for what the config asks for; `forced` frames join those of the config.
    """
    wanted = config.propagate
    settings = EngineSettings(
        lookahead=wanted.lookahead,
        keyframes_per_side=wanted.keyframes_per_side,
        scene_threshold=config.keyframe.scene_threshold,
        resolution_px=config.flow.resolution_px,
        blend=BlendSettings(
            residual_scale=wanted.residual_scale,
            residual_blur_px=wanted.residual_blur_px,
            time_scale=wanted.time_scale,
            smoothing=config.refine.smoothing,
        ),
        matching=config.refine.matching,
        void_unexplained=config.refine.void_unexplained,
        forced=forced_frames(config).joined(forced or Forced()),
    )
    return Engine(
        segmenter,
        DisFlow(config.flow.preset) if flow is None else flow,
        policy=build_policy(config),
        settings=settings,
        timer=timer,
    )


def build_per_frame_engine(config: Config, segmenter: Segmenter) -> Engine:
    """Return the engine that runs a segmenter on every frame: what fidelity is held against."""
    every: dict[str, object] = {"keyframe.policy": "every"}
    return build_engine(load_config(overrides=config.set_keys() | every), segmenter)


def build_sinks(
    config: Config,
    folder: Path,
    *,
    video: VideoInfo,
    segmenter: SegmenterInfo,
    stages: tuple[str, ...],
    take_timings: Callable[[int], Mapping[str, float]],
    colour: ColourTags | None = None,
) -> dict[str, ResultSink]:
    """Return the sinks of a chunk by stage name, writing into `folder`.

    The overlay begins at zero and comes without sound; its colours are tagged with `colour`, or as
    the first frame's. The table comes last: its row of a frame holds what the sinks before it took.
    """
    sinks: dict[str, ResultSink] = {
        "masks": LabelSink(
            LabelEncoder(
                str(folder / "masks.mkv"),
                width=video.width,
                height=video.height,
                time_base=video.time_base,
                frame_rate=video.frame_rate,
                bits=segmenter.label_bits,
            )
        )
    }
    if config.output.overlay:
        painter = OverlayPainter(
            segmenter.class_set,
            label_bits=segmenter.label_bits,
            opacity=config.output.opacity,
            legend=config.output.legend,
        )
        sinks["overlay"] = OverlaySink(_overlay_encoder(config, folder, video, colour), painter)
    sinks["table"] = FrameTableSink(folder / "frames.csv", stages=stages, take_timings=take_timings)
    return sinks


def _overlay_encoder(
    config: Config, folder: Path, video: VideoInfo, colour: ColourTags | None
) -> Callable[[ColourTags, int], OverlayEncoder]:
    def opened(first: ColourTags, first_pts: int) -> OverlayEncoder:
        return OverlayEncoder(
            str(folder / "overlay.mp4"),
            width=video.width,
            height=video.height,
            time_base=video.time_base,
            frame_rate=video.frame_rate,
            colour=colour or first,
            crf=config.output.crf,
            preset=config.output.preset,
            origin_pts=first_pts,
            pixel_aspect=video.pixel_aspect,
        )

    return opened


def build_policy(config: Config) -> KeyframePolicy:
    """Return the policy that a config names."""
    wanted = config.keyframe
    limits = Limits(wanted.shortest, wanted.longest)
    match wanted.policy:
        case "every":
            return EveryPolicy()
        case "interval":
            return IntervalPolicy(wanted.interval)
        case "share":
            return SharePolicy(wanted.share, limits)
        case "span":
            return SpanPolicy(wanted.doubt_threshold, wanted.span_threshold, limits)
        case "adaptive":
            return AdaptivePolicy(wanted.drift_threshold, wanted.doubt_threshold, limits)


def begins_anywhere(config: Config) -> bool:
    """Return whether a shot's first keyframe may be another than its first frame."""
    return isinstance(build_policy(config), SpanJudge)


def forced_frames(config: Config) -> Forced:
    """Return the frames that the config names, by index or by time."""
    indices = [wanted for wanted in config.keyframe.forced if isinstance(wanted, int)]
    begins_s = _part_begins_s(config)
    return Forced(frozenset(indices), tuple(t for t in _forced_times(config) if t >= begins_s))


def forced_before_part(config: Config) -> list[str]:
    """Return the times that the config names of frames before the part that is run."""
    begins_s = _part_begins_s(config)
    return [f"{time_s:g} s" for time_s in _forced_times(config) if time_s < begins_s]


def _forced_times(config: Config) -> list[float]:
    return [_forced_s(wanted) for wanted in config.keyframe.forced if isinstance(wanted, str)]


def _part_begins_s(config: Config) -> float:
    start = config.source.start
    # With a frame's number at its end it hangs on a rate that only the source knows.
    if start is None or str(start).count(":") > 2:
        return 0.0
    return float(parse_time(start, frame_rate=Fraction(1), name="start") - ROUNDED_S)


def _forced_s(wanted: str) -> float:
    wrong = ConfigError(
        f"keyframe.forced: {wanted!r}: give a frame's number, or a time as seconds (12.5), MM:SS "
        "or HH:MM:SS(.fff)"
    )
    # With a frame's number at its end it would hang on the video's rate.
    if wanted.count(":") > 2:
        raise wrong
    try:
        return float(parse_time(wanted, frame_rate=Fraction(1)))
    except SourceError as error:
        raise wrong from error


def segmenter_options(wanted: SegmenterConfig) -> SegmenterOptions:
    """Return what config says about a model, as segmenters take it.

    Raises
    ------
    ConfigError
        When a value is for no three channels.
    """
    return SegmenterOptions(
        input_size=(wanted.input_size[0], wanted.input_size[1]) if wanted.input_size else None,
        colour_order=wanted.colour_order,
        mean=_per_channel("segmenter.mean", wanted.mean),
        scale=_per_channel("segmenter.scale", wanted.scale),
        resize=wanted.resize,
        output=wanted.output,
        output_name=wanted.output_name,
        signature=wanted.signature,
        threshold=wanted.threshold,
        threads=wanted.threads or None,
        timeout_s=wanted.timeout_s or None,
        classes=wanted.classes if isinstance(wanted.classes, str) else tuple(wanted.classes),
        batch=wanted.batch,
        runtime=wanted.runtime,
        tiles=(wanted.tiles[0], wanted.tiles[1]) if wanted.tiles else None,
        tile_overlap=wanted.tile_overlap,
        flip=wanted.flip,
        scales=tuple(wanted.scales),
        masks=wanted.masks,
    )


def _per_channel(
    key: str, value: float | list[float] | None
) -> float | tuple[float, float, float] | None:
    if not isinstance(value, list):
        return value
    if len(value) != 3:
        raise ConfigError(f"config: {key}: expected one number or three, got {value}")
    return value[0], value[1], value[2]
