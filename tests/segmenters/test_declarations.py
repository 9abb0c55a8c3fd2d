"""Declared shapes, read from the bytes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tempseg.segmenters.declarations import (
    Declared,
    onnx_data_files,
    onnx_declarations,
    placeholders,
)
from tests.segmenters.tiny import TinyModels


def test_an_onnx_file_tells_its_input_and_output(tiny: TinyModels) -> None:
    inputs, outputs = onnx_declarations(tiny.path("ids.onnx").read_bytes())
    assert inputs == [Declared("image", "float32", (1, 3, 8, 12))]
    assert outputs == [Declared("ids", "int64", (1, 8, 12))]


def test_named_sides_are_open(tiny: TinyModels) -> None:
    (taken,), _ = onnx_declarations(tiny.path("open.onnx").read_bytes())
    assert taken.shape == (1, 3, None, None)


def test_the_package_that_writes_them_reads_the_same(tiny: TinyModels) -> None:
    for path in tiny.folder.glob("*.onnx"):
        graph = onnx.load(path).graph
        inputs, outputs = onnx_declarations(path.read_bytes())
        for mine, theirs in zip((*inputs, *outputs), (*graph.input, *graph.output), strict=True):
            sides = theirs.type.tensor_type.shape.dim
            assert mine.name == theirs.name
            assert mine.shape == tuple(side.dim_value or None for side in sides)


def test_weights_listed_as_inputs_are_none(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["image", "bias"], ["sum"])],
        "old",
        [value("image", TensorProto.FLOAT, (1, 3)), value("bias", TensorProto.FLOAT, (3,))],
        [value("sum", TensorProto.FLOAT, (1, 3))],
        [helper.make_tensor("bias", TensorProto.FLOAT, (3,), (1.0, 2.0, 3.0))],
    )
    inputs, _ = onnx_declarations(helper.make_model(graph).SerializeToString())
    assert [taken.name for taken in inputs] == ["image"]


def test_weights_in_files_of_their_own_are_found_at_any_depth() -> None:
    def outside(location: str) -> onnx.TensorProto:
        tensor = TensorProto(name=location, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=location)
        tensor.external_data.add(key="offset", value="16")
        return tensor

    inner = helper.make_graph([], "inner", [], [], [outside("deep/b.bin")])
    nodes = [
        helper.make_node("Constant", [], ["constant"], value=outside("a.bin")),
        helper.make_node("If", ["constant"], ["out"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(nodes, "outer", [], [], [outside("c.bin"), outside("a.bin")])
    found = onnx_data_files(helper.make_model(graph).SerializeToString())
    assert found == ["a.bin", "c.bin", "deep/b.bin"]


def test_a_graph_tells_its_placeholders(tiny: TinyModels) -> None:
    found = placeholders(tiny.path("graph.pb").read_bytes())
    assert found == [Declared("image", "float32", (1, 8, 12, 3))]


@pytest.mark.parametrize("data", [b"", b"\x0a", b"\xff" * 40, b"no model at all" * 9])
def test_other_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"declares no|cut short|wire type"):
        onnx_declarations(data)
    with pytest.raises(ValueError, match=r"holds no graph|cut short|wire type"):
        placeholders(data)
