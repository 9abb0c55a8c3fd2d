"""The engine on rendered scenes with exact labels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tempseg.class_sets import class_set
from tempseg.cuts import steps_held
from tempseg.decisions import KeyframeReason
from tempseg.engine import Engine, EngineSettings
from tempseg.errors import ModelError, SourceError
from tempseg.flows import DisFlow
from tempseg.policies import AdaptivePolicy, IntervalPolicy, Limits
from tempseg.propagate import BlendSettings
from tempseg.synthetic import MovingShape, moving_shapes
from tempseg.types import (
    Frame,
    Origin,
    Placement,
    Prediction,
    SegmenterInfo,
)

from .scenes import Remembered

NOISE_CUT = 0.3


class TruthSegmenter:
    """Answers with a scene's exact labels, and notes on which frames it was asked."""

    def __init__(self, scene, *, scores=False):
        self.info = SegmenterInfo("truth", "masks", class_set("camvid"))
        self.asked = []
        self._scene = scene
        self._scores = scores

    def segment(self, frame):
        self.asked.append(frame.index)
        labels = self._scene.render(frame.index).labels
        placement = Placement.stretch(labels.shape, frame.size)
        if self._scores:
            scores = np.eye(11, dtype=np.float32)[labels] * np.float32(0.9) + np.float32(0.01)
            return Prediction(placement, scores=np.ascontiguousarray(scores))
        return Prediction(placement, labels=labels)


def _frames(scene):
    return [Frame.from_image(scene.render(i).image, index=i, pts=i) for i in range(len(scene))]


def _run(scene, *, policy=None, scores=False, **overrides):
    segmenter = TruthSegmenter(scene, scores=scores)
    engine = Engine(
        segmenter,
        DisFlow("medium"),
        policy=policy or IntervalPolicy(8),
        settings=EngineSettings(**overrides),
    )
    results = []
    for frame in _frames(scene):
        results += engine.push(frame)
    results += engine.flush()
    return segmenter, results


def _iou(found, expected, label):
    union = np.count_nonzero((found == label) | (expected == label))
    return np.count_nonzero((found == label) & (expected == label)) / union


def _disc(**changes):
    shape = MovingShape((80, 96), (72, 72), velocity=(2.5, 0.75))
    return replace(shape, **changes)


@pytest.fixture(scope="module")
def disc():
    return Remembered(
        moving_shapes(
            [_disc()], width=320, height=192, frame_count=25, background_velocity=(-1.0, 0.0)
        )
    )


@pytest.fixture(scope="module")
def cut():
    made = moving_shapes([_disc(size=(30, 30))], width=320, height=192, frame_count=20, cuts=[9])
    return Remembered(made)


@pytest.mark.parametrize("scores", [False, True], ids=["labels", "scores"])
@pytest.mark.parametrize(("lookahead", "least"), [(0, 0.7), (20, 0.9)])
def test_moving_disc_is_carried_to_every_frame(disc, scores, lookahead, least):
    _, results = _run(disc, scores=scores, lookahead=lookahead)
    for result in results:
        expected = disc.render(result.frame.index).labels
        assert _iou(result.segmentation.labels, expected, 8) > least


def test_a_callers_buffer_may_be_filled_again_after_each_frame(disc):
    _, expected = _run(disc, lookahead=8)
    engine = Engine(
        TruthSegmenter(disc),
        DisFlow("medium"),
        policy=IntervalPolicy(8),
        settings=EngineSettings(lookahead=8),
    )
    buffer, results = np.empty((192, 320, 3), np.uint8), []
    for index in range(len(disc)):
        buffer[:] = disc.render(index).image
        results += engine.push(Frame.from_image(buffer, index=index, pts=index))
    results += engine.flush()
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(found.segmentation.labels, wanted.segmentation.labels)


@pytest.mark.parametrize(
    ("image", "time_base", "told"),
    [
        ([[[0, 0, 0]]], Fraction(1), "image is a list"),
        (None, Fraction(1), "image is a NoneType"),
        (Image.new("RGB", (4, 4)), Fraction(1), "image is a Image"),
        (np.zeros((0, 4, 3), np.uint8), Fraction(1), r"image is uint8 \(0, 4, 3\).*not empty"),
        (np.zeros((4, 4, 3), np.uint8), 0.04, "time_base is a float, expected a Fraction"),
    ],
)
def test_what_is_no_picture_or_time_is_refused_at_once(image, time_base, told):
    with pytest.raises((TypeError, ValueError), match=told):
        Frame.from_image(image, time_base=time_base)


