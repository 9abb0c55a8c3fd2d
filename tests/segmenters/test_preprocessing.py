"""From pixels to a model's input."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.segmenters.preprocessing import Preprocessor, onto_grid
from tempseg.types import Placement

MEAN = (123.675, 116.28, 103.53)
SCALE = (1 / 58.395, 1 / 57.12, 1 / 57.375)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_values_are_pixel_less_mean_times_scale(image: np.ndarray) -> None:
    prepared, _ = Preprocessor((20, 30), mean=MEAN, scale=SCALE).prepare(image)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared, (image - np.array(MEAN)) * np.array(SCALE), atol=1e-5)


def test_mean_and_scale_are_in_the_models_colour_order(image: np.ndarray) -> None:
    prepared, _ = Preprocessor((20, 30), colour_order="bgr", mean=(1.0, 2.0, 3.0)).prepare(image)
    np.testing.assert_array_equal(prepared, image[..., ::-1] - np.float32([1, 2, 3]))


def test_raw_bytes_pass_untouched(image: np.ndarray) -> None:
    prepared, _ = Preprocessor((20, 30), dtype="uint8").prepare(image)
    assert prepared.dtype == np.uint8
    np.testing.assert_array_equal(prepared, image)


def test_raw_int8_is_pixel_less_128(image: np.ndarray) -> None:
    port = Preprocessor((20, 30), dtype="int8", quantisation=(0.02, 5))
    prepared, _ = port.prepare(image)
    assert prepared.dtype == np.int8
    np.testing.assert_array_equal(prepared, image.astype(int) - 128)


def test_quantised_values_are_rounded_and_clipped(image: np.ndarray) -> None:
    port = Preprocessor(
        (20, 30), mean=127.5, scale=1 / 127.5, dtype="uint8", quantisation=(1 / 100, 128)
    )
    prepared, _ = port.prepare(image)
    real = (image - 127.5) / 127.5
    np.testing.assert_array_equal(prepared, np.clip(np.rint(real * 100 + 128), 0, 255))


def test_the_frame_is_not_written_into(image: np.ndarray) -> None:
    before = image.copy()
    Preprocessor((16, 16), resize="letterbox", colour_order="bgr", mean=MEAN).prepare(image)
    np.testing.assert_array_equal(image, before)


def test_stretch_covers_the_input_edge_to_edge(image: np.ndarray) -> None:
    _, placement = Preprocessor((8, 12), dtype="uint8").prepare(image)
    assert placement == Placement.stretch((8, 12), (20, 30))


def marked(size: tuple[int, int], y: float, x: float) -> np.ndarray:
    """Return a black image with a soft white spot, which resizing moves but hardly distorts."""
    ys, xs = np.mgrid[: size[0], : size[1]]
    spot = 255 * np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / (2 * 3.0**2))
    return np.repeat(np.rint(spot).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("frame", [(48, 96), (96, 48), (50, 77)])
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_the_placement_points_at_what_the_model_sees(frame: tuple[int, int], resize: str) -> None:
    port = Preprocessor((64, 80), mean=0.0, resize=resize)  # type: ignore[arg-type]
    prepared, placement = port.prepare(marked(frame, 20.5, 30.5))
    ys, xs = np.mgrid[:64, :80]
    weight = prepared[..., 0] / prepared[..., 0].sum()
    seen = (float((xs * weight).sum()), float((ys * weight).sum()))
    expected = (
        placement.scale_x * 30.5 + placement.offset_x,
        placement.scale_y * 20.5 + placement.offset_y,
    )
    assert seen == pytest.approx(expected, abs=0.03)


def test_letterbox_keeps_the_aspect_and_centres_on_mean_colour() -> None:
    image = np.full((10, 20, 3), 200, np.uint8)
    prepared, placement = Preprocessor(
        (40, 40), mean=(10.0, 20.0, 30.0), scale=1.0, resize="letterbox"
    ).prepare(image)
    assert np.abs(prepared[:10]).max() == 0
    assert np.abs(prepared[30:]).max() == 0
    np.testing.assert_array_equal(prepared[10:30, :, 0], 190)
    assert (placement.scale_x, placement.scale_y) == (2.0, 2.0)
    assert (placement.offset_x, placement.offset_y) == (0.5, 10.5)


@pytest.mark.parametrize(
    ("mean", "scale", "border"), [(None, 1 / 255, 0), (0.0, 1 / 255, 0), (None, None, 128)]
)
def test_a_letterbox_without_mean_is_gray_only_around_raw_pixels(
    mean: float | None, scale: float | None, border: float
) -> None:
    image = np.full((10, 20, 3), 200, np.uint8)
    port = Preprocessor((40, 40), mean=mean, scale=scale, resize="letterbox")
    prepared, _ = port.prepare(image)
    np.testing.assert_array_equal(prepared[:10], border)


def test_a_smaller_output_grid_lies_on_the_same_area() -> None:
    on_input = Placement.stretch((64, 80), (480, 640))
    assert onto_grid(on_input, (64, 80), (16, 20)) == Placement.stretch((16, 20), (480, 640))


def test_a_checkerboard_shrunk_much_becomes_its_mean() -> None:
    board = (np.indices((96, 96)).sum(axis=0) % 2 * 255).astype(np.uint8)
    prepared, _ = Preprocessor((24, 24), mean=0.0).prepare(np.repeat(board[..., None], 3, 2))
    np.testing.assert_allclose(prepared, 127.5, atol=0.51)
