"""Looks into the engine at work on a rendered street, for the pictures of docs/how-it-works.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from types import ModuleType
from typing import NamedTuple

import cv2
import numpy as np

from tempseg import carrier
from tempseg.build import build_engine
from tempseg.config import load_config
from tempseg.kernels import match, shares
from tempseg.proposals import Proposal
from tempseg.refine import matching
from tempseg.synthetic import STREET_CLASSES, Scene, SceneFrame, street_scene
from tempseg.types import Frame, FrameResult, Placement, Prediction, SegmenterInfo

SEED = 0
BEFORE, NOW, AFTER = 125, 131, 135
"""The keyframe before, the frame that is shown, the keyframe after."""

EVERY_TENTH = {"keyframe__policy": "interval", "keyframe__interval": AFTER - BEFORE}


class Exact:
    """A segmenter that knows the truth."""

    def __init__(self, scene: Scene) -> None:
        self.info = SegmenterInfo("truth", "rendered", STREET_CLASSES)
        self._scene = scene

    def segment(self, frame: Frame) -> Prediction:
        """Return the exact labels."""
        labels = rendered(self._scene, frame.index).labels
        return Prediction(Placement.stretch(frame.size, frame.size), labels=labels)


class Flickering(Exact):
    """A made-up network: scores of the truth on a quarter of the size, and noise a frame."""

    def segment(self, frame: Frame) -> Prediction:
        """Return class scores."""
        labels = rendered(self._scene, frame.index).labels
        grid = frame.size[0] // 4, frame.size[1] // 4
        noise = np.random.default_rng([SEED, frame.index])
        logits = []
        for label in range(len(STREET_CLASSES.names)):
            share = cv2.resize((labels == label).astype(np.float32), grid[::-1], interpolation=3)
            rough = noise.standard_normal(grid, dtype=np.float32)
            # Smooth noise of standard deviation 1: mistakes come in patches.
            patches = cv2.GaussianBlur(rough, (0, 0), 3) * np.float32(2 * 3 * np.pi**0.5)
            logits.append(5 * cv2.GaussianBlur(share, (0, 0), 1) + 1.4 * patches)
        power = np.exp(np.stack(logits, axis=-1))
        scores = np.ascontiguousarray(power / power.sum(axis=-1, keepdims=True), np.float32)
        return Prediction(Placement.stretch(grid, frame.size), scores=scores)


@contextmanager
def watched(module: ModuleType, name: str, look: Callable[..., None]) -> Iterator[None]:
    """Show every call of a module's function to `look`, before it happens."""
    original = getattr(module, name)

    def call(*arguments: object, **named: object) -> object:
        look(*arguments)
        return original(*arguments, **named)

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, original)


@cache
def street() -> Scene:
    return street_scene(seed=SEED, width=960, height=540)


@lru_cache(maxsize=64)
def rendered(scene: Scene, index: int) -> SceneFrame:
    return scene.render(index)


def pushed(segmenter: Exact, scene: Scene, frames: range, **keys: object) -> list[FrameResult]:
    """Return what the engine makes of some frames."""
    # As with quality.toml: the finer grid shows more.
    finer: list[tuple[str, object]] = [("flow.preset", "slow"), ("flow.resolution_px", 320)]
    overrides = [*finer, *((k.replace("__", "."), v) for k, v in keys.items())]
    engine = build_engine(load_config(overrides=overrides), segmenter)
    results: list[FrameResult] = []
    for i in frames:
        results += engine.push(Frame.from_image(rendered(scene, i).image, index=i, pts=i))
    return results + engine.flush()


class Seen(NamedTuple):
    """What passed by while the engine solved one frame from exact labels.

    `weights` of each keyframe (h, w), -1 where all agree; `blended` and `solved`, the answers
    (h, 3, w) on the grid before and after the look at colours in the `band`, and its `ballot`;
    labels (H, W) `brought_up` from the grid, `voted` on in the frame, and the last.
    """

    proposals: Sequence[Proposal]
    references: Sequence[matching.Reference]
    luma: np.ndarray
    pixels: matching.Pixels
    weights: Sequence[np.ndarray]
    blended: np.ndarray
    band: np.ndarray
    ballot: tuple[np.ndarray, ...]
    solved: np.ndarray
    brought_up: np.ndarray
    voted: np.ndarray
    labels: np.ndarray


@cache
def seen() -> Seen:
    """Look into the engine as it solves the frame shown."""
    found: dict[str, list] = {}

    def keep(name: str, pick: Callable[..., object]) -> Callable[..., None]:
        return lambda *a: found.setdefault(name, []).append(pick(*a))

    inner = slice(shares.MARGIN, -shares.MARGIN)
    with ExitStack() as stack:
        for module, name, pick in (
            (carrier, "look_up", lambda *a: (a[0], a[2], a[3])),
            (shares, "sample", lambda *a: a[2:5]),
            (shares, "nominate", lambda *a: (a[0][inner, :, inner].copy(), a[4])),
            (shares, "rank", lambda *a: tuple(part.copy() for part in a[:4])),
            (shares, "enlarge", lambda *a: a[0][inner, :, inner].copy()),
            (match, "vote_frame", lambda *a: a[8].copy()),
            (match, "sharpen", lambda *a: a[6].copy()),
        ):
            stack.enter_context(watched(module, name, keep(name, pick)))
        results = pushed(Exact(street()), street(), range(BEFORE, AFTER + 1), **EVERY_TENTH)
    # The frames between come in order, each with two keyframes and two rankings.
    at = NOW - BEFORE - 1
    blended, band = found["nominate"][at]
    proposals, references, step = found["look_up"][at]
    in_order = sorted(
        zip(proposals, references, strict=True), key=lambda pair: pair[0].anchor.index
    )
    proposals, references = zip(*in_order, strict=True)
    weights = [np.full(step.luma.shape, -1, np.float32) for _ in proposals]
    for flow, values, places in found["sample"]:
        # Other frames' are passed over, and the frame before this one, which is asked as well.
        for side, proposal in enumerate(proposals):
            if proposal.motion.flow is flow:
                weights[side].ravel()[places] = values
    return Seen(
        proposals,
        references,
        step.luma,
        matching.Pixels.of(step.frame.picture.yuv420(), step.luma),
        weights,
        blended,
        band,
        found["rank"][2 * at + 1],
        found["enlarge"][at],
        found["vote_frame"][2 * at],
        found["sharpen"][at],
        results[NOW - BEFORE].segmentation.labels,
    )