def test_keyframes_keep_the_segmenters_answer_exactly_without_smoothing(disc):
    _, results = _run(disc, blend=BlendSettings(smoothing=0.0))
    for result in results:
        if result.origin is Origin.SEGMENTED:
            expected = disc.render(result.frame.index).labels
            np.testing.assert_array_equal(result.segmentation.labels, expected)


def test_interval_sets_when_the_segmenter_runs(disc):
    segmenter, results = _run(disc, policy=IntervalPolicy(8))
    assert segmenter.asked == [0, 8, 16, 24]
    assert [r.reason for r in results if r.reason] == [
        KeyframeReason.FIRST,
        *[KeyframeReason.INTERVAL] * 3,
    ]


def test_a_second_video_has_nothing_of_the_first(disc):
    engine = Engine(TruthSegmenter(disc), DisFlow(), policy=IntervalPolicy(5))
    first = list(engine.results(_frames(disc)))
    second = list(engine.results(_frames(disc)))
    for before, after in zip(first, second, strict=True):
        assert np.array_equal(before.segmentation.labels, after.segmentation.labels)


def test_both_sides_are_blended_where_the_input_is_read_ahead(disc):
    _, results = _run(disc, lookahead=20)
    assert {r.origin for r in results if r.reason is None} == {Origin.INTERPOLATED}


def test_causal_engine_answers_at_once_from_the_past(disc):
    engine = Engine(
        TruthSegmenter(disc),
        DisFlow("fast"),
        policy=IntervalPolicy(8),
        settings=EngineSettings(lookahead=0),
    )
    for frame in _frames(disc):
        (result,) = engine.push(frame)
        assert result.frame is frame
        assert result.origin in (Origin.SEGMENTED, Origin.PROPAGATED)
    assert engine.flush() == []


@pytest.mark.parametrize("lookahead", [0, 1, 3, 8, 30])
@pytest.mark.parametrize("per_side", [1, 2])
def test_no_more_frames_are_held_back_than_the_lookahead(disc, lookahead, per_side):
    engine = Engine(
        TruthSegmenter(disc),
        DisFlow("fast"),
        policy=IntervalPolicy(6),
        settings=EngineSettings(lookahead=lookahead, keyframes_per_side=per_side),
    )
    emitted = []
    for frame in _frames(disc):
        emitted += [result.frame.index for result in engine.push(frame)]
        assert frame.index + 1 - len(emitted) <= lookahead
    emitted += [result.frame.index for result in engine.flush()]
    assert emitted == list(range(len(disc)))


@pytest.mark.parametrize(
    ("scores", "smoothing", "after"),
    [(True, 1.0, 2), (False, 1.0, 3), (False, 0.0, 1)],
    ids=["scores", "labels", "labels unsmoothed"],
)
def test_no_more_keyframes_are_waited_for_than_are_used(disc, scores, smoothing, after):
    engine = Engine(
        TruthSegmenter(disc, scores=scores),
        DisFlow("fast"),
        policy=IntervalPolicy(4),
        settings=EngineSettings(
            lookahead=24, keyframes_per_side=2, blend=BlendSettings(smoothing=smoothing)
        ),
    )
    out_with = {}
    for frame in _frames(disc):
        for result in engine.push(frame):
            out_with[result.frame.index] = frame.index
    assert out_with[1] == 4 * after + steps_held(24)


def test_scene_cut_is_a_keyframe_of_its_own(cut):
    # Flow finds more of one noise texture in another than of one real shot in the next.
    segmenter, results = _run(
        cut, policy=IntervalPolicy(50), lookahead=50, scene_threshold=NOISE_CUT
    )
    assert segmenter.asked == [0, 9]
    assert results[9].reason is KeyframeReason.SCENE_CUT
    assert results[8].evidence.scene_change < 0.05


