"""Functions as models."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import tempseg
from tempseg.errors import ModelError, RunError
from tempseg.segmenters import CallableSegmenter, SegmenterOptions, open_segmenter
from tempseg.types import Frame, Placement, Prediction, Segment
from tests.segmenters import functions
from tests.segmenters.tiny import colour_frame, colour_ids

FRAME = Frame.from_image(colour_frame(), index=41)
RGB = SegmenterOptions(classes=("red", "green", "blue"))
MODULE = "python:tests.segmenters.functions"


def test_labels_may_be_of_any_size_and_integer_type() -> None:
    prediction = CallableSegmenter(functions.colours, RGB).segment(FRAME)
    np.testing.assert_array_equal(prediction.labels, colour_ids((8, 12)))
    assert prediction.placement == Placement.stretch((8, 12), (16, 24))


def test_floats_are_probabilities() -> None:
    scores = CallableSegmenter(functions.half_sure, RGB).segment(FRAME).scores
    assert scores is not None
    assert set(np.unique(scores)) == {0.125, 0.75}


def test_floats_are_logits_where_config_says_so() -> None:
    options = SegmenterOptions(classes=RGB.classes, output="logits")
    scores = CallableSegmenter(lambda image: image / 64.0, options).segment(FRAME).scores
    assert scores is not None
    expected = np.exp([255 / 64, 0, 0]) / np.exp([255 / 64, 0, 0]).sum()
    np.testing.assert_allclose(scores[0, 0], expected, atol=1e-6)


def test_floats_past_one_are_refused_without_a_word_in_config() -> None:
    with pytest.raises(ModelError, match=r"frame 41: .*from 0 to 255, expected probabilities"):
        CallableSegmenter(lambda image: image * 1.0, RGB).segment(FRAME)


def test_floats_without_channels_are_the_foregrounds() -> None:
    scores = CallableSegmenter(
        lambda image: image[..., 0] / 255, SegmenterOptions(classes="binary")
    )
    made = scores.segment(FRAME).scores
    assert made is not None
    np.testing.assert_array_equal(made.argmax(axis=2), colour_ids((16, 24)) == 0)


def test_a_prediction_says_where_it_lies() -> None:
    prediction = CallableSegmenter(functions.placed, RGB).segment(FRAME)
    assert prediction.placement == Placement(1, 0, 1, 0)
    assert prediction.labels is not None
    assert prediction.labels.shape == (8, 6)


def test_a_prediction_says_what_its_ids_stand_for() -> None:
    labels = np.full((4, 6), 2, np.uint8)
    segments = {2: Segment(2, 1, score=0.5, is_thing=True)}
    prediction = Prediction(Placement(1, 0, 1, 0), labels=labels, segments=segments)
    assert CallableSegmenter(lambda image: prediction, RGB).segment(FRAME).segments == segments


def _answers(*answers: Prediction) -> CallableSegmenter:
    left = iter(answers)
    return CallableSegmenter(lambda image: next(left), RGB, name="named")


def _named(ids: NDArray[Any], segments: dict[int, Segment]) -> Prediction:
    return Prediction(Placement.stretch(ids.shape, FRAME.size), labels=ids, segments=segments)


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16)])
def test_ids_with_segments_may_be_any_numbers(dtype: type, bits: int) -> None:
    void = np.iinfo(dtype).max
    ids = np.array([[7, void - 1], [void, 7]], dtype)
    segmenter = _answers(_named(ids, {7: Segment(7, 2), int(void) - 1: Segment(void - 1, 0)}))
    labels = segmenter.segment(FRAME).labels
    assert labels is not None
    assert labels.dtype == dtype
    assert labels.tolist() == ids.tolist()
    assert not np.shares_memory(labels, ids)
    assert segmenter.info.label_bits == bits


def test_ids_that_no_segment_stands_for_are_refused() -> None:
    ids = np.array([[0, 2], [1, 255]], np.uint8)
    with pytest.raises(ModelError, match=r"named: frame \d+: got id 1, which no segment stands"):
        _answers(_named(ids, {0: Segment(0, 0), 2: Segment(2, 1)})).segment(FRAME)


def test_background_need_not_be_among_the_segments() -> None:
    ids = np.array([[0, 0], [9, 255]], np.uint8)
    answer = _answers(_named(ids, {9: Segment(9, 1)})).segment(FRAME)
    assert answer.segments == {9: Segment(9, 1), 0: Segment(0, 0)}


def test_ids_that_are_classes_need_not_all_be_among_the_segments() -> None:
    ids = np.array([[0, 2], [1, 255]], np.uint8)
    answer = _answers(_named(ids, {1: Segment(1, 1)})).segment(FRAME)
    assert set(answer.segments) == {0, 1, 2}


@pytest.mark.parametrize("void", [255, 65535])
def test_sixteen_bit_classes_with_segments_may_show_void(void: int) -> None:
    ids = np.array([[0, 1], [1, void]], np.uint16)
    labels = _answers(_named(ids, {0: Segment(0, 0), 1: Segment(1, 1)})).segment(FRAME).labels
    assert labels is not None
    assert labels.tolist() == [[0, 1], [1, 255]]


def test_the_last_of_256_classes_is_no_void_in_eight_bits() -> None:
    options = SegmenterOptions(classes=[f"c{i}" for i in range(300)])
    answer = _named(np.array([[0, 255]], np.uint8), {0: Segment(0, 0)})
    for given in (answer, replace(answer, segments={})):
        made = CallableSegmenter(lambda image, given=given: given, options).segment(FRAME)
        assert made.labels is not None
        assert made.labels.tolist() == [[0, 255]]


def test_frames_without_a_thing_do_not_change_the_bits_of_ids() -> None:
    nothing = _named(np.array([[0, 65535]], np.uint16), {})
    thing = _named(np.array([[0, 300]], np.uint16), {300: Segment(300, 1)})
    segmenter = _answers(nothing, thing)
    segmenter.segment(FRAME)
    bits = segmenter.info.label_bits
    segmenter.segment(FRAME)
    assert segmenter.info.label_bits == bits == 16


@pytest.mark.parametrize("class_id", [-1, 3])
def test_segments_of_no_class_are_refused(class_id: int) -> None:
    with pytest.raises(ModelError, match=rf"id 1 for class {class_id}, expected classes 0 to 2"):
        _answers(_named(np.ones((2, 3), np.uint8), {1: Segment(1, class_id)})).segment(FRAME)


def test_ids_with_segments_keep_to_the_bits_of_the_first() -> None:
    narrow = _named(np.full((2, 3), 9, np.uint8), {9: Segment(9, 1)})
    wide = _named(np.full((2, 3), 900, np.uint16), {900: Segment(900, 1)})
    segmenter = _answers(narrow, wide)
    segmenter.segment(FRAME)
    with pytest.raises(ModelError, match="got ids in uint16, expected uint8 as before"):
        segmenter.segment(FRAME)


def _mask(dtype: type) -> NDArray[Any]:
    return np.where(np.eye(4, 6), 255, 0).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_a_mask_of_0_and_255_on_the_first_frame_is_refused(dtype: type) -> None:
    segmenter = CallableSegmenter(lambda image: _mask(dtype))
    with pytest.raises(ModelError, match=r"no id but 0 and 255, which is void.*mask > 0"):
        segmenter.segment(FRAME)


@pytest.mark.parametrize(
    ("empty_before", "options"),
    [(1, SegmenterOptions()), (0, SegmenterOptions(classes="binary"))],
    ids=["later", "named"],
)
def test_a_mask_of_0_and_255_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, empty_before: int, options: SegmenterOptions
) -> None:
    answers = [np.zeros((4, 6), np.uint8)] * empty_before + [_mask(np.uint8)] * 2
    segmenter = CallableSegmenter(lambda image: answers.pop(0), options)
    labels = [segmenter.segment(FRAME).labels for _ in range(len(answers))]
    assert labels[-1] is not None
    assert (labels[-1] == 255).any()
    assert caplog.text.count("no id but 0 and 255, which is void; return 1") == 1


@pytest.mark.parametrize(
    ("shape", "size"), [((14, 14, 19), (480, 640)), ((84, 84, 150), (1080, 1920))]
)
def test_a_small_grid_of_many_classes_has_its_channels_last(
    shape: tuple[int, int, int], size: tuple[int, int]
) -> None:
    scores = np.full(shape, 1 / shape[2], np.float32)
    frame = Frame.from_image(np.zeros((*size, 3), np.uint8))
    options = SegmenterOptions(classes=[f"class {n}" for n in range(shape[2])])
    found = CallableSegmenter(lambda image: scores, options).segment(frame).scores
    assert found is not None
    assert found.shape == shape


def _softmax(shape: tuple[int, int, int], axis: int) -> NDArray[Any]:
    values = np.exp(np.random.default_rng(3).normal(0, 2, shape))
    return (values / values.sum(axis=axis, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (_softmax((19, 12, 16), 0), (48, 64)),
        (_softmax((12, 12, 16), 0), (48, 64)),
        (_softmax((16, 16, 16), 0), (64, 64)),
        (np.zeros((19, 12, 16), np.float32), (48, 64)),
        (np.zeros((19, 12, 16), np.uint8), (48, 64)),
        (_softmax((21, 16, 16), 0), (48, 64)),
    ],
    ids=["probabilities", "square", "cube", "independent", "one-hot", "of another aspect"],
)
def test_a_small_grid_with_its_channels_first_is_refused(
    answer: NDArray[Any], size: tuple[int, int]
) -> None:
    frame = Frame.from_image(np.zeros((*size, 3), np.uint8))
    with pytest.raises(ModelError, match="channels last"):
        CallableSegmenter(lambda image: answer).segment(frame)


@pytest.mark.parametrize("shape", [(16, 16, 16), (12, 16, 19), (12, 12, 16)])
def test_a_small_grid_with_its_channels_last_is_taken(shape: tuple[int, int, int]) -> None:
    scores = _softmax(shape, 2)
    frame = Frame.from_image(np.zeros((48, 64, 3), np.uint8))
    found = CallableSegmenter(lambda image: scores).segment(frame).scores
    np.testing.assert_allclose(found, scores, atol=1e-6)


def test_logits_with_as_many_channels_as_classes_are_taken_whatever_their_shape() -> None:
    # 96 by 171 lies over the frame as well.
    logits = np.zeros((64, 96, 171), np.float32)
    options = SegmenterOptions(output="logits", classes=[f"c{i}" for i in range(171)])
    frame = Frame.from_image(np.zeros((72, 128, 3), np.uint8))
    found = CallableSegmenter(lambda image: logits, options).segment(frame).scores
    assert found is not None
    assert found.shape == logits.shape


@pytest.mark.parametrize(
    ("first", "options"),
    [
        ([[0, 255]], RGB),
        ([[0, 255]], SegmenterOptions(classes="binary", output="argmax")),
        ([[0, 1]], SegmenterOptions(classes="binary")),
    ],
)
def test_void_stays_void_where_ids_are_meant(
    first: list[list[int]], options: SegmenterOptions
) -> None:
    answers = iter([first, [[0, 255]]])
    segmenter = CallableSegmenter(lambda image: np.array(next(answers)), options)
    segmenter.segment(FRAME)
    labels = segmenter.segment(FRAME).labels
    assert labels is not None
    assert labels.tolist() == [[0, 255]]


def test_a_function_may_write_into_its_pixels() -> None:
    CallableSegmenter(functions.writes, RGB).segment(FRAME)
    np.testing.assert_array_equal(FRAME.image, colour_frame())


def test_an_answer_is_not_the_functions_own_array() -> None:
    kept = np.zeros((4, 6), np.uint8)
    prediction = CallableSegmenter(lambda image: kept, RGB).segment(FRAME)
    kept[:] = 2
    assert prediction.labels is not None
    assert prediction.labels.max() == 0


def test_a_function_cannot_end_the_program() -> None:
    with pytest.raises(ModelError, match=r":leaves: frame 41: the function raised SystemExit: 3$"):
        open_segmenter(f"{MODULE}:leaves").segment(FRAME)


def test_what_a_function_raises_is_told_in_one_line() -> None:
    told = rf"{MODULE}:breaks: frame 41: the function raised RuntimeError: out of memory$"
    with pytest.raises(ModelError, match=told) as caught:
        open_segmenter(f"{MODULE}:breaks").segment(FRAME)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_what_a_function_raises_without_a_word_is_told_by_its_name() -> None:
    def runs_out(image: np.ndarray) -> np.ndarray:
        raise MemoryError

    with pytest.raises(ModelError, match=r"the function raised MemoryError$"):
        CallableSegmenter(runs_out, RGB).segment(FRAME)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "got NoneType, expected labels"),
        ([[0, 1]], "got list, expected labels"),
        (np.array([["a"]]), r"got <U1 \(1, 1\), expected labels"),
        (np.zeros(5, np.uint8), r"got uint8 \(5,\), expected labels"),
        (np.zeros((4, 6, 3), np.uint8), "got 3 channels of uint8, expected one id a pixel"),
        (np.zeros((3, 16, 24)), r"got float64 \(3, 16, 24\), expected .*channels last"),
        (np.zeros((1, 8, 12)), r"got float64 \(1, 8, 12\), expected .*no batch"),
        (np.full((4, 6), 3), "got id 3, expected 0 to 2"),
        (np.full((4, 6, 3), np.nan), "not finite"),
        (np.full((4, 6, 4), 0.25), "got 4 channels, expected at most the 3 classes"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_frame(answer: object, told: str) -> None:
    with pytest.raises(ModelError, match=rf"net: frame 41: .*{told}"):
        CallableSegmenter(lambda image: answer, RGB, name="net").segment(FRAME)


@pytest.mark.parametrize(
    ("second", "told"),
    [(np.zeros((4, 6)), "expected integers as before"), (np.zeros((4, 7), int), "as before")],
)
def test_answers_may_not_change_their_kind(second: np.ndarray, told: str) -> None:
    answers = iter([np.zeros((4, 6), int), second])
    segmenter = CallableSegmenter(lambda image: next(answers), RGB)
    segmenter.segment(FRAME)
    with pytest.raises(ModelError, match=told):
        segmenter.segment(FRAME)


@pytest.mark.parametrize("attribute", ["Net", "net", "net.__call__"])
def test_classes_and_objects_can_be_named(attribute: str) -> None:
    labels = open_segmenter(f"{MODULE}:{attribute}", RGB).segment(FRAME).labels
    np.testing.assert_array_equal(labels, colour_ids((8, 12)))


def test_a_models_own_classes_name_its_classes() -> None:
    assert open_segmenter(f"{MODULE}:Net").info.class_set.names == ("red", "green", "blue")


def test_config_names_classes_before_the_model_does() -> None:
    options = SegmenterOptions(classes="voc")
    assert open_segmenter(f"{MODULE}:Net", options).info.class_set.name == "voc"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("python:tests.segmenters.functions", "expected python:MODULE:ATTRIBUTE"),
        ("python::segment", "expected python:MODULE:ATTRIBUTE"),
        ("python:no_such_net:segment", "no module 'no_such_net', neither in"),
        ("python:tests.segmenters.none:segment", r"no module 'tests\.segmenters\.none'"),
        (f"{MODULE}:colour", "no attribute 'colour'; did you mean 'colours'"),
        (f"{MODULE}:number", "number is int, expected a function"),
        (f"{MODULE}:NeedsMore", r"NeedsMore\(\) raised TypeError: .*path"),
        (f"{MODULE}:Numbered", "its attribute classes is tuple, expected a list of names"),
    ],
)
def test_names_that_lead_nowhere_are_refused(model: str, told: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        open_segmenter(model)
    assert str(caught.value).startswith(model)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_modules_of_the_working_folder_can_be_named(folder: Path) -> None:
    (folder / "my_net_of_here.py").write_text("def segment(image): return image[..., 0] // 255\n")
    labels = open_segmenter("python:my_net_of_here:segment").segment(FRAME).labels
    np.testing.assert_array_equal(labels, colour_ids((16, 24)) == 0)


def test_a_module_that_cannot_be_imported_is_told_apart(folder: Path) -> None:
    (folder / "my_broken_net.py").write_text("import torch_of_nowhere\n")
    with pytest.raises(
        ModelError, match=r"importing my_broken_net raised ModuleNotFoundError.*torch"
    ):
        open_segmenter("python:my_broken_net:segment")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("raise ValueError('tired')", "the function raised ValueError: tired"),
        ("labels = labels[::2]", r"got an answer of \(32, 96\), expected \(64, 96\) as before"),
        ("labels = labels * 1.5", r"got float64 \(64, 96\), expected integers as before"),
        ("labels = labels.astype(object)", r"got object \(64, 96\), expected labels"),
        ("labels = labels + 7", "got id [78], expected 0 to 1"),
    ],
)
def test_a_run_keeps_what_was_done_before_a_function_failed(
    folder: Path, fault: str, told: str
) -> None:
    (folder / "frames").mkdir()
    for index in range(4):
        Image.fromarray(colour_frame().repeat(4, 0).repeat(4, 1)).save(f"frames/{index}.png")
    (folder / "my_tired_net.py").write_text(
        "calls = []\n"
        "def segment(image):\n"
        "    calls.append(1)\n"
        "    labels = image[..., 0] // 255\n"
        f"    if len(calls) > 2: {fault}\n"
        "    return labels\n"
    )
    sys.modules.pop("my_tired_net", None)
    with pytest.raises(
        RunError, match=rf"my_tired_net:segment: frame 2: {told}.*kept in .*partial"
    ):
        tempseg.run(
            "frames",
            "out",
            model="python:my_tired_net:segment",
            config={
                "segmenter.classes": "binary",
                "keyframe.policy": "interval",
                "keyframe.interval": 1,
                "propagate.lookahead": 0,
            },
        )
    assert (folder / "out" / "partial" / "masks.mkv").is_file()
