"""What models declare about their inputs and outputs, and whether they keep to it."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.errors import ModelError
from tempseg.segmenters.options import SegmenterOptions
from tempseg.segmenters.ports import InputPort, OutputPort, input_port, output_port, require_grid

NONE = SegmenterOptions()


@pytest.mark.parametrize(
    ("shape", "size", "first", "mask"),
    [
        ((1, 8, 12, 3), (8, 12), False, False),
        ((None, 3, 8, 12), (8, 12), True, False),
        ((1, 8, 12, 4), (8, 12), False, True),
        ((1, 4, 8, 12), (8, 12), True, True),
    ],
)
def test_channels_are_found_first_or_last(
    shape: tuple[int | None, ...], size: tuple[int, int], first: bool, mask: bool
) -> None:
    port = input_port("net", shape, "float32", options=NONE)
    assert (port.size, port.channels_first, port.previous_mask) == (size, first, mask)
    assert port.shape == tuple(side or 1 for side in shape)
    values = np.random.default_rng(0).random((*size, 4 if mask else 3))
    assert port.tensor(values).shape == port.shape


@pytest.mark.parametrize("shape", [(), (8, 12, 3), (2, 8, 12, 3), (1, 8, 12, 1), (1, 8, 12, 5)])
def test_what_takes_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"net: its input is \[.*expected one RGB image"):
        input_port("net", shape, "float32", options=NONE)


@pytest.mark.parametrize(("shape", "dtype"), [((1, 8, 12, 3), "float64"), ((1, 8, 12, 4), "uint8")])
def test_types_that_cannot_be_fed_are_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ModelError, match=f"net: its input is {dtype}, expected one of .*float32"):
        input_port("net", shape, dtype, options=NONE)


@pytest.mark.parametrize(
    ("shape", "channels", "first"),
    [
        ((1, 64, 128, 20), 20, False),
        ((1, 20, 64, 128), 20, True),
        ((1, 16, 32, 20), 20, False),
        ((1, 2, 9, 17), 2, True),
        ((1, 64, 128, 1), 1, False),
        ((1, None, None, 20), 20, False),
        ((1, 20, None, None), 20, True),
        ((1, 64, 128), 1, False),
    ],
)
def test_an_outputs_order_of_channels_follows_from_the_inputs_aspect(
    shape: tuple[int | None, ...], channels: int, first: bool
) -> None:
    given = output_port(shape, integer=False, port=InputPort((64, 128), "float32"))
    assert (given.channels, given.channels_first) == (channels, first)


@pytest.mark.parametrize("first", [False, True])
def test_an_output_that_fits_both_ways_is_as_the_input(first: bool) -> None:
    port = InputPort((3, 3), "float32", channels_first=first)
    assert output_port((1, 3, 3, 3), integer=False, port=port).channels_first is first


def test_answers_first_come_out_last() -> None:
    answer = np.arange(24).reshape(1, 3, 2, 4)
    turned = OutputPort((1, 3, 2, 4), 3, channels_first=True).channels_last(answer, "net")
    np.testing.assert_array_equal(turned, answer.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("declared", [(1, 8, 12, 3), (None, None, 12, 3), (1, 8, 13)])
def test_an_answer_of_another_shape_than_declared_is_refused(
    declared: tuple[int | None, ...],
) -> None:
    told = r"net: frame 7: got an answer of \[1, 8, 13, 3\], expected \[.*\] as the model declares"
    with pytest.raises(ModelError, match=told):
        OutputPort(declared).channels_last(np.zeros((1, 8, 13, 3)), "net: frame 7")


@pytest.mark.parametrize("declared", [None, (1, 8, 12, 3), (None, None, None, 3)])
def test_an_answer_may_have_any_size_that_was_left_open(
    declared: tuple[int | None, ...] | None,
) -> None:
    answer = np.zeros((1, 8, 12, 3))
    assert OutputPort(declared).channels_last(answer, "net") is answer


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1000),
        (None, 1000),
        (1, 1),
        (1, 2),
        (1, 1, 1, 1000),
        (1, 250, 4),
        (1, 1917, 1, 4),
        (1, 6144, 5),
        (1, 30720),
        (5, 64, 96),
        (1000,),
    ],
)
def test_what_is_no_grid_over_the_input_is_refused(shape: tuple[int | None, ...]) -> None:
    told = r"net: its output is \[.*\], expected a grid over the 96x64 input: \[1, height, width"
    with pytest.raises(ModelError, match=told):
        require_grid(shape, (64, 96), "net")


def test_an_output_in_a_row_is_to_be_reshaped() -> None:
    with pytest.raises(ModelError, match="in a row, reshape"):
        require_grid((1, 6144, 5), (64, 96), "net")


@pytest.mark.parametrize("stride", [1, 4, 8, 16, 32])
@pytest.mark.parametrize("rounded", [np.floor, np.ceil])
@pytest.mark.parametrize("size", [(64, 96), (257, 513), (360, 641), (66, 95)])
def test_a_grid_at_any_stride_is_taken(
    size: tuple[int, int], rounded: np.ufunc, stride: int
) -> None:
    rows, columns = (int(rounded(side / stride)) for side in size)
    for shape in ((1, rows, columns), (rows, columns), (1, rows, columns, 21), (1, None, None)):
        require_grid(shape, size, "net")
    require_grid((1, 21, rows, columns), size, "net", channels_first=True)


def test_four_sides_may_be_of_another_aspect() -> None:
    require_grid((1, 513, 513, 21), (360, 640), "net")


def test_ids_may_come_on_a_grid_of_fixed_size() -> None:
    require_grid((1, 64, 64), (90, 160), "net")
    with pytest.raises(ModelError, match="expected a grid"):
        require_grid((1, 250, 4), (90, 160), "net")