@pytest.mark.parametrize("lookahead", [0, 30])
@pytest.mark.parametrize("per_side", [1, 3])
def test_nothing_is_carried_across_a_cut(cut, per_side, lookahead):
    class SideSegmenter(TruthSegmenter):
        """Answers 1 before the cut and 2 after it."""

        def segment(self, frame):
            labels = np.full(frame.size, 1 if frame.index < 9 else 2, np.uint8)
            return Prediction(Placement.stretch(frame.size, frame.size), labels=labels)

    engine = Engine(
        SideSegmenter(cut),
        DisFlow("fast"),
        policy=IntervalPolicy(4),
        settings=EngineSettings(
            lookahead=lookahead, keyframes_per_side=per_side, scene_threshold=NOISE_CUT
        ),
    )
    results = [r for frame in _frames(cut) for r in engine.push(frame)] + engine.flush()
    for result in results:
        assert np.all(result.segmentation.labels == (1 if result.frame.index < 9 else 2))


def test_fade_and_flash_are_no_cuts(disc):
    gains = np.concatenate([np.linspace(1, 0.3, 12), [1.3], np.ones(12)])
    frames = [
        Frame.from_image(
            np.clip(frame.image * gain, 0, 255).astype(np.uint8), index=frame.index, pts=frame.pts
        )
        for frame, gain in zip(_frames(disc), gains, strict=True)
    ]
    engine = Engine(TruthSegmenter(disc), DisFlow("medium"), policy=IntervalPolicy(50))
    results = [r for frame in frames for r in engine.push(frame)] + engine.flush()
    assert [r.reason for r in results if r.reason] == [KeyframeReason.FIRST]


def test_new_content_raises_the_drift_until_a_keyframe_comes():
    fast = moving_shapes([_disc(velocity=(16.0, 0.0))], width=320, height=192, frame_count=16)
    policy = AdaptivePolicy(drift_threshold=0.05, limits=Limits(2, 15))
    _, results = _run(fast, policy=policy)
    drifted = [r for r in results if r.reason is KeyframeReason.DRIFT]
    assert drifted
    assert all(r.evidence.drift > 0.05 for r in drifted)


def test_still_scene_needs_keyframes_only_at_the_longest_interval():
    still = moving_shapes([_disc(velocity=(0.0, 0.0))], width=320, height=192, frame_count=22)
    policy = AdaptivePolicy(drift_threshold=0.05, limits=Limits(2, 10))
    segmenter, _ = _run(still, policy=policy)
    assert segmenter.asked == [0, 10, 20]


def test_no_threshold_can_freeze_the_output(disc):
    policy = AdaptivePolicy(drift_threshold=1.0, limits=Limits(1, 5))
    segmenter, _ = _run(disc, policy=policy, scene_threshold=1.0)
    assert np.diff(segmenter.asked).max() <= 5


def test_every_frame_as_keyframe_needs_no_motion(disc):
    class NoFlow:
        def estimate(self, target, source):
            raise AssertionError("asked for motion")

    segmenter = TruthSegmenter(disc)
    engine = Engine(segmenter, NoFlow(), policy=IntervalPolicy(1))
    results = [r for frame in _frames(disc) for r in engine.push(frame)] + engine.flush()
    assert segmenter.asked == list(range(len(disc)))
    assert {r.origin for r in results} == {Origin.SEGMENTED}


@pytest.mark.parametrize("lookahead", [0, 20])
def test_matching_finds_more_of_the_disc_than_motion_alone(disc, lookahead):
    def mean_iou(matching):
        _, results = _run(disc, lookahead=lookahead, matching=matching)
        between = [r for r in results if r.origin is not Origin.SEGMENTED]
        return np.mean(
            [_iou(r.segmentation.labels, disc.render(r.frame.index).labels, 8) for r in between]
        )

    assert mean_iou(True) > mean_iou(False)


def test_light_that_changes_hardly_matters_where_colours_are_looked_up(disc):
    def mean_iou(strength):
        engine = Engine(TruthSegmenter(disc), DisFlow("medium"), policy=IntervalPolicy(8))
        results = []
        for frame in _frames(disc):
            lit = frame.image * (1 + strength * np.sin(frame.index / 3))
            image = np.clip(lit, 0, 255).astype(np.uint8)
            results += engine.push(Frame.from_image(image, index=frame.index, pts=frame.index))
        results += engine.flush()
        between = [r for r in results if r.origin is not Origin.SEGMENTED]
        return np.mean(
            [_iou(r.segmentation.labels, disc.render(r.frame.index).labels, 8) for r in between]
        )

    assert mean_iou(0.3) > mean_iou(0.0) - 0.003


