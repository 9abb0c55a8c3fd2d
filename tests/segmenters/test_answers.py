"""From output tensors to predictions."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.class_sets import class_set, generic
from tempseg.errors import ModelError
from tempseg.segmenters.answers import AnswerDecoder, dequantised
from tempseg.types import Placement, Prediction

PLACEMENT = Placement(1, 0, 1, 0)


def decode(decoder: AnswerDecoder, answer: np.ndarray, index: int = 0) -> Prediction:
    return decoder.decode(answer, placement=PLACEMENT, frame_index=index)


def decoder(classes: int = 3, **options: object) -> AnswerDecoder:
    return AnswerDecoder("toy.tflite", generic(classes), **options)  # type: ignore[arg-type]


def softmax(logits: np.ndarray) -> np.ndarray:
    wide = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return wide / wide.sum(axis=-1, keepdims=True)


def logits(spread: float, seed: int = 2) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, spread, (1, 70, 90, 3))
    return values.astype(np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, np.uint16])
@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 4, 5, 1)])
def test_ids_of_any_type_and_shape_become_bytes(dtype: type, shape: tuple[int, ...]) -> None:
    ids = np.random.default_rng(0).integers(0, 3, (4, 5))
    labels = decode(decoder(), ids.astype(dtype).reshape(shape)).labels
    assert labels is not None
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, ids)


def test_float_ids_are_ids() -> None:
    labels = decode(decoder(), np.array([[[0.0, 2.0]]], np.float32)).labels
    assert labels is not None
    assert labels.tolist() == [[0, 2]]


def test_many_classes_take_16_bits() -> None:
    labels = decode(decoder(300), np.array([[0, 255], [299, 65535]])).labels
    assert labels is not None
    assert labels.dtype == np.uint16
    assert labels.tolist() == [[0, 255], [299, 65535]]


def test_void_passes_as_an_id() -> None:
    labels = decode(decoder(), np.array([[0, 255]])).labels
    assert labels is not None
    assert labels.tolist() == [[0, 255]]


@pytest.mark.parametrize("stray", [3, -1, 256, 65536])
def test_ids_outside_the_classes_are_refused(stray: int) -> None:
    with pytest.raises(ModelError, match=rf"toy\.tflite: frame 7: got id {stray}.*0 to 2"):
        decode(decoder(), np.array([[0, stray]]), 7)


@pytest.mark.parametrize("spread", [1, 10, 1000])
def test_logits_become_their_softmax(spread: float) -> None:
    values = logits(spread)
    scores = decode(decoder(output="logits"), values).scores
    assert scores is not None
    assert scores.flags.c_contiguous
    np.testing.assert_allclose(scores, softmax(values[0]), atol=2e-6)


def test_a_one_channel_logit_becomes_two_scores() -> None:
    scores = decode(decoder(2, output="logits"), np.array([[[[-2.0], [0.0], [5.0]]]], "f4")).scores
    assert scores is not None
    np.testing.assert_allclose(scores[0, :, 1], 1 / (1 + np.exp([2.0, 0.0, -5.0])), atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=2), 1, atol=1e-6)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_the_threshold_is_where_foreground_wins(threshold: float) -> None:
    p = np.linspace(0, 1, 101, dtype=np.float32)[None]
    scores = decode(decoder(2, threshold=threshold), p).scores
    assert scores is not None
    clear = np.abs(p - threshold) > 1e-4
    np.testing.assert_array_equal((scores[..., 1] > scores[..., 0])[clear], (p > threshold)[clear])
    assert (np.diff(scores[0, :, 1]) > 0).all()


def test_independent_scores_are_normalised_over_classes() -> None:
    answer = np.array([[[[0.9, 0.9, 0.0], [0.0, 0.0, 0.0]]]], np.float32)
    scores = decode(decoder(output="sigmoid"), answer).scores
    assert scores is not None
    np.testing.assert_allclose(scores, [[[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]]], atol=1e-6)


def test_auto_takes_rows_that_sum_to_one_for_probabilities() -> None:
    values = softmax(logits(2)).astype(np.float32)
    auto = decoder()
    scores = decode(auto, values).scores
    assert scores is not None
    np.testing.assert_allclose(scores, values[0], atol=1e-6)
    assert "taken as probabilities" in auto.assumptions[0]


@pytest.mark.parametrize(
    ("step", "taken"), [(1 / 256, "probabilities"), (0.0, "a probability of its own")]
)
def test_sums_of_quantised_probabilities_may_be_off_by_their_rounding(
    step: float, taken: str
) -> None:
    values = np.rint(softmax(logits(2)) * 256).astype(np.float32) / 256
    assert np.abs(values.sum(axis=3) - 1).max() > 1e-3
    auto = decoder(step=step)
    decode(auto, values)
    assert f"taken as {taken}" in auto.assumptions[0]


def test_auto_takes_wide_values_for_logits() -> None:
    auto = decoder()
    decode(auto, logits(5))
    assert "taken as logits" in auto.assumptions[0]


def test_auto_decides_once() -> None:
    auto = decoder()
    decode(auto, logits(5))
    flat = np.full((1, 70, 90, 3), 1 / 3, np.float32)
    flat[..., 0] += 0.3
    flat[..., 1] -= 0.3
    scores = decode(auto, flat, 1).scores
    assert scores is not None
    np.testing.assert_allclose(scores, softmax(flat[0]), atol=1e-6)


def test_auto_assumes_nothing_before_the_first_answer() -> None:
    assert decoder().assumptions == ()


def test_the_same_answer_twice_gives_the_same_bytes() -> None:
    one = decoder()
    first, second = (decode(one, logits(5), i).scores for i in range(2))
    assert first is not None
    assert second is not None
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("output", ["auto", "logits", "probabilities", "sigmoid", "argmax"])
def test_the_answer_is_neither_kept_nor_written(output: str) -> None:
    ids = np.zeros((2, 3), np.uint8)
    answer = ids if output == "argmax" else np.full((1, 2, 3, 3), 1 / 3, np.float32)
    before = answer.copy()
    made = decode(decoder(output=output), answer)
    given = made.labels if made.labels is not None else made.scores
    assert given is not None
    assert not np.shares_memory(given, answer)
    np.testing.assert_array_equal(answer, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("output", ["auto", "logits", "sigmoid"])
def test_values_that_are_not_finite_are_refused(bad: float, output: str) -> None:
    one = decoder(output=output)
    decode(one, logits(5))
    broken = logits(5)
    broken[0, 3, 4, 1] = bad
    with pytest.raises(ModelError, match=r"toy\.tflite: frame 9: got values that are not finite"):
        decode(one, broken, 9)


def test_a_refused_first_answer_decides_nothing() -> None:
    one = decoder()
    with pytest.raises(ModelError, match="not finite"):
        decode(one, np.full((1, 2, 2, 3), np.nan, np.float32))
    assert one.assumptions == ()


@pytest.mark.parametrize("shape", [(5,), (2, 4, 5, 3), (1, 1, 4, 5, 3), (1, 0, 5, 3)])
def test_a_wrong_rank_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"frame 0: got an answer of shape .*expected \(1, h, w"):
        decode(decoder(), np.zeros(shape, np.float32))


def test_a_changed_size_is_refused() -> None:
    one = decoder()
    decode(one, np.zeros((4, 5), np.uint8))
    with pytest.raises(ModelError, match=r"frame 1: got an answer of \(4, 6\), expected \(4, 5\)"):
        decode(one, np.zeros((4, 6), np.uint8), 1)


def test_more_channels_than_classes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"3 channels, expected at most the 2 classes of binary"):
        decode(AnswerDecoder("toy", class_set("binary")), logits(1))


@pytest.mark.parametrize("output", ["auto", "logits", "probabilities", "sigmoid"])
def test_one_channel_needs_two_classes(output: str) -> None:
    told = r"one channel, which tells 2 classes apart, expected at most the 1 classes.*classes"
    with pytest.raises(ModelError, match=told):
        decode(decoder(1, output=output), np.full((4, 5), 0.5, np.float32))


def test_whole_numbers_of_one_class_are_its_ids() -> None:
    labels = decode(decoder(1), np.array([[0.0, 255.0]], np.float32)).labels
    assert labels is not None
    assert labels.tolist() == [[0, 255]]


def test_probabilities_out_of_range_are_refused() -> None:
    with pytest.raises(
        ModelError, match=r"values from .* expected probabilities.*segmenter.output"
    ):
        decode(decoder(output="probabilities"), logits(5))


@pytest.mark.parametrize("output", ["auto", "argmax", "logits", "probabilities"])
def test_integer_channels_are_refused_with_what_would_be_read(output: str) -> None:
    told = r"got (3 channels of |integers \()uint8.*; return answer\.argmax\(axis=2\), or floats$"
    with pytest.raises(ModelError, match=told):
        decode(decoder(output=output), np.zeros((1, 2, 2, 3), np.uint8))


def test_quantised_tensors_become_real_values() -> None:
    real = dequantised(np.array([-128, 0, 127], np.int8), 0.5, -28)
    assert real.dtype == np.float32
    assert real.tolist() == [-50.0, 14.0, 77.5]
