"""Which frames an audit asks about, what it compares, and what it says of that."""

from __future__ import annotations

import math
from dataclasses import replace

import av
import numpy as np
import pytest

import tempseg
from tempseg.api import effective_config
from tempseg.auditing import (
    RARE_DIFFERENCE,
    Audit,
    AuditedFrame,
    Estimate,
    audit_run,
    estimate,
)
from tempseg.build import build_segmenter, build_source
from tempseg.errors import SourceError
from tempseg.label_images import write_label_image
from tempseg.metrics.confusion import ConfusionMatrix
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Frame, Placement, Prediction
from tempseg.video import read_label_video

from ..video.clips import write_clip

FRAMES, CUT = 24, 13
CONFIG = {
    "keyframe.policy": "interval",
    "keyframe.interval": 6,
    "segmenter.classes": "camvid",
    "output.overlay": False,
    "output.report": False,
}
EVERY = {"keyframe.interval": 1}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with clip.mp4, which has a cut, and labels/ that flicker."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "labels").mkdir()
    scene = moving_shapes(
        [MovingShape((40, 48), (40, 50), velocity=(1.5, 0.5))],
        width=128,
        height=96,
        frame_count=FRAMES,
        cuts=[CUT],
    )
    rendered = [scene.render(index) for index in range(FRAMES)]
    write_clip(
        folder / "clip.mp4",
        range(FRAMES),
        width=128,
        height=96,
        frames=(av.VideoFrame.from_ndarray(frame.image, "rgb24") for frame in rendered),
    )
    for index, frame in enumerate(rendered):
        labels = np.roll(frame.labels, index * 5 % 7 - 3, axis=1)
        write_label_image(folder / "labels" / f"{index:03d}.png", labels)
    return folder


def _config(clip, **keys):
    return effective_config(CONFIG | keys, f"masks:{clip / 'labels'}")


@pytest.fixture(scope="module")
def ran(clip, tmp_path_factory):
    """The folder of a finished run that was not audited."""
    out = tmp_path_factory.mktemp("ran") / "run"
    tempseg.run(clip / "clip.mp4", out, config=_config(clip))
    return out


class Source:
    """The clip's frames, or what `change` makes of them."""

    def __init__(self, clip, change=lambda frame: frame):
        self._own = build_source(str(clip / "clip.mp4"), _config(clip))
        self._change = change
        self.info = self._own.info
        self.closed = False

    def __iter__(self):
        return map(self._change, self._own)

    def close(self):
        self._own.close()
        self.closed = True


class Watch:
    def __init__(self):
        self.told = []

    def begin(self, name, frames):
        self.told.append((name, frames))

    def advance(self):
        self.told.append("advance")


def _audit(clip, ran, source=None, **options):
    config = _config(clip)
    source = source or Source(clip)
    return audit_run(ran, source, build_segmenter(config), config, **options)


def test_the_difference_is_fidelity_less_floor_and_may_be_below_nought(clip, ran):
    audit = _audit(clip, ran, count=8, seed=3)
    assert not audit.complete
    between = [frame.fidelity - frame.floor for frame in audit.frames]
    assert audit.difference == estimate(
        between, population=audit.between, bounds=(-1.0, 1.0), rare=RARE_DIFFERENCE
    )
    assert audit.difference.low < 0 < abs(audit.difference.mean)


def test_miou_is_that_of_all_audited_frames_together(clip, ran, tmp_path):
    audit = _audit(clip, ran, count=1000)
    tempseg.run(clip / "clip.mp4", tmp_path / "every", config=_config(clip, **EVERY))
    own, models = (
        [labels for _, labels in read_label_video(str(folder / "masks.mkv"))]
        for folder in (ran, tmp_path / "every")
    )
    confusion = ConfusionMatrix(32, void=255)
    for frame in audit.frames:
        confusion.update(own[frame.index], models[frame.index])
    assert audit.miou == pytest.approx(confusion.compute().miou)
    assert audit.miou < 0.999


def test_an_audit_names_its_seed_and_draws_by_it(clip, ran):
    found = {seed: _audit(clip, ran, count=8, seed=seed) for seed in (0, 3)}
    assert [found[seed].seed for seed in (0, 3)] == [0, 3]
    assert found[0].frames != found[3].frames


def test_an_observer_is_told_of_the_drawn_frames_alone(clip, ran):
    watch, source = Watch(), Source(clip)
    _audit(clip, ran, source, count=5, observer=watch)
    assert watch.told == [(source.info.name, 5), *["advance"] * 5]