def test_matching_leaves_answers_with_scores_as_they_are(disc):
    runs = [_run(disc, scores=True, matching=matching)[1] for matching in (False, True)]
    for plain, matched in zip(*runs, strict=True):
        np.testing.assert_array_equal(plain.segmentation.labels, matched.segmentation.labels)


def test_same_frames_give_the_same_bytes(disc):
    runs = [_run(disc, keyframes_per_side=2)[1] for _ in range(2)]
    for first, second in zip(*runs, strict=True):
        assert first.segmentation.labels.tobytes() == second.segmentation.labels.tobytes()
        assert first.evidence == second.evidence


def test_frames_given_to_the_engine_are_not_written_to(disc):
    frames = _frames(disc)
    before = [frame.image.copy() for frame in frames]
    engine = Engine(TruthSegmenter(disc), DisFlow("fast"), policy=IntervalPolicy(5))
    for frame in frames:
        engine.push(frame)
    engine.flush()
    for frame, image in zip(frames, before, strict=True):
        np.testing.assert_array_equal(frame.image, image)


def test_engine_starts_afresh_after_a_flush(disc):
    segmenter, first = _run(disc)
    engine = Engine(segmenter, DisFlow("medium"), policy=IntervalPolicy(8))
    for _ in range(2):
        results = [r for frame in _frames(disc) for r in engine.push(frame)] + engine.flush()
        for one, other in zip(first, results, strict=True):
            np.testing.assert_array_equal(one.segmentation.labels, other.segmentation.labels)


def test_a_video_left_half_way_leaves_nothing_for_the_next(disc):
    engine = Engine(TruthSegmenter(disc), DisFlow("fast"), policy=IntervalPolicy(8))
    expected = [r.segmentation.labels.tobytes() for r in engine.results(_frames(disc))]
    for _ in engine.results(_frames(disc)):
        break
    again = [r.segmentation.labels.tobytes() for r in engine.results(_frames(disc))]
    assert again == expected


def test_flush_of_an_idle_engine_is_empty(disc):
    assert Engine(TruthSegmenter(disc), DisFlow(), policy=IntervalPolicy(2)).flush() == []


def _blinking(scene, *, wrong, scores):
    """Return results of a segmenter that misses the disc on one keyframe."""

    class Blinking(TruthSegmenter):
        def segment(self, frame):
            answer = super().segment(frame)
            if frame.index != wrong:
                return answer
            if answer.labels is not None:
                return replace(answer, labels=np.zeros_like(answer.labels))
            faint = np.full_like(answer.scores, 0.05)
            faint[..., 0] = 0.5
            return replace(answer, scores=faint)

    def results(smoothing):
        engine = Engine(
            Blinking(scene, scores=scores),
            DisFlow("medium"),
            policy=IntervalPolicy(4),
            settings=EngineSettings(blend=BlendSettings(smoothing=smoothing)),
        )
        return [r for frame in _frames(scene) for r in engine.push(frame)] + engine.flush()

    return results


@pytest.mark.parametrize("scores", [False, True], ids=["labels", "scores"])
def test_smoothing_mends_a_keyframe_that_its_neighbours_contradict(disc, scores):
    results = _blinking(disc, wrong=12, scores=scores)
    expected = disc.render(12).labels
    assert _iou(results(0.0)[12].segmentation.labels, expected, 8) == 0.0
    assert _iou(results(1.0)[12].segmentation.labels, expected, 8) > 0.85


def test_smoothing_leaves_no_ghost_of_an_object_that_left():
    leaving = moving_shapes([_disc(vanishes_at=8)], width=320, height=192, frame_count=25)
    for lookahead, matching in ((0, True), (20, True), (20, False)):
        _, results = _run(leaving, policy=IntervalPolicy(4), lookahead=lookahead, matching=matching)
        for result in results[8:]:
            assert not np.any(result.segmentation.labels == 8)


def test_the_past_alone_never_overrules_a_fresh_answer(disc):
    """A segmenter changes its mind at one keyframe, on a picture that does not change."""

    class Changing(TruthSegmenter):
        def segment(self, frame):
            answer = super().segment(frame)
            return replace(answer, labels=np.full_like(answer.labels, 1 + (frame.index >= 8)))

    engine = Engine(
        Changing(disc),
        DisFlow("fast"),
        policy=IntervalPolicy(2),
        settings=EngineSettings(lookahead=0, keyframes_per_side=4, matching=False),
    )
    results = [r for frame in _frames(disc) for r in engine.push(frame)] + engine.flush()
    for result in results:
        assert np.all(result.segmentation.labels == 1 + (result.frame.index >= 8))


