"""What every segmenter keeps to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tempseg.errors import ModelError
from tempseg.protocols import Segmenter
from tempseg.segmenters import SegmenterOptions, open_segmenter
from tempseg.segmenters.batches import in_batches
from tempseg.types import Frame
from tests.segmenters.tiny import TinyModels, colour_frame, colour_ids, make_tiny_models

RGB = SegmenterOptions(classes=("red", "green", "blue"))


def masks(tiny: TinyModels) -> str:
    folder = tiny.path("masks")
    folder.mkdir(exist_ok=True)
    Image.fromarray(colour_ids((16, 24))).save(folder / "0.png")
    return f"masks:{folder}"


# A new adapter is one line here: its runtime's name, and a model that tells red, green and blue.
MODELS: dict[str, Callable[[TinyModels], str]] = {
    "keras": lambda tiny: str(tiny.path("logits.keras")),
    "litert": lambda tiny: str(tiny.path("logits.tflite")),
    "masks": masks,
    "onnx": lambda tiny: str(tiny.path("first.onnx")),
    "opencv": lambda tiny: str(tiny.path("graph.pb")),
    "python": lambda tiny: "python:tests.segmenters.functions:colours",
    "saved_model": lambda tiny: str(tiny.path("fixed")),
}
# A new wrapper is one here: what asks for it. It goes around a LiteRT model.
WRAPPERS: dict[str, SegmenterOptions] = {
    "augmentation": replace(RGB, flip=True, scales=(1.0, 2.0)),
    "tiling": replace(RGB, tiles=(16, 10)),
    "time limit": replace(RGB, timeout_s=60.0),
}


@pytest.fixture(scope="module", params=[*sorted(MODELS), *sorted(WRAPPERS)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def runtime(kind: str) -> str:
    return "litert" if kind in WRAPPERS else kind


@pytest.fixture(scope="module")
def model(runtime: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return MODELS[runtime](make_tiny_models(tmp_path_factory.getbasetemp() / "tiny"))


@pytest.fixture(scope="module")
def segmenter(kind: str, model: str) -> Segmenter:
    return open_segmenter(model, WRAPPERS.get(kind, RGB))


@pytest.fixture
def frame() -> Frame:
    return Frame.from_image(colour_frame())


def test_the_answer_is_right_where_it_is_placed(segmenter: Segmenter, frame: Frame) -> None:
    answer = segmenter.segment(frame)
    grid = answer.labels if answer.labels is not None else answer.scores.argmax(axis=2)  # type: ignore[union-attr]
    place = answer.placement
    # the middles of the four quarters
    for (y, x), expected in {(4, 6): 0, (4, 18): 1, (12, 6): 2, (12, 18): 0}.items():
        row = round(place.scale_y * y + place.offset_y)
        column = round(place.scale_x * x + place.offset_x)
        assert grid[row, column] == expected


def test_scores_are_probabilities(segmenter: Segmenter, frame: Frame) -> None:
    scores = segmenter.segment(frame).scores
    if scores is None:
        pytest.skip("gives labels")
    assert scores.min() >= 0
    np.testing.assert_allclose(scores.sum(axis=2), 1, atol=1e-5)


def test_there_is_a_name_for_every_class(segmenter: Segmenter, frame: Frame) -> None:
    answer = segmenter.segment(frame)
    highest = answer.labels.max() if answer.labels is not None else answer.scores.shape[2] - 1  # type: ignore[union-attr]
    assert highest < len(segmenter.info.class_set.names)


def test_the_frame_is_not_written_into(segmenter: Segmenter) -> None:
    image = colour_frame()
    image.setflags(write=False)
    segmenter.segment(Frame.from_image(image))
    np.testing.assert_array_equal(image, colour_frame())


def test_the_same_frame_twice_gives_the_same_bytes(segmenter: Segmenter, frame: Frame) -> None:
    made = []
    for _ in range(2):
        answer = segmenter.segment(frame)
        grid = answer.labels if answer.labels is not None else answer.scores
        assert grid is not None
        made.append((grid.tobytes(), answer.placement))
    assert made[0] == made[1]


def test_a_batch_gives_the_answers_of_single_frames_where_a_model_takes_one(
    kind: str, model: str, segmenter: Segmenter
) -> None:
    frames = [
        Frame.from_image(np.roll(colour_frame(), 4 * index, axis=1), index=index)
        for index in range(5)
    ]
    batched = replace(WRAPPERS.get(kind, RGB), batch=3)
    if kind != "keras":
        with pytest.raises(ModelError, match="takes one image at a time"):
            open_segmenter(model, batched)
        return
    answers = list(in_batches(open_segmenter(model, batched), frames))
    for frame, answer in zip(frames, answers, strict=True):
        alone = segmenter.segment(frame)
        assert answer.placement == alone.placement
        assert answer.scores is not None
        np.testing.assert_allclose(answer.scores, alone.scores, atol=1e-6)


def test_an_answer_outlives_the_next(segmenter: Segmenter, frame: Frame) -> None:
    answer = segmenter.segment(frame)
    grid = answer.labels if answer.labels is not None else answer.scores
    assert grid is not None
    before = grid.copy()
    segmenter.segment(Frame.from_image(colour_frame()[::-1].copy()))
    np.testing.assert_array_equal(grid, before)


def test_the_info_tells_model_runtime_and_hash(
    segmenter: Segmenter, model: str, runtime: str
) -> None:
    info = segmenter.info
    # Of a function the file that it lies in.
    assert (info.name, info.runtime, len(info.sha256)) == (model, runtime, 64)


def test_a_missing_model_is_refused_by_name(model: str, tmp_path: Path) -> None:
    missing = f"{tmp_path / 'nowhere'}{Path(model).suffix}"
    if model.startswith("masks:"):
        missing = f"masks:{missing}"
    elif model.startswith("python:"):
        missing = "python:nowhere:segment"
    with pytest.raises(ModelError, match="nowhere"):
        open_segmenter(missing, RGB)


def test_what_no_runtime_takes_is_refused_with_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "model.xyz").touch()
    with pytest.raises(
        ModelError,
        match=r"model\.xyz: .*masks:FOLDER.*python:.*tflite.*keras.*onnx.*\.pb.*SavedModel",
    ):
        open_segmenter(str(tmp_path / "model.xyz"))
