"""Frames in tiles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from tempseg.errors import ModelError
from tempseg.segmenters import CallableSegmenter, SegmenterOptions, TilingSegmenter, open_segmenter
from tempseg.types import Frame, Placement, Prediction, Segment
from tests.segmenters import functions
from tests.segmenters.tiny import TinyModels, colour_frame, colour_ids

RGB = SegmenterOptions(classes=("red", "green", "blue"))
TWO = SegmenterOptions(classes="binary")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (60, 91, 3), dtype=np.uint8)


def red(image: np.ndarray) -> np.ndarray:
    return image[..., 0] / 255


def mean_red(image: np.ndarray) -> np.ndarray:
    """Return the redness of quarters, each on a quarter of the tile's cells."""
    return (
        image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4, 0]
        .reshape(image.shape[0] // 4, 4, image.shape[1] // 4, 4)
        .mean(axis=(1, 3))
        / 255
    )


@pytest.mark.parametrize("tile", [(30, 20), (40, 60), (91, 25), (7, 7)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_a_model_of_single_pixels_answers_as_on_the_whole_frame(
    image: np.ndarray, tile: tuple[int, int], overlap: float
) -> None:
    frame = Frame.from_image(image)
    model = CallableSegmenter(red, TWO)
    whole = model.segment(frame)
    tiled = TilingSegmenter(CallableSegmenter(red, TWO), tile=tile, overlap=overlap).segment(frame)
    assert tiled.placement == whole.placement
    assert whole.scores is not None
    assert tiled.scores is not None
    np.testing.assert_allclose(tiled.scores, whole.scores, atol=1e-6)


def test_labels_of_a_model_of_single_pixels_are_those_of_the_whole_frame(
    image: np.ndarray,
) -> None:
    frame = Frame.from_image(image)
    argmax = lambda pixels: pixels.argmax(axis=2)  # noqa: E731
    tiled = TilingSegmenter(CallableSegmenter(argmax, RGB), tile=(30, 20)).segment(frame)
    np.testing.assert_array_equal(tiled.labels, image.argmax(axis=2))


def test_no_seam_is_seen_where_tiles_disagree() -> None:
    def slope(pixels: np.ndarray) -> np.ndarray:
        return np.tile(np.linspace(0.2, 0.8, pixels.shape[1]), (pixels.shape[0], 1))

    frame = Frame.from_image(np.zeros((40, 100, 3), np.uint8))
    scores = TilingSegmenter(CallableSegmenter(slope, TWO), tile=(40, 40), overlap=0.25)
    made = scores.segment(frame).scores
    assert made is not None
    # Tiles differ by half the slope where they meet; ten overlapping pixels take that in steps.
    assert np.abs(np.diff(made[..., 1], axis=1)).max() < 0.1


def test_labels_come_from_the_tile_that_a_cell_is_deepest_in() -> None:
    counter = itertools.count()
    numbered = CallableSegmenter(
        lambda pixels: np.full(pixels.shape[:2], next(counter)), RGB, name="numbered"
    )
    frame = Frame.from_image(np.zeros((10, 50, 3), np.uint8))
    labels = TilingSegmenter(numbered, tile=(20, 10), overlap=0.25).segment(frame).labels
    assert labels is not None
    # tiles begin at 0, 15 and 30: borders in the middle of their overlaps
    np.testing.assert_array_equal(np.flatnonzero(np.diff(labels[0])), [17, 32])


def test_coarse_answers_make_a_coarse_whole(image: np.ndarray) -> None:
    frame = Frame.from_image(image[:, :88])
    scores = TilingSegmenter(CallableSegmenter(mean_red, TWO), tile=(32, 20), overlap=0.0)
    made = scores.segment(frame)
    assert made.scores is not None
    assert made.scores.shape == (15, 22, 2)
    assert made.placement == Placement.stretch((15, 22), (60, 88))


def test_a_frame_no_larger_than_a_tile_is_seen_whole() -> None:
    frame = Frame.from_image(colour_frame())
    sizes = []

    def noting(pixels: np.ndarray) -> np.ndarray:
        sizes.append(pixels.shape)
        return functions.colours(pixels)

    TilingSegmenter(CallableSegmenter(noting, RGB), tile=(24, 16)).segment(frame)
    assert sizes == [(16, 24, 3)]


def test_tiles_are_asked_for_by_config(tiny: TinyModels) -> None:
    options = SegmenterOptions(classes=RGB.classes, tiles=(12, 8))
    frame = Frame.from_image(colour_frame())
    scores = open_segmenter(str(tiny.path("logits.tflite")), options).segment(frame).scores
    assert scores is not None
    # the tile is the network's own size, so the whole is seen at the frame's
    np.testing.assert_array_equal(scores.argmax(axis=2), colour_ids((16, 24)))


@pytest.mark.parametrize("wish", [{"tiles": (12, 8)}, {"flip": True}, {"scales": (1.0, 2.0)}])
def test_models_with_a_memory_are_shown_whole_frames_only(
    tiny: TinyModels, wish: dict[str, object]
) -> None:
    options = SegmenterOptions(**wish)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"remembers\.tflite: takes its own previous mask"):
        open_segmenter(str(tiny.path("remembers.tflite")), options)


def test_ready_made_masks_are_not_cut_up(tiny: TinyModels) -> None:
    tiny.path("ready").mkdir(exist_ok=True)
    Image.fromarray(colour_ids((16, 24))).save(tiny.path("ready") / "0.png")
    with pytest.raises(ModelError, match=r"whole frames; remove segmenter\.tiles"):
        open_segmenter(f"masks:{tiny.path('ready')}", SegmenterOptions(tiles=(12, 8)))


def named(pixels: np.ndarray) -> Prediction:
    """Answer with the strongest channel, and say how strong it is at most."""
    labels = pixels.argmax(axis=2).astype(np.uint8)
    segments = {
        int(i): Segment(int(i), int(i), score=float(pixels[..., i].max()) / 255)
        for i in np.unique(labels)
    }
    return Prediction(Placement.stretch(labels.shape, labels.shape), labels, segments=segments)


def test_segments_of_a_frame_are_those_of_its_tiles() -> None:
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, :20, 0] = image[:, 20:40, 1] = 200
    image[:, 40:, 1] = 100
    answer = TilingSegmenter(CallableSegmenter(named, RGB), tile=(20, 20), overlap=0.0).segment(
        Frame.from_image(image)
    )
    assert set(np.unique(answer.labels)) == {0, 1} == set(answer.segments)
    assert answer.segments[1].score == 200 / 255


def test_ids_that_are_no_classes_are_not_joined() -> None:
    tiles = TilingSegmenter(
        CallableSegmenter(functions.counted, RGB, name="counted"), tile=(20, 20)
    )
    frame = Frame.from_image(np.zeros((20, 60, 3), np.uint8), index=7)
    told = r"counted: frame 7: id 2 stands for class 1.*remove segmenter\.tiles"
    with pytest.raises(ModelError, match=told):
        tiles.segment(frame)
    whole = tiles.segment(Frame.from_image(np.zeros((20, 20, 3), np.uint8)))
    assert whole.segments == {2: Segment(2, 1)}