@pytest.mark.parametrize("scores", [False, True], ids=["labels", "scores"])
def test_an_answer_grows_old_by_what_happens_and_not_by_time(scores):
    """Nothing changes until something enters; the segmenter then sees all else in another way."""
    scene = moving_shapes(
        [_disc(appears_at=24, velocity=(4.0, 0.0))], width=320, height=192, frame_count=31
    )

    class Changing(TruthSegmenter):
        def segment(self, frame):
            labels = np.full((192, 320), 1 + (frame.index >= 24), np.uint8)
            if not scores:
                return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)
            found = np.eye(11, dtype=np.float32)[labels] * np.float32(0.5)
            return Prediction(Placement.stretch(labels.shape, frame.size), scores=found)

    engine = Engine(
        Changing(scene),
        DisFlow("fast"),
        policy=IntervalPolicy(30),
        settings=EngineSettings(keyframes_per_side=1, blend=BlendSettings(smoothing=0.0)),
    )
    results = [r for frame in _frames(scene) for r in engine.push(frame)] + engine.flush()
    shares = [np.mean(result.segmentation.labels == 1) for result in results]
    assert min(shares[:24]) > 0.99
    assert max(shares[28:]) < 0.5


def test_what_no_keyframe_explains_has_no_confidence_and_may_be_void():
    scene = moving_shapes([_disc(velocity=(0.0, 0.0))], width=320, height=192, frame_count=9)
    frames = _frames(scene)
    strange = frames[4].image.copy()
    strange[40:120, 200:280] = 255 - strange[40:120, 200:280]
    frames[4] = Frame.from_image(strange, index=4, pts=4)
    for asked in (False, True):
        engine = Engine(
            TruthSegmenter(scene),
            DisFlow("medium"),
            policy=IntervalPolicy(8),
            settings=EngineSettings(void_unexplained=asked, resolution_px=320),
        )
        results = [r for frame in frames for r in engine.push(frame)] + engine.flush()
        known = results[4].segmentation.confidence
        assert (known[50:110, 210:270] == 0).mean() > 0.5
        assert (known[:, :150] > 0.8).mean() > 0.9
        void = results[4].segmentation.labels == 255
        assert (void[50:110, 210:270].mean() > 0.5) == asked
        assert not void[:, :150].any()
        assert results[0].segmentation.confidence is None


def test_label_that_is_often_missed_and_never_invented_is_found_again():
    """A segmenter misses each of many squares on half of the keyframes, at random."""
    squares = [
        MovingShape((60 + 50 * i, 40 + 50 * j), (26, 26), velocity=(1.0, 0.0))
        for i in range(4)
        for j in range(3)
    ]
    scene = moving_shapes(squares, width=320, height=192, frame_count=61)
    rng = np.random.default_rng(2)

    class Forgetful(TruthSegmenter):
        def segment(self, frame):
            answer = super().segment(frame)
            labels = answer.labels.copy()
            _, parts = cv2.connectedComponents((labels == 8).astype(np.uint8))
            for part in range(1, parts.max() + 1):
                if rng.random() < 0.5:
                    labels[parts == part] = 0
            return replace(answer, labels=labels)

    engine = Engine(
        Forgetful(scene),
        DisFlow("fast"),
        policy=IntervalPolicy(4),
    )
    results = _pushed(engine, scene)
    found = [_iou(r.segmentation.labels, scene.render(r.frame.index).labels, 8) for r in results]
    # Half of them are in any answer; most votes would miss as many.
    assert np.mean(found[24:48]) > 0.75


def test_object_that_leaves_is_gone_with_the_keyframe_that_says_so():
    leaving = moving_shapes([_disc(vanishes_at=8)], width=320, height=192, frame_count=17)
    _, results = _run(leaving, policy=IntervalPolicy(8), lookahead=0)
    assert not np.any(results[9].segmentation.labels == 8)


