"""The engine with segmenters, estimators and callers that do their worst."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.class_sets import class_set
from tempseg.engine import Engine, EngineSettings
from tempseg.errors import ModelError
from tempseg.flows import DisFlow
from tempseg.policies import AdaptivePolicy, IntervalPolicy, Limits, SharePolicy, SpanPolicy
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import Frame, Origin, Placement, Prediction, Segment, SegmenterInfo

from .scenes import Remembered

POLICIES = (
    IntervalPolicy(5),
    AdaptivePolicy(),
    SharePolicy(0.1),
    SpanPolicy(0.3, 0.3, limits=Limits(1, 30)),
)


class Truth:
    """Answers with a scene's exact labels."""

    def __init__(self, scene):
        self.info = SegmenterInfo("truth", "callable", class_set("camvid"))
        self._scene = scene

    def segment(self, frame):
        labels = self._scene.render(frame.index).labels
        return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)


@pytest.fixture(scope="module")
def scene():
    shape = MovingShape((30, 40), (30, 30), velocity=(1.0, 0.5))
    return Remembered(moving_shapes([shape], width=96, height=64, frame_count=30))


def _frames(scene):
    return [Frame.from_image(scene.render(i).image, index=i, pts=i) for i in range(len(scene))]


def _engine(segmenter, *, flow=None, policy=POLICIES[0], lookahead=20):
    return Engine(
        segmenter,
        flow or DisFlow("fast"),
        policy=policy,
        settings=EngineSettings(lookahead=lookahead),
    )


class Turned:
    """A flow whose samples lie channel by channel, as networks give them."""

    def __init__(self):
        self._own = DisFlow("fast")

    def estimate(self, target, source):
        planes = np.ascontiguousarray(self._own.estimate(target, source).transpose(2, 0, 1))
        return planes.transpose(1, 2, 0)