@pytest.mark.parametrize("harmed", [False, True])
def test_the_source_is_closed_behind_an_audit(clip, ran, harmed):
    source = Source(clip, lambda frame: replace(frame, index=frame.index + harmed))
    if harmed:
        with pytest.raises(SourceError):
            _audit(clip, ran, source, count=5)
    else:
        _audit(clip, ran, source, count=5)
    assert source.closed


def test_frames_of_other_numbers_are_another_source(clip, ran):
    source = Source(clip, lambda frame: replace(frame, index=frame.index + 1))
    with pytest.raises(SourceError, match="another source by now"):
        _audit(clip, ran, source, count=5)


def test_frames_of_another_size_are_another_source(clip, ran):
    def narrowed(frame):
        small = np.ascontiguousarray(frame.image[:, :-16])
        made = Frame.from_image(small, index=frame.index, pts=frame.pts)
        return replace(made, time_base=frame.time_base)

    class Plain:
        info = build_segmenter(_config(clip)).info

        def segment(self, frame):
            return Prediction(
                Placement.stretch(frame.size, frame.size), labels=np.zeros(frame.size, np.uint8)
            )

    with pytest.raises(SourceError, match="frames are 112×96, but the run's label maps 128×96"):
        audit_run(ran, Source(clip, narrowed), Plain(), _config(clip), count=5)


def test_no_floor_is_told_across_a_cut(clip, tmp_path):
    # Neither shot begins with a keyframe.
    keys = {"keyframe.policy": "share", "keyframe.share": 0.05, "run.audit": 1000}
    summary = tempseg.run(clip / "clip.mp4", tmp_path / "run", config=_config(clip, **keys))
    floors = {frame.index: frame.floor for frame in summary.audit.frames}
    assert {0, CUT} <= set(floors)
    assert [index for index, floor in floors.items() if math.isnan(floor)] == [0, CUT]
    # Their fidelity counts nonetheless, as in the figures beside it.
    audit = summary.audit
    assert audit.complete
    assert audit.difference.mean == pytest.approx(audit.fidelity.mean - audit.floor.mean)


def _told(mean, low, high, *, between=90, fidelity=0.9, floor=0.8):
    gap, frame = Estimate(mean, low, high), AuditedFrame(1, 0.04, fidelity, floor)
    scores = [Estimate(value, value - 0.01, value + 0.01) for value in (fidelity, floor)]
    return Audit(0, between, (frame,), *scores, gap, 0.9, 0.1)


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [
        ((-0.05, -0.08, -0.01), "below"),
        ((-0.05, -0.08, 0.01), "within"),
        ((0.05, -0.01, 0.08), "within"),
        ((0.05, 0.01, 0.08), "above"),
        ((math.nan, math.nan, math.nan), None),
    ],
)
def test_the_verdict_needs_all_of_the_interval_on_one_side(gap, verdict):
    assert _told(*gap).verdict == verdict


@pytest.mark.parametrize(
    ("gap", "between", "said"),
    [
        (
            (-0.05, -0.08, -0.01),
            90,
            "fidelity 0.900 (95 %: 0.890 to 0.910) is below the segmenter's noise floor of 0.800 "
            "by 0.050 (0.010 to 0.080)",
        ),
        (
            (0.05, 0.01, 0.08),
            90,
            "fidelity 0.900 (95 %: 0.890 to 0.910) is above the segmenter's noise floor of 0.800 "
            "by 0.050 (0.010 to 0.080)",
        ),
        (
            (-0.05, -0.08, 0.01),
            90,
            "fidelity 0.900 (95 %: 0.890 to 0.910) is within the segmenter's noise floor of 0.800: "
            "the difference of -0.050 (-0.080 to 0.010) may be chance",
        ),
        (
            (-0.001, -0.001, -0.001),
            1,
            "fidelity 0.900 is below the segmenter's noise floor of 0.800 by 0.001",
        ),
        (
            (0.0, 0.0, 0.0),
            1,
            "fidelity 0.900 is at the segmenter's noise floor of 0.800",
        ),
        (
            (math.nan, math.nan, math.nan),
            90,
            "fidelity 0.900 (95 %: 0.890 to 0.910); its noise floor could not be told",
        ),
    ],
)
def test_an_audit_says_which_way_how_far_and_how_surely(gap, between, said):
    assert _told(*gap, between=between).message == said


def test_an_audit_of_void_alone_says_so():
    audit = _told(math.nan, math.nan, math.nan, fidelity=math.nan)
    assert audit.message == (
        "nothing could be compared: the segmenter left every audited frame void"
    )