def test_frame_of_another_size_is_refused(disc):
    engine = Engine(TruthSegmenter(disc), DisFlow(), policy=IntervalPolicy(2))
    engine.push(_frames(disc)[0])
    with pytest.raises(ValueError, match="frame 1 is \\(10, 20\\)"):
        engine.push(Frame.from_image(np.zeros((10, 20, 3), np.uint8), index=1, pts=1))


def _fails_on_its_second_keyframe(segmenter, scene, *, match, matching=True):
    """Hold that a segmenter's answer to frame 2 is refused after that to frame 0."""
    engine = Engine(
        segmenter,
        DisFlow("fast"),
        policy=IntervalPolicy(2),
        settings=EngineSettings(lookahead=0, matching=matching),
    )
    first, second, third = _frames(scene)[:3]
    engine.push(first)
    engine.push(second)
    with pytest.raises(ModelError, match=match):
        engine.push(third)


def test_answer_on_another_grid_is_a_model_error_with_both_grids(disc):
    class Growing(TruthSegmenter):
        def segment(self, frame):
            labels = np.zeros((20 + frame.index, 30), np.uint8)
            return Prediction(Placement.stretch(labels.shape, frame.size), labels=labels)

    both = r"truth: frame 2 .*\(22, 30\), frame 0 on \(20, 30\)"
    _fails_on_its_second_keyframe(Growing(disc), disc, match=both)


def test_scores_of_another_number_of_classes_are_a_model_error(disc):
    class Growing(TruthSegmenter):
        def segment(self, frame):
            scores = np.full((20, 30, 3 + frame.index), 0.2, np.float32)
            return Prediction(Placement.stretch((20, 30), frame.size), scores=scores)

    both = r"frame 2 .* of 5 classes, frame 0 with scores of 3"
    _fails_on_its_second_keyframe(Growing(disc), disc, match=both)


@pytest.mark.parametrize("matching", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_scores_on_one_keyframe_and_labels_on_another_are_a_model_error(disc, first, matching):
    class Changing(TruthSegmenter):
        def segment(self, frame):
            self._scores = (frame.index == 0) is first
            return super().segment(frame)

    both = r"frame 2 was answered with .*, frame 0 with"
    _fails_on_its_second_keyframe(Changing(disc), disc, match=both, matching=matching)


def test_more_classes_than_labels_can_name_are_a_model_error(disc):
    class Many(TruthSegmenter):
        def segment(self, frame):
            scores = np.full((10, 15, 300), 1 / 300, np.float32)
            return Prediction(Placement.stretch((10, 15), frame.size), scores=scores)

    engine = Engine(Many(disc), DisFlow("fast"), policy=IntervalPolicy(2))
    with pytest.raises(ModelError, match=r"300 classes.*8 bits"):
        list(engine.results(_frames(disc)[:1]))


class _Asked:
    """Answers with what a function makes of a frame."""

    def __init__(self, answer, *, label_bits=8):
        self.info = SegmenterInfo("asked", "callable", class_set("camvid"), label_bits=label_bits)
        self.segment = answer


def _pushed(engine, scene):
    return [r for frame in _frames(scene) for r in engine.push(frame)] + engine.flush()


@pytest.fixture(scope="module")
def short():
    shape = MovingShape((30, 40), (30, 30), velocity=(2.5, 0.75))
    return Remembered(moving_shapes([shape], width=96, height=64, frame_count=13))


@pytest.mark.parametrize("lookahead", [3, 20])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_frames_held_back_outlive_a_model_that_fails_at_a_cut(cut, lookahead, after):
    class Failing(TruthSegmenter):
        def segment(self, frame):
            if frame.index == 9:
                raise ModelError("no answer")
            return super().segment(frame)

    engine = Engine(
        Failing(cut),
        DisFlow("fast"),
        policy=IntervalPolicy(5),
        settings=EngineSettings(lookahead=lookahead),
    )
    results = []

    def push_all():
        for frame in _frames(cut)[: 10 + after]:
            results.extend(engine.push(frame))
        results.extend(engine.flush())

    with pytest.raises(ModelError, match="no answer"):
        push_all()
    results += engine.flush()
    assert [r.frame.index for r in results] == list(range(9))
    assert engine.flush() == []


def test_nothing_of_labels_is_left_for_scores_after_a_flush(short):
    labels, scores = TruthSegmenter(short), TruthSegmenter(short, scores=True)
    asked = [labels]
    engine = Engine(
        _Asked(lambda frame: asked[-1].segment(frame)), DisFlow("fast"), policy=IntervalPolicy(4)
    )
    _pushed(engine, short)
    asked.append(scores)
    fresh = Engine(scores, DisFlow("fast"), policy=IntervalPolicy(4))
    asked_of = [r.segmentation.labels for r in _pushed(engine, short)]
    for found, result in zip(asked_of, _pushed(fresh, short), strict=True):
        np.testing.assert_array_equal(found, result.segmentation.labels)


@pytest.mark.parametrize("margin", [(1, 0), (5, 12)])
def test_grid_that_reaches_beyond_the_frame_is_looked_up_as_one_that_fits(short, margin):
    truth = TruthSegmenter(short)

    def wider(frame):
        answer = truth.segment(frame)
        below, beside = margin
        labels = np.pad(answer.labels, ((0, below), (0, beside)), constant_values=255)
        return replace(answer, labels=labels)

    found, expected = (
        _pushed(Engine(segmenter, DisFlow("fast"), policy=IntervalPolicy(6)), short)
        for segmenter in (_Asked(wider), truth)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.segmentation.labels, other.segmentation.labels)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
@pytest.mark.parametrize("time_scale", [0.001, 0.05])
def test_the_nearest_keyframe_wins_where_it_is_many_time_scales_away(short, time_scale, smoothing):
    def numbered(frame):
        labels = np.full(frame.size, frame.index, np.uint8)
        return Prediction(Placement.stretch(frame.size, frame.size), labels=labels)

    engine = Engine(
        _Asked(numbered),
        DisFlow("fast"),
        policy=IntervalPolicy(4),
        settings=EngineSettings(
            blend=BlendSettings(time_scale=time_scale, smoothing=smoothing), matching=False
        ),
    )
    middle = [int(r.segmentation.labels[60, 4]) for r in _pushed(engine, short)]
    assert middle[:2] == [0, 0]
    assert middle[3:6] == [4, 4, 4]
    assert middle[7:10] == [8, 8, 8]
    assert middle[11:] == [12, 12]


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 16), (np.uint16, 8)])
def test_void_stays_void_in_labels_of_another_width(short, dtype, bits):
    def halved(frame):
        labels = np.ones(frame.size, dtype)
        labels[:, 48:] = np.iinfo(dtype).max
        return Prediction(Placement.stretch(frame.size, frame.size), labels=labels)

    engine = Engine(_Asked(halved, label_bits=bits), DisFlow("fast"), policy=IntervalPolicy(4))
    for result in _pushed(engine, short):
        assert set(np.unique(result.segmentation.labels)) == {1, (1 << bits) - 1}