def test_a_flow_may_lie_in_memory_as_it_likes(scene):
    frames = _frames(scene)
    expected = list(_engine(Truth(scene)).results(frames))
    for found, result in zip(
        _engine(Truth(scene), flow=Turned()).results(frames), expected, strict=True
    ):
        np.testing.assert_array_equal(found.segmentation.labels, result.segmentation.labels)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda flow: flow * np.float32(np.nan), "nan or inf"),
        (lambda flow: flow / np.float32(0), "nan or inf"),
        (lambda flow: flow + np.float32(3e38), r"to 3e\+38, expected pixels"),
        (lambda flow: flow - np.float32(2e6), r"from -2e\+06 to .*, expected pixels, 1000000"),
        (lambda flow: flow[::2, ::2], "expected float32"),
        (lambda flow: flow.astype(np.float64), "float64"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_flow_that_no_kernel_can_follow_is_refused(scene, spoil, told):
    class Spoilt:
        def estimate(self, target, source):
            return spoil(DisFlow("fast").estimate(target, source))

    with pytest.raises(ValueError, match=told):
        list(_engine(Truth(scene), flow=Spoilt()).results(_frames(scene)))


@pytest.mark.parametrize("lookahead", [0, 20])
def test_the_wildest_flow_that_is_taken_gives_every_frame(scene, lookahead):
    class Wild:
        def estimate(self, target, source):
            rng = np.random.default_rng(int(target.sum()))
            return rng.choice([-1e6, 0, 1e6], (*target.shape, 2)).astype(np.float32)

    engine = _engine(Truth(scene), flow=Wild(), lookahead=lookahead)
    assert [r.frame.index for r in engine.results(_frames(scene))] == list(range(len(scene)))


def test_a_picture_whose_samples_changed_is_another_to_the_flow():
    rng = np.random.default_rng(0)
    one, two, three = (rng.integers(0, 255, (64, 96), dtype=np.uint8) for _ in range(3))
    flow, kept = DisFlow("fast"), two.copy()
    flow.estimate(one, kept)
    kept[:] = three
    np.testing.assert_array_equal(flow.estimate(one, kept), DisFlow("fast").estimate(one, three))


@pytest.mark.parametrize("lookahead", [0, 20])
@pytest.mark.parametrize("indices", [(0, 0), (5, 4)])
def test_frames_that_do_not_rise_are_refused(scene, lookahead, indices):
    engine = _engine(Truth(scene), lookahead=lookahead)
    image = scene.render(0).image
    first, second = indices
    engine.push(Frame.from_image(image, index=first, pts=0))
    with pytest.raises(ValueError, match=f"frame {second} comes after frame {first}"):
        engine.push(Frame.from_image(image, index=second, pts=1))


@pytest.mark.parametrize("matching", [True, False])
@pytest.mark.parametrize("lookahead", [0, 20])
def test_whatever_a_map_shows_stands_for_something(scene, lookahead, matching):
    class Naming(Truth):
        """Names what it sees; sees the disc on every other keyframe alone."""

        def segment(self, frame):
            labels = self._scene.render(frame.index).labels.copy()
            if frame.index % 10:
                labels[labels == 8] = 3
            ids = np.unique(labels).tolist()
            segments = {i: Segment(i, i, score=0.5 + frame.index / 100) for i in ids}
            placement = Placement.stretch(labels.shape, frame.size)
            return Prediction(placement, labels=labels, segments=segments)

    engine = Engine(
        Naming(scene),
        DisFlow("fast"),
        policy=POLICIES[0],
        settings=EngineSettings(lookahead=lookahead, matching=matching),
    )
    shown = 0
    for result in engine.results(_frames(scene)):
        found = result.segmentation
        assert set(np.unique(found.labels).tolist()) <= set(found.segments)
        if result.origin is Origin.SEGMENTED:
            assert found.segments[3].score == 0.5 + result.frame.index / 100
        shown += 8 in found.labels
    assert shown > 6


@pytest.mark.parametrize("keyframes_per_side", [2, 4])
def test_what_keyframes_agree_on_stands_for_something_in_the_frames_between(
    scene, keyframes_per_side
):
    class Renaming(Truth):
        """Gives all it sees new ids on every keyframe."""

        def segment(self, frame):
            shown = self._scene.render(frame.index).labels
            labels = np.where(shown == 8, 100 + 2 * frame.index, 101 + 2 * frame.index)
            segments = {i: Segment(i, 8 if i % 2 == 0 else 3) for i in np.unique(labels).tolist()}
            placement = Placement.stretch(shown.shape, frame.size)
            return Prediction(placement, labels=labels.astype(np.uint8), segments=segments)

    engine = Engine(
        Renaming(scene),
        DisFlow("fast"),
        policy=IntervalPolicy(4),
        settings=EngineSettings(lookahead=20, keyframes_per_side=keyframes_per_side),
    )
    strangers = 0
    for result in engine.results(_frames(scene)):
        shown = set(np.unique(result.segmentation.labels).tolist())
        assert shown <= set(result.segmentation.segments)
        near = {result.frame.index // 4 * 4, result.frame.index // 4 * 4 + 4}
        strangers += bool({(i - 100) // 2 for i in shown} - near)
    assert strangers > 0


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
@pytest.mark.parametrize("lookahead", [0, 8])
def test_after_any_error_of_a_segmenter_the_next_frame_starts_afresh(scene, policy, lookahead):
    class Failing(Truth):
        failed = False

        def segment(self, frame):
            if frame.index >= 10 and not self.failed:
                self.failed = True
                raise MemoryError("no memory on the card")
            return super().segment(frame)

    engine, found, failures = _engine(Failing(scene), policy=policy, lookahead=lookahead), [], []
    for frame in _frames(scene):
        try:
            found += engine.push(frame)
        except MemoryError:
            failures.append(frame.index)
    found += engine.flush()
    indices = [result.frame.index for result in found]
    assert indices == sorted(set(indices))
    assert len(failures) <= 1
    lost = set(range(len(scene))) - set(indices)
    assert lost == (set(range(min(lost), failures[0] + 1)) if failures else set())


@pytest.mark.parametrize(
    "policy",
    [SharePolicy(0.3), SpanPolicy(0.15, 0.01, limits=Limits(2, 30))],
    ids=lambda policy: type(policy).__name__,
)
@pytest.mark.parametrize("lookahead", [4, 8])
@pytest.mark.parametrize("at", [12, 20, 25])
def test_an_answer_that_goes_with_no_other_leaves_no_hole(scene, policy, lookahead, at):
    class Growing(Truth):
        def segment(self, frame):
            labels = self._scene.render(frame.index).labels[:: 1 + (frame.index >= at)]
            return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)

    engine, found = _engine(Growing(scene), policy=policy, lookahead=lookahead), []

    def push_all():
        for frame in _frames(scene):
            found.extend(engine.push(frame))
        found.extend(engine.flush())

    with pytest.raises(ModelError, match=r"truth: frame .* was answered on a grid of"):
        push_all()
    found += engine.flush(asking=False)
    assert [result.frame.index for result in found] == list(range(len(found)))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
@pytest.mark.parametrize("lookahead", [0, 8])
def test_a_video_left_half_way_leaves_nothing(scene, policy, lookahead):
    frames = _frames(scene)
    left, fresh = (_engine(Truth(scene), policy=policy, lookahead=lookahead) for _ in range(2))
    for result in left.results(frames):
        if result.frame.index == 2:
            break
    told = []
    for engine in (left, fresh):
        assert engine.flush() == []
        results = [r for frame in frames[15:] for r in engine.push(frame)] + engine.flush()
        told.append([(r.frame.index, r.origin, r.reason) for r in results])
    assert told[0] == told[1]


def test_a_video_left_half_way_and_closed_late_ends_no_other(scene):
    frames = _frames(scene)
    engine = _engine(Truth(scene), lookahead=8)
    told = [(r.frame.index, r.origin) for r in _engine(Truth(scene), lookahead=8).results(frames)]
    left = engine.results(frames)
    next(left)
    found = []
    for result in engine.results(frames):
        found.append((result.frame.index, result.origin))
        if len(found) == 3:
            left.close()
    assert found == told


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", range(4))
def test_an_answer_lies_somewhere(value, place):
    where = [1.0, 0.0, 1.0, 0.0]
    where[place] = value
    with pytest.raises(ValueError, match="expected finite"):
        Placement(*where)


@pytest.mark.parametrize(
    "answer",
    [{"labels": np.zeros((0, 5), np.uint8)}, {"scores": np.zeros((8, 8, 0), np.float32)}],
)
def test_an_answer_of_nothing_is_none(answer):
    with pytest.raises(ValueError, match="expected"):
        Prediction(Placement(1, 0, 1, 0), **answer)