def test_segmenter_may_use_its_array_again(short):
    truth = TruthSegmenter(short)
    array = np.zeros((64, 96), np.uint8)

    def reusing(frame):
        array[:] = truth.segment(frame).labels
        return Prediction(Placement.stretch(array.shape, frame.size), labels=array)

    found, expected = (
        _pushed(Engine(segmenter, DisFlow("fast"), policy=IntervalPolicy(4)), short)
        for segmenter in (_Asked(reusing), truth)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.segmentation.labels, other.segmentation.labels)


@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    lookahead=st.integers(0, 6),
    interval=st.integers(1, 6),
    per_side=st.integers(1, 3),
)
def test_any_size_and_setting_gives_each_frame_once(height, width, lookahead, interval, per_side):
    rng = np.random.default_rng(height * 71 + width)

    class Constant:
        info = SegmenterInfo("constant", "callable", class_set("camvid"))

        def segment(self, frame):
            labels = np.full((3, 4), 2, np.uint8)
            return Prediction(Placement.stretch((3, 4), frame.size), labels=labels)

    engine = Engine(
        Constant(),
        DisFlow("fast"),
        policy=IntervalPolicy(interval),
        settings=EngineSettings(lookahead=lookahead, keyframes_per_side=per_side),
    )
    results = []
    for i in range(9):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        results += engine.push(Frame.from_image(image, index=i, pts=i))
    results += engine.flush()
    assert [r.frame.index for r in results] == list(range(9))
    for result in results:
        assert result.segmentation.labels.shape == (height, width)
        assert np.all(result.segmentation.labels == 2)


class BatchingSegmenter(TruthSegmenter):
    """Notes which frames it was shown together; can be told to fail on one."""

    def __init__(self, scene, *, batch=3, fails=None, error=ModelError):
        super().__init__(scene)
        self.batch = batch
        self.together = []
        self._fails = fails
        self._error = error

    def segment(self, frame):
        if frame.index == self._fails:
            raise self._error(f"truth: frame {frame.index}: no answer")
        return super().segment(frame)

    def segment_batch(self, frames):
        self.together.append([frame.index for frame in frames])
        return [self.segment(frame) for frame in frames]


def _ahead(segmenter, scene, policy, *, frames=None):
    """Run with answers asked ahead; return the results, also where the end is an error."""
    engine = Engine(segmenter, DisFlow("medium"), policy=policy)
    results = []
    try:
        for result in engine.results(frames or _frames(scene)):
            results.append(result)
    except (ModelError, SourceError, RuntimeError, OSError) as error:
        return results, error
    return results, None


def _told(results):
    return [(r.frame.index, r.reason, r.origin, r.segmentation.labels.tobytes()) for r in results]


@pytest.mark.parametrize(
    "policy", [IntervalPolicy(4), IntervalPolicy(1), AdaptivePolicy(limits=Limits(4, 4))]
)
def test_keyframes_known_ahead_are_asked_in_batches_and_change_nothing(cut, policy):
    segmenter = BatchingSegmenter(cut)
    made, _ = _ahead(segmenter, cut, policy)
    plain, expected = _run(cut, policy=policy)
    assert _told(made) == _told(expected)
    assert [index for batch in segmenter.together for index in batch] == plain.asked
    assert {len(batch) for batch in segmenter.together[:-1]} == {3}


def test_a_scene_cut_is_in_the_batch_it_falls_into(cut):
    segmenter = BatchingSegmenter(cut)
    _ahead(segmenter, cut, IntervalPolicy(6))
    assert segmenter.together == [[0, 6, 9], [15]]


def test_keyframes_that_drift_decides_are_asked_one_by_one(cut):
    segmenter = BatchingSegmenter(cut)
    made, _ = _ahead(segmenter, cut, AdaptivePolicy())
    assert segmenter.together == []
    assert len(made) == len(cut)


def test_no_more_than_a_bounded_number_of_frames_waits_for_a_batch(monkeypatch, cut):
    monkeypatch.setattr("tempseg.ahead.MOST_WAITING", 5)
    segmenter = BatchingSegmenter(cut)
    made, _ = _ahead(segmenter, cut, IntervalPolicy(4))
    assert segmenter.together == [[0, 4], [8, 9], [13], [17]]
    assert len(made) == len(cut)


@pytest.mark.parametrize("error", [ModelError, RuntimeError])
@pytest.mark.parametrize("fails", [9, 13])
def test_a_batch_that_fails_costs_no_frame_before_the_one_at_fault(cut, fails, error):
    plain = BatchingSegmenter(cut, batch=1, fails=fails, error=error)
    batched = BatchingSegmenter(cut, fails=fails, error=error)
    (expected, first), (made, second) = (
        _ahead(segmenter, cut, IntervalPolicy(4)) for segmenter in (plain, batched)
    )
    assert type(first) is type(second) is error
    assert str(first) == str(second) == f"truth: frame {fails}: no answer"
    assert [told[0] for told in _told(made)] == [told[0] for told in _told(expected)]
    assert _told(made) == _told(expected)


def test_a_batch_that_alone_fails_is_warned_of_and_changes_nothing(cut, caplog):
    class Single(BatchingSegmenter):
        def segment_batch(self, frames):
            raise RuntimeError(f"no memory for {len(frames)}")

    made, error = _ahead(Single(cut), cut, IntervalPolicy(4))
    assert error is None
    assert _told(made) == _told(_run(cut, policy=IntervalPolicy(4))[1])
    assert "truth: keyframes from frame 0 on are asked for one by one" in caplog.messages[0]
    assert "no memory for 3" in caplog.messages[0]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("raised", [SourceError, OSError])
def test_a_source_that_fails_costs_no_frame_that_waited_for_a_batch(cut, raised):
    def failing():
        yield from _frames(cut)[:7]
        raise raised("clip: damaged")

    made, error = _ahead(BatchingSegmenter(cut), cut, IntervalPolicy(4), frames=failing())
    assert type(error) is raised
    assert [result.frame.index for result in made] == list(range(7))
